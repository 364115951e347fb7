"""A recipe, a state or a key switch that changed shortly before is a cause of its own, and speaks of when and what."""

import numpy as np
import pytest
from mill_site import MILL
from test_rank import AT_NS, CASES, ranked, seen

from holdfast.agent.diagnosis.changes import OPERATING, Change, Changes
from holdfast.terms import SECOND_NS

TAGS = tuple(tag.name for tag in MILL.tags)
ONSET_NS = AT_NS - 600 * SECOND_NS  # as test_rank has it


def rows(**values: float) -> np.ndarray:
    row = np.zeros(len(TAGS))
    for name, value in values.items():
        row[TAGS.index(f"line/{name}")] = value
    return row


def test_a_state_that_changes_is_told_by_its_names_and_a_loops_own_parts_are_not() -> None:
    watch = Changes(MILL, TAGS)
    first, then = rows(grade=0.0), rows(grade=1.0, key_switch=1.0)
    then[TAGS.index("stand-4/tension.mode")] = 2.0
    watch.take(1, first)
    watch.take(2, np.full(len(TAGS), np.nan))
    watch.take(3, then)
    told = {one.tag: one for one in watch.recent()}
    assert set(told) == {"line/grade", "line/key_switch"}
    assert (told["line/grade"].before, told["line/grade"].after, told["line/grade"].at_ns) == ("DC01", "SPCC", 3)
    assert told["line/key_switch"].maintenance


def change(ago_s: float) -> Change:
    return Change(tag="line/grade", before="DC01", after="SPCC", at_ns=ONSET_NS - round(ago_s * SECOND_NS))


def test_what_began_right_after_a_change_of_recipe_is_put_down_to_it() -> None:
    start_s = ONSET_NS / SECOND_NS
    odd = seen({"force": -9, "lube_temp": 9, "bearing_temp": -8}, onset_s={"force": start_s, "lube_temp": start_s, "bearing_temp": start_s})
    found = ranked(odd, changes=(change(60.0),))
    chance = {m.id: m.probability for m in found.matches}
    assert chance[OPERATING] > 0.3
    told = next(c for c in found.diagnosis.causes if c.mode == OPERATING)
    assert told.supporting[0].quote == "line/grade went from DC01 to SPCC, 1 min from the onset"
    assert told.supporting[0].ref == f"line/grade@{change(60.0).at_ns}..{change(60.0).at_ns}"


@pytest.mark.parametrize("ago_s", [1801.0, -60.0])
def test_a_change_long_before_or_after_the_onset_explains_nothing(ago_s: float) -> None:
    assert OPERATING not in {m.id for m in ranked(CASES["lubrication_loss"], changes=(change(ago_s),)).matches}


def test_a_clear_fault_stays_first_though_the_recipe_was_changed() -> None:
    assert ranked(CASES["lubrication_loss"], changes=(change(1200.0),)).matches[0].id == "lubrication_loss"
