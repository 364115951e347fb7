"""What is kept of a server's conditions, event by event: refreshes, branches, what is stale, and the bounds."""

# pyright: reportArgumentType=false

import datetime
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from holdfast.gate.connectors.opcua import conditions as module
from holdfast.gate.connectors.opcua.conditions import Conditions

AT = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.UTC)
AT_NS = 1_772_366_400_000_000_000  # date -u -d '2026-03-01 12:00' +%s


def event(kind: int, **more: Any) -> ua.EventFieldList:
    told: dict[str, Any] = {
        "kind": ua.NodeId(kind), "source": "Drive", "at": AT, "message": ua.LocalizedText("too hot"), "severity": 800,
        "condition": None, "branch": ua.NodeId(), "name": "Hot", "retain": None, "quality": ua.StatusCode(0),
        "enabled": True, "acked": None, "active": None, "shelved": None,
    }  # fmt: skip
    return ua.EventFieldList(ClientHandle=1, EventFields=[ua.Variant(value) for value in (told | more).values()])


def condition(name: str, **more: Any) -> ua.EventFieldList:
    given: dict[str, Any] = {"retain": True, "active": True, "acked": False, "shelved": False}
    return event(ObjectIds.AlarmConditionType, condition=ua.NodeId(name, 2), name=name, **given | more)


START, END = event(ObjectIds.RefreshStartEventType), event(ObjectIds.RefreshEndEventType)


def names(known: Conditions) -> list[str]:
    return sorted(alarm.name for alarm in known.take().standing)


def test_a_condition_is_told_with_all_that_the_server_says_of_it() -> None:
    known = Conditions("mill", 5)
    known.hear(condition("Hot", shelved=True, quality=ua.StatusCode(0x4000_0000)))
    (alarm,) = known.take().standing
    assert (alarm.connection, alarm.id, alarm.source, alarm.name, alarm.message) == ("mill", "ns=2;s=Hot", "Drive", "Hot", "too hot")
    assert (alarm.severity, alarm.active, alarm.acknowledged, alarm.shelved) == (800, True, False, True)
    assert (alarm.at_ns, alarm.status) == (AT_NS, 0x4000_0000)


def test_what_a_refresh_does_not_tell_of_stands_no_more() -> None:
    known = Conditions("mill", 0)
    for name in ("Hot", "Wet"):
        known.hear(condition(name))
    for one in (START, condition("Wet"), END):
        known.hear(one)
    assert names(known) == ["Wet"]
    assert known.known


def test_a_refresh_that_has_not_ended_takes_nothing_away() -> None:
    known = Conditions("mill", 0)
    known.hear(condition("Hot"))
    known.hear(START)
    assert names(known) == ["Hot"]
    assert not known.known


def test_branches_of_one_condition_stand_beside_each_other_and_end_alone() -> None:
    known = Conditions("mill", 0)
    branch = ua.NodeId("b1", 2)
    known.hear(condition("Hot"))
    known.hear(condition("Hot", branch=branch, active=False))
    assert len(known.take().standing) == 2
    known.hear(condition("Hot", branch=branch, retain=False))
    assert [alarm.id for alarm in known.take().standing] == ["ns=2;s=Hot"]


def test_a_disabled_condition_stands_no_more() -> None:
    known = Conditions("mill", 0)
    known.hear(condition("Hot"))
    known.hear(condition("Hot", enabled=False))
    assert names(known) == []


@pytest.mark.parametrize("kind", [ObjectIds.RefreshRequiredEventType, ObjectIds.EventQueueOverflowEventType])
def test_a_server_that_lost_events_is_to_be_asked_anew(kind: int) -> None:
    known = Conditions("mill", 0)
    known.hear(event(kind))
    assert known.stale


def test_other_events_of_the_server_are_no_alarms() -> None:
    known = Conditions("mill", 0)
    known.hear(event(ObjectIds.AuditEventType))
    assert (known.changed, known.take().news) == (False, ())


def test_an_event_that_cannot_be_read_asks_for_a_refresh() -> None:
    known = Conditions("mill", 0)
    known.hear(ua.EventFieldList(ClientHandle=1, EventFields=[ua.Variant(1)]))
    known.hear(condition("Hot", severity="high"))
    assert (known.unreadable, known.stale) == (2, True)


def test_what_there_is_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STANDING_MAX", 2)
    monkeypatch.setattr(module, "NEWS_MAX", 3)
    known = Conditions("mill", 0)
    for i in range(5):
        known.hear(condition(f"A{i}"))
    told = known.take()
    assert ([a.name for a in told.standing], len(told.news), told.missed) == (["A0", "A1"], 3, 2)
    assert "more than 2 alarms" in told.why
    assert known.take().missed == 0
