"""What a trend over weeks needs of each five minutes of a tag: least, greatest, mean and last usable value, and how many rows.

A stretch in which nothing changed and all was Good is one entry for all its five minutes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history.file import HOUR_NS
from holdfast.terms import BAD

SLOT_NS = 300_000_000_000
SLOTS = HOUR_NS // SLOT_NS
LATE_NS = 100  # unit of `late`: when in its five minutes the last usable row came
ENTRY = np.dtype(
    [
        ("slots", "<u2"),  # a bit for each five minutes of the hour that this stands for
        ("rows", "<u4"),
        ("usable", "<u4"),
        ("good", "<u4"),
        ("late", "<u4"),
        ("mean", "<f4"),
        ("min", "<f8"),
        ("max", "<f8"),
        ("last", "<f8"),
    ]
)


class Rolled(NamedTuple):
    """Entries in the order of their time; one for each five minutes and segment. All (entries,)."""

    at_ns: NDArray[np.int64]  # where the five minutes begin
    rows: NDArray[np.uint32]
    usable: NDArray[np.uint32]  # not Bad, and a number
    good: NDArray[np.uint32]  # exactly Good
    mean: NDArray[np.float32]  # of the usable ones; for drawing, not for counting with
    min: NDArray[np.float64]  # min, max and last mean nothing where none is usable
    max: NDArray[np.float64]
    last: NDArray[np.float64]


def rolled_up(received_ns: NDArray[np.int64], values: NDArray[np.float64], status: NDArray[np.uint32], hour_ns: int) -> list[bytes]:
    """For each column its entries. received_ns (rows,) never runs backwards, values and status are (columns, rows)."""
    rows = len(received_ns)
    slots = (received_ns - hour_ns) // SLOT_NS
    begins = np.concatenate(([0], np.flatnonzero(slots[1:] != slots[:-1]) + 1))
    usable = (status < BAD) & np.isfinite(values)
    entries = np.zeros((len(values), len(begins)), ENTRY)
    entries["slots"] = (1 << slots[begins]).astype(np.uint16)
    entries["rows"] = np.diff(begins, append=rows)
    entries["good"] = np.add.reduceat(status == 0, begins, axis=1, dtype=np.uint32)
    if usable.all():
        entries["usable"] = entries["rows"]
        least = greatest = counted = values
        at = np.broadcast_to(np.append(begins[1:], rows) - 1, entries.shape)
    else:
        entries["usable"] = np.add.reduceat(usable, begins, axis=1, dtype=np.uint32)
        least, greatest, counted = np.where(usable, values, np.inf), np.where(usable, values, -np.inf), np.where(usable, values, 0.0)
        at = np.maximum.reduceat(np.where(usable, np.arange(rows), 0), begins, axis=1)
    with np.errstate(all="ignore"):  # the mean of the greatest doubles is infinite, and is for drawing only
        entries["min"] = np.minimum.reduceat(least, begins, axis=1)
        entries["max"] = np.maximum.reduceat(greatest, begins, axis=1)
        entries["mean"] = np.add.reduceat(counted, begins, axis=1) / np.maximum(entries["usable"], 1)
    entries["last"] = np.take_along_axis(values, at, axis=1)
    entries["late"] = (received_ns[at] - hour_ns) % SLOT_NS // LATE_NS
    still = (entries["min"] == entries["min"][:, :1]).all(1) & (entries["max"] == entries["min"][:, :1]).all(1)
    still &= (entries["good"] == entries["rows"]).all(1) & (entries["usable"] == entries["rows"]).all(1)
    still &= (entries["rows"] == entries["rows"][:, :1]).all(1)
    told: list[bytes] = []
    for column, alike in zip(entries, still.tolist(), strict=True):
        if alike:
            column[0]["slots"] = np.bitwise_or.reduce(column["slots"])
            column = column[:1]
        told.append(column.tobytes())
    return told


def unrolled(blobs: Sequence[bytes], hours_ns: Sequence[int]) -> Rolled:
    """Of one tag: the blobs of segments and the hours they are of. Raises ValueError for what is no rollup."""
    entries = np.frombuffer(b"".join(blobs), ENTRY)
    hours = np.repeat(np.array(hours_ns, np.int64), [len(blob) // ENTRY.itemsize for blob in blobs])
    which, slots = np.nonzero((entries["slots"][:, None] >> np.arange(SLOTS, dtype=np.uint16)) & 1)
    entries, at = entries[which], hours[which] + slots * SLOT_NS
    order = np.lexsort((entries["late"], at))  # the last of two segments in the same five minutes is the one that came last
    entries = entries[order]
    return Rolled(
        at_ns=at[order],
        rows=entries["rows"],
        usable=entries["usable"],
        good=entries["good"],
        mean=entries["mean"],
        min=entries["min"],
        max=entries["max"],
        last=entries["last"],
    )
