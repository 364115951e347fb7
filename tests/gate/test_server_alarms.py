"""Servers' own alarms on the gate's board: each change is recorded once, an outage hides nothing for good, a flood fills no record."""

import dataclasses

import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.alarms import theirs as module
from holdfast.gate.alarms.theirs import Theirs
from holdfast.terms import ServerAlarm, ServerAlarms

HOT = ServerAlarm(
    connection="mill",
    id="i1",
    source="Drive",
    name="Hot",
    message="too hot",
    severity=800,
    active=True,
    acknowledged=False,
    shelved=False,
    standing=True,
    at_ns=1,
)
SEEN = dataclasses.replace(HOT, acknowledged=True, at_ns=2)
OVER = dataclasses.replace(HOT, active=False, acknowledged=True, standing=False, at_ns=3)


def told(*news: ServerAlarm, standing: tuple[ServerAlarm, ...] | None = None, known: bool = True) -> ServerAlarms:
    return ServerAlarms(
        connection="mill", standing=tuple(a for a in news if a.standing) if standing is None else standing, news=news, known=known
    )


@pytest.fixture
def board() -> Theirs:
    return Theirs(["mill"], VirtualClock(0))


def test_each_change_is_recorded_and_what_stands_is_shown(board: Theirs) -> None:
    assert board.take(told(HOT)) == [("alarm.server", {"alarm": HOT, "ended": ""})]
    assert board.take(told(SEEN)) == [("alarm.server", {"alarm": SEEN, "ended": ""})]
    assert board.shown()[0].alarms == (SEEN,)
    assert board.take(told(OVER)) == [("alarm.server", {"alarm": OVER, "ended": ""})]
    assert board.shown()[0].alarms == ()


def test_what_a_refresh_tells_again_is_not_recorded_again(board: Theirs) -> None:
    board.take(told(HOT))
    board.lost("mill")
    assert board.take(told(HOT)) == []


def test_what_ended_while_the_connection_was_lost_is_recorded_as_ended_unheard(board: Theirs) -> None:
    board.take(told(HOT))
    board.lost("mill")
    assert board.shown()[0].alarms == (HOT,)
    assert not board.shown()[0].known
    assert board.take(told()) == [("alarm.server", {"alarm": dataclasses.replace(HOT, standing=False), "ended": "unheard"})]
    assert (board.shown()[0].alarms, board.shown()[0].known) == ((), True)


def test_where_the_server_cannot_say_what_stands_nothing_is_taken_for_ended(board: Theirs) -> None:
    board.take(told(HOT))
    board.lost("mill")
    assert board.take(told(known=False)) == []


def test_a_chattering_server_fills_no_record_and_it_is_said_how_much_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORDED_MAX", 3)
    clock = VirtualClock(0)
    board = Theirs(["mill"], clock)
    chatter = [dataclasses.replace(HOT, at_ns=i) for i in range(10)]
    assert len([record for alarm in chatter for record in board.take(told(alarm))]) == 3
    clock.advance(61)
    assert board.take(told(SEEN))[0] == ("alarm.server.unrecorded", {"connection": "mill", "changes": 7})


def test_the_worst_is_shown_first(board: Theirs) -> None:
    worse = dataclasses.replace(HOT, id="i2", severity=900)
    quiet = dataclasses.replace(HOT, id="i3", severity=1000, active=False)
    board.take(told(quiet, HOT, worse))
    assert [alarm.id for alarm in board.shown()[0].alarms] == ["i2", "i1", "i3"]
