"""A site made ready for decisions, once: lookups, bounds in the units they are compared in, programs of the rules."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from holdfast.gate.guard import policy
from holdfast.gate.guard.cel import Language, Program, Together, Variable
from holdfast.gate.guard.conditions import Input
from holdfast.gate.guard.exact import exact, shown
from holdfast.site import places
from holdfast.site.model import Envelope, Equals, Equipment, Method, Problem, Rule, Site, SiteError
from holdfast.terms import SECOND_NS, Autonomy, Tag, digest

# A tag that no `rests_on` bounds is fresh for this many of its own periods.
PERIODS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A tag that a decision rests on, and how old (s) and how still (s, None: any) it may be."""

    tag: Tag
    age_s_max: float
    still_s_max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Must:
    """A watched tag and the exact value that it must have, or must not have."""

    watch: Watch
    value: float
    label: str  # the value as a person reads it: a state's name


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    rule: Rule
    program: Program
    variables: tuple[Variable, ...]
    watches: tuple[Watch | None, ...]  # of the variables; None for context
    needs_value: bool  # uses proposed or present, so it can only be about a write


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInput:
    """Something that rules read, once for all of them."""

    variable: Variable
    watch: Watch | None  # of a tag; None for context
    number: Watch | None  # the same, where it is read as a number
    source: str  # the name of the tag or of the context
    fact: str  # "health:NAME" and so on
    shown: str  # as it is written in a condition
    rule: str  # the first that reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules that apply to one agent's action on one target, with all that they read."""

    rules: tuple[CompiledRule, ...] = ()
    inputs: tuple[RuleInput, ...] = ()
    ids: str = ""
    together: Together | None = None


NO_RULES = RuleSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One row of a range, both ends included, and how a person reads it."""

    low: float
    high: float
    low_shown: str
    high_shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The envelope's numbers as a person reads them, written once."""

    step: str
    rate: str
    rate_per_s: str
    writes: str
    writes_per_s: str
    dwell_s: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Everything that bounds one writable tag."""

    tag: Tag
    envelope: Envelope
    equipment: Equipment
    enable: Must
    maintenance: Must | None
    requires: tuple[Must, ...]
    range_by: Watch | None
    limits: dict[str, Limits | None] | None  # by state name, "" for all; tightened by EURange; None: no range at all
    present: Watch  # the active setpoint
    modes: tuple[Watch, ...]  # enable, maintenance, requires and the range's state: what a signature for a write relies on
    watched: tuple[Watch, ...]  # all of the above and rests_on, each tag once
    step: Decimal | None
    rate: Decimal | None
    texts: Texts
    rate_ns: int
    writes_ns: int
    dwell_ns: int
    yield_ns: int
    others: frozenset[str]  # tags whose moves by others start a yield and count as travel
    resolution: float  # half a step of the wire's raw number, in the tag's unit
    wired: bool  # the connection may write
    heartbeat: bool
    rules: dict[str, RuleSet]  # by agent

    def rules_for(self, agent: str) -> RuleSet:
        return self.rules.get(agent, NO_RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What `decide` needs of a configuration. Made by `compile_site` only."""

    site: Site
    digest: str
    tags: dict[str, Tag]
    bounds: dict[str, Bound]
    equipment: dict[str, Equipment]
    agents: dict[str, Autonomy]
    sis: frozenset[str]
    heartbeats: frozenset[str]
    rules: tuple[CompiledRule, ...]
    methods: dict[str, Method]
    stop: Must | None
    language: Language


def compile_site(site: Site) -> Compiled:
    """Raises SiteError with every problem of policy and envelopes."""
    found = tuple(p for p in (*policy.problems(site), *_problems(site)) if p.severity == "error")
    if found:
        raise SiteError(found)
    tags = {tag.name: tag for tag in site.tags}
    language, conditions = policy.load(site)
    rules = tuple(_rule(loaded, tags) for loaded in conditions)
    heartbeats = frozenset(loop.heartbeat for loop in site.loops if loop.heartbeat)
    return Compiled(
        site=site,
        digest=digest(site),
        tags=tags,
        bounds={e.tag: _bound(site, e, tags, heartbeats, rules, language) for e in site.envelopes},
        equipment={e.name: e for e in site.equipment},
        agents={a.name: a.autonomy for a in site.agents},
        sis=frozenset(tag.name for tag in site.tags if tag.sis),
        heartbeats=heartbeats,
        rules=rules,
        methods={m.name: m for m in site.methods},
        stop=_must(site.stop_tag, tags) if site.stop_tag else None,
        language=language,
    )


def writers_of(compiled: Compiled) -> Mapping[str, tuple[str, ...]]:
    """By writable tag, the agents that some rule lets write it or ask to."""
    return {
        tag: tuple(agent for agent in compiled.agents if any(rule.rule.effect != "forbid" for rule in bound.rules_for(agent).rules))
        for tag, bound in compiled.bounds.items()
    }


def applies(rule: Rule, agent: str, kind: str, target: str) -> bool:
    """Whether a rule is about this agent, action and target; decided without its condition."""
    kinds = rule.actions or (("write", "call", "hold_batch", "work_order", "notify", "adopt") if rule.effect == "forbid" else ("write",))
    if kind not in kinds or not ("*" in rule.agents or agent in rule.agents):
        return False
    return any(fnmatchcase(target, glob) for glob in rule.tags)


def rule_set(rules: Iterable[CompiledRule], resting: Mapping[str, Watch], language: Language | None = None) -> RuleSet:
    """`resting` are the watches of the bound that is written: where it rests on a tag, its rules do so as strictly.

    With a `language` the rules are compiled to be evaluated together too, which pays where the set is used more than once.
    """
    of = tuple(rules)
    inputs: dict[str, RuleInput] = {}
    for rule in of:
        for variable, watch in zip(rule.variables, rule.watches, strict=True):
            source = variable.input
            strict = None if watch is None else resting.get(source.name, watch)
            inputs.setdefault(
                variable.name,
                RuleInput(
                    variable=variable,
                    watch=strict,
                    number=strict if variable.type == "double" else None,
                    source=source.name,
                    fact=f"{source.kind}:{source.name}",
                    shown=f'{source.kind}("{source.name}")',
                    rule=rule.rule.id,
                ),
            )
    together = None if language is None else language.together([rule.program for rule in of])
    return RuleSet(rules=of, inputs=tuple(inputs.values()), ids=", ".join(rule.rule.id for rule in of), together=together)


def _rule(loaded: policy.Loaded, tags: dict[str, Tag]) -> CompiledRule:
    return CompiledRule(
        rule=loaded.rule,
        program=loaded.program,
        variables=loaded.variables,
        watches=tuple(_watch(tags[v.input.name]) if v.input.kind == "tag" else None for v in loaded.variables),
        needs_value=loaded.needs_value,
    )


def _watch(tag: Tag) -> Watch:
    return Watch(tag=tag, age_s_max=PERIODS_MAX * tag.period_s)


def _must(equals: Equals, tags: dict[str, Tag]) -> Must:
    return _demand(_watch(tags[equals.tag]), equals.value)


def _demand(watch: Watch, value: float) -> Must:
    return Must(watch=watch, value=value, label=next((name for number, name in watch.tag.states if number == value), shown(value)))


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)


def _bound(
    site: Site,
    envelope: Envelope,
    tags: dict[str, Tag],
    heartbeats: frozenset[str],
    rules: tuple[CompiledRule, ...],
    language: Language,
) -> Bound:
    tag = tags[envelope.tag]
    equipment = next((e for e in site.equipment if e.name == envelope.equipment), Equipment(name=envelope.equipment, autonomy="observe"))
    resting = {name: _resting(envelope, tags[name]) for name in (envelope.rests_on.tags if envelope.rests_on else ())}

    def must(equals: Equals) -> Must:
        return _demand(resting.get(equals.tag) or _watch(tags[equals.tag]), equals.value)

    def watch(name: str) -> Watch:
        return resting.get(name) or _watch(tags[name])

    enable, requires = must(envelope.enable), tuple(must(e) for e in envelope.requires)
    maintenance = must(equipment.maintenance) if equipment.maintenance else None
    range_by = watch(envelope.range.by) if envelope.range and envelope.range.by else None
    present = watch(envelope.readback.tag if envelope.readback else envelope.tag)
    musts = (enable, *((maintenance,) if maintenance else ()), *requires)
    watched = {w.tag.name: w for w in (*resting.values(), *(m.watch for m in musts), present, *((range_by,) if range_by else ()))}
    loop = site.loop_of(envelope.tag)
    others = {envelope.tag, present.tag.name} | ({loop.sp_now} if loop and loop.sp_now else set())
    connection = next((c for c in site.connections if c.name == tag.connection), None)
    return Bound(
        tag=tag,
        envelope=envelope,
        equipment=equipment,
        enable=enable,
        maintenance=maintenance,
        requires=requires,
        range_by=range_by,
        limits=_limits(envelope, tag),
        present=present,
        modes=(*(m.watch for m in musts), *((range_by,) if range_by else ())),
        watched=tuple(watched.values()),
        step=None if envelope.step is None else exact(envelope.step),
        rate=None if envelope.rate is None else exact(envelope.rate.max),
        texts=_texts(envelope),
        rate_ns=0 if envelope.rate is None else _ns(envelope.rate.per_s),
        writes_ns=0 if envelope.writes is None else _ns(envelope.writes.per_s),
        dwell_ns=0 if envelope.dwell_s is None else _ns(envelope.dwell_s),
        yield_ns=_ns(envelope.yield_s),
        others=frozenset(others),
        resolution=_resolution(tag),
        wired=connection is not None and connection.writes,
        heartbeat=envelope.tag in heartbeats,
        rules={a.name: rule_set((r for r in rules if applies(r.rule, a.name, "write", tag.name)), watched, language) for a in site.agents},
    )


def _texts(envelope: Envelope) -> Texts:
    def told(value: float | None) -> str:
        return "" if value is None else shown(value)

    rate, writes = envelope.rate, envelope.writes
    return Texts(
        step="" if envelope.step is None else shown(exact(envelope.step)),
        rate="" if rate is None else shown(exact(rate.max)),
        rate_per_s=told(rate and _ns(rate.per_s) / SECOND_NS),
        writes="" if writes is None else str(writes.max),
        writes_per_s=told(writes and writes.per_s),
        dwell_s=told(envelope.dwell_s),
    )


def _resting(envelope: Envelope, tag: Tag) -> Watch:
    assert envelope.rests_on is not None  # noqa: S101  only called for its tags
    return Watch(tag=tag, age_s_max=envelope.rests_on.newer_than_s, still_s_max=envelope.rests_on.moves_within_s)


def _limits(envelope: Envelope, tag: Tag) -> dict[str, Limits | None] | None:
    rows = envelope.range.rows if envelope.range else None
    if rows is None and tag.eu_range is None:
        return None
    low, high = tag.eu_range or (-math.inf, math.inf)
    found: dict[str, Limits | None] = {}
    for name, row in (("", (low, high)),) if rows is None else rows:
        ends = max(low, row[0]), min(high, row[1])
        # A state given twice selects nothing.
        found[name] = None if name in found else Limits(low=ends[0], high=ends[1], low_shown=shown(ends[0]), high_shown=shown(ends[1]))
    return found


def _resolution(tag: Tag) -> float:
    if tag.scale is None:
        return 0.0
    raw, eng = tag.scale.raw, tag.scale.eng
    return abs((eng[1] - eng[0]) / (raw[1] - raw[0])) / 2


def _problems(site: Site) -> list[Problem]:
    """What the guard can't work with; the site loader says most of it with its line."""
    tags = {tag.name: tag for tag in site.tags}
    found: list[Problem] = []

    def wrong(what: str, cure: str) -> None:
        found.append(Problem(file="site", line=0, what=what, cure=cure))

    if len(tags) != len(site.tags):
        wrong("two tags have one name", "give each tag a name of its own")
    writable = {e.tag for e in site.envelopes}
    namespaces = {c.name: str(c.option("namespace") or "") for c in site.connections}
    for tag, other, _ in places.collisions(site.tags, namespaces):
        if places.matters(tag, other) or tag.name in writable or other.name in writable:
            wrong(f"{tag.name} and {other.name} are one address, and one of them can be written", "keep one of the two names")
    for tag in site.tags:
        if tag.scale and tag.scale.raw[0] == tag.scale.raw[1]:
            wrong(f"the raw range of {tag.name} is empty", "give two different raw values")
    if site.stop_tag and site.stop_tag.tag not in tags:
        wrong(f"unknown stop tag {site.stop_tag.tag}", "name a tag of the site")
    if len({e.tag for e in site.envelopes}) != len(site.envelopes):
        wrong("two envelopes bound one tag", "keep one")
    for envelope in site.envelopes:
        for name in _names(site, envelope):
            if name not in tags:
                wrong(f"the envelope of {envelope.tag} names the unknown tag {name}", "name a tag of the site")
        by = envelope.range.by if envelope.range else ""
        if by in tags and not tags[by].states:
            wrong(f"the range of {envelope.tag} goes by {by}, which has no states", "give the tag named states")
    return found


def _names(site: Site, envelope: Envelope) -> list[str]:
    names = [envelope.tag, envelope.enable.tag, *(e.tag for e in envelope.requires)]
    names += envelope.rests_on.tags if envelope.rests_on else ()
    names += [envelope.readback.tag] if envelope.readback else []
    names += [envelope.range.by] if envelope.range and envelope.range.by else []
    names += [e.maintenance.tag for e in site.equipment if e.name == envelope.equipment and e.maintenance]
    return names


__all__ = [
    "Bound",
    "Compiled",
    "CompiledRule",
    "Input",
    "Must",
    "RuleInput",
    "RuleSet",
    "Watch",
    "applies",
    "compile_site",
    "rule_set",
]
