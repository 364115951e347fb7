"""What other open incidents say of a cause: the same one seen elsewhere speaks for it, trouble upstream that began before against it."""

import dataclasses
import math
from collections.abc import Sequence

from holdfast.agent.diagnosis.flows import Flows
from holdfast.agent.diagnosis.weigh import Weighed
from holdfast.agent.diagnosis.wording import Language, minutes, quote
from holdfast.terms import SECOND_NS, Evidence, Finding, Word

NEAR_NS = 2 * 3600 * SECOND_NS  # between two onsets: further apart, they are two stories
SURE = 0.5  # from which a cause of the other incident counts
SAME, UPSTREAM = math.log(2.0), math.log(0.6)  # however many say so: they are not independent of one another


class Other(Word):
    """An incident that is open too. `mode`: the cause that is put first there, with its probability."""

    incident: str
    equipment: str
    onset_ns: int
    mode: str
    probability: float


def beside(one: Weighed, finding: Finding, others: Sequence[Other], flows: Flows, language: Language) -> Weighed:
    """A cause with what the other incidents say of it."""
    if one.bound is None:
        return one
    here = one.bound.equipment
    near = [other for other in others if other.equipment != here and abs(other.onset_ns - finding.onset_ns) <= NEAR_NS]
    same = [other for other in near if other.mode == one.bound.mode.id and other.probability >= SURE]
    earlier = [other for other in near if other not in same and other.onset_ns < finding.onset_ns]
    before = [other for other in earlier if flows.upstream(other.equipment, here)]

    def cite(other: Other, code: str) -> Evidence:
        facts = {"incident": other.incident, "equipment": other.equipment, "minutes": minutes(finding.onset_ns - other.onset_ns)}
        return Evidence(kind="finding", ref=other.incident, quote=quote(code, language, **facts))

    return dataclasses.replace(
        one,
        odds=one.odds + (SAME if same else 0.0) + (UPSTREAM if before else 0.0),
        supporting=(*one.supporting, *(cite(other, "same_elsewhere") for other in same)),
        opposing=(*one.opposing, *(cite(other, "upstream_incident") for other in before)),
    )
