"""A plant's own past into history: batch by batch, each with its place in the file in one transaction, so that it can go on.

Rows go straight into segments. Who is interrupted calls again: what was brought is not brought twice, neither from the same
file nor where history has rows of these tags at the same times. A gate must not run: history has one writer.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history.file import HistoryError, opened_to_read
from holdfast.gate.history.hot import Block
from holdfast.gate.history.rows import BAD_NO_DATA, times_of
from holdfast.gate.history.store import History
from holdfast.gate.history.tabular import NO_DATA, NO_NUMBER, Batch, Tabular, batches, look
from holdfast.gate.ledger.store import LOCK
from holdfast.terms import BAD_DECODING_ERROR, TagTable, Word

READ_BYTES = 1 << 20
Progress = Callable[[float, str], None]


class Mapped(Word):
    """What an import would do with a file's columns: (column, tag) pairs, and the columns that no tag was found for."""

    file: Tabular
    pairs: tuple[tuple[str, str], ...]
    left: tuple[str, ...]


class Brought(Word):
    """What became of one file. Counts are of its rows and cells."""

    path: str
    rows: int  # read
    before: int  # of them, brought by an earlier call
    new: int
    known: int  # history had these tags at these times
    no_time: int
    no_number: tuple[tuple[str, int], ...]  # (column, cells that are no numbers): kept as Bad
    from_ns: int | None
    to_ns: int | None


@contextlib.contextmanager
def alone(folder: Path) -> Generator[None]:
    """Hold the lock of a gate's folder. Raises HistoryError where a gate runs."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise HistoryError(f"{folder}: a gate runs here, and history has one writer; import while it is stopped") from error
        yield
    finally:
        os.close(lock)


def mapped(path: Path, tables: Sequence[TagTable], time: str, given: Mapping[str, str]) -> Mapped:
    """Which column is which tag: as `given` says, else by the tag's name or its tag number. Raises HistoryError."""
    file = look(path, time)
    tags = {tag.name: tag.name for table in tables for tag in table.tags}
    numbers = {tag.tag_no: tag.name for table in tables for tag in table.tags if tag.tag_no}
    for column, tag in given.items():
        if tag not in tags:
            raise HistoryError(f"--map {column}={tag}: the site has no tag {tag!r}; `holdfast check` lists them")
    pairs = [(column, given.get(column) or tags.get(column) or numbers.get(column)) for column in file.columns]
    found = tuple((column, tag) for column, tag in pairs if tag)
    twice = sorted({tag for _, tag in found if sum(tag == other for _, other in found) > 1})
    if twice:
        raise HistoryError(f"{path}: two columns are the same tag: {', '.join(twice)}; map one of them to another tag")
    if not found:
        raise HistoryError(f"{path}: no column is called as a tag; name them with --map COLUMN=TAG. There are: {', '.join(file.columns)}")
    return Mapped(file=file, pairs=found, left=tuple(column for column, tag in pairs if not tag))


def bring(history: History | None, kept: Path, of: Mapped, tables: Sequence[TagTable], zone: ZoneInfo, progress: Progress) -> Brought:
    """One file, into `history` (whose file is `kept`), or nowhere (None) to see what would become of it.

    Raises HistoryError; then calling again goes on where it ended.
    """
    source = _digest(of, zone) if history else ""
    before = history.brought_before(source) if history else 0
    tags = {tag.name: tag for table in tables for tag in table.tags}
    states = [{name: float(value) for value, name in tags[tag].states} for _, tag in of.pairs]
    rows, new, known, no_time = before, 0, 0, 0
    no_number = np.zeros(len(of.pairs), np.int64)
    first_ns: list[int] = []
    last_ns: list[int] = []
    with contextlib.ExitStack() as stack:
        db = stack.enter_context(contextlib.closing(opened_to_read(kept))) if history else None
        for batch in batches(of.file, [column for column, _ in of.pairs], zone, before, states):
            ready: list[tuple[str, tuple[str, ...], Block]] = []
            for table, columns in _by_table(of, tables):
                names = tuple(of.pairs[column][1] for column in columns)
                block = _block(batch, columns)
                if db is not None and block is not None:
                    had = times_of(db, table, frozenset(names), int(block.received_ns.min()), int(block.received_ns.max()))
                    fresh = np.flatnonzero(~np.isin(block.received_ns, had))
                    known += len(block.received_ns) - len(fresh)
                    block = block.taken(fresh) if len(fresh) else None
                if block is not None:
                    new += len(block.received_ns)
                    ready.append((table, names, block))
            rows = batch.first + batch.taken
            no_time += batch.taken - len(batch.ns)
            no_number += (batch.unread == NO_NUMBER).sum(axis=0)
            if len(batch.ns):
                first_ns.append(int(batch.ns.min()))
                last_ns.append(int(batch.ns.max()))
            if history:
                history.bring(source, rows, ready)
            progress(batch.share, f"{rows} rows")
    return Brought(
        path=str(of.file.path),
        rows=rows,
        before=before,
        new=new,
        known=known,
        no_time=no_time,
        no_number=tuple((column, int(n)) for (column, _), n in zip(of.pairs, no_number, strict=True) if n),
        from_ns=min(first_ns, default=None),
        to_ns=max(last_ns, default=None),
    )


def _by_table(of: Mapped, tables: Sequence[TagTable]) -> list[tuple[str, list[int]]]:
    """(table, places in `pairs`), columns in the table's order, so that its own layout is found again."""
    place = {tag: at for at, (_, tag) in enumerate(of.pairs)}
    found = [(table.id, [place[tag.name] for tag in table.tags if tag.name in place]) for table in tables]
    return [(table, columns) for table, columns in found if columns]


def _block(batch: Batch, columns: list[int]) -> Block | None:
    """Rows in which at least one of the tags was kept."""
    unread = batch.unread[:, columns]
    rows = np.flatnonzero((unread != NO_DATA).any(axis=1))
    if not len(rows):
        return None
    ns = batch.ns[rows]
    status = np.select([unread[rows] == NO_DATA, unread[rows] == NO_NUMBER], [BAD_NO_DATA, BAD_DECODING_ERROR], 0).astype(np.uint32)
    source: NDArray[np.int64] = np.repeat(ns[:, None], len(columns), axis=1)
    return Block(ns, np.zeros(len(ns), np.int64), source, np.ascontiguousarray(batch.values[rows][:, columns]), status)


def _digest(of: Mapped, zone: ZoneInfo) -> str:
    """Of the file's bytes and of what is made of them: another mapping is another import."""
    found = hashlib.sha256(repr((of.file.time, of.pairs, zone.key)).encode())
    try:
        with of.file.path.open("rb") as file:
            while part := file.read(READ_BYTES):
                found.update(part)
    except OSError as error:
        raise HistoryError(f"{of.file.path}: can't be read ({error.strerror}); check name and rights") from error
    return found.hexdigest()
