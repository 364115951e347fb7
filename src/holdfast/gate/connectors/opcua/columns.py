"""What a subscription's changes become in a table's row: in engineering units, with their types learnt."""

from collections.abc import Callable

import numpy as np
from asyncua import ua

from holdfast.gate.connectors.opcua.decode import NO_TIME, Changes
from holdfast.gate.connectors.row import Row
from holdfast.gate.connectors.scales import Scales
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
        self._scales = Scales(table.tags)

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
        value = self._scales.eng(value, at)
        timeless = source_ns == NO_TIME
        if timeless.any():
            source_ns = np.where(timeless, self._now_ns(), source_ns)
        self._row.put_many(at, value, status, source_ns)
