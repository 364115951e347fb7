"""A password opens one person's key, and guessing it gets slow."""

import contextlib
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from holdfast.clock import VirtualClock
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.identity.people import LockedOut, Lockout, People, WrongPassword
from holdfast.gate.identity.seal import Cost, opened, sealed
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State

CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
GOOD = "brass kettle orchard"


class Gate:
    def __init__(self, folder: Path, clock: VirtualClock) -> None:
        self.state = State(folder, durable=False, reserve_bytes=0)
        self.log = Log(self.state, clock)
        lockout = Lockout(free=3, first_s=10.0, max_s=40.0)
        self.people = People(self.state, self.log, clock, random.Random(4).randbytes, cost=CHEAP, lockout=lockout)


@pytest.fixture
def clock():
    return VirtualClock(1_000_000_000_000)


@pytest.fixture
def gate(tmp_path: Path, clock: VirtualClock):
    gate = Gate(tmp_path, clock)
    yield gate
    gate.state.close()


def test_a_person_signs_with_the_key_that_the_ledger_states(gate: Gate):
    person = gate.people.add("Li Wei 李伟", ["operator", "engineer", "operator"], GOOD)
    assert person.roles == ("engineer", "operator")
    record = gate.log.get(1)
    assert record
    assert (record.kind, record.body["change"], record.body["name"]) == ("person", "added", "Li Wei 李伟")
    signature = gate.people.sign("Li Wei 李伟", GOOD, b"yes")
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(record.body["public"])).verify(signature, b"yes")


def test_neither_password_nor_private_key_is_in_the_folder(gate: Gate, tmp_path: Path):
    gate.people.add("ann", ["operator"], GOOD)
    seed = random.Random(4).randbytes(32)
    gate.state.close()
    everything = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"ann" in everything
    assert seed not in everything
    assert GOOD.encode() not in everything


def test_a_wrong_password_and_an_unknown_name_sound_alike(gate: Gate):
    gate.people.add("ann", ["operator"], GOOD)
    for name in ("ann", "nobody"):
        with pytest.raises(WrongPassword, match="don't belong together"):
            gate.people.sign(name, "wrong wrong wrong", b"")


def fail(gate: Gate) -> None:
    with pytest.raises(WrongPassword):
        gate.people.sign("ann", "wrong wrong wrong", b"")


def test_guessing_locks_for_longer_each_time_up_to_a_bound_and_waiting_opens(gate: Gate, clock: VirtualClock):
    gate.people.add("ann", ["operator"], GOOD)
    fail(gate)
    fail(gate)
    for lock_s in (10.0, 20.0, 40.0, 40.0):
        fail(gate)
        clock.advance(lock_s - 0.5)
        with pytest.raises(LockedOut) as caught:
            gate.people.sign("ann", GOOD, b"")
        assert caught.value.retry_s == pytest.approx(0.5)
        clock.advance(0.5)
    gate.people.sign("ann", GOOD, b"")
    fail(gate)  # counted from nought again
    gate.people.sign("ann", GOOD, b"")


def test_a_lock_outlives_the_process_and_the_callers_rollback(gate: Gate, tmp_path: Path, clock: VirtualClock):
    gate.people.add("ann", ["operator"], GOOD)

    def in_a_transaction() -> None:
        with gate.state.transaction():
            gate.log.append("before", {})
            gate.people.sign("ann", "wrong wrong wrong", b"")

    for _ in range(3):
        with pytest.raises(WrongPassword):
            in_a_transaction()
    assert [r.kind for r in gate.log.read()] == ["person"]
    gate.state.close()
    with contextlib.closing(State(tmp_path, durable=False, reserve_bytes=0)) as state:
        people = People(state, Log(state, clock), clock, random.Random(1).randbytes, cost=CHEAP, lockout=Lockout(free=3))
        with pytest.raises(LockedOut):
            people.sign("ann", GOOD, b"")


def test_many_attempts_at_once_are_each_counted_before_they_are_made(gate: Gate):
    gate.people.add("ann", ["operator"], GOOD)
    for _ in range(3):
        gate.people.begin("ann")
    with pytest.raises(LockedOut):
        gate.people.begin("ann")


def test_a_clock_set_back_does_not_lock_for_ever(tmp_path: Path):
    late = Gate(tmp_path, VirtualClock(10**18))
    late.people.add("ann", ["operator"], GOOD)
    for _ in range(3):
        fail(late)
    late.state.close()
    early = Gate(tmp_path, VirtualClock(10**17))
    with pytest.raises(LockedOut) as caught:
        early.people.sign("ann", GOOD, b"")
    assert caught.value.retry_s <= 40.0
    early.state.close()


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaa", "annannannannann-ann", "x" * 2000])
def test_a_weak_password_is_refused_with_a_cure(gate: Gate, password: str):
    name = "annannannannann-ann"
    with pytest.raises(IdentityError, match="words") as caught:
        gate.people.add(name, ["operator"], password)
    assert caught.value.code == "identity.weak"


def test_names_that_look_alike_are_one_person(gate: Gate):
    gate.people.add("Ann", ["operator"], GOOD)
    for alike in ("ann", "ＡＮＮ", "ᴬnn"):
        with pytest.raises(IdentityError) as caught:
            gate.people.add(alike, ["engineer"], GOOD)
        assert caught.value.code == "identity.taken"


@pytest.mark.parametrize("name", ["", " ann", "a\nb", "a\u202eb", "x" * 65])
def test_a_name_that_can_not_be_read_aloud_is_refused(gate: Gate, name: str):
    with pytest.raises(IdentityError):
        gate.people.add(name, ["operator"], GOOD)


def test_a_removed_person_has_no_roles_and_can_not_sign(gate: Gate):
    gate.people.add("ann", ["operator"], GOOD)
    gate.people.remove("ann")
    assert gate.people.roles("ann") == ()
    assert gate.people.list() == ()
    with pytest.raises(WrongPassword):
        gate.people.sign("ann", GOOD, b"")
    with pytest.raises(IdentityError):
        gate.people.remove("ann")
    assert [r.body["change"] for r in gate.log.read()] == ["added", "removed"]


def test_a_seal_moved_to_another_person_does_not_open():
    seal = sealed("ann", GOOD, seed=bytes(32), salt=bytes(16), nonce=bytes(12), cost=CHEAP)
    assert opened(seal, GOOD)
    moved = type(seal)(name="bob", public=seal.public, salt=seal.salt, nonce=seal.nonce, box=seal.box, cost=seal.cost)
    assert opened(moved, GOOD) is None
