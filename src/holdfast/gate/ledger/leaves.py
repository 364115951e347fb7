"""Reads leaves back in pieces, hashes each and demands its one form and place; a long record on several cores at once.

Every leaf is hashed, parsed and written again, none is sampled. Pieces are judged in order of their records, so that the
first fault found is the first there is, on one core or on four.
"""

import contextlib
import gc
import hashlib
import json
import os
from collections import deque
from collections.abc import Generator, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import apsw

from holdfast.terms import Word

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

FIELDS = {"seq", "at_ns", "kind", "label", "body"}
MARK, BETWEEN = b'{"at_ns":', b'},{"at_ns":'
PIECE = 16_384  # records
TOGETHER = 256
CORES_MIN_RECORDS = 100_000  # below, starting processes takes longer than it saves
CORES_MAX = 4
AHEAD = 2  # pieces a core that wait to be judged: 1 MiB of hashes each

# One coder for all leaves: json.loads and json.dumps with options build one each time.
_decode = json.JSONDecoder().raw_decode
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Fault(Word):
    """Why a leaf is bad: a code of docs/design/ledger.md, and which record."""

    code: str
    detail: str
    seq: int


class Piece(Word):
    """Hashes of consecutive leaves, 32 bytes each, up to the first fault."""

    hashes: bytes
    fault: Fault | None = None


def pieces(db: apsw.Connection, uri: str, total: int) -> Generator[Piece]:
    """The first `total` leaves, in order, ending at the first fault. `uri` opens the same file for other processes to read."""
    # Made as they are needed: a damaged file may claim any number of records.
    spans = ((first, min(first + PIECE - 1, total)) for first in range(1, total + 1, PIECE))
    cores = min(len(os.sched_getaffinity(0)), CORES_MAX) if total >= CORES_MIN_RECORDS else 1
    for piece in _on(cores, db, uri, spans) if cores > 1 else (scan(db, first, last) for first, last in spans):
        yield piece
        if piece.fault is not None:
            return


def scan(db: apsw.Connection, first: int, last: int) -> Piece:
    """Leaves `first` to `last`, each hashed and judged."""
    found = db.execute("SELECT seq, bytes, hash FROM leaf WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, last))
    hashes: list[bytes] = []
    while rows := list(islice(found, TOGETHER)):
        seq = first + len(hashes)
        if (together := _together(seq, rows)) is not None:
            hashes += together
            continue
        for row in rows:
            seq = first + len(hashes)
            hashed = _leaf(seq, *row)
            if isinstance(hashed, Fault):
                return Piece(hashes=b"".join(hashes), fault=hashed)
            hashes.append(hashed)
    if (seq := first + len(hashes)) <= last:
        following = db.execute("SELECT min(seq) FROM leaf WHERE seq > ?", (last,)).fetchone()
        return Piece(hashes=b"".join(hashes), fault=_missing(seq, following[0] if following else None))
    return Piece(hashes=b"".join(hashes))


def _together(seq: int, rows: list[Any]) -> list[bytes] | None:
    """The hashes of leaves that are all good, judged at once in half the time; None where each must be looked at.

    Exact, not a shortcut: the leaves joined by commas are the canonical form of a list of as many records, and as each
    begins with MARK and ends with a brace and BETWEEN stands nowhere but between two of them, the list's elements are the
    leaves and no leaf completes its neighbour.
    """
    sha256 = hashlib.sha256
    try:
        leaves = [leaf for _, leaf, _ in rows]
        hashes = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
        whole = b",".join(leaves)
        if hashes != [stored for _, _, stored in rows] or whole.count(BETWEEN) != len(leaves) - 1:
            return None
        if not all(leaf.startswith(MARK) and leaf.endswith(b"}") for leaf in leaves):
            return None
        text = f"[{whole.decode()}]"
        values: Any = _decode(text)[0]
        if _encode(values) != text or len(values) != len(rows):
            return None
        for place, (row, value) in enumerate(zip(rows, values, strict=True), start=seq):
            if row[0] != place or value.keys() != FIELDS or type(value["seq"]) is not int or value["seq"] != place:
                return None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return hashes


def _leaf(seq: int, row_seq: object, leaf: object, stored: object) -> bytes | Fault:
    """The hash of the row that should hold record `seq`, or why it is bad."""
    if row_seq != seq:
        return _missing(seq, row_seq)
    if not isinstance(leaf, bytes):
        return Fault(code="ledger.form", detail=f"record {seq} holds no bytes", seq=seq)
    hashed = hashlib.sha256(b"\x00" + leaf).digest()
    if hashed != stored:
        return Fault(code="ledger.leaf", detail=f"record {seq} was changed: its bytes don't have its hash", seq=seq)
    return form(seq, leaf) or hashed


def form(seq: int, leaf: bytes) -> Fault | None:
    """One form and one place: a leaf that could be read two ways, or that sits elsewhere, is bad even if it is signed."""
    try:
        text = leaf.decode()
        value: Any = _decode(text)[0]
        same = _encode(value) == text
    except (ValueError, RecursionError):
        return Fault(code="ledger.form", detail=f"record {seq} is not JSON in UTF-8", seq=seq)
    if not same or not isinstance(value, dict) or value.keys() != FIELDS:
        return Fault(code="ledger.form", detail=f"record {seq} is not in canonical form", seq=seq)
    if type(value["seq"]) is not int or value["seq"] != seq:
        detail = f"in the place of record {seq} stands one that calls itself {value['seq']}"
        return Fault(code="ledger.order", detail=detail, seq=seq)
    return None


def _missing(seq: int, following: object) -> Fault:
    return Fault(code="ledger.gap", detail=f"record {seq} is missing; the next one is {following}", seq=seq)


def _on(cores: int, db: apsw.Connection, uri: str, spans: Iterator[tuple[int, int]]) -> Generator[Piece]:
    """Spans over several processes, in order. A process that fails to start or to read leaves its work to this one."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    waiting: deque[tuple[tuple[int, int], Future[Piece] | None]] = deque()
    # Spawned, not forked: a fork would inherit this connection, its locks and the caller's threads.
    pool = ProcessPoolExecutor(cores, mp_context=get_context("spawn"), initializer=_open, initargs=(uri,))
    try:
        while True:
            while len(waiting) < cores * AHEAD and (span := next(spans, None)) is not None:
                waiting.append((span, _submitted(pool, span)))
            if not waiting:
                return
            span, future = waiting.popleft()
            yield _result(future) or scan(db, *span)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submitted(pool: "ProcessPoolExecutor", span: tuple[int, int]) -> "Future[Piece] | None":
    with contextlib.suppress(RuntimeError):  # BrokenProcessPool is one
        return pool.submit(_scanned, *span)
    return None


def _result(future: "Future[Piece] | None") -> Piece | None:
    if future is None:
        return None
    # Whatever went wrong over there is found again here, where it is reported.
    with contextlib.suppress(Exception):
        return future.result()
    return None


_here: apsw.Connection | None = None


def _open(uri: str) -> None:
    global _here
    _here = reader(uri)
    gc.disable()  # what JSON makes has no cycles


def _scanned(first: int, last: int) -> Piece:
    if _here is None:
        raise RuntimeError("this process has not opened the file")
    return scan(_here, first, last)


def reader(uri: str) -> apsw.Connection:
    """A connection that only reads, and that a hostile file can't make run anything."""
    db = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        db.set_busy_timeout(5_000)
        # No trusted schema, no surprises in views and triggers; a damaged page is an error, not a wrong row.
        db.pragma("trusted_schema", False)
        db.pragma("cell_size_check", True)
    except BaseException:
        db.close()
        raise
    return db
