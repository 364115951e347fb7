"""A write-ahead log as its bytes say it: which frames are whole, and where each commit ends. It asks no SQLite.

SQLite file format, "The Write-Ahead Log": a header of 32 bytes, then frames of a 24-byte header and a page. A frame counts if its
salts are the header's and its running checksum is right; a commit's last frame tells the size of the database after it.
"""

import struct
from dataclasses import dataclass

HEADER, FRAME_HEADER = 32, 24  # bytes
BIG = 0x377F0683  # of the magic number where checksums read big-endian words


@dataclass(frozen=True)
class Frames:
    page: int  # bytes
    count: int  # whole frames with good checksums
    commits: tuple[int, ...]  # number of frames up to and with each commit, ascending

    def end(self, frames: int) -> int:
        """Byte offset behind the first `frames` frames."""
        return HEADER + frames * (FRAME_HEADER + self.page)

    def kept(self, frames: int) -> int:
        """How many frames of the first `frames` are committed."""
        return max((c for c in self.commits if c <= frames), default=0)


def frames_of(wal: bytes) -> Frames:
    """Raises ValueError for bytes that are no write-ahead log."""
    if len(wal) < HEADER:
        raise ValueError("shorter than a header")
    magic, _, page = struct.unpack_from(">III", wal, 0)
    if magic & ~1 != BIG & ~1:
        raise ValueError(f"magic number {magic:#x}")
    order = ">" if magic & 1 else "<"
    sums = _checksum(wal[: HEADER - 8], (0, 0), order)
    salts, count, commits, at = wal[16:24], 0, [], HEADER
    while at + FRAME_HEADER + page <= len(wal):
        (after,) = struct.unpack_from(">I", wal, at + 4)
        sums = _checksum(wal[at : at + 8], sums, order)
        sums = _checksum(wal[at + FRAME_HEADER : at + FRAME_HEADER + page], sums, order)
        if wal[at + 8 : at + 16] != salts or struct.unpack_from(">II", wal, at + 16) != sums:
            break
        count += 1
        at += FRAME_HEADER + page
        if after:
            commits.append(count)
    return Frames(page=page, count=count, commits=tuple(commits))


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """Over pairs of 32-bit words (section 4.2 of the file format)."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for i in range(0, len(words), 2):
        first = (first + words[i] + second) & 0xFFFFFFFF
        second = (second + words[i + 1] + first) & 0xFFFFFFFF
    return first, second
