"""A verifier written from docs/design/ledger.md alone, with nothing of Holdfast in it, agrees with the gate's record."""

import base64
import hashlib
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from holdfast.clock import VirtualClock
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.identity.people import People
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.checkpoint import Checkpoints, make_key
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.terms import Decision


def tree_root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + tree_root(hashes[:k]) + tree_root(hashes[k:])).digest()


def audited(folder: Path) -> list[dict[str, object]]:
    """The records, each checkpoint's signature and root verified."""
    name, key_id, coded = (folder / "ledger.pub").read_text().strip().split("+", 2)
    blob = base64.b64decode(coded)
    assert blob[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + blob).hexdigest()[:8] == key_id
    with closing(sqlite3.connect(f"file:{folder / 'state.db'}?immutable=1", uri=True)) as db:
        leaves = [bytes(row[0]) for row in db.execute("SELECT bytes FROM leaf ORDER BY seq")]
        notes = [row[0] for row in db.execute("SELECT note FROM checkpoint ORDER BY size")]
    hashes = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    assert notes
    assert (folder / "checkpoints").read_text() == "".join(notes)
    for note in notes:
        text, signature = note.split("\n\n")
        origin, size, root = text.split("\n")
        assert origin == name
        mark, signer, coded = signature.rstrip("\n").split(" ")
        assert (mark, signer) == ("\u2014", name)
        signed = base64.b64decode(coded)
        assert signed[:4].hex() == key_id
        Ed25519PublicKey.from_public_bytes(blob[1:]).verify(signed[4:], (text + "\n").encode())
        assert base64.b64decode(root) == tree_root(hashes[: int(size)])
    return [json.loads(leaf) for leaf in leaves]


def test_record_and_approvals_can_be_audited_without_holdfast(tmp_path: Path):
    make_key(tmp_path, "wuxi mill+2 轧机", random.Random(1).randbytes)
    clock = VirtualClock(1_000)
    state = State(tmp_path, durable=False, reserve_bytes=0)
    log = Log(state, clock)
    people = People(state, log, clock, random.Random(2).randbytes, cost=Cost(passes=1, memory_kib=8, lanes=1))
    inbox = Inbox(state, log, people, clock, boot="b")
    checkpoints = Checkpoints.of(state, log)
    checkpoints.sign(0)
    people.add("李伟", ["operator"], "brass kettle orchard")
    asked = Decision(
        proposal="p1", binds="d1", configuration="", snapshot="", author="a", at_ns=0, verdict="ask", reasons=(), roles=("operator",)
    )
    inbox.open(asked, 60.0)
    inbox.sign("p1", "李伟", "operator", "brass kettle orchard", True, 'ok "now"\n', binds="d1")
    checkpoints.sign(0)
    for i in range(300):
        log.append("tick", {"x": i / 7, "big": 1e22, "small": 1e-7})
    checkpoints.sign(0)
    state.close()

    records = audited(tmp_path)
    assert [r["seq"] for r in records] == list(range(1, 304))
    bodies = {str(r["kind"]): r["body"] for r in records}
    person, ask, approval = bodies["person"], bodies["ask"], bodies["approval"]
    assert isinstance(person, dict)
    assert isinstance(ask, dict)
    assert isinstance(approval, dict)
    assert approval["binds"] == ask["binds"]
    message = '{"binds":"d1","person":"李伟","reason":"ok \\"now\\"\\n","role":"operator","yes":true}'.encode()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(person["public"])).verify(bytes.fromhex(approval["signature"]), message)
