"""The cause-and-effect matrix of one loop: every rule and interlock that stands before a write, and what it leads to."""

from collections.abc import Iterator
from typing import Literal

from holdfast.gate.guard.compile import Bound, Compiled, applies
from holdfast.gate.guard.exact import shown
from holdfast.terms import Word

Leads = Literal["refuse", "ask", "permit"]


class Cause(Word):
    """One row: when the cause holds, the loop's write is refused, asked for, or permitted. Codes, never prose."""

    code: str
    facts: tuple[tuple[str, str], ...] = ()
    leads: Leads = "refuse"


def matrix(compiled: Compiled, bound: Bound) -> tuple[Cause, ...]:
    """In the guard's order: what stands in the way, then the policy's rules as they are written."""
    return (*_standing(compiled, bound), *_physics(bound), *_policy(compiled, bound))


def _cause(code: str, leads: Leads = "refuse", **facts: str) -> Cause:
    return Cause(code=code, facts=tuple(sorted(facts.items())), leads=leads)


def _standing(compiled: Compiled, bound: Bound) -> Iterator[Cause]:
    yield _cause("matrix.stop", equipment=bound.equipment.name)
    if compiled.stop is not None:
        yield _cause("matrix.stop_wired", tag=compiled.stop.watch.tag.name, value=compiled.stop.label)
    yield _cause("matrix.autonomy")
    yield _cause("matrix.enable", tag=bound.enable.watch.tag.name, value=bound.enable.label)
    if bound.maintenance is not None:
        yield _cause("matrix.maintenance", tag=bound.maintenance.watch.tag.name, value=bound.maintenance.label)
    loop = compiled.site.loop_of(bound.tag.name)
    for must in bound.requires:
        code = "matrix.mode" if loop is not None and must.watch.tag.name == loop.mode else "matrix.requires"
        yield _cause(code, tag=must.watch.tag.name, value=must.label)
    rests = bound.envelope.rests_on
    for tag in rests.tags if rests else ():
        yield _cause("matrix.fresh", tag=tag, age_s=shown(rests.newer_than_s) if rests else "")
        if rests and rests.moves_within_s is not None:
            yield _cause("matrix.stuck", tag=tag, still_s=shown(rests.moves_within_s))


def _physics(bound: Bound) -> Iterator[Cause]:
    envelope, unit = bound.envelope, bound.tag.unit
    for state, limits in (bound.limits or {}).items():
        if limits is not None:
            code = "matrix.range_by" if state else "matrix.range"
            by = bound.range_by.tag.name if bound.range_by else ""
            yield _cause(code, by=by, state=state, low=limits.low_shown, high=limits.high_shown, unit=unit)
    if envelope.step is not None:
        yield _cause("matrix.step", max=shown(envelope.step), unit=unit)
    if envelope.rate is not None:
        yield _cause("matrix.rate", max=shown(envelope.rate.max), unit=unit, per_s=shown(envelope.rate.per_s))
    if envelope.writes is not None:
        yield _cause("matrix.writes", max=str(envelope.writes.max), per_s=shown(envelope.writes.per_s))
    if envelope.dwell_s:
        yield _cause("matrix.dwell", dwell_s=shown(envelope.dwell_s))
    if envelope.yield_s:
        yield _cause("matrix.yield", yield_s=shown(envelope.yield_s))
    yield _cause("matrix.busy")


def _policy(compiled: Compiled, bound: Bound) -> Iterator[Cause]:
    leads: dict[str, Leads] = {"permit": "permit", "ask": "ask", "forbid": "refuse"}
    for compiled_rule in compiled.rules:
        rule = compiled_rule.rule
        agents = [agent for agent in compiled.agents if applies(rule, agent, "write", bound.tag.name)]
        if agents:
            roles = ", ".join(rule.approvals or (compiled.site.default_approvals if rule.effect == "ask" else ()))
            code = "matrix.rule_asks" if roles else "matrix.rule"
            yield _cause(code, leads[rule.effect], rule=rule.id, when=rule.when, agents=", ".join(agents), roles=roles)
    yield _cause("matrix.no_rule")
