"""A record's inclusion proof, computed again here: from its bytes and the path to the root that the checkpoint names.

RFC 9162 section 2.1.3.2 (leaf hash 0x00, inner node 0x01, SHA-256). What the gate says it proves is not believed.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from holdfast.terms import Word

PATH_MAX = 64  # hashes: a tree of 2**64 leaves


class Step(Word):
    """One hash of the path, joined from the left or from the right, and what it gives. Hex."""

    side: str
    hash: str
    gives: str


class Proof(Word):
    """`root` is what was computed, `signed` what the checkpoint's third line says; hex. `note` is the checkpoint."""

    leaf: str
    leaf_hash: str
    steps: tuple[Step, ...]
    size: int
    root: str
    signed: str
    note: str

    @property
    def holds(self) -> bool:
        return self.root == self.signed


def proof_of(told: Mapping[str, Any]) -> Proof | None:
    """None where no checkpoint covers the record yet. What can't be read as a proof does not hold."""
    if not told.get("proved"):
        return None
    leaf, index, size = str(told["leaf"]), int(told["index"]), int(told["size"])
    note = str(told["checkpoint"])
    node = hashlib.sha256(b"\x00" + leaf.encode()).digest()
    leaf_hash, steps, at, last = node.hex(), [], index, size - 1
    for text in list(told["path"])[:PATH_MAX]:
        beside = bytes.fromhex(str(text))
        # A right child, or the last node of a level that has no sibling: what is beside it stands on the left.
        left = at % 2 == 1 or at == last
        node = hashlib.sha256(b"\x01" + (beside + node if left else node + beside)).digest()
        steps.append(Step(side="left" if left else "right", hash=beside.hex(), gives=node.hex()))
        while left and at % 2 == 0 and at != 0:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    signed_size, signed = _head(note)
    whole = last == 0 and 0 <= index < size == signed_size
    return Proof(
        leaf=leaf, leaf_hash=leaf_hash, steps=tuple(steps), size=size, root=node.hex() if whole else "", signed=signed or "–", note=note
    )


def _head(note: str) -> tuple[int, str]:
    """Size and root (hex) of a checkpoint's text (C2SP tlog-checkpoint: origin, size, root, a line each)."""
    try:
        _, size, root = note.split("\n")[:3]
        return int(size), base64.b64decode(root, validate=True).hex()
    except (ValueError, binascii.Error):
        return -1, ""
