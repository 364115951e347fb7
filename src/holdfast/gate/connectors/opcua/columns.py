"""What a subscription's changes become in a table's row: in engineering units, with their types learnt."""

from collections.abc import Callable

import numpy as np
from asyncua import ua

from holdfast.gate.connectors.opcua.decode import NO_TIME, Changes
from holdfast.gate.connectors.row import Row
from holdfast.terms import TagTable


class Columns:
    """One subscription's table. Handles are columns. `missing` are the columns whose first value is still to come."""

    def __init__(self, table: TagTable, row: Row, learn: Callable[[str, ua.VariantType], None], now_ns: Callable[[], int]) -> None:
        self._table = table
        self._row = row
        self._learn = learn
        self._now_ns = now_ns
        self.missing: set[int] = set()
        self.stray = 0  # values under handles that nobody asked for
        self._kinds = np.zeros(len(table.tags), np.uint8)  # VariantType as last seen
        scales = [tag.scale for tag in table.tags]
        self._scaled = np.array([scale is not None for scale in scales], np.bool_)
        self._raw_low = np.array([scale.raw[0] if scale else 0.0 for scale in scales])
        self._raw_span = np.array([scale.raw[1] - scale.raw[0] if scale else 1.0 for scale in scales])
        self._eng_low = np.array([scale.eng[0] if scale else 0.0 for scale in scales])
        self._eng_span = np.array([scale.eng[1] - scale.eng[0] if scale else 1.0 for scale in scales])

    def put(self, changes: Changes) -> None:
        at, value, status, source_ns, kind = changes.handle, changes.value, changes.status, changes.source_ns, changes.kind
        known = at < len(self._kinds)
        if not known.all():
            self.stray += int((~known).sum())
            at, value, status, source_ns, kind = at[known], value[known], status[known], source_ns[known], kind[known]
        if self.missing:
            self.missing.difference_update(at.tolist())
        fresh = np.flatnonzero((kind != self._kinds[at]) & (kind != 0))
        for i in fresh.tolist():
            self._learn(self._table.tags[at[i]].address, ua.VariantType(int(kind[i])))
        self._kinds[at[fresh]] = kind[fresh]
        scaled = self._scaled[at]
        if scaled.any():
            with np.errstate(all="ignore"):  # what overflows is Bad, as the row says
                # In the order of `registers.to_eng`, so that both give the same bits.
                eng = self._eng_low[at] + (value - self._raw_low[at]) * self._eng_span[at] / self._raw_span[at]
            value = np.where(scaled, eng, value)
        timeless = source_ns == NO_TIME
        if timeless.any():
            source_ns = np.where(timeless, self._now_ns(), source_ns)
        self._row.put_many(at, value, status, source_ns)
