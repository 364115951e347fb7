"""`policy diff --replay` decides recorded decisions again: what changes is told, what was refused and would be permitted first."""

import contextlib
import dataclasses
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from test_review import SITE, SP, plant, said  # noqa: F401  # pyright: ignore[reportUnusedImport] - the fixture is used by name

from holdfast.clock import VirtualClock
from holdfast.gate.guard.binds import recorded as in_record
from holdfast.gate.guard.compile import compile_site
from holdfast.gate.guard.decide import decide
from holdfast.gate.guard.replayed import RecordError, recorded
from holdfast.gate.guard.rests import reads
from holdfast.gate.identity.people import People
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.terms import SECOND_NS, Proposal, Reading, Snapshot, Wire, Write, canonical

NOW_NS = 1_700_000_000 * SECOND_NS
WELL = {"stand-4/tension.mode": 2.0, "line/grade": 0.0, "line/key_switch": 0.0, "stand-4/vibration": 3.0, "stand-4/tension.pv": 100.0}
COMPILED = compile_site(SITE)


def case(wanted: float, present: float) -> tuple[Proposal, Snapshot]:
    values = {**dict.fromkeys(reads(COMPILED), 1.0), **WELL, "stand-4/tension.sp_now": present}
    readings = tuple(Reading(tag=t, value=v, status=0, source_ns=NOW_NS, age_s=0.1, still_s=1.0) for t, v in sorted(values.items()))
    proposal = Proposal(id=f"to {wanted}", incident="i", action=Write(sets=((SP, wanted),)), reason="r")
    return proposal, Snapshot(at_ns=NOW_NS, readings=readings, wires=(Wire(tag=SP, asked=wanted, value=wanted),))


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Three decisions: 113 asks, 116 is refused for the range, 99 is permitted."""
    clock = VirtualClock(NOW_NS)
    with contextlib.closing(State(tmp_path / "gate", durable=False)) as state:
        log = Log(state, clock)
        for wanted, present, verdict in ((113.0, 112.0, "ask"), (116.0, 115.0, "refuse"), (99.0, 100.0, "permit")):
            proposal, snapshot = case(wanted, present)
            decision = decide(proposal, "mill-agent", COMPILED, snapshot)
            assert decision.verdict == verdict
            log.append("decision", {"proposal": proposal, "decision": decision, "snapshot": in_record(snapshot)})
        log.append("finding", {"not": "a decision"})
    return tmp_path / "gate"


def test_the_same_configuration_changes_nothing(ledger: Path, plant: Callable[..., Path]) -> None:  # noqa: F811
    code, found = said("diff", plant("same"), "--replay", ledger)
    assert (code, found["decisions"], found["changed"]) == (0, 3, [])


def test_what_was_refused_and_would_be_permitted_comes_first(ledger: Path, plant: Callable[..., Path]) -> None:  # noqa: F811
    new = plant("new", ("site.yaml", "DC01: [90, 115]", "DC01: [90, 120]"), ("policy.yaml", "proposed > 112.0", "proposed < 100.0"))
    code, found = said("diff", new, "--replay", ledger)
    assert (code, found["refuse_to_permit"]) == (0, 1)
    assert [(t["proposal"], t["before"], t["after"]) for t in found["changed"]] == [
        ("to 116.0", "refuse", "permit"),
        ("to 113.0", "ask", "permit"),
        ("to 99.0", "permit", "ask"),
    ]
    assert found["changed"][0]["no_longer"] == ["envelope.range.above.state"]


def test_with_old_and_new_both_are_decided(ledger: Path, plant: Callable[..., Path]) -> None:  # noqa: F811
    wide = plant("wide", ("site.yaml", "DC01: [90, 115]", "DC01: [90, 120]"))
    also = plant("also", ("site.yaml", "DC01: [90, 115]", "DC01: [90, 125]"))
    assert said("diff", wide, also, "--replay", ledger)[1]["changed"] == []


def test_bad_readings_come_back_as_not_a_number() -> None:
    proposal, snapshot = case(101.0, 100.0)
    bad = dataclasses.replace(
        snapshot, readings=tuple(dataclasses.replace(r, value=math.nan, status=0x80000000) for r in snapshot.readings)
    )
    decision = decide(proposal, "mill-agent", COMPILED, bad)
    body = json.loads(canonical({"proposal": proposal, "decision": decision, "snapshot": in_record(bad)}))
    again = recorded(7, body)
    assert all(math.isnan(r.value) for r in again.snapshot.readings)
    assert decide(again.proposal, "mill-agent", COMPILED, again.snapshot) == decision


def test_a_record_that_is_no_decision_is_named() -> None:
    with pytest.raises(RecordError, match="record 3"):
        recorded(3, {"proposal": {}})


def test_a_person_activates_from_the_command_line_and_a_stranger_does_not(
    ledger: Path,
    plant: Callable[..., Path],  # noqa: F811
    tmp_path: Path,
) -> None:
    from holdfast.gate.configuration import Configurations

    clock = VirtualClock(NOW_NS)
    with contextlib.closing(State(ledger, durable=False)) as state:
        log = Log(state, clock)
        people = People(state, log, clock, os.urandom, cost=Cost(passes=1, memory_kib=8, lanes=1))
        people.add("ann", ["operator"], "brass kettle orchard")
        Configurations(state, log, people, clock).first(SITE)
    (tmp_path / "password").write_text("brass kettle orchard\n")
    new = plant("new", ("policy.yaml", "revision: 1", "revision: 2"))
    home = ("--home", ledger.parent, "--password-file", tmp_path / "password")
    assert said("activate", new, "--as", "bo", *home)[1]["code"] == "configuration.role"
    code, found = said("activate", new, "--as", "ann", *home)
    assert (code, found["standing"]["adopted"], found["standing"]["revision"]) == (0, True, 2)
    assert said("activate", new, "--as", "ann", *home)[1]["code"] == "configuration.same"
    assert said("rollback", "--as", "ann", *home)[1]["standing"]["revision"] == 1
