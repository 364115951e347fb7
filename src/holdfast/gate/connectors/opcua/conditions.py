"""A server's own alarms: what it tells of its conditions, kept together until the server has nothing more to say of them.

Source: OPC 10000-9 §5.5 (ConditionType, Retain, branches), §5.5.7 (ConditionRefresh), §5.11 (the events around it); OPC 10000-4
§7.22.3 (EventFilter).
"""

from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from holdfast.gate.connectors.opcua import values
from holdfast.gate.connectors.opcua.nodes import standard
from holdfast.terms import ServerAlarm, ServerAlarms

STANDING_MAX = 5_000  # conditions of one server that are kept
NEWS_MAX = 2_000  # events between two looks
TEXT_MAX = 400
_BASE, _CONDITION = ObjectIds.BaseEventType, ObjectIds.ConditionType
_ACK, _ALARM = ObjectIds.AcknowledgeableConditionType, ObjectIds.AlarmConditionType
# What is asked of each event: (type that has it, path; "" is the condition's own NodeId). A field that an event lacks comes empty.
_FIELDS: tuple[tuple[int, str], ...] = (
    (_BASE, "EventType"),
    (_BASE, "SourceName"),
    (_BASE, "Time"),
    (_BASE, "Message"),
    (_BASE, "Severity"),
    (_CONDITION, ""),
    (_CONDITION, "BranchId"),
    (_CONDITION, "ConditionName"),
    (_CONDITION, "Retain"),
    (_CONDITION, "Quality"),
    (_CONDITION, "EnabledState/Id"),
    (_ACK, "AckedState/Id"),
    (_ALARM, "ActiveState/Id"),
    (_ALARM, "SuppressedOrShelved"),
)
_REFRESH_START, _REFRESH_END = standard(ObjectIds.RefreshStartEventType), standard(ObjectIds.RefreshEndEventType)
# After these what is known may be out of date, and is asked for anew.
_STALE = (standard(ObjectIds.RefreshRequiredEventType), standard(ObjectIds.EventQueueOverflowEventType))


def event_filter() -> ua.EventFilter:
    """All events with the fields above. Chosen here and not by the server: some let no Refresh event through a where clause."""
    return ua.EventFilter(SelectClauses=[_operand(type_, path) for type_, path in _FIELDS])


def _operand(type_: int, path: str) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=standard(type_),
        BrowsePath=[ua.QualifiedName(part, 0) for part in path.split("/") if part],
        AttributeId=AttributeIds.Value if path else AttributeIds.NodeId,
    )


class Conditions:
    """What stands at one server. `known` once a whole refresh was heard."""

    def __init__(self, connection: str, now_ns: int) -> None:
        self._connection, self._start_ns = connection, now_ns
        self._standing: dict[str, ServerAlarm] = {}
        self._news: list[ServerAlarm] = []
        self._missed = 0
        self._told_again: set[str] | None = None  # during a refresh: what it told of
        self.known = False
        self.stale = False  # a refresh is wanted
        self.why = ""
        self.unreadable = 0
        self.changed = False

    def hear(self, event: ua.EventFieldList) -> None:
        """Events that are none of a condition are let pass; what can't be read is counted, and asks for a refresh."""
        try:
            fields = [variant.Value for variant in event.EventFields]
            self._hear(fields)
        except (TypeError, ValueError, AttributeError, IndexError):
            self.unreadable += 1
            self.stale = True

    def take(self) -> ServerAlarms:
        """What came since the last time, and all that stands."""
        news, self._news = tuple(self._news), []
        missed, self._missed = self._missed, 0
        self.changed = False
        return ServerAlarms(
            connection=self._connection, standing=tuple(self._standing.values()), news=news, known=self.known, why=self.why, missed=missed
        )

    def _hear(self, fields: Sequence[Any]) -> None:
        kind = fields[0]
        if kind == _REFRESH_START:
            self._told_again = set()
        elif kind == _REFRESH_END:
            self._refreshed()
        elif kind in _STALE:
            self.stale = True
        elif isinstance(fields[5], ua.NodeId) and not fields[5].is_null():
            self._take_in(self._alarm(fields))

    def _refreshed(self) -> None:
        """What the refresh did not tell of stands no more: its end was missed."""
        told, self._told_again = self._told_again, None
        for id in [id for id in self._standing if told is not None and id not in told]:
            del self._standing[id]
        self.known, self.why, self.changed = True, "", True

    def _take_in(self, alarm: ServerAlarm) -> None:
        if self._told_again is not None:
            self._told_again.add(alarm.id)
        if not alarm.standing:
            self._standing.pop(alarm.id, None)
        elif alarm.id in self._standing or len(self._standing) < STANDING_MAX:
            self._standing[alarm.id] = alarm
        else:
            self.why = f"more than {STANDING_MAX} alarms stand at the server: the rest is not kept"
        if len(self._news) < NEWS_MAX:
            self._news.append(alarm)
        else:
            self._missed += 1
        self.changed = True

    def _alarm(self, fields: Sequence[Any]) -> ServerAlarm:
        _, source, at, message, severity, condition, branch, name, retain, quality, enabled, acked, active, shelved = fields
        branched = isinstance(branch, ua.NodeId) and not branch.is_null()
        return ServerAlarm(
            connection=self._connection,
            id=condition.to_string() + (f" {branch.to_string()}" if branched else ""),
            source=_text(source),
            name=_text(name),
            message=_text(message),
            severity=min(max(int(severity or 0), 0), 1000),
            active=active is True,
            acknowledged=acked is not False,  # what can't be acknowledged waits for nobody
            shelved=shelved is True,
            standing=retain is True and enabled is not False,
            at_ns=values.utc_ns(at) or self._start_ns,
            status=quality.value if isinstance(quality, ua.StatusCode) else 0,
        )


def _text(value: Any) -> str:
    text = value.Text if isinstance(value, ua.LocalizedText) else value
    return str(text or "")[:TEXT_MAX]
