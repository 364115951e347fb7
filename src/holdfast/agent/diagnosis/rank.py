"""Rank causes: add up what each sign's log-odds say against "none of these", and keep every term as evidence.

Naive Bayes with the usual cure for signs that are not independent: the sum is tempered (Bennett, Assessing the
calibration of naive Bayes posterior estimates, CMU-CS-00-155, 2000). Terms of a mode: its signs (direction, variance,
frozen), how much of the detector's score its moving tags carry, tags that moved though the mode does not speak of them,
and whether onsets came in its order. A setpoint that someone moved explains its own loop, and is a cause of its own.
"""

import dataclasses
import math
from collections.abc import Sequence

from holdfast.agent.diagnosis.beside import Other, beside
from holdfast.agent.diagnosis.bind import Bound
from holdfast.agent.diagnosis.cases import learnt
from holdfast.agent.diagnosis.changes import Change, operating
from holdfast.agent.diagnosis.features import Features
from holdfast.agent.diagnosis.flows import Flows
from holdfast.agent.diagnosis.observe import agrees, moved
from holdfast.agent.diagnosis.terms_of import STILL, Case, of_finding, tag_of
from holdfast.agent.diagnosis.weigh import EVIDENCE_MAX, SPEAKS, TEMPER, Weighed, either_way, weigh
from holdfast.agent.diagnosis.wording import Language, minutes, quote
from holdfast.link import ConfirmedCause
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Alarm, Cause, Diagnosis, Evidence, Finding, Move, Word

NONE = "none of these"
SETPOINT = "setpoint_change"

NONE_SHARE = 0.25  # the prior of "none of these" as a share of all modes' together: a larger library knows no better what it lacks
PRIOR_NONE_MIN = 1.0  # in units of a mode's prior
PRIOR_SETPOINT = 1.0
CAUSES_MAX = 9  # named in one diagnosis; the probability of the rest goes to "none of these"
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
    changes: Sequence[Change] = (),
    others: Sequence[Other] = (),
    id: str,
    at_ns: int,
    language: Language | None = None,
) -> Ranking:
    """Every bound mode, a setpoint change where there was one, and "none of these", best first; sums to 1.

    `before`: the last look at the same incident. What was seen then fades, and is not forgotten at once. `cases`: what people
    said of past incidents. `changes`: of how the plant is run. `others`: incidents that are open too.
    """
    relevant = tuple(m for m in moves if not m.shadow and m.at_ns >= finding.onset_ns - MOVES_BEFORE_NS)
    words: Language = site.language if language is None else language
    case = Case(
        site=site,
        features=features,
        finding=finding,
        moves=relevant,
        alarms=tuple(a for a in alarms if a.active),
        language=words,
        explained=_explained(site, features, relevant),
        flows=Flows(site),
    )
    weighed = [either_way(case, bound) if bound.mode.mirror else weigh(case, bound) for bound in bounds]
    if relevant:
        weighed.append(_setpoint(case))
    if (changed := operating(case, changes)) is not None:
        weighed.append(changed)
    weighed.append(_none(case, weighed))
    weighed = [beside(one, finding, others, case.flows, words) for one in weighed]
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


def _learnt(case: Case, one: Weighed, cases: Sequence[ConfirmedCause]) -> Weighed:
    """What people confirmed or corrected of incidents that looked alike."""
    ids = {one.id} | (set() if one.bound is None else {one.bound.mode.id})
    found = learnt(cases, ids, case.finding.incident, case.finding.shares)
    told: tuple[list[Evidence], list[Evidence]] = ([], [])
    for past, like, right in found.likest:
        facts = {"incident": past.incident, "percent": round(100 * like), "person": past.person, "mode": past.mode}
        text = quote("case_for" if right else "case_against", case.language, **facts)
        told[0 if right else 1].append(Evidence(kind="case", ref=past.incident, quote=text))
    return dataclasses.replace(one, odds=one.odds + found.odds, supporting=(*told[0], *one.supporting), opposing=(*told[1], *one.opposing))


def _remembering(case: Case, weighed: Sequence[Weighed], before: Ranking, at_ns: int) -> list[Weighed]:
    """Log-odds blended with those of the look before; a disturbance that rests for a while is still the same incident."""
    block_ns = max(case.features.to_ns - case.features.from_ns, 1)
    ripe = min(max(before.diagnosis.at_ns - case.finding.onset_ns, 0) / block_ns, 1.0)  # a look of a block that the onset cuts through
    kept = ripe * math.exp(-max(at_ns - before.diagnosis.at_ns, 0) / (MEMORY_BLOCKS * block_ns))
    known, found = dict(before.odds), list[Weighed]()
    for one in weighed:
        shift = kept * (known.get(one.id, one.odds) - one.odds)
        if abs(shift) > SPEAKS:
            told = of_finding(case, quote("earlier_for" if shift > 0 else "earlier_against", case.language))
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
        tag = tag_of(bound, sign, features)
        if sign.shows in STILL or not tag or tag in without or tag not in features.tags:
            continue
        total += sign.weight
        seen += sign.weight * agrees(features, features.index(tag), sign.shows)
    return seen / total if total else 0.0


def _explained(site: Site, features: Features, moves: Sequence[Move]) -> tuple[str, ...]:
    """Tags of loops that moved the way their setpoint was moved."""
    found: list[str] = []
    for loop in site.loops:
        parts = (loop.sp, loop.sp_now, loop.pv)
        travel = sum(m.after - m.before for m in moves if m.tag in parts)
        found.extend(tag for tag in parts if tag in features.tags and travel * float(features.z[features.index(tag)]) > 0)
    return tuple(found)


def _setpoint(case: Case) -> Weighed:
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
    covers = of_finding(case, quote("carried", case.language, percent=round(100 * share)))
    return Weighed(
        id=SETPOINT,
        bound=None,
        odds=TEMPER * odds + math.log(PRIOR_SETPOINT),
        supporting=(*cited, covers) if share >= 0.5 else cited,
        opposing=() if share >= 0.5 else (covers,),
        carried=share,
    )


def _none(case: Case, weighed: Sequence[Weighed]) -> Weighed:
    """What speaks for an unknown cause is what the best known one leaves unexplained."""
    best = max(weighed, key=lambda w: w.odds, default=None)
    share = 0.0 if best is None else best.carried
    name = "-" if best is None else best.id
    left = of_finding(case, quote("unexplained", case.language, percent=round(100 * (1 - share)), mode=name))
    told = of_finding(case, quote("explained", case.language, percent=round(100 * share), mode=name))
    prior = max(NONE_SHARE * sum(w.bound.mode.prior for w in weighed if w.bound is not None), PRIOR_NONE_MIN)
    return Weighed(id=NONE, bound=None, odds=math.log(prior), supporting=(left,), opposing=(told,), carried=0.0)
