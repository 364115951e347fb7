"""The decision: every check in order, each with its reason, then the truth table. Pure: no clock, no I/O, no memory."""

from collections.abc import Callable

from holdfast.gate.guard import physics, standing
from holdfast.gate.guard.binds import binds, snapshot_digest
from holdfast.gate.guard.case import Case, clean, failed, made
from holdfast.gate.guard.compile import Compiled
from holdfast.gate.guard.rules import Ruling, rule_on
from holdfast.gate.guard.verdict import Outcome, verdict
from holdfast.gate.guard.wellformed import well_formed
from holdfast.terms import Autonomy, Decision, Proposal, Reason, Snapshot

Check = Callable[[Case], tuple[Reason, ...]]

# Design §5, in this order. `policy` stands between them, because it has an outcome beside its reasons.
BEFORE_POLICY: tuple[tuple[str, Check], ...] = (
    ("well_formed", well_formed),
    ("addressed", standing.addressed),
    ("wire", standing.wire),
    ("stop", standing.stop),
    ("autonomy", standing.autonomy),
    ("enable", standing.enable),
    ("maintenance", standing.maintenance),
    ("requires", standing.requires),
)
AFTER_POLICY: tuple[tuple[str, Check], ...] = (
    ("fresh", standing.fresh),
    ("envelope.range", physics.in_range),
    ("envelope.step", physics.step),
    ("envelope.rate", physics.rate),
    ("envelope.writes", physics.writes),
    ("envelope.dwell", physics.dwell),
    ("yield", physics.yields),
    ("busy", physics.busy),
    ("unchanged", physics.unchanged),
)


def decide(proposal: Proposal, author: str, compiled: Compiled, snapshot: Snapshot, *, snapshot_sha256: str | None = None) -> Decision:
    """What the configuration makes of a proposal, given the snapshot. Never raises: what goes wrong refuses.

    `author` is whom the caller's token names. `snapshot_sha256` is `snapshot_digest(snapshot)` where the caller has it
    already, having recorded the snapshot; without it, it is computed here.
    """
    case = Case(proposal, author, compiled, snapshot)
    reasons: list[Reason] = []
    _all_of(BEFORE_POLICY, case, reasons)
    ruling = _ruling(case)
    reasons += ruling.reasons
    _all_of(AFTER_POLICY, case, reasons)
    signed, of_snapshot = _digests(case, snapshot_sha256, reasons)
    level = _level(case)
    outcome: Outcome = ruling.outcome
    roles = ruling.roles if outcome == "ask" else compiled.site.default_approvals
    asks = outcome == "ask" or (outcome == "permit" and level == "ask")
    if asks and not roles:  # an ask that names nobody would wait for nobody
        reasons.append(failed("policy.no_role"))
    for reason in reasons:
        # The level `observe` is the truth table's first column, not a failed check; it refuses by itself.
        if not reason.passed and reason.code != "autonomy.observe":
            outcome = "failed"
    answer, would = verdict(level, outcome)
    return made(
        Decision,
        {
            "proposal": clean(getattr(proposal, "id", "")),
            "binds": signed,
            "configuration": compiled.digest,
            "snapshot": of_snapshot,
            "author": clean(author),
            "at_ns": snapshot.at_ns,
            "verdict": answer,
            "would": would,
            "reasons": tuple(reasons),
            "roles": roles if answer == "ask" else (),
        },
    )


def _all_of(checks: tuple[tuple[str, Check], ...], case: Case, reasons: list[Reason]) -> None:
    """Every check, whatever the ones before it said."""
    for code, check in checks:
        try:
            reasons += check(case)
        except Exception as error:  # noqa: BLE001  an error in a check is a failed check, never a traceback
            reasons.append(failed(code, error=type(error).__name__))


def _ruling(case: Case) -> Ruling:
    try:
        return rule_on(case)
    except Exception as error:  # noqa: BLE001  an error refuses
        return Ruling("failed", (), (failed("policy.error", rule="", error=type(error).__name__),))


def _level(case: Case) -> Autonomy:
    try:
        return case.level[0]
    except Exception:  # noqa: BLE001  an unknown level is the lowest
        return "observe"


def _digests(case: Case, snapshot_sha256: str | None, reasons: list[Reason]) -> tuple[str, str]:
    try:
        return binds(case), snapshot_digest(case.snapshot) if snapshot_sha256 is None else snapshot_sha256
    except Exception as error:  # noqa: BLE001  what can't be recorded can't be decided on
        reasons.append(failed("recorded", error=type(error).__name__))
        return "", ""


def stands(first: Decision, second: Decision, signed_roles: tuple[str, ...]) -> Reason:
    """Whether an action decided before may be made now: the last look, right before INTENT.

    `second` is a new decision on what was read again; `signed_roles` are the roles that persons have signed for, one
    person each. A permit must again be a permit; an ask must bind the same and ask for nobody who hasn't signed.
    """
    if first.would or second.would:
        return failed("stands.shadow")
    if first.verdict == "refuse" or second.verdict == "refuse":
        return failed("stands.refused")
    if (first.proposal, first.author, first.configuration) != (second.proposal, second.author, second.configuration):
        return failed("stands.another")
    if not second.binds or first.binds != second.binds:
        return failed("stands.changed")
    wanted = second.roles if second.verdict == "ask" else ()
    unsigned = [role for role in dict.fromkeys((*first.roles, *wanted)) if role not in signed_roles]
    if unsigned:
        return failed("stands.unsigned", roles=", ".join(unsigned))
    return Reason(code="stands", passed=True)


# What a retreat was given room for when the advance was decided, and whose word it does not need again.
_RESERVED = frozenset({"envelope.rate.over", "envelope.writes.over", "envelope.dwell.early", "policy.none"})


def against_retreat(first: Decision, second: Decision) -> tuple[Reason, ...]:
    """What stands against taking an action back; () if it may be. `first` allowed the advance, `second` judges the way back now.

    Everything but the reserved counts: stop, enable, mode, freshness, range, step, yield, a rule that forbids.
    """
    if second.would or first.would:
        return (failed("stands.shadow"),)
    if first.configuration != second.configuration or first.author != second.author:
        return (failed("stands.another"),)
    return tuple(r for r in second.reasons if not r.passed and r.code not in _RESERVED)
