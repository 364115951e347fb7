"""The snapshot's bytes, written out by hand, are the canonical bytes, whatever is in it; rules together hold as each alone."""

from typing import Any

from guarded_mill import SP, move, rule, ruled, snapshot
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gate.guard.binds import recorded, snapshot_digest
from holdfast.gate.guard.compile import compile_site
from holdfast.gate.guard.written import snapshot_bytes
from holdfast.terms import Move, Reading, ServerLimit, Snapshot, Wire, canonical, digest

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
number = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9), st.booleans())
readings = st.builds(
    Reading, tag=text, value=number, status=st.integers(0, 2**32 - 1), source_ns=st.integers(), age_s=number, still_s=number, skew_s=number
)
moves = st.builds(Move, tag=text, before=number, after=number, at_ns=st.integers(), by=text, ours=st.booleans(), shadow=st.booleans())
snapshots = st.builds(
    Snapshot,
    at_ns=st.integers(),
    readings=st.lists(readings, max_size=4).map(tuple),
    wires=st.lists(st.builds(Wire, tag=text, asked=number, value=number), max_size=2).map(tuple),
    moves=st.lists(moves, max_size=3).map(tuple),
    pending=st.lists(moves, max_size=2).map(tuple),
    stopped=st.lists(text, max_size=2).map(tuple),
    facts=st.lists(st.tuples(text, st.one_of(text, number), st.integers()), max_size=2).map(tuple),
    limits=st.lists(st.builds(ServerLimit, tag=text), max_size=2).map(tuple),
)


@given(snapshots)
def test_the_bytes_are_the_canonical_ones(found: Snapshot) -> None:
    assert snapshot_bytes(found) == canonical(found)


def test_numbers_that_are_not_finite_are_null_in_what_is_digested() -> None:
    for bad in (float("nan"), float("inf")):
        found = snapshot(moves=(move(bad, 60),))
        assert snapshot_digest(found) == digest(recorded(found))


@given(
    st.lists(
        st.sampled_from(("true", "false", "proposed > 100.0", "present == proposed", "abs(proposed - present) > 1.0")),
        min_size=2,
        max_size=9,
    )
)
def test_rules_hold_together_as_each_alone(conditions: list[str]) -> None:
    made = compile_site(ruled(*(rule("permit", when, id=str(i)) for i, when in enumerate(conditions))))
    rules = made.bounds[SP].rules_for("mill-agent")
    values: Any = made.language.values({"proposed": 101.5, "present": 100.0})
    assert rules.together is not None
    assert rules.together.hold(values) == tuple(r.program.holds(values) for r in rules.rules)


def test_a_list_with_an_error_in_it_is_no_answer() -> None:
    made = compile_site(ruled(rule("permit", "proposed > 1.0"), rule("permit", "present > 1.0")))
    rules = made.bounds[SP].rules_for("mill-agent")
    assert rules.together is not None
    assert rules.together.hold(made.language.values({"proposed": 1.0})) is None
