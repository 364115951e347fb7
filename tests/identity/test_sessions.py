"""A session stands for a person for a while: never for longer, never for another, and only its hash is kept."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.identity import sessions as room
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.identity.people import WRONG_AT_ONCE, LockedOut, People, WrongPassword
from holdfast.gate.identity.seal import Cost
from holdfast.gate.identity.sessions import NotSignedIn, Sessions
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State

CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
GOOD = "brass kettle orchard"
HOUR_S = 3600.0


class Gate:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(1_000_000_000_000)
        self.state = State(folder, durable=False, reserve_bytes=0)
        self.log = Log(self.state, self.clock)
        rng = random.Random(4)
        self.people = People(self.state, self.log, self.clock, rng.randbytes, cost=CHEAP)
        self.told: list[tuple[str, str]] = []
        self.sessions = Sessions(self.people, self.clock, rng.randbytes, record=self.note, owe=self.note)
        self.people.add("ann", ["operator"], GOOD)

    def note(self, kind: str, body: Mapping[str, Any]) -> None:
        assert kind == "session"
        self.told.append((body["person"], body["why"]))


@pytest.fixture
def gate(tmp_path: Path):
    gate = Gate(tmp_path)
    yield gate
    gate.state.close()


def test_a_token_stands_for_the_person_whose_password_opened_it(gate: Gate):
    session = gate.sessions.open("Ann", GOOD)
    assert (session.person, session.roles, len(session.token)) == ("ann", ("operator",), 43)  # 256 bits in base64url
    assert gate.sessions.who(session.token).name == "ann"
    assert gate.told == [("ann", "signed_in")]


@pytest.mark.parametrize("token", ["", "x", "\udcff", "A" * 43, "A" * 100_000])
def test_a_token_of_nobody_is_refused(gate: Gate, token: str):
    gate.sessions.open("ann", GOOD)
    with pytest.raises(NotSignedIn):
        gate.sessions.who(token)


def test_a_wrong_password_opens_nothing(gate: Gate):
    with pytest.raises(WrongPassword):
        gate.sessions.open("ann", "wrong wrong wrong")
    assert len(gate.sessions) == 0


def test_each_sign_in_gives_another_token_and_the_gate_keeps_only_hashes(gate: Gate):
    tokens = {gate.sessions.open("ann", GOOD).token for _ in range(3)}
    assert len(tokens) == 3
    assert not any(token in repr(vars(gate.sessions)) for token in tokens)


def test_a_session_ends_15_minutes_after_the_last_act(gate: Gate):
    token = gate.sessions.open("ann", GOOD).token
    gate.clock.advance(15 * 60 - 1)
    gate.sessions.who(token)
    gate.clock.advance(15 * 60 - 1)
    gate.sessions.who(token, act=False)
    gate.clock.advance(1)
    with pytest.raises(NotSignedIn):
        gate.sessions.who(token)
    assert gate.told[-1] == ("ann", "idle")


def test_a_session_ends_after_12_hours_however_busy(gate: Gate):
    token = gate.sessions.open("ann", GOOD).token
    for _ in range(12 * 6 - 1):
        gate.clock.advance(600)
        gate.sessions.who(token)
    idle_left_s, ends_ns = gate.sessions.left(token)
    assert idle_left_s == 900.0
    assert ends_ns == 1_000_000_000_000 + 12 * 3600 * 1_000_000_000
    gate.clock.advance(600)
    with pytest.raises(NotSignedIn):
        gate.sessions.who(token)
    assert gate.told[-1] == ("ann", "longest")


def test_signing_out_ends_it_and_twice_is_no_fault(gate: Gate):
    token = gate.sessions.open("ann", GOOD).token
    gate.sessions.end(token)
    gate.sessions.end(token)
    with pytest.raises(NotSignedIn):
        gate.sessions.who(token)
    assert gate.told == [("ann", "signed_in"), ("ann", "signed_out")]


def test_roles_are_those_of_now_and_who_is_disabled_or_gone_is_signed_out(gate: Gate):
    token = gate.sessions.open("ann", GOOD).token
    gate.people.set_roles("ann", ["engineer"])
    assert gate.sessions.who(token).roles == ("engineer",)
    gate.people.set_disabled("ann", disabled=True)
    with pytest.raises(NotSignedIn):
        gate.sessions.who(token)
    with pytest.raises(WrongPassword):
        gate.sessions.open("ann", GOOD)
    gate.people.set_disabled("ann", disabled=False)
    with pytest.raises(NotSignedIn):  # it does not come back
        gate.sessions.who(token)
    again = gate.sessions.open("ann", GOOD).token
    gate.people.remove("ann")
    gate.people.add("ann", ["administrator"], GOOD)
    with pytest.raises(NotSignedIn):  # another person of the same name
        gate.sessions.who(again)


def test_a_ninth_session_of_one_person_ends_the_one_longest_unused(gate: Gate):
    tokens: list[str] = []
    for _ in range(room.OF_ONE_MAX):
        tokens.append(gate.sessions.open("ann", GOOD).token)
        gate.clock.advance(1)
    gate.sessions.who(tokens[0])
    gate.sessions.open("ann", GOOD)
    assert gate.told[-2] == ("ann", "crowded")
    gate.sessions.who(tokens[0])
    with pytest.raises(NotSignedIn):
        gate.sessions.who(tokens[1])


def test_no_more_than_64_sessions_at_once(gate: Gate):
    for number in range(9):
        gate.people.add(f"p{number}", ["operator"], GOOD)
    for number in range(64):
        gate.sessions.open(f"p{number // 8}", GOOD)
    with pytest.raises(IdentityError) as caught:
        gate.sessions.open("p8", GOOD)
    assert caught.value.code == "identity.full"
    gate.clock.advance(15 * 60)
    gate.sessions.open("p8", GOOD)
    assert len(gate.sessions) == 1


def test_all_other_sessions_end_with_a_new_password(gate: Gate):
    mine, other = gate.sessions.open("ann", GOOD).token, gate.sessions.open("ann", GOOD).token
    gate.people.set_password("ann", "four other words here")
    gate.sessions.end_all("ann", but=mine)
    assert gate.sessions.who(mine).name == "ann"
    with pytest.raises(NotSignedIn):
        gate.sessions.who(other)


def test_what_can_not_be_recorded_opens_no_session(gate: Gate):
    def refuse(kind: str, body: Mapping[str, Any]) -> None:
        raise RuntimeError("no disk")

    sessions = Sessions(gate.people, gate.clock, random.Random(1).randbytes, record=refuse, owe=gate.note)
    with pytest.raises(RuntimeError):
        sessions.open("ann", GOOD)
    assert len(sessions) == 0


# ---- guessing --------------------------------------------------------------------------------------------------------


def locked_after(gate: Gate, name: str) -> tuple[int, float]:
    for attempt in range(1, 20):
        try:
            gate.people.sign(name, "wrong wrong wrong", b"")
        except LockedOut as locked:
            return attempt, locked.retry_s
        except WrongPassword:
            continue
    raise AssertionError("never locked")


def test_a_name_that_nobody_has_and_a_disabled_person_lock_like_a_person(gate: Gate):
    gate.people.add("off", ["operator"], GOOD)
    gate.people.set_disabled("off", disabled=True)
    assert locked_after(gate, "ann") == locked_after(gate, "nobody") == locked_after(gate, "off") == (6, 5.0)


def test_the_lock_of_a_name_that_nobody_has_outlives_the_process(gate: Gate, tmp_path: Path):
    locked_after(gate, "nobody")
    gate.state.close()
    gate.state = State(tmp_path, durable=False, reserve_bytes=0)
    people = People(gate.state, gate.log, gate.clock, random.Random(5).randbytes, cost=CHEAP)
    with pytest.raises(LockedOut):
        people.begin("nobody")


def test_names_that_nobody_has_are_not_kept_as_typed_and_not_without_end(gate: Gate, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("holdfast.gate.identity.people.STRANGERS_MAX", 3)
    for number in range(5):
        gate.people.begin(f"my secret pass phrase {number}")
    rows = gate.state.rows("SELECT hash FROM stranger")
    assert len(rows) == 3
    assert all(len(row[0]) == 32 and b"secret" not in row[0] for row in rows)


def test_guesses_over_many_names_are_bounded_and_a_right_one_costs_nothing(gate: Gate):
    for _ in range(100):
        gate.people.sign("ann", GOOD, b"")
    for number in range(int(WRONG_AT_ONCE)):
        with pytest.raises(WrongPassword):
            gate.people.sign(f"n{number}", "wrong wrong wrong", b"")
    with pytest.raises(LockedOut) as caught:
        gate.people.sign("n1000", "wrong wrong wrong", b"")
    assert caught.value.retry_s == pytest.approx(2.0)
    gate.clock.advance(2.0)
    with pytest.raises(WrongPassword):
        gate.people.sign("n1000", "wrong wrong wrong", b"")


# ---- who administers -------------------------------------------------------------------------------------------------


def test_the_last_administrator_stays(gate: Gate):
    gate.people.add("rosa", ["administrator"], GOOD)
    assert gate.people.administrators() == ("rosa",)
    for act in (
        lambda: gate.people.remove("rosa"),
        lambda: gate.people.set_roles("rosa", ["operator"]),
        lambda: gate.people.set_disabled("rosa", disabled=True),
    ):
        with pytest.raises(IdentityError) as caught:
            act()
        assert caught.value.code == "identity.last"
    gate.people.add("second", ["administrator"], GOOD)
    gate.people.set_disabled("rosa", disabled=True)
    assert gate.people.administrators() == ("second",)


def test_a_new_password_with_the_old_one_keeps_the_key_and_without_it_makes_another(gate: Gate):
    before = gate.people.get("ann")
    assert before
    attempt = gate.people.begin("ann")
    from holdfast.gate.identity.seal import opened

    key = gate.people.finish(attempt, opened(attempt.seal, GOOD))
    new = gate.people.seal("ann", "four other words here", seed=key.private_bytes_raw())
    assert gate.people.set_password("ann", "four other words here", seal=new).public == before.public
    gate.people.sign("ann", "four other words here", b"")
    assert gate.people.set_password("ann", "yet other words here").public != before.public
    with pytest.raises(WrongPassword):
        gate.people.sign("ann", "four other words here", b"")
    record = gate.log.read()[-1]
    assert (record.kind, record.body["change"]) == ("person", "password")
