"""The terms of one mode beside its signs: what carries the score, what moved beside it, in which order, and from upstream.

Each is log-odds against "none of these" with the evidence that says it to people.
"""

import math

import numpy as np

from holdfast.agent.diagnosis.bind import Bound, equipment_of
from holdfast.agent.diagnosis.features import Features
from holdfast.agent.diagnosis.flows import Flows
from holdfast.agent.diagnosis.observe import Observation, agrees, moved, restless, size, top_place
from holdfast.agent.diagnosis.wording import Language, minutes, quote
from holdfast.agent.knowledge.modes import ANY, Shows, Sign
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Alarm, Evidence, Finding, Move, Word

STILL: tuple[Shows, ...] = ("steady", "calm")  # signs of what does not happen
ORDER_SLACK_NS = 30 * SECOND_NS


class Case(Word):
    """What every mode is weighed against."""

    site: Site
    features: Features
    finding: Finding
    moves: tuple[Move, ...]
    alarms: tuple[Alarm, ...]
    language: Language
    explained: tuple[str, ...]  # tags whose shift a setpoint move explains
    flows: Flows


def tag_of(bound: Bound, sign: Sign, features: Features) -> str:
    if sign.role != ANY:
        return bound.tag(sign.of)
    frozen = np.flatnonzero(features.frozen)
    return features.tags[int(frozen[0]) if sign.shows == "frozen" and len(frozen) else top_place(features)]


def cite(case: Case, place: int, seen: Observation, code: str) -> Evidence:
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


def of_finding(case: Case, text: str) -> Evidence:
    return Evidence(kind="finding", ref=case.finding.id, quote=text)


def carried(case: Case, bound: Bound) -> tuple[float, float, Evidence]:
    """How much of the finding's score the mode's moving tags carry, as log-odds between -0.9 and 0.7."""
    mine = {tag_of(bound, sign, case.features) for sign in bound.mode.signature if sign.shows not in STILL}
    share = sum(share for tag, share in case.finding.shares if tag in mine)
    percent = round(100 * share)
    return share, math.log((0.2 + 0.8 * share) / 0.5), of_finding(case, quote("carried", case.language, percent=percent))


def strangers(case: Case, bound: Bound) -> list[tuple[float, Evidence]]:
    """Tags of this equipment that moved or grew restless though the mode does not speak of them; no more than five count.

    What is far smaller than the mode's own signs follows from them; what is as large as they are wants a cause of its own.
    """
    features, spoken = case.features, {tag for _, tag in bound.tags}
    own = max((size(features, features.index(tag)) for tag in shown(bound, features)), default=1.0)
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
            found.append((math.log(0.6) * far, cite(case, place, seen, "stranger" if shift >= variation else "stranger_restless")))
    return sorted(found, key=lambda t: t[0])[:5]


def shown(bound: Bound, features: Features) -> list[str]:
    """The tags whose moving signs show."""
    found: list[str] = []
    for sign in bound.mode.signature:
        tag = tag_of(bound, sign, features)
        if tag in features.tags and agrees(features, features.index(tag), sign.shows) > 0.5:
            found.append(tag)
    return found


def order(case: Case, bound: Bound) -> list[tuple[float, Evidence]]:
    """Onsets in the mode's order speak for it, the other way round against it; all pairs together at most one."""
    features = case.features
    onset: list[tuple[int, int, str]] = []
    for sign in bound.mode.signature:
        tag = tag_of(bound, sign, features)
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


def upstream(case: Case, bound: Bound) -> list[tuple[float, Evidence]]:
    """What moved before it, upstream of it, speaks against a cause here; that nothing upstream moved speaks a little for it."""
    features = case.features
    before = [
        (place, tag)
        for place, tag in enumerate(features.tags)
        if case.flows.upstream(equipment_of(tag), bound.equipment) and bool(features.seen[place])
    ]
    own = [int(features.onset_ns[features.index(tag)]) for tag in shown(bound, features) if features.onset_ns[features.index(tag)]]
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


def alarmed(case: Case, bound: Bound) -> list[tuple[float, Evidence]]:
    """A standing alarm on a tag that the mode moves that way; it adds little, the shift itself was counted."""
    found: list[tuple[float, Evidence]] = []
    for alarm in case.alarms[:20]:
        sign = bound.sign(alarm.tag)
        if sign is not None and sign.shows == ("up" if alarm.limit.startswith("hi") else "down"):
            text = quote("alarm", case.language, tag=alarm.tag, limit=alarm.limit, value=alarm.value, threshold=alarm.threshold)
            found.append((0.2, Evidence(kind="alarm", ref=f"{alarm.tag}#{alarm.limit}@{alarm.since_ns}", quote=text)))
    return found
