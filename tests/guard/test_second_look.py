"""What an approval binds, and whether a decision still stands right before the wire."""

import dataclasses

import pytest
from guarded_mill import GRADE, KEY, MODE, PERMIT, PV, SITE, SP, SP_NOW, STATE, compiled, proposal, reading, rule, ruled, site, snapshot

from holdfast.gate.guard.binds import recorded, snapshot_digest
from holdfast.gate.guard.decide import decide, stands
from holdfast.site.model import Policy
from holdfast.terms import Decision, Move, Proposal, Snapshot, Wire, canonical, digest

ASKED = compiled(ruled(rule("ask", approvals=("operator", "process-engineer"))))
BOTH = ("operator", "process-engineer")


def asked(known: Snapshot | None = None, wanted: Proposal | None = None) -> Decision:
    return decide(wanted or proposal(), "mill-agent", ASKED, known or snapshot())


def test_the_same_again_binds_the_same() -> None:
    assert asked().binds == asked(snapshot(reading(PV, 100.3), at_ns=7)).binds != ""


@pytest.mark.parametrize(
    "changed", [reading(SP_NOW, 100.5), reading(MODE, 1.0), reading(GRADE, 1.0), reading(MODE, 2.0, status=0x80000000)]
)
def test_another_setpoint_or_mode_binds_something_else(changed: object) -> None:
    assert asked().binds != asked(snapshot(changed)).binds  # type: ignore[arg-type]


def test_another_word_in_the_proposal_binds_something_else() -> None:
    assert asked().binds != asked(wanted=proposal(reason="another")).binds


def test_another_configuration_binds_something_else() -> None:
    other = compiled(site(policy=Policy(revision=2, rules=SITE.policy.rules)))
    first, second = (decide(proposal(), "mill-agent", of, snapshot()) for of in (compiled(SITE), other))
    assert first.binds != second.binds
    assert stands(first, second, ()).code == "stands.another"


def test_a_permit_stands_when_it_is_a_permit_again() -> None:
    first = decide(proposal(), "mill-agent", compiled(SITE), snapshot())
    assert stands(first, first, ()).passed


def test_an_ask_stands_only_with_all_signatures() -> None:
    assert stands(asked(), asked(), BOTH).passed
    assert stands(asked(), asked(), (*BOTH, "foreman")).passed
    assert stands(asked(), asked(), ("operator",)).code == "stands.unsigned"
    assert stands(asked(), asked(), ()).facts == (("roles", "operator, process-engineer"),)


def test_a_permit_that_became_an_ask_does_not_stand() -> None:
    first = decide(proposal(), "mill-agent", compiled(SITE), snapshot())
    second = decide(proposal(), "mill-agent", compiled(SITE), snapshot(autonomy=(("*", "ask"),)))
    assert stands(first, second, ()).code == "stands.unsigned"


def test_an_ask_that_became_a_permit_still_needs_its_signatures() -> None:
    first = decide(proposal(), "mill-agent", compiled(SITE), snapshot(autonomy=(("*", "ask"),)))
    second = decide(proposal(), "mill-agent", compiled(SITE), snapshot())
    assert stands(first, second, ()).code == "stands.unsigned"
    assert stands(first, second, ("operator",)).passed


def test_a_refusal_does_not_stand_whoever_signed() -> None:
    refused = asked(snapshot(stopped=("*",)))
    assert stands(asked(), refused, BOTH).code == "stands.refused"
    assert stands(refused, asked(), BOTH).code == "stands.refused"


def test_a_moved_setpoint_voids_the_signatures() -> None:
    assert stands(asked(), asked(snapshot(reading(SP_NOW, 100.5))), BOTH).code == "stands.changed"


def test_a_shadow_decision_never_stands() -> None:
    shadow = decide(proposal(), "mill-agent", compiled(SITE), snapshot(autonomy=(("*", "shadow"),)))
    permit = decide(proposal(), "mill-agent", compiled(SITE), snapshot())
    assert stands(shadow, permit, ()).code == stands(permit, shadow, ()).code == "stands.shadow"


def test_another_author_s_decision_does_not_stand() -> None:
    first = asked()
    assert stands(first, dataclasses.replace(first, author="other"), BOTH).code == "stands.another"
    assert stands(first, dataclasses.replace(first, proposal="p-2"), BOTH).code == "stands.another"


def test_an_empty_digest_never_stands() -> None:
    first = dataclasses.replace(asked(), binds="")
    assert stands(first, first, BOTH).code == "stands.changed"


def test_the_snapshot_s_digest_is_over_what_is_recorded() -> None:
    known = snapshot()
    assert snapshot_digest(known) == digest(known)
    assert decide(proposal(), "mill-agent", compiled(SITE), known).snapshot == digest(known)
    assert decide(proposal(), "mill-agent", compiled(SITE), known, snapshot_sha256="ab").snapshot == "ab"


def test_what_is_bound_is_over_the_canonical_bytes_of_the_proposal() -> None:
    of, known = compiled(SITE), snapshot()
    modes = {PERMIT: 1.0, KEY: 0.0, MODE: 2.0, STATE: 1.0, GRADE: 0.0}
    body = {"proposal": proposal(), "configuration": of.digest, "present": {SP: 100.0}, "modes": modes}
    assert decide(proposal(), "mill-agent", of, known).binds == digest(body)


def test_a_bad_reading_is_recorded_as_null() -> None:
    known = Snapshot(at_ns=1, readings=(reading(SP, float("nan")), reading(PV, float("inf"))))
    assert [r["value"] for r in recorded(known)["readings"]] == [None, None]
    assert len(snapshot_digest(known)) == 64


@pytest.mark.parametrize(
    "known",
    [
        Snapshot(at_ns=1, wires=(Wire(tag=SP, asked=1.0, value=float("inf")),)),
        Snapshot(at_ns=1, moves=(Move(tag=SP, before=float("-inf"), after=float("inf"), at_ns=1, by="operator", ours=False),)),
        Snapshot(at_ns=1, facts=(("health:roll", float("nan"), 1), ("schedule:kind", "production", 1))),
    ],
)
def test_what_is_no_number_anywhere_in_a_snapshot_is_recorded_as_null(known: Snapshot) -> None:
    assert b":null" in canonical(recorded(known)) or b",null" in canonical(recorded(known))


def test_a_snapshot_of_numbers_is_recorded_as_it_is() -> None:
    assert canonical(recorded(snapshot())) == canonical(snapshot())


def test_a_decision_can_be_recorded_whatever_was_asked() -> None:
    nasty = proposal((SP + "\ud800" * 300, float("nan")), id="\ud800" * 9999, reason="\udfff")
    decision = decide(nasty, "\ud800", compiled(SITE), snapshot())
    assert len(canonical(decision)) < 20_000
    assert decision.verdict == "refuse"
