"""Causes ranked from features made by hand: each mode's own signature puts it first, and an unknown one is told as such."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from mill_site import MILL

from holdfast.agent.diagnosis.bind import Bound, bind
from holdfast.agent.diagnosis.changes import Change
from holdfast.agent.diagnosis.features import Features
from holdfast.agent.diagnosis.flows import Flows
from holdfast.agent.diagnosis.rank import NONE, SETPOINT, Ranking, presence, rank
from holdfast.agent.knowledge.modes import library
from holdfast.link import ConfirmedCause
from holdfast.site.model import Equipment, Site
from holdfast.terms import SECOND_NS, Finding, Move

BOUNDS = bind(MILL, library())
TAGS = MILL.perception[0].tags
AT_NS = 3600 * SECOND_NS


def seen(z: dict[str, float], ratio: dict[str, float] | None = None, onset_s: dict[str, float] | None = None, frozen: str = "") -> Features:
    full = {name: next(tag for tag in TAGS if tag.endswith("/" + name)) for name in {*z, *(ratio or {}), *(onset_s or {}), frozen} if name}
    column = {tag: i for i, tag in enumerate(TAGS)}
    shift, spread, onset = np.zeros(len(TAGS)), np.ones(len(TAGS)), np.zeros(len(TAGS), dtype=np.int64)
    still = np.zeros(len(TAGS), dtype=np.bool_)
    for name, value in z.items():
        shift[column[full[name]]] = value
    for name, value in (ratio or {}).items():
        spread[column[full[name]]] = value
    for name, value in (onset_s or {}).items():
        onset[column[full[name]]] = round(value * SECOND_NS)
    if frozen:
        still[column[full[frozen]]] = True
    weight = np.abs(shift) + 5.0 * (spread - 1.0) + 50.0 * still
    return Features(
        tags=TAGS,
        from_ns=AT_NS - 60 * SECOND_NS,
        to_ns=AT_NS,
        mean=10.0 + shift,
        quiet=np.full(len(TAGS), 10.0),
        z=shift,
        side=np.ones(len(TAGS)),
        ratio=spread,
        swing=spread,
        chop=spread,
        cycle=np.zeros(len(TAGS)),
        onset_ns=onset,
        frozen=still,
        seen=np.ones(len(TAGS), dtype=np.bool_),
        share=weight / max(weight.sum(), 1e-9),
    )


def ranked(
    features: Features,
    moves: tuple[Move, ...] = (),
    site: Site = MILL,
    *,
    bounds: Sequence[Bound] = BOUNDS,
    before: Ranking | None = None,
    cases: Sequence[ConfirmedCause] = (),
    changes: Sequence[Change] = (),
    at_ns: int = AT_NS,
) -> Ranking:
    order = np.argsort(-features.share)
    shares = tuple((TAGS[int(i)], float(features.share[int(i)])) for i in order if features.share[int(i)] > 0)
    finding = Finding(
        id="f", incident="i", detector="d@0", onset_ns=AT_NS - 600 * SECOND_NS, found_ns=AT_NS, confidence=0.6, score=2.0, shares=shares
    )
    return rank(site, bounds, features, finding, moves=moves, before=before, cases=cases, changes=changes, id="i-d1", at_ns=at_ns)


CASES = {
    "lubrication_loss": seen({"force": 9, "current": 8, "vibration": 7, "lube_pressure": -6}),
    "bearing_wear": seen({"bearing_vib": 15, "bearing_temp": 8, "vibration": 4}, onset_s={"bearing_vib": 1000, "bearing_temp": 2000}),
    "bearing_lubrication": seen({"bearing_temp": 12}),
    "roll_coolant_loss": seen({"coolant_flow": -15, "coolant_temp": 8, "thickness_dev": -6}),
    "friction_high_cold_emulsion": seen({"lube_temp": -12, "force": 6, "current": 5}),
    "tension_disturbance": seen({}, ratio={"tension.pv": 4, "thickness_dev": 3, "force": 2.5}),
    "gauge_drift": seen({"thickness_dev": 12}),
    "chatter_by_speed": seen({"speed": 10, "vibration": 9}),
    "sensor_frozen": seen({}, frozen="vibration"),
}


@pytest.mark.parametrize("mode", CASES)
def test_its_own_signature_puts_a_mode_first(mode: str) -> None:
    found = ranked(CASES[mode]).diagnosis
    assert found.causes[0].mode == mode, [(c.mode, round(c.probability, 2)) for c in found.causes[:3]]
    assert found.causes[0].probability > 1.2 * found.causes[1].probability


def test_every_ranking_sums_to_one_and_holds_none_of_these() -> None:
    for features in CASES.values():
        found = ranked(features).diagnosis
        assert sum(cause.probability for cause in found.causes) == pytest.approx(1.0, abs=1e-12)
        assert [cause.mode for cause in found.causes].count(NONE) == 1
        assert [c.probability for c in found.causes] == sorted((c.probability for c in found.causes), reverse=True)


def test_nothing_moved_is_none_of_these() -> None:
    assert ranked(seen({})).diagnosis.causes[0].mode == NONE


def test_a_pattern_that_no_mode_has_is_none_of_these() -> None:
    odd = seen({"force": -9, "lube_temp": 9, "coolant_temp": -9, "bearing_temp": -8, "bearing_vib": -8})
    assert ranked(odd).diagnosis.causes[0].mode == NONE


def test_every_cause_cites_tags_and_times_for_and_against() -> None:
    found = ranked(CASES["lubrication_loss"]).diagnosis
    best = found.causes[0]
    force = next(e for e in best.supporting if e.ref.startswith("stand-4/force@"))
    assert force.ref == f"stand-4/force@{AT_NS - 60 * SECOND_NS}..{AT_NS}"
    assert force.quote == "stand-4/force rose from 10 to 19 MN: 9 times its usual wander"
    assert any(e.kind == "mode" for e in best.supporting)
    bearing = next(c for c in found.causes if c.mode == "bearing_wear")
    assert any(e.ref.startswith("stand-4/bearing_vib@") and "stayed" in e.quote for e in bearing.opposing)


def test_onsets_in_the_modes_order_speak_for_it() -> None:
    z = {"bearing_vib": 9.0, "bearing_temp": 9.0, "vibration": 9.0}
    right = ranked(seen(z, onset_s={"bearing_vib": 100, "bearing_temp": 900, "vibration": 1500}))
    wrong = ranked(seen(z, onset_s={"bearing_vib": 1500, "bearing_temp": 900, "vibration": 100}))

    def chance(found: Ranking) -> float:
        return next(m.probability for m in found.matches if m.id == "bearing_wear")

    assert chance(right) > chance(wrong)


def test_a_setpoint_that_was_moved_is_an_explanation_of_its_own() -> None:
    moved = Move(tag="stand-4/tension.sp", before=100.0, after=108.0, at_ns=AT_NS - 620 * SECOND_NS, by="operator", ours=False)
    features = seen({"tension.pv": 20})
    assert ranked(features, (moved,)).diagnosis.causes[0].mode == SETPOINT
    assert SETPOINT not in {c.mode for c in ranked(features).diagnosis.causes}


def test_presence_is_how_much_of_the_signature_shows_and_leaves_out_what_we_moved_ourselves() -> None:
    loss = next(b for b in BOUNDS if b.mode.id == "lubrication_loss")
    assert presence(loss, seen({})) == 0.0
    full = presence(loss, CASES["lubrication_loss"])
    assert 0.8 < full < 1.0  # all but the swing of the thickness
    assert presence(loss, seen({"lube_pressure": 9}), without=("stand-4/lube_pressure",)) == 0.0


def test_a_mode_lands_on_the_stand_and_not_on_the_line() -> None:
    assert {b.equipment for b in BOUNDS if b.mode.id != "sensor_frozen"} == {"stand-4"}


def test_two_pieces_of_a_recycle_are_before_each_other_and_neither_is_upstream() -> None:
    of = {"feed": ("reactor",), "reactor": ("separator",), "separator": ("reactor", "product"), "product": ()}
    site = dataclasses.replace(MILL, equipment=tuple(Equipment(name=name, feeds=feeds) for name, feeds in of.items()))
    flows = Flows(site)
    assert flows.upstream("feed", "product")
    assert flows.upstream("separator", "product")
    assert not flows.upstream("product", "feed")
    assert not flows.upstream("reactor", "separator")
    assert not flows.upstream("feed", "feed")


def test_what_went_first_upstream_speaks_against_a_cause_downstream_of_it() -> None:
    fed = dataclasses.replace(
        MILL, equipment=tuple(dataclasses.replace(e, feeds=("stand-4",) if e.name == "line" else ()) for e in MILL.equipment)
    )
    z = {"force": 9.0, "current": 8.0, "vibration": 7.0, "lube_pressure": -6.0, "speed": 9.0}
    late = {"force": 900.0, "current": 900.0, "vibration": 900.0, "lube_pressure": 900.0}
    features = seen(z, onset_s={**late, "speed": 300.0})

    def chance(site: Site) -> float:
        found = ranked(features, site=site)
        return next(m.probability for m in found.matches if m.id == "lubrication_loss")

    assert chance(fed) < chance(MILL)
    told = next(c for c in ranked(features, site=fed).diagnosis.causes if c.mode == "lubrication_loss")
    assert any("line/speed, upstream of stand-4, went 10 min before" in e.quote for e in told.opposing)


def test_what_was_seen_before_fades_and_is_not_forgotten_at_once() -> None:
    clear = ranked(CASES["bearing_wear"])
    resting = ranked(seen({}), before=clear)
    assert ranked(seen({})).matches[0].id == NONE
    assert resting.matches[0].id == "bearing_wear"
    told = next(c for c in resting.diagnosis.causes if c.mode == "bearing_wear")
    assert any(e.quote == "what was seen earlier in this incident speaks for it" for e in told.supporting)
    again = ranked(seen({}), before=resting, at_ns=AT_NS + 60 * SECOND_NS)
    assert dict(again.odds)["bearing_wear"] < dict(resting.odds)["bearing_wear"]
    assert ranked(seen({}), before=clear, at_ns=AT_NS + 3600 * SECOND_NS).matches[0].id == NONE


def test_a_cause_of_either_direction_is_told_as_the_one_that_fits() -> None:
    mode = next(b for b in BOUNDS if b.mode.id == "lubrication_loss")
    both = dataclasses.replace(mode, mode=dataclasses.replace(mode.mode, mirror=True))
    shown = {"force": 9.0, "current": 8.0, "vibration": 7.0, "lube_pressure": -6.0}
    up, down = (ranked(seen({k: sign * v for k, v in shown.items()}), bounds=(both,)) for sign in (1.0, -1.0))
    assert up.matches[0].id == down.matches[0].id == "lubrication_loss"
    assert up.matches[0].probability == pytest.approx(down.matches[0].probability)
    bound = down.matches[0].bound
    assert bound is not None
    assert [s.shows for s in bound.mode.signature if s.role == "roll_force"] == ["down"]


def test_a_larger_library_makes_none_of_these_no_less_likely() -> None:
    many = tuple(dataclasses.replace(b, id=f"{b.id}@{i}") for i in range(5) for b in BOUNDS)
    few = next(m.probability for m in ranked(seen({})).matches if m.id == NONE)
    assert next(m.probability for m in ranked(seen({}), bounds=many).matches if m.id == NONE) >= few - 1e-9


def test_what_stands_still_far_from_where_it_was_has_moved() -> None:
    shown = seen({"coolant_flow": -15, "coolant_temp": 8, "thickness_dev": -6}, frozen="coolant_flow")  # a closed valve: exactly nothing
    process = tuple(b for b in BOUNDS if b.mode.id != "sensor_frozen")  # whether the sensor is alive is a question of its own
    assert ranked(shown, bounds=process).matches[0].id == "roll_coolant_loss"
    loss = next(b for b in BOUNDS if b.mode.id == "roll_coolant_loss")
    assert presence(loss, shown) == presence(loss, CASES["roll_coolant_loss"])
    still = seen({"coolant_temp": 8, "thickness_dev": -6}, frozen="coolant_flow")
    told = next(c for c in ranked(still).diagnosis.causes if c.mode == "roll_coolant_loss")
    assert not any(e.ref.startswith("stand-4/coolant_flow@") for e in told.supporting)
