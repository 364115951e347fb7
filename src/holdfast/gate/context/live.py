"""What every tag says right now, with its age on the gate's own monotonic clock."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from holdfast.clock import Clock
from holdfast.terms import BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA, SECOND_NS, Frame, Reading, Sample, TagTable

NEVER_NS = 366 * 86_400 * SECOND_NS  # since the last change, of a tag that was not seen to change


class Live:
    """Latest values by tag. A frame that arrives is data or a keep-alive for all of its Good columns."""

    def __init__(self, tables: Sequence[TagTable], clock: Clock) -> None:
        names = [tag.name for table in tables for tag in table.tags]
        self._clock = clock
        self._at: Mapping[str, int] = {name: i for i, name in enumerate(names)}
        self._columns: dict[str, slice] = {}
        self._connection: dict[str, list[slice]] = {}
        start = 0
        for table in tables:
            columns = slice(start, start + len(table.tags))
            self._columns[table.id] = columns
            self._connection.setdefault(table.connection, []).append(columns)
            start = columns.stop
        count = len(names)
        now = clock.monotonic_ns()
        self._values = np.full(count, np.nan)
        self._known = np.full(count, np.nan)  # the last value that was one: an outage is no change of it
        self._status = np.full(count, BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self._source_ns = np.zeros(count, np.int64)
        self._heard_ns = np.full(count, now, np.int64)  # monotonic
        # Not seen to move is stuck: a new gate must not take a frozen sensor for a living one for as long as `moves_within`.
        self._changed_ns = np.full(count, now - NEVER_NS, np.int64)  # monotonic
        self._skew_ns = np.zeros(count, np.int64)

    def ingest(self, frame: Frame) -> None:
        """Take the last row of a frame; its other rows matter to history alone."""
        columns = self._columns[frame.table]
        now = self._clock.monotonic_ns()
        values, status = frame.values[-1], frame.status[-1]
        good = (status < 0x8000_0000) & np.isfinite(values)  # Good or Uncertain: somebody spoke
        known = self._known[columns]
        self._changed_ns[columns][good & (values != known) & np.isfinite(known)] = now  # a first value is no movement
        self._known[columns] = np.where(good, values, self._known[columns])
        self._heard_ns[columns][good] = now
        self._values[columns] = values
        self._status[columns] = status
        source_ns, before_ns = frame.source_ns[-1], self._source_ns[columns]
        # A steady value keeps the stamp of its last change, so only a stamp that moves tells of the source's clock; of
        # the first one it can only be said whether it lies in the future.
        late = source_ns - frame.received_ns[-1]
        late = np.where(before_ns == 0, np.maximum(late, 0), late)
        self._skew_ns[columns] = np.where(source_ns == before_ns, self._skew_ns[columns], late)
        self._source_ns[columns] = source_ns

    def take(self, samples: Iterable[Sample]) -> None:
        """Fresh device reads, for a second decision or a read-back."""
        now, now_utc = self._clock.monotonic_ns(), self._clock.now_ns()
        for sample in samples:
            i = self._at[sample.tag]
            value = sample.value if isinstance(sample.value, float | int) else float("nan")
            changed = np.isfinite(self._values[i]) and value != self._values[i]
            if sample.status < 0x8000_0000 and np.isfinite(value):
                self._heard_ns[i] = now
                if value != self._known[i]:
                    if np.isfinite(self._known[i]):
                        self._changed_ns[i] = now
                    self._known[i] = value
            self._values[i] = value
            self._status[i] = sample.status
            # A server may stamp a read otherwise than its stream, so only a new value's stamp tells of its clock.
            late = sample.source_ns - now_utc
            if changed or late > 0:
                self._skew_ns[i] = late

    def lost(self, connection: str) -> None:
        """All tags of a connection are Bad at once; their last values are no longer said."""
        for columns in self._connection.get(connection, ()):
            self._values[columns] = np.nan
            self._status[columns] = BAD_NO_COMMUNICATION
            self._source_ns[columns] = 0  # what comes after an outage may have changed during it

    def good_value(self, tag: str) -> float | None:
        """The value, or None unless its status is exactly Good."""
        i = self._at[tag]
        value = float(self._values[i])
        return value if self._status[i] == 0 and np.isfinite(value) else None

    def reading(self, tag: str) -> Reading | None:
        """None for a tag that no table has."""
        i = self._at.get(tag)
        if i is None:
            return None
        now = self._clock.monotonic_ns()
        value = float(self._values[i])
        return Reading(
            tag=tag,
            value=value if np.isfinite(value) else 0.0,  # the status says that there is none; a record holds no NaN
            status=int(self._status[i]) if np.isfinite(value) else max(int(self._status[i]), BAD_NO_COMMUNICATION),
            source_ns=int(self._source_ns[i]),
            age_s=(now - int(self._heard_ns[i])) / SECOND_NS,
            still_s=(now - int(self._changed_ns[i])) / SECOND_NS,
            skew_s=int(self._skew_ns[i]) / SECOND_NS,
        )
