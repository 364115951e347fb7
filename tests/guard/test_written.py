"""The snapshot's bytes, written out by hand, are the canonical bytes, whatever is in it; rules together hold as each alone."""

from typing import Any

from guarded_mill import COMPILED, GRADE, KEY, MODE, PERMIT, SP, STATE, move, proposal, rule, ruled, snapshot
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gate.guard.binds import binds, recorded, snapshot_digest
from holdfast.gate.guard.case import Case
from holdfast.gate.guard.compile import compile_site
from holdfast.gate.guard.written import proposal_text, snapshot_bytes, values_text
from holdfast.terms import Call, Evidence, Move, Proposal, Reading, ServerLimit, Snapshot, Wire, Write, canonical, digest

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


proposals = st.builds(
    Proposal,
    id=text,
    incident=text,
    reason=text,
    expect=text,
    valid_s=number,
    action=st.one_of(
        st.builds(Write, sets=st.lists(st.tuples(text, number), max_size=3).map(tuple), unit=text), st.builds(Call, method=text)
    ),
    evidence=st.lists(st.builds(Evidence, kind=st.just("case"), ref=text), max_size=1).map(tuple),
)


@given(proposals)
def test_a_proposal_has_its_canonical_text(found: Proposal) -> None:
    assert proposal_text(found) == canonical(found).decode()


@given(st.dictionaries(text, st.one_of(st.none(), number), max_size=4))
def test_values_by_tag_have_their_canonical_text(found: dict[str, float | None]) -> None:
    assert values_text(found) == canonical(found).decode()


def test_what_is_signed_is_the_digest_of_the_four_parts() -> None:
    case = Case(proposal(), "mill-agent", COMPILED, snapshot())
    present = {SP: 100.0}
    modes = {PERMIT: 1.0, KEY: 0.0, MODE: 2.0, STATE: 1.0, GRADE: 0.0}
    assert binds(case) == digest({"proposal": proposal(), "configuration": COMPILED.digest, "present": present, "modes": modes})


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
