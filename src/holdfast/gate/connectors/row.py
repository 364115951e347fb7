"""The latest value of each tag of a table, made into frames of one row. A Bad value is NaN, whatever the device sent."""

import math

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import BAD, BAD_WAITING_FOR_INITIAL_DATA, Frame, TagTable

BAD_NODE_ID_INVALID = 0x8033_0000
BAD_OUT_OF_RANGE = 0x803C_0000
BAD_TYPE_MISMATCH = 0x8074_0000


def is_bad(status: int) -> bool:
    """OPC UA Part 4 §7.39.1: severity is the two top bits."""
    return status & 0xC000_0000 >= BAD


class Row:
    """Columns of one table, carried forward with their own source times and status until they change."""

    def __init__(self, table: TagTable, now_ns: int) -> None:
        width = len(table.tags)
        self._table = table.id
        self._values = np.full(width, np.nan)
        self._status = np.full(width, BAD_WAITING_FOR_INITIAL_DATA, dtype=np.uint32)
        self._source_ns = np.full(width, now_ns, dtype=np.int64)

    def put(self, column: int, value: float, status: int, source_ns: int) -> None:
        """A value that is not finite is Bad, even where the device calls it Good."""
        if not is_bad(status) and not math.isfinite(value):
            status = BAD_OUT_OF_RANGE
        self._values[column] = math.nan if is_bad(status) else value
        self._status[column] = status
        self._source_ns[column] = source_ns

    def put_many(
        self, columns: NDArray[np.int64], values: NDArray[np.float64], status: NDArray[np.uint32], source_ns: NDArray[np.int64]
    ) -> None:
        """`put` of many at once, all of shape (n,); where a column comes twice, the last one stays. `values` may be changed."""
        good = status < BAD
        unfit = good & ~np.isfinite(values)
        if unfit.any():
            status = np.where(unfit, np.uint32(BAD_OUT_OF_RANGE), status)
            good &= ~unfit
        if not good.all():
            values[~good] = np.nan
        self._values[columns] = values
        self._status[columns] = status
        self._source_ns[columns] = source_ns

    def lose(self, status: int, now_ns: int) -> None:
        """Every column Bad, now."""
        self._values[:] = np.nan
        self._status[:] = status
        self._source_ns[:] = now_ns

    def frame(self, seq: int, received_ns: int) -> Frame:
        return Frame(
            table=self._table,
            seq=seq,
            received_ns=np.array([received_ns], dtype=np.int64),
            source_ns=self._source_ns[None].copy(),
            values=self._values[None].copy(),
            status=self._status[None].copy(),
        )
