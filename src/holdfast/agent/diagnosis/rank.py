"""Rank causes: add up what each sign's log-odds say against "none of these", and keep every term as evidence.

Naive Bayes with the usual cure for signs that are not independent: the sum is tempered (Bennett, Assessing the
calibration of naive Bayes posterior estimates, CMU-CS-00-155, 2000). Terms of a mode: its signs (direction, variance,
frozen), how much of the detector's score its moving tags carry, tags that moved though the mode does not speak of them,
and whether onsets came in its order. A setpoint that someone moved explains its own loop, and is a cause of its own.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from holdfast.agent.diagnosis.bind import Bound, equipment_of
from holdfast.agent.diagnosis.cases import learnt
from holdfast.agent.diagnosis.features import Features
from holdfast.agent.diagnosis.flows import Flows
from holdfast.agent.diagnosis.observe import Observation, agrees, moved, observe, restless, size, top_place
from holdfast.agent.diagnosis.wording import Language, minutes, quote
from holdfast.agent.knowledge.modes import ANY, Shows, Sign
from holdfast.link import ConfirmedCause
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Alarm, Cause, Diagnosis, Evidence, Finding, Move, Word

NONE = "none of these"
SETPOINT = "setpoint_change"

TEMPER = 0.8
NONE_SHARE = 0.25  # the prior of "none of these" as a share of all modes' together: a larger library knows no better what it lacks
PRIOR_NONE_MIN = 1.0  # in units of a mode's prior
PRIOR_SETPOINT = 1.0
CAUSES_MAX = 9  # named in one diagnosis; the probability of the rest goes to "none of these"
EVIDENCE_MAX = 24  # of one cause
STILL: tuple[Shows, ...] = ("steady", "calm")  # signs of what does not happen
_OPPOSITE: Mapping[Shows, Shows] = {"up": "down", "down": "up"}
SPEAKS = 0.1  # log-odds from which a term is evidence
ORDER_SLACK_NS = 30 * SECOND_NS
MEMORY_BLOCKS = 3.0  # of features: a look so long ago counts for a third
MOVES_BEFORE_NS = 1800 * SECOND_NS  # a setpoint moved so long before the onset may still explain it


class Match(Word):
    """One cause as ranked, with what the next step needs. `bound` is None for "none of these" and a setpoint change."""

    id: str
    probability: float
    bound: Bound | None
    presence: float  # 0..1: how much of the mode's moving signature shows now


class Ranking(Word):
    diagnosis: Diagnosis
    matches: tuple[Match, ...]  # best first, as the diagnosis' causes
    odds: tuple[tuple[str, float], ...] = ()  # of every mode that was weighed, what the next look at the incident remembers


class _Case(Word):
    """What every mode is weighed against."""

    site: Site
    features: Features
    finding: Finding
    moves: tuple[Move, ...]
    alarms: tuple[Alarm, ...]
    language: Language
    explained: tuple[str, ...]  # tags whose shift a setpoint move explains
    flows: Flows


class _Weighed(Word):
    id: str
    bound: Bound | None
    odds: float
    supporting: tuple[Evidence, ...]
    opposing: tuple[Evidence, ...]
    carried: float


def rank(
    site: Site,
    bounds: Sequence[Bound],
    features: Features,
    finding: Finding,
    *,
    moves: Sequence[Move] = (),
    alarms: Sequence[Alarm] = (),
    before: Ranking | None = None,
    cases: Sequence[ConfirmedCause] = (),
    id: str,
    at_ns: int,
    language: Language | None = None,
) -> Ranking:
    """Every bound mode, a setpoint change where there was one, and "none of these", best first; sums to 1.

    `before`: the last look at the same incident. What was seen then fades, and is not forgotten at once. `cases`: what people
    said of past incidents.
    """
    relevant = tuple(m for m in moves if not m.shadow and m.at_ns >= finding.onset_ns - MOVES_BEFORE_NS)
    words: Language = site.language if language is None else language
    case = _Case(
        site=site,
        features=features,
        finding=finding,
        moves=relevant,
        alarms=tuple(a for a in alarms if a.active),
        language=words,
        explained=_explained(site, features, relevant),
        flows=Flows(site),
    )
    weighed = [_either_way(case, bound) if bound.mode.mirror else _weigh(case, bound) for bound in bounds]
    if relevant:
        weighed.append(_setpoint(case))
    weighed.append(_none(case, weighed))
    if cases:
        weighed = [_learnt(case, one, cases) for one in weighed]
    if before is not None:
        weighed = _remembering(case, weighed, before, at_ns)
    weighed.sort(key=lambda w: (-w.odds, w.id))
    top = weighed[0].odds
    mass = [math.exp(w.odds - top) for w in weighed]
    total = sum(mass)
    named = [w for w in weighed if w.id != NONE][:CAUSES_MAX]
    kept = {w.id for w in named} | {NONE}
    chances = {w.id: m / total for w, m in zip(weighed, mass, strict=True) if w.id in kept}
    chances[NONE] += 1.0 - sum(chances.values())
    order = sorted((w for w in weighed if w.id in kept), key=lambda w: (-chances[w.id], w.id))
    causes = tuple(Cause(mode=w.id, probability=chances[w.id], supporting=w.supporting, opposing=w.opposing) for w in order)
    return Ranking(
        diagnosis=Diagnosis(id=id, incident=finding.incident, at_ns=at_ns, causes=causes),
        matches=tuple(
            Match(id=w.id, probability=chances[w.id], bound=w.bound, presence=0.0 if w.bound is None else presence(w.bound, features))
            for w in order
        ),
        odds=tuple((w.id, w.odds) for w in weighed),
    )


def _learnt(case: _Case, one: _Weighed, cases: Sequence[ConfirmedCause]) -> _Weighed:
    """What people confirmed or corrected of incidents that looked alike."""
    ids = {one.id} | (set() if one.bound is None else {one.bound.mode.id})
    found = learnt(cases, ids, case.finding.incident, case.finding.shares)
    told: tuple[list[Evidence], list[Evidence]] = ([], [])
    for past, like, right in found.likest:
        facts = {"incident": past.incident, "percent": round(100 * like), "person": past.person, "mode": past.mode}
        text = quote("case_for" if right else "case_against", case.language, **facts)
        told[0 if right else 1].append(Evidence(kind="case", ref=past.incident, quote=text))
    return dataclasses.replace(one, odds=one.odds + found.odds, supporting=(*told[0], *one.supporting), opposing=(*told[1], *one.opposing))


def _remembering(case: _Case, weighed: Sequence[_Weighed], before: Ranking, at_ns: int) -> list[_Weighed]:
    """Log-odds blended with those of the look before; a disturbance that rests for a while is still the same incident."""
    block_ns = max(case.features.to_ns - case.features.from_ns, 1)
    ripe = min(max(before.diagnosis.at_ns - case.finding.onset_ns, 0) / block_ns, 1.0)  # a look of a block that the onset cuts through
    kept = ripe * math.exp(-max(at_ns - before.diagnosis.at_ns, 0) / (MEMORY_BLOCKS * block_ns))
    known, found = dict(before.odds), list[_Weighed]()
    for one in weighed:
        shift = kept * (known.get(one.id, one.odds) - one.odds)
        if abs(shift) > SPEAKS:
            told = _of_finding(case, quote("earlier_for" if shift > 0 else "earlier_against", case.language))
            side = "supporting" if shift > 0 else "opposing"
            one = dataclasses.replace(one, odds=one.odds + shift, **{side: (*getattr(one, side), told)})
        else:
            one = dataclasses.replace(one, odds=one.odds + shift)
        found.append(one)
    return found


def presence(bound: Bound, features: Features, without: Sequence[str] = ()) -> float:
    """0..1: the weighted share of the mode's moving signs that show now; `without`: tags that we moved ourselves."""
    total = seen = 0.0
    for sign in bound.mode.signature:
        tag = _tag_of(bound, sign, features)
        if sign.shows in STILL or not tag or tag in without or tag not in features.tags:
            continue
        total += sign.weight
        seen += sign.weight * agrees(features, features.index(tag), sign.shows)
    return seen / total if total else 0.0


def _tag_of(bound: Bound, sign: Sign, features: Features) -> str:
    if sign.role != ANY:
        return bound.tag(sign.of)
    frozen = np.flatnonzero(features.frozen)
    return features.tags[int(frozen[0]) if sign.shows == "frozen" and len(frozen) else top_place(features)]


def _explained(site: Site, features: Features, moves: Sequence[Move]) -> tuple[str, ...]:
    """Tags of loops that moved the way their setpoint was moved."""
    found: list[str] = []
    for loop in site.loops:
        parts = (loop.sp, loop.sp_now, loop.pv)
        travel = sum(m.after - m.before for m in moves if m.tag in parts)
        found.extend(tag for tag in parts if tag in features.tags and travel * float(features.z[features.index(tag)]) > 0)
    return tuple(found)


def _emphasis(features: Features, place: int, strength: float) -> float:
    """Signs on tags that carry the detector's score count more: from 0.7 to 1.3 of their weight."""
    carried = min(float(features.share[place]) * len(features.tags) / 3.0, 1.0)
    return 0.7 + 0.6 * carried if strength > 0 else 1.0


def _either_way(case: _Case, bound: Bound) -> _Weighed:
    """A mode that comes in either direction, each with half of its prior; told as the one that fits better."""
    turned = tuple(dataclasses.replace(sign, shows=_OPPOSITE.get(sign.shows, sign.shows)) for sign in bound.mode.signature)
    other = dataclasses.replace(bound, mode=dataclasses.replace(bound.mode, signature=turned))
    worse, better = sorted((_weigh(case, bound), _weigh(case, other)), key=lambda w: w.odds)
    return dataclasses.replace(better, odds=better.odds + math.log(0.5 * (1.0 + math.exp(worse.odds - better.odds))))


def _weigh(case: _Case, bound: Bound) -> _Weighed:
    features = case.features
    odds = missing = 0.0
    supporting: list[tuple[float, Evidence]] = []
    opposing: list[tuple[float, Evidence]] = []
    unseen: list[Evidence] = []
    for sign in bound.mode.signature:
        tag = _tag_of(bound, sign, features)
        if not tag or tag not in features.tags:
            unseen.append(Evidence(kind="mode", ref=f"{bound.id}#{sign.of}", quote=quote("no_tag", case.language, role=sign.of)))
            missing += sign.weight
            continue
        place = features.index(tag)
        seen = observe(features, place, sign.shows)
        moving = sign.shows not in (*STILL, "frozen")
        if tag in case.explained and moving:
            opposing.append((SPEAKS, _cite(case, place, seen, "explained_by_setpoint")))
            continue
        term = seen.odds * sign.weight * (_emphasis(features, place, term_strength(seen)) if moving else 1.0)
        odds += term
        if term > SPEAKS:
            supporting.append((term, _cite(case, place, seen, seen.seen)))
        elif term < -SPEAKS:
            opposing.append((-term, _cite(case, place, seen, seen.seen)))
        elif seen.seen == "unseen":
            unseen.append(_cite(case, place, seen, "unseen"))
    if odds > 0:
        odds *= 1.0 - missing / sum(sign.weight for sign in bound.mode.signature)  # known by a part of its signs, believed in part
    carried, term, cited = _carried(case, bound)
    odds += term
    (supporting if term > 0 else opposing).append((abs(term), cited))
    for term, cited in (*_strangers(case, bound), *_order(case, bound), *_upstream(case, bound), *_alarmed(case, bound)):
        odds += term
        (supporting if term > 0 else opposing).append((abs(term), cited))
    source = Evidence(kind="mode", ref=bound.id, quote=bound.mode.sources[0])
    return _Weighed(
        id=bound.id,
        bound=bound,
        odds=TEMPER * odds + math.log(bound.mode.prior),
        supporting=(*_heaviest(supporting), source),
        opposing=(*_heaviest(opposing), *unseen[:3]),
        carried=carried,
    )


def term_strength(seen: Observation) -> float:
    return seen.strength if seen.seen in ("up", "down", "more_variable", "wanders", "oscillates", "quieter", "alone") else 0.0


def _heaviest(terms: list[tuple[float, Evidence]]) -> tuple[Evidence, ...]:
    return tuple(cited for _, cited in sorted(terms, key=lambda t: (-t[0], t[1].ref))[:EVIDENCE_MAX])


def _cite(case: _Case, place: int, seen: Observation, code: str) -> Evidence:
    features = case.features
    facts = {
        "tag": features.tags[place],
        "before": float(features.quiet[place]),
        "now": float(features.mean[place]),
        "z": abs(float(features.z[place])),
        "ratio": float(features.swing[place] if code == "wanders" else features.ratio[place]),
    }
    tag = case.site.tag(features.tags[place])
    ref = f"{features.tags[place]}@{features.from_ns}..{features.to_ns}"
    return Evidence(kind="history", ref=ref, quote=quote(code, case.language, unit=tag.unit if tag else "", **facts))


def _carried(case: _Case, bound: Bound) -> tuple[float, float, Evidence]:
    """How much of the finding's score the mode's moving tags carry, as log-odds between -0.9 and 0.7."""
    mine = {_tag_of(bound, sign, case.features) for sign in bound.mode.signature if sign.shows not in STILL}
    share = sum(share for tag, share in case.finding.shares if tag in mine)
    percent = round(100 * share)
    return share, math.log((0.2 + 0.8 * share) / 0.5), _of_finding(case, quote("carried", case.language, percent=percent))


def _of_finding(case: _Case, text: str) -> Evidence:
    return Evidence(kind="finding", ref=case.finding.id, quote=text)


def _strangers(case: _Case, bound: Bound) -> list[tuple[float, Evidence]]:
    """Tags of this equipment that moved or grew restless though the mode does not speak of them; no more than five count.

    What is far smaller than the mode's own signs follows from them; what is as large as they are wants a cause of its own.
    """
    features, spoken = case.features, {tag for _, tag in bound.tags}
    own = max((size(features, features.index(tag)) for tag in _shown(bound, features)), default=1.0)
    wide = any(sign.role == ANY for sign in bound.mode.signature)
    found: list[tuple[float, Evidence]] = []
    for place, tag in enumerate(features.tags):
        if tag in spoken or tag in case.explained or bool(features.frozen[place]) or (wide and place == top_place(features)):
            continue
        near = not bound.equipment or equipment_of(tag) == bound.equipment
        near = near and not case.flows.upstream(bound.equipment, equipment_of(tag))  # what lies downstream may follow
        shift, variation = moved(float(features.z[place])), restless(features, place)
        far = max(shift, variation) * (1.0 if near else 0.5) * min(size(features, place) / own, 1.0)
        if far > 0.2:
            seen = Observation(seen="up" if features.z[place] > 0 else "down", strength=far, odds=0.0)
            found.append((math.log(0.6) * far, _cite(case, place, seen, "stranger" if shift >= variation else "stranger_restless")))
    return sorted(found, key=lambda t: t[0])[:5]


def _shown(bound: Bound, features: Features) -> list[str]:
    """The tags whose moving signs show."""
    found: list[str] = []
    for sign in bound.mode.signature:
        tag = _tag_of(bound, sign, features)
        if tag in features.tags and agrees(features, features.index(tag), sign.shows) > 0.5:
            found.append(tag)
    return found


def _order(case: _Case, bound: Bound) -> list[tuple[float, Evidence]]:
    """Onsets in the mode's order speak for it, the other way round against it; all pairs together at most one."""
    features = case.features
    onset: list[tuple[int, int, str]] = []
    for sign in bound.mode.signature:
        tag = _tag_of(bound, sign, features)
        if (
            sign.order
            and tag in features.tags
            and features.onset_ns[features.index(tag)]
            and agrees(features, features.index(tag), sign.shows) > 0.5
        ):
            onset.append((sign.order, int(features.onset_ns[features.index(tag)]), tag))
    terms: list[tuple[float, Evidence]] = []
    for first, first_ns, a in onset:
        for then, then_ns, b in onset:
            lead = then_ns - first_ns
            if first < then and abs(lead) > ORDER_SLACK_NS:
                code = "order_right" if lead > 0 else "order_wrong"
                text = quote(code, case.language, first=a, then=b, minutes=abs(minutes(lead)))
                low, high = min(first_ns, then_ns), max(first_ns, then_ns)
                terms.append((math.log(1.4) if lead > 0 else math.log(0.6), Evidence(kind="history", ref=f"{a}@{low}..{high}", quote=text)))
    scale = min(1.0, 1.0 / max(sum(abs(term) for term, _ in terms), 1e-9))
    return [(term * scale, cited) for term, cited in terms]


def _upstream(case: _Case, bound: Bound) -> list[tuple[float, Evidence]]:
    """What moved before it, upstream of it, speaks against a cause here; that nothing upstream moved speaks a little for it."""
    features = case.features
    before = [
        (place, tag)
        for place, tag in enumerate(features.tags)
        if case.flows.upstream(equipment_of(tag), bound.equipment) and bool(features.seen[place])
    ]
    own = [int(features.onset_ns[features.index(tag)]) for tag in _shown(bound, features) if features.onset_ns[features.index(tag)]]
    if not before or not own:
        return []
    first_ns = min(own)
    earlier = [
        (int(features.onset_ns[place]), tag)
        for place, tag in before
        if moved(float(features.z[place])) > 0.5 and 0 < features.onset_ns[place] < first_ns - ORDER_SLACK_NS and tag not in case.explained
    ]
    if earlier:
        at_ns, tag = min(earlier)
        text = quote("upstream_first", case.language, tag=tag, minutes=minutes(first_ns - at_ns), equipment=bound.equipment)
        return [(math.log(0.5), Evidence(kind="history", ref=f"{tag}@{at_ns}..{first_ns}", quote=text))]
    if all(moved(float(features.z[place])) < 0.5 for place, _ in before):
        text = quote("upstream_steady", case.language, equipment=bound.equipment)
        return [(math.log(1.25), Evidence(kind="history", ref=f"{before[0][1]}@{features.from_ns}..{features.to_ns}", quote=text))]
    return []


def _alarmed(case: _Case, bound: Bound) -> list[tuple[float, Evidence]]:
    """A standing alarm on a tag that the mode moves that way; it adds little, the shift itself was counted."""
    found: list[tuple[float, Evidence]] = []
    for alarm in case.alarms[:20]:
        sign = bound.sign(alarm.tag)
        if sign is not None and sign.shows == ("up" if alarm.limit.startswith("hi") else "down"):
            text = quote("alarm", case.language, tag=alarm.tag, limit=alarm.limit, value=alarm.value, threshold=alarm.threshold)
            found.append((0.2, Evidence(kind="alarm", ref=f"{alarm.tag}#{alarm.limit}@{alarm.since_ns}", quote=text)))
    return found


def _setpoint(case: _Case) -> _Weighed:
    """Someone moved a setpoint: the score is carried by what follows it, and began soon after it."""
    share = sum(share for tag, share in case.finding.shares if tag in case.explained)
    strange = sum(moved(float(z)) for tag, z in zip(case.features.tags, case.features.z, strict=True) if tag not in case.explained)
    last = max(case.moves, key=lambda m: m.at_ns)
    lag_min = abs(minutes(case.finding.onset_ns - last.at_ns))
    odds = 2.0 * (share - 0.5) - 0.4 * min(strange, 5.0) + (0.8 if lag_min <= 5 else 0.0)
    cited = tuple(
        Evidence(
            kind="history",
            ref=f"{m.tag}@{m.at_ns}..{m.at_ns}",
            quote=quote("setpoint_moved", case.language, tag=m.tag, by=m.by, before=m.before, after=m.after),
        )
        for m in case.moves[-EVIDENCE_MAX:]
    )
    covers = _of_finding(case, quote("carried", case.language, percent=round(100 * share)))
    return _Weighed(
        id=SETPOINT,
        bound=None,
        odds=TEMPER * odds + math.log(PRIOR_SETPOINT),
        supporting=(*cited, covers) if share >= 0.5 else cited,
        opposing=() if share >= 0.5 else (covers,),
        carried=share,
    )


def _none(case: _Case, weighed: Sequence[_Weighed]) -> _Weighed:
    """What speaks for an unknown cause is what the best known one leaves unexplained."""
    best = max(weighed, key=lambda w: w.odds, default=None)
    share = 0.0 if best is None else best.carried
    name = "-" if best is None else best.id
    left = _of_finding(case, quote("unexplained", case.language, percent=round(100 * (1 - share)), mode=name))
    told = _of_finding(case, quote("explained", case.language, percent=round(100 * share), mode=name))
    prior = max(NONE_SHARE * sum(w.bound.mode.prior for w in weighed if w.bound is not None), PRIOR_NONE_MIN)
    return _Weighed(id=NONE, bound=None, odds=math.log(prior), supporting=(left,), opposing=(told,), carried=0.0)
