"""What is suspicious about a policy that loads: rules that never apply, never hold or never matter, or are wider than the envelope.

Everything said here is certain: intervals are compared exactly, and where a condition isn't simple enough nothing is said.
"""

import math
from collections.abc import Iterable, Mapping

from holdfast.gate.guard import policy
from holdfast.gate.guard.compile import applies
from holdfast.gate.guard.intervals import Region, Span, region, universe, within
from holdfast.site.model import Envelope, Problem, Rule, Site
from holdfast.terms import AUTONOMIES

KINDS = ("write", "hold_batch", "work_order", "notify", "adopt")
Scope = frozenset[tuple[str, str, str]]  # (agent, kind of action, target)


def review(site: Site, file: str) -> tuple[Problem, ...]:
    """Errors of `policy.problems`; without any, the warnings of this file."""
    found = tuple(policy.problems(site, file))
    if any(p.severity == "error" for p in found):
        return found
    known = universe(site)
    regions = {rule.id: region(rule.when, known) for rule in site.policy.rules}
    scopes = {rule.id: scope(site, rule) for rule in site.policy.rules}
    told = [p for rule in site.policy.rules for p in _rule(site, rule, regions, scopes, file)]
    told += unfed(site, file)
    return (*found, *(p for p in told if not any(p.line == other.line and "never applies" in other.what for other in found)))


def scope(site: Site, rule: Rule) -> Scope:
    """Everything of this site that a rule is about."""
    writable = [e.tag for e in site.envelopes]
    places = [e.name for e in site.equipment]
    adopted = [glob for glob in rule.tags if "/" in glob]
    targets = {kind: writable if kind == "write" else adopted if kind == "adopt" else places for kind in KINDS}
    return frozenset((a.name, kind, t) for a in site.agents for kind in KINDS for t in targets[kind] if applies(rule, a.name, kind, t))


def bounds(envelope: Envelope, site: Site) -> Span:
    """The widest range that the envelope and the tag's EURange leave in any state."""
    rows = [span for _, span in envelope.range.rows] if envelope.range else []
    low, high = (min(r[0] for r in rows), max(r[1] for r in rows)) if rows else (-math.inf, math.inf)
    tag = site.tag(envelope.tag)
    if tag is not None and tag.eu_range is not None:
        low, high = max(low, tag.eu_range[0]), min(high, tag.eu_range[1])
    return Span(low, high, low > -math.inf, high < math.inf)


def _rule(site: Site, rule: Rule, regions: Mapping[str, Region], scopes: Mapping[str, Scope], file: str) -> Iterable[Problem]:
    def told(what: str, cure: str) -> Problem:
        return Problem(file=file, line=rule.line, what=f"rule {rule.id!r}: {what}", cure=cure, severity="warning")

    here, mine = regions[rule.id], scopes[rule.id]
    if not here:
        yield told("its condition can never hold", "correct the condition, or delete the rule")
        return
    if not mine:
        yield told("never applies: no agent, action and tag of this site fit it", "correct agents, tags or actions, or delete the rule")
        return
    of = [e for e in site.envelopes if any(t == e.tag and kind == "write" for _, kind, t in mine)]
    reachable = [e for e in of if any(not (bounds(e, site) & clause.spans.get("proposed", Span())).empty for clause in here)]
    if of and not reachable and all(kind == "write" for _, kind, _ in mine):
        where = ", ".join(f"{e.tag} {bounds(e, site)}" for e in of)
        yield told("can never hold: its values of `proposed` lie outside every envelope", f"correct the number; the envelopes are {where}")
        return
    if rule.effect != "forbid":
        yield from (told(*wide) for e in reachable if (wide := _wider(e, site, here)))
    by = _overruled(site, rule, regions, scopes)
    if by is not None:
        yield told(f"is never reached: {by.effect} {by.id!r} always decides before it", "narrow one of the two, or delete this one")
    ceiling = {a.name: a.autonomy for a in site.agents}
    if rule.effect == "permit" and all(ceiling[a] == "observe" for a, _, _ in mine):
        yield told(
            "permits only agents that may do nothing but observe", f"give the agent one of {', '.join(AUTONOMIES[1:])}, or delete it"
        )


def unfed(site: Site, file: str) -> Iterable[Problem]:
    """What a condition asks of the plant's context and no table can bring: such a rule refuses whatever it applies to.

    Which rows a CSV or SQL table has is known only when it is read, so where there is one of the kind nothing is said.
    """
    open_kinds = {table.kind for table in site.context if table.source != "tag"}
    fed = {(table.kind, str(table.option("as"))) for table in site.context if table.source == "tag"}
    _, loaded = policy.load(site)
    for one in loaded:
        for asked in dict.fromkeys(variable.input for variable in one.variables):
            if asked.kind == "tag" or asked.kind in open_kinds or (asked.kind, asked.name) in fed:
                continue
            yield Problem(
                file=file,
                line=one.rule.line,
                what=f"rule {one.rule.id!r}: nobody feeds {asked.kind}({asked.name!r}), so whatever the rule applies to is refused",
                cure=f"add a table of kind {asked.kind} that brings {asked.name} under `context`, or take it out of the condition",
                severity="warning",
            )


def _wider(envelope: Envelope, site: Site, here: Region) -> tuple[str, str] | None:
    """Where a rule itself names a bound beyond the envelope's: harmless, for the envelope holds, but somebody meant it."""
    limit = bounds(envelope, site)
    for clause in here:
        span = clause.spans.get("proposed")
        if span is None:
            continue
        if (math.isfinite(span.high) and span.high > limit.high) or (math.isfinite(span.low) and span.low < limit.low):
            return (
                f"is wider than the envelope of {envelope.tag}: {span} reaches beyond {limit}",
                "the envelope decides; write the same bound",
            )
    return None


def _overruled(site: Site, rule: Rule, regions: Mapping[str, Region], scopes: Mapping[str, Scope]) -> Rule | None:
    """A rule that certainly holds wherever this one does and comes before it: a forbid; for a permit, an ask; or the same, earlier."""
    seen_self = False
    for other in site.policy.rules:
        if other.id == rule.id:
            seen_self = True
            continue
        rank = {"forbid": 0, "ask": 1, "permit": 2}
        stronger = rank[other.effect] < rank[rule.effect]
        same = other.effect == rule.effect and not seen_self and other.approvals == rule.approvals
        if (stronger or same) and scopes[rule.id] <= scopes[other.id] and within(regions[rule.id], regions[other.id]):
            return other
    return None
