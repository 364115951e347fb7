"""Frames as they came, many at once: packed frames of one table and length have one shape and are taken apart together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history.file import HOUR_NS, raw, whole
from holdfast.terms import Frame, unpack

HEAD_BYTES = 20  # of a packed frame, before the table's name (terms.pack)
FRAMES_AT_ONCE = 20_000
JOINED_BYTES = 200_000
ROW_BYTES = 20  # of a value with its source time and status
BYTES_AT_ONCE = 32_000_000


class Block(NamedTuple):
    """Rows of one table in the order of their numbers."""

    received_ns: NDArray[np.int64]  # (rows,)
    seqs: NDArray[np.int64]  # (rows,)
    source_ns: NDArray[np.int64]  # (rows, columns)
    values: NDArray[np.float64]  # (rows, columns)
    status: NDArray[np.uint32]  # (rows, columns)

    def taken(self, rows: NDArray[np.intp]) -> "Block":
        return Block(self.received_ns[rows], self.seqs[rows], self.source_ns[rows], self.values[rows], self.status[rows])

    def cut(self, begin: int, end: int) -> "Block":
        """Views, not copies."""
        rows = slice(begin, end)
        return Block(self.received_ns[rows], self.seqs[rows], self.source_ns[rows], self.values[rows], self.status[rows])


def joined(frames: Sequence[Frame]) -> Iterator[Frame]:
    """Frames that follow each other in one table as one: a frame of its own for each row costs the disk a page and more."""
    last: dict[str, list[Frame]] = {}
    for frame in frames:
        if not frame.rows:
            continue
        run = last.setdefault(frame.table, [])
        if (run and not _follows(run[-1], frame)) or len(run) >= max(1, JOINED_BYTES // (ROW_BYTES * max(frame.values.size, 1))):
            yield _joined(run)
            run = last[frame.table] = []
        run.append(frame)
    yield from (_joined(run) for run in last.values() if run)


def _follows(last: Frame, frame: Frame) -> bool:
    """Within the hour: what ends where an hour does is sealed without pieces."""
    same = last.seq + last.rows == frame.seq and last.values.shape[1] == frame.values.shape[1]
    return same and int(last.received_ns[-1]) // HOUR_NS == int(frame.received_ns[0]) // HOUR_NS


def _joined(run: Sequence[Frame]) -> Frame:
    if len(run) == 1:
        return run[0]
    return Frame(
        table=run[0].table,
        seq=run[0].seq,
        received_ns=np.concatenate([frame.received_ns for frame in run]),
        source_ns=np.concatenate([frame.source_ns for frame in run]),
        values=np.concatenate([frame.values for frame in run]),
        status=np.concatenate([frame.status for frame in run]),
    )


def blocks(rows: Iterable[tuple[object, ...]], *, same: Sequence[int] = ()) -> Iterator[Block]:
    """Of (seq, frame) rows. Frames of another length, or beyond a row number in `same`, begin a block of their own."""
    seqs: list[int] = []
    blobs: list[bytes] = []
    length = most = 0
    edges = sorted(same)
    for number, blob in rows:
        seq, frame = whole(number), raw(blob)
        edge = bool(edges) and bool(seqs) and any(seqs[-1] < edge <= seq for edge in edges)
        if len(frame) != length or len(blobs) >= most or edge:
            if blobs:
                yield together(seqs, blobs)
                seqs, blobs = [], []
            length = len(frame)
            most = max(1, min(FRAMES_AT_ONCE, BYTES_AT_ONCE // max(length, 1)))
        seqs.append(seq)
        blobs.append(frame)
    if blobs:
        yield together(seqs, blobs)


def together(seqs: Sequence[int], blobs: Sequence[bytes]) -> Block:
    """Frames of one shape. Raises ValueError where they are none."""
    first = unpack(blobs[0])
    rows, width = first.values.shape
    packed = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), -1)
    at = HEAD_BYTES + len(first.table.encode())
    received = packed[:, at : at + 8 * rows].copy().view("<i8").reshape(-1)
    at += 8 * rows
    source = packed[:, at : at + 8 * rows * width].copy().view("<i8").reshape(-1, width)
    at += 8 * rows * width
    values = packed[:, at : at + 8 * rows * width].copy().view("<f8").reshape(-1, width)
    at += 8 * rows * width
    status = packed[:, at:].copy().view("<u4").reshape(-1, width)
    numbers = (np.array(seqs, np.int64)[:, None] + np.arange(rows)).reshape(-1)
    return Block(received, numbers, source, values, status)
