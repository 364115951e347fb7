"""Past cases: what people confirmed or corrected makes the same cause likelier, or less so, in the next incident that looks alike."""

import pytest
from test_rank import AT_NS, CASES, ranked

from holdfast.agent.diagnosis.cases import learnt, likeness
from holdfast.agent.diagnosis.rank import NONE, Ranking
from holdfast.link import ConfirmedCause

SHARES = (("stand-4/force", 0.6), ("stand-4/vibration", 0.4))


def case(mode: str, told: str, shares: tuple[tuple[str, float], ...] = SHARES, incident: str = "old") -> ConfirmedCause:
    return ConfirmedCause(incident=incident, mode=mode, told=told, shares=shares, person="ann", at_ns=AT_NS - 10**12)


def chance(found: Ranking, mode: str) -> float:
    return next((m.probability for m in found.matches if m.id == mode), 0.0)


def test_likeness_is_one_for_the_same_tags_and_nought_for_others() -> None:
    assert likeness(SHARES, SHARES) == pytest.approx(1.0)
    assert likeness(SHARES, (("line/speed", 1.0),)) == 0.0
    assert likeness(SHARES, (("stand-4/force", 1.0),)) == pytest.approx(0.6 / (0.36 + 0.16) ** 0.5)


def test_one_case_alike_makes_its_cause_three_times_as_likely_and_what_it_corrected_a_third() -> None:
    cases = (case("bearing_wear", "lubrication_loss"),)
    assert learnt(cases, ("bearing_wear",), "new", SHARES).odds == pytest.approx(1.0986, abs=1e-4)  # log 3
    assert learnt(cases, ("lubrication_loss",), "new", SHARES).odds == pytest.approx(-1.0986, abs=1e-4)
    assert learnt(cases, ("gauge_drift",), "new", SHARES).odds == 0.0


def test_an_incident_learns_nothing_from_what_is_said_of_itself_or_of_one_unlike() -> None:
    assert learnt((case("bearing_wear", "x", incident="new"),), ("bearing_wear",), "new", SHARES).odds == 0.0
    assert learnt((case("bearing_wear", "x", (("line/speed", 1.0),)),), ("bearing_wear",), "new", SHARES).odds == 0.0


def test_the_next_ranking_has_learnt_a_correction_and_forgets_it_when_it_is_taken_back() -> None:
    features = CASES["bearing_lubrication"]
    shares = ranked(features)
    first, second = shares.matches[0].id, next(m.id for m in shares.matches[1:] if m.id != NONE)
    looked = (("stand-4/bearing_temp", 1.0),)
    corrected = tuple(case(second, first, looked, f"old-{i}") for i in range(3))
    after = ranked(features, cases=corrected)
    assert chance(after, second) > chance(shares, second)
    assert chance(after, first) < chance(shares, first)
    told = next(c for c in after.diagnosis.causes if c.mode == second)
    assert [e.ref for e in told.supporting if e.kind == "case"] == ["old-0", "old-1", "old-2"]
    assert "ann confirmed this cause" in told.supporting[0].quote
    assert chance(ranked(features), second) == chance(shares, second)


def test_that_it_was_none_of_these_is_learnt_too() -> None:
    features = CASES["gauge_drift"]
    none = tuple(case(NONE, "gauge_drift", (("line/thickness_dev", 1.0),), f"old-{i}") for i in range(4))
    assert chance(ranked(features, cases=none), NONE) > chance(ranked(features), NONE)
