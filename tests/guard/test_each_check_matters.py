"""Each check alone stands between some proposal and the plant: without it, that proposal would be permitted."""

import dataclasses
from collections.abc import Callable

import pytest
from guarded_mill import (
    KEY,
    MODE,
    PERMIT,
    PV,
    SITE,
    SP,
    TAGS,
    bounded,
    compiled,
    failures,
    move,
    proposal,
    reading,
    rule,
    ruled,
    site,
    snapshot,
)

from holdfast.gate.guard import decide as deciding
from holdfast.gate.guard.case import Case
from holdfast.gate.guard.decide import decide
from holdfast.gate.guard.rules import Ruling
from holdfast.site.model import Site
from holdfast.terms import Proposal, Reason, Snapshot, Wire

SIS = site(tags=tuple(dataclasses.replace(t, sis=t.name == SP) for t in TAGS))
OFF = dataclasses.replace(snapshot(), wires=(Wire(tag=SP, asked=101.0, value=101.1),))
HIGH = ((SP, 116.0),)
ROWS: dict[str, tuple[Site, Proposal, Snapshot]] = {
    "well_formed": (SITE, proposal(unit="N"), snapshot()),
    "addressed": (SIS, proposal(), snapshot()),
    "wire": (SITE, proposal(), OFF),
    "stop": (SITE, proposal(), snapshot(stopped=("*",))),
    "enable": (SITE, proposal(), snapshot(reading(PERMIT, 0.0))),
    "maintenance": (SITE, proposal(), snapshot(reading(KEY, 1.0))),
    "requires": (SITE, proposal(), snapshot(reading(MODE, 0.0))),
    "fresh": (SITE, proposal(), snapshot(reading(PV, 100.0, age_s=99.0))),
    "envelope.range": (bounded(step=None, rate=None), proposal(*HIGH), snapshot(sets=HIGH)),
    "envelope.step": (SITE, proposal((SP, 102.5)), snapshot(sets=((SP, 102.5),))),
    "envelope.rate": (SITE, proposal(), snapshot(moves=(move(104.5, 120),))),
    "envelope.writes": (SITE, proposal(), snapshot(moves=(move(100.1, 99), move(100.1, 99), move(100.1, 99)))),
    "envelope.dwell": (SITE, proposal(), snapshot(moves=(move(100.1, 59),))),
    "yield": (SITE, proposal(), snapshot(moves=(move(100.1, 1700, by="operator"),))),
    "busy": (SITE, proposal(), snapshot(busy=((SP, "frozen"),))),
    "unchanged": (SITE, proposal((SP, 100.0)), snapshot(sets=((SP, 100.0),))),
}


def nothing(_: Case) -> tuple[Reason, ...]:
    return ()


def without(checks: tuple[tuple[str, deciding.Check], ...], code: str) -> tuple[tuple[str, deciding.Check], ...]:
    return tuple((name, nothing if name == code else check) for name, check in checks)


def test_every_check_has_its_proposal() -> None:
    """Autonomy is the truth table's first column and is tested there; an unknown author is observed at most."""
    names = {name for name, _ in (*deciding.BEFORE_POLICY, *deciding.AFTER_POLICY)}
    assert names - {"autonomy"} == ROWS.keys()


@pytest.mark.parametrize("code", ROWS)
def test_only_this_check_refuses_and_without_it_all_would_pass(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of, wanted, known = ROWS[code]
    decision = decide(wanted, "mill-agent", compiled(of), known)
    assert decision.verdict == "refuse"
    assert {found[: len(code)] for found in failures(decision)} == {code}
    monkeypatch.setattr(deciding, "BEFORE_POLICY", without(deciding.BEFORE_POLICY, code))
    monkeypatch.setattr(deciding, "AFTER_POLICY", without(deciding.AFTER_POLICY, code))
    assert decide(wanted, "mill-agent", compiled(of), known).verdict == "permit"


@pytest.mark.parametrize("code", [name for name, _ in (*deciding.BEFORE_POLICY, *deciding.AFTER_POLICY)])
def test_an_error_in_any_check_refuses_and_is_recorded(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Case) -> tuple[Reason, ...]:
        raise RuntimeError("broken")

    def with_broken(checks: tuple[tuple[str, deciding.Check], ...]) -> tuple[tuple[str, deciding.Check], ...]:
        return tuple((name, broken if name == code else check) for name, check in checks)

    monkeypatch.setattr(deciding, "BEFORE_POLICY", with_broken(deciding.BEFORE_POLICY))
    monkeypatch.setattr(deciding, "AFTER_POLICY", with_broken(deciding.AFTER_POLICY))
    decision = decide(proposal(), "mill-agent", compiled(SITE), snapshot())
    assert decision.verdict == "refuse"
    assert Reason(code=code, passed=False, facts=(("error", "RuntimeError"),)) in decision.reasons
    assert len(decision.reasons) >= 17  # all others are there too


@pytest.mark.parametrize("name", ["rule_on", "binds"])
def test_an_error_in_policy_or_digest_refuses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Case) -> Ruling:
        raise MemoryError

    monkeypatch.setattr(deciding, name, broken)
    assert decide(proposal(), "mill-agent", compiled(SITE), snapshot()).verdict == "refuse"


@pytest.mark.parametrize("change", [lambda s: dataclasses.replace(s, policy=ruled().policy), lambda s: ruled(rule("forbid"))])
def test_without_the_policy_nothing_is_permitted(change: Callable[[Site], Site]) -> None:
    assert decide(proposal(), "mill-agent", compiled(change(SITE)), snapshot()).verdict == "refuse"
