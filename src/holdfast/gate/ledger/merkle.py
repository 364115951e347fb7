"""RFC 9162 §2.1 hash trees: hashing, a frontier that grows by appending, proofs and their verification.

Indices count leaves from 0. A `Perfect` gives the hash of the complete subtree of 2**level leaves that begins at leaf
index * 2**level; proofs ask it for what they need and hash the rest.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

Perfect: TypeAlias = Callable[[int, int], bytes]  # (level, index) -> 32 bytes

EMPTY_ROOT = hashlib.sha256(b"").digest()
TILE_LEVELS = 8  # hashes of complete subtrees are worth storing at every 8th level: 1/255 more rows, proofs stay cheap
TILE = 1 << TILE_LEVELS  # leaves


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The complete subtrees of a growing tree, largest first: all that appending and the root need."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size.bit_count() != len(peaks):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} complete subtrees, not {len(peaks)}")
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf's hash; return the subtrees completed at storing levels, as (level, index, hash)."""
        stored: list[tuple[int, int, bytes]] = []
        top, left, level = leaf, self.size, 0
        while left & 1:
            top = node_hash(self.peaks.pop(), top)
            left >>= 1
            level += 1
            if level % TILE_LEVELS == 0:
                stored.append((level, left, top))
        self.peaks.append(top)
        self.size += 1
        return stored

    def append_tile(self, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """The same for TILE hashes at once, which begin at a multiple of TILE: half the time. Raises ValueError."""
        if self.size % TILE or len(leaves) != TILE:
            raise ValueError(f"a tile is {TILE} leaves from a multiple of {TILE} on, not {len(leaves)} from {self.size} on")
        sha256, level_hashes = hashlib.sha256, list(leaves)
        while len(level_hashes) > 1:
            level_hashes = [
                sha256(b"\x01" + left + right).digest() for left, right in zip(level_hashes[::2], level_hashes[1::2], strict=True)
            ]
        (top,) = level_hashes
        left, level = self.size >> TILE_LEVELS, TILE_LEVELS
        stored = [(level, left, top)]
        while left & 1:
            top = node_hash(self.peaks.pop(), top)
            left >>= 1
            level += 1
            if level % TILE_LEVELS == 0:
                stored.append((level, left, top))
        self.peaks.append(top)
        self.size += TILE
        return stored

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        top = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            top = node_hash(peak, top)
        return top


def frontier_of(size: int, perfect: Perfect) -> Frontier:
    """The frontier of the first `size` leaves of a stored tree."""
    peaks: list[bytes] = []
    begin = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            peaks.append(perfect(level, begin >> level))
            begin += 1 << level
    return Frontier(size, peaks)


def _split(width: int) -> int:
    """The largest power of two below `width` (> 1)."""
    return 1 << ((width - 1).bit_length() - 1)


def _root_of(begin: int, end: int, perfect: Perfect) -> bytes:
    width = end - begin
    level = width.bit_length() - 1
    if width == 1 << level:
        return perfect(level, begin >> level)
    middle = begin + _split(width)
    return node_hash(_root_of(begin, middle, perfect), _root_of(middle, end, perfect))


def inclusion(index: int, size: int, perfect: Perfect) -> tuple[bytes, ...]:
    """The audit path of a leaf in the tree of the first `size` leaves, nearest first (RFC 9162 §2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} among {size}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_root_of(middle, end, perfect))
            end = middle
        else:
            path.append(_root_of(begin, middle, perfect))
            begin = middle
    return tuple(reversed(path))


def included(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` proves that the leaf's hash is at `index` under `root` (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, top = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            top = node_hash(sibling, top)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            top = node_hash(top, sibling)
        fn >>= 1
        sn >>= 1
    return sn == 0 and top == root


def consistency(old: int, new: int, perfect: Perfect) -> tuple[bytes, ...]:
    """The proof that the first `old` of `new` leaves are unchanged (RFC 9162 §2.1.4.1)."""
    if not 0 < old <= new:
        raise ValueError(f"a proof goes from a tree of at least 1 leaf to one at least as large, not from {old} to {new}")
    path: list[bytes] = []
    begin, end, known = 0, new, True  # known: the verifier has this subtree's hash as the old root
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_root_of(middle, end, perfect))
            end = middle
        else:
            path.append(_root_of(begin, middle, perfect))
            begin, known = middle, False
    if not known:
        path.append(_root_of(begin, end, perfect))
    return tuple(reversed(path))


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the tree of `old` leaves is a beginning of the one of `new` (RFC 9162 §2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    proof = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not proof:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    old_top = new_top = proof[0]
    for sibling in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old_top = node_hash(sibling, old_top)
            new_top = node_hash(sibling, new_top)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            new_top = node_hash(new_top, sibling)
        fn >>= 1
        sn >>= 1
    return sn == 0 and old_top == old_root and new_top == new_root
