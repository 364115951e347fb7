"""What one mode's signs and terms add up to: log-odds against "none of these", every term kept as evidence."""

import dataclasses
import math
from collections.abc import Mapping

from holdfast.agent.diagnosis.bind import Bound
from holdfast.agent.diagnosis.features import Features
from holdfast.agent.diagnosis.observe import Observation, observe
from holdfast.agent.diagnosis.terms_of import STILL, Case, alarmed, carried, cite, order, strangers, tag_of, upstream
from holdfast.agent.diagnosis.wording import quote
from holdfast.agent.knowledge.modes import Shows
from holdfast.terms import Evidence, Word

TEMPER = 0.8
SPEAKS = 0.1  # log-odds from which a term is evidence
EVIDENCE_MAX = 24  # of one cause
_OPPOSITE: Mapping[Shows, Shows] = {"up": "down", "down": "up"}


class Weighed(Word):
    id: str
    bound: Bound | None
    odds: float
    supporting: tuple[Evidence, ...]
    opposing: tuple[Evidence, ...]
    carried: float


def either_way(case: Case, bound: Bound) -> Weighed:
    """A mode that comes in either direction, each with half of its prior; told as the one that fits better."""
    turned = tuple(dataclasses.replace(sign, shows=_OPPOSITE.get(sign.shows, sign.shows)) for sign in bound.mode.signature)
    other = dataclasses.replace(bound, mode=dataclasses.replace(bound.mode, signature=turned))
    worse, better = sorted((weigh(case, bound), weigh(case, other)), key=lambda w: w.odds)
    return dataclasses.replace(better, odds=better.odds + math.log(0.5 * (1.0 + math.exp(worse.odds - better.odds))))


def weigh(case: Case, bound: Bound) -> Weighed:
    features = case.features
    odds = missing = 0.0
    supporting: list[tuple[float, Evidence]] = []
    opposing: list[tuple[float, Evidence]] = []
    unseen: list[Evidence] = []
    for sign in bound.mode.signature:
        tag = tag_of(bound, sign, features)
        if not tag or tag not in features.tags:
            unseen.append(Evidence(kind="mode", ref=f"{bound.id}#{sign.of}", quote=quote("no_tag", case.language, role=sign.of)))
            missing += sign.weight
            continue
        place = features.index(tag)
        seen = observe(features, place, sign.shows)
        moving = sign.shows not in (*STILL, "frozen")
        if tag in case.explained and moving:
            opposing.append((SPEAKS, cite(case, place, seen, "explained_by_setpoint")))
            continue
        term = seen.odds * sign.weight * (_emphasis(features, place, term_strength(seen)) if moving else 1.0)
        odds += term
        if term > SPEAKS:
            supporting.append((term, cite(case, place, seen, seen.seen)))
        elif term < -SPEAKS:
            opposing.append((-term, cite(case, place, seen, seen.seen)))
        elif seen.seen == "unseen":
            unseen.append(cite(case, place, seen, "unseen"))
    if odds > 0:
        odds *= 1.0 - missing / sum(sign.weight for sign in bound.mode.signature)  # known by a part of its signs, believed in part
    share, term, cited = carried(case, bound)
    odds += term
    (supporting if term > 0 else opposing).append((abs(term), cited))
    for term, cited in (*strangers(case, bound), *order(case, bound), *upstream(case, bound), *alarmed(case, bound)):
        odds += term
        (supporting if term > 0 else opposing).append((abs(term), cited))
    source = Evidence(kind="mode", ref=bound.id, quote=bound.mode.sources[0])
    return Weighed(
        id=bound.id,
        bound=bound,
        odds=TEMPER * odds + math.log(bound.mode.prior),
        supporting=(*_heaviest(supporting), source),
        opposing=(*_heaviest(opposing), *unseen[:3]),
        carried=share,
    )


def term_strength(seen: Observation) -> float:
    return seen.strength if seen.seen in ("up", "down", "more_variable", "wanders", "oscillates", "quieter", "alone") else 0.0


def _emphasis(features: Features, place: int, strength: float) -> float:
    """Signs on tags that carry the detector's score count more: from 0.7 to 1.3 of their weight."""
    carried = min(float(features.share[place]) * len(features.tags) / 3.0, 1.0)
    return 0.7 + 0.6 * carried if strength > 0 else 1.0


def _heaviest(terms: list[tuple[float, Evidence]]) -> tuple[Evidence, ...]:
    return tuple(cited for _, cited in sorted(terms, key=lambda t: (-t[0], t[1].ref))[:EVIDENCE_MAX])
