"""What changes from one configuration to another: each bound and each rule, wider or narrower wherever that is certain.

Wider: something may be done that could not be done before. Narrower: the other way. Changed: both, or it can't be told.
Numbers are compared as they are written, without tolerance.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

from holdfast.gate.guard.exact import shown
from holdfast.gate.guard.intervals import exact, region, universe, within
from holdfast.gate.guard.review import scope
from holdfast.site.model import Envelope, Rule, Site
from holdfast.terms import AUTONOMIES, Tag, Word, canonical

How = Literal["wider", "narrower", "changed", "added", "removed"]
_ORDER: dict[str, int] = {"wider": 0, "added": 1, "changed": 2, "narrower": 3, "removed": 4}
_NONE = "none"


class Change(Word):
    """`of` is what it is about, such as "stand-4/tension.sp step" or "rule 'trim'"."""

    how: How
    of: str
    before: str
    after: str
    widens: bool  # whether something may be done now that could not be done before, or that can't be told


def difference(old: Site, new: Site) -> tuple[Change, ...]:
    """Everything that differs, wider first."""
    found = [*_envelopes(old, new), *_rules(old, new), *_people(old, new), *_rest(old, new)]
    return tuple(sorted(found, key=lambda c: (not c.widens, _ORDER[c.how], c.of)))


def _change(of: str, before: Any, after: Any, *, wider: bool, narrower: bool) -> Iterable[Change]:
    """`wider`: certainly nothing less is allowed than before. `narrower`: certainly nothing more. Neither: it can't be told."""
    if before == after:
        return
    how: How = "wider" if wider and not narrower else "narrower" if narrower and not wider else "changed"
    yield Change(how=how, of=of, before=_told(before), after=_told(after), widens=how != "narrower")


def _most(of: str, before: float | None, after: float | None) -> Iterable[Change]:
    """A bound that allows more the larger it is; None bounds nothing."""
    wider = after is None or (before is not None and after > before)
    yield from _change(of, before, after, wider=wider, narrower=not wider)


def _least(of: str, before: float | None, after: float | None) -> Iterable[Change]:
    """A bound that allows more the smaller it is."""
    wider = after is None or (before is not None and after < before)
    yield from _change(of, before, after, wider=wider, narrower=not wider)


def _window(of: str, before: tuple[float, float] | None, after: tuple[float, float] | None) -> Iterable[Change]:
    """So much within so long: certain only where both agree."""
    if before is None or after is None:
        yield from _change(of, before, after, wider=after is None, narrower=before is None)
        return
    wider, narrower = after[0] >= before[0] and after[1] <= before[1], after[0] <= before[0] and after[1] >= before[1]
    yield from _change(of, before, after, wider=wider, narrower=narrower)


def _envelopes(old: Site, new: Site) -> Iterable[Change]:
    before, after = {e.tag: e for e in old.envelopes}, {e.tag: e for e in new.envelopes}
    for tag in dict.fromkeys((*before, *after)):
        if tag not in after:
            yield Change(how="removed", of=f"{tag} envelope", before="may be written", after="never written", widens=False)
        elif tag not in before:
            yield Change(how="added", of=f"{tag} envelope", before="never written", after="may be written", widens=True)
        else:
            yield from _envelope(before[tag], after[tag])


def _envelope(a: Envelope, b: Envelope) -> Iterable[Change]:
    tag = a.tag
    yield from _level(f"{tag} autonomy", a.autonomy, b.autonomy)
    yield from _range(a, b)
    yield from _most(f"{tag} step", a.step, b.step)
    yield from _window(f"{tag} rate", a.rate and (a.rate.max, a.rate.per_s), b.rate and (b.rate.max, b.rate.per_s))
    yield from _window(f"{tag} writes", a.writes and (a.writes.max, a.writes.per_s), b.writes and (b.writes.max, b.writes.per_s))
    yield from _least(f"{tag} dwell", a.dwell_s, b.dwell_s)
    yield from _least(f"{tag} yield", a.yield_s, b.yield_s)
    yield from _demands(f"{tag} requires", {(e.tag, e.value) for e in a.requires}, {(e.tag, e.value) for e in b.requires})
    rests = a.rests_on and set(a.rests_on.tags), b.rests_on and set(b.rests_on.tags)
    yield from _demands(f"{tag} rests_on", rests[0] or set(), rests[1] or set())
    if a.rests_on and b.rests_on:
        yield from _most(f"{tag} rests_on newer_than", a.rests_on.newer_than_s, b.rests_on.newer_than_s)
        yield from _most(f"{tag} rests_on moves_within", a.rests_on.moves_within_s, b.rests_on.moves_within_s)
    for name in ("equipment", "enable", "readback", "settles", "expect", "on_loss", "restore"):
        yield from _change(f"{tag} {name}", getattr(a, name), getattr(b, name), wider=False, narrower=False)


def _range(a: Envelope, b: Envelope) -> Iterable[Change]:
    if (a.range and a.range.by) != (b.range and b.range.by):
        yield from _change(f"{a.tag} range", a.range, b.range, wider=b.range is None, narrower=a.range is None)
        return
    before, after = dict(a.range.rows if a.range else ()), dict(b.range.rows if b.range else ())
    for row in dict.fromkeys((*before, *after)):
        of = f"{a.tag} range {row}".rstrip()
        x, y = before.get(row), after.get(row)
        if x is None or y is None:
            yield Change(how="added" if x is None else "removed", of=of, before=_told(x), after=_told(y), widens=x is None)
        else:
            wider, narrower = y[0] <= x[0] and y[1] >= x[1], y[0] >= x[0] and y[1] <= x[1]
            yield from _change(of, x, y, wider=wider, narrower=narrower)


def _demands(of: str, before: set[Any], after: set[Any]) -> Iterable[Change]:
    """The more is demanded, the less is allowed."""
    yield from _change(of, tuple(sorted(before)), tuple(sorted(after)), wider=after < before, narrower=before < after)


def _level(of: str, before: str, after: str) -> Iterable[Change]:
    order = {level: rank for rank, level in enumerate(AUTONOMIES)}
    yield from _change(of, before, after, wider=order[after] > order[before], narrower=order[after] < order[before])


def _rules(old: Site, new: Site) -> Iterable[Change]:
    before, after = {r.id: r for r in old.policy.rules}, {r.id: r for r in new.policy.rules}
    for name in dict.fromkeys((*before, *after)):
        of = f"rule {name!r}"
        if name not in after:
            yield Change(how="removed", of=of, before=_rule(before[name]), after="", widens=before[name].effect != "permit")
        elif name not in before:
            yield Change(how="added", of=of, before="", after=_rule(after[name]), widens=after[name].effect != "forbid")
        elif canonical(before[name]) != canonical(after[name]):
            yield from _both(of, old, new, before[name], after[name])
    if old.policy.revision != new.policy.revision:
        yield Change(how="changed", of="revision", before=str(old.policy.revision), after=str(new.policy.revision), widens=False)


def _both(of: str, old: Site, new: Site, a: Rule, b: Rule) -> Iterable[Change]:
    if a.effect != b.effect or a.approvals != b.approvals:
        # A permit less and a forbid more are both narrower, whatever their conditions; an ask less may be either.
        covers = a.when == b.when and scope(old, a) <= scope(new, b)
        narrower = b.effect == "forbid" and (a.effect == "permit" or covers)
        wider = a.effect == "forbid" and b.effect == "permit"
        yield from _change(of, _rule(a), _rule(b), wider=wider, narrower=narrower)
        return
    x, y = region(a.when, universe(old)), region(b.when, universe(new))
    same = a.when == b.when
    more = scope(old, a) <= scope(new, b) and (same or (exact(y) and within(x, y)))
    less = scope(new, b) <= scope(old, a) and (same or (exact(x) and within(y, x)))
    if a.effect == "forbid":
        more, less = less, more
    if a.effect == "ask":
        # An ask that holds more often asks more often, and also lets more be asked for: neither wider nor narrower.
        more = less = False
    yield from _change(of, _rule(a), _rule(b), wider=more, narrower=less)


def _people(old: Site, new: Site) -> Iterable[Change]:
    before, after = {a.name: a for a in old.agents}, {a.name: a for a in new.agents}
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield Change(how="removed", of=f"agent {name}", before=before[name].autonomy, after="", widens=False)
        elif name not in before:
            yield Change(how="added", of=f"agent {name}", before="", after=after[name].autonomy, widens=True)
        else:
            yield from _level(f"agent {name} autonomy", before[name].autonomy, after[name].autonomy)
    yield from _level("plant autonomy", old.autonomy, new.autonomy)
    places = {e.name: e for e in new.equipment}
    for place in old.equipment:
        if (now := places.get(place.name)) is not None:
            yield from _level(f"{place.name} autonomy", place.autonomy, now.autonomy)
            yield from _change(f"{place.name} maintenance", place.maintenance, now.maintenance, wider=False, narrower=False)
    for name in ("default_approvals", "configuration_approvals"):
        x, y = getattr(old, name), getattr(new, name)
        yield from _change(name, x, y, wider=set(y) < set(x) and bool(y), narrower=set(x) < set(y) and bool(x))


def _rest(old: Site, new: Site) -> Iterable[Change]:
    """What has no order: tags, connections, and whatever else the configuration holds, by name of its part."""
    before, after = {t.name: t for t in old.tags}, {t.name: t for t in new.tags}
    for name in dict.fromkeys((*before, *after)):
        x, y = before.get(name), after.get(name)
        if x is None or y is None:
            yield Change(how="added" if x is None else "removed", of=f"tag {name}", before=_tag(x), after=_tag(y), widens=False)
        elif x != y:
            parts = [f.name for f in dataclasses.fields(x) if getattr(x, f.name) != getattr(y, f.name)]  # type: ignore[arg-type]
            was, now = ({p: getattr(t, p) for p in parts} for t in (x, y))
            yield Change(how="changed", of=f"tag {name}", before=_told(was), after=_told(now), widens=True)
    told = {"tags", "envelopes", "policy", "agents", "equipment", "default_approvals", "configuration_approvals", "autonomy"}
    for f in dataclasses.fields(old):  # type: ignore[arg-type]
        if f.name not in told and canonical(getattr(old, f.name)) != canonical(getattr(new, f.name)):
            yield Change(how="changed", of=f.name, before="", after="", widens=True)
    names = [e.name for e in old.equipment], [e.name for e in new.equipment]
    yield from _change("equipment", tuple(names[0]), tuple(names[1]), wider=False, narrower=False)


def _tag(tag: Tag | None) -> str:
    return "" if tag is None else f"{tag.connection} {tag.address}"


def _rule(rule: Rule) -> str:
    agents, tags = ", ".join(rule.agents), ", ".join(rule.tags)
    asks = f" asking {', '.join(rule.approvals)}" if rule.approvals else ""
    return f"{rule.effect} {agents} on {tags} when {rule.when}{asks}"


def _told(value: Any) -> str:
    if value is None:
        return _NONE
    if isinstance(value, float):
        return shown(value)
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value):
        return f"[{shown(value[0])}, {shown(value[1])}]"
    return value if isinstance(value, str) else canonical(value).decode()
