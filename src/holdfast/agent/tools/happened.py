"""What happened: incidents with their causes and what was done, alarms as they stand, and what is known of a failure mode."""

import dataclasses
from typing import Annotated, Any, TypeVar, cast

from pydantic import Field

from holdfast.agent.knowledge.modes import Advice, Mode, modes_of
from holdfast.agent.tools.look import Look
from holdfast.agent.tools.named import label_in
from holdfast.agent.tools.tool import Citation, PlantText, Returned, ToolError, joined, plant_text, within
from holdfast.link import IncidentTold
from holdfast.terms import Alarm, Cause, Evidence, Label, Word

INCIDENTS_MAX = 20
CAUSES_MAX = 4
EVIDENCE_MAX = 6
ALARMS_MAX = 40
MODES_MAX = 8
NO_MODES = ("none of these", "setpoint_change", "operating_change")  # causes that are in no library
UNNAMED = "unnamed"  # a cause that nobody here knows
T = TypeVar("T")


class Incidents(Word):
    """The newest first."""

    limit: Annotated[int, Field(ge=1, le=INCIDENTS_MAX)] = 5


class IncidentShort(Word):
    """`cause` is a failure mode's id, as the last diagnosis puts it first; "" where there is none yet."""

    id: str
    seq: int
    at_ns: int
    state: str
    tags: tuple[str, ...]
    cause: str
    probability: float
    confirmed: str  # what a person said the cause was; "" where nobody did


class IncidentList(Word):
    incidents: tuple[IncidentShort, ...]


class OneIncident(Word):
    id: Annotated[str, Field(max_length=100, description="As `incidents` tells it; empty: the newest.")] = ""


class Incident(Word):
    """One in full: finding, causes with evidence for and against, what was proposed and what came of it."""

    incident: IncidentTold
    causes: tuple[Cause, ...]
    confirmed: str
    confirmed_by: str


class Alarms(Word):
    active_only: bool = False


class AlarmsTold(Word):
    alarms: tuple[Alarm, ...]


class FailureModes(Word):
    about: Annotated[str, Field(max_length=100, description="Id, name in either language, or role; empty: all that fit the site.")] = ""


class ModeTold(Word):
    id: str
    name: tuple[str, str]  # en, zh
    cause: tuple[str, str]
    checks: tuple[tuple[str, str], ...]
    advice: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]


class ModesTold(Word):
    modes: tuple[ModeTold, ...]


class Happened:
    """The calls of these tools."""

    def __init__(self, look: Look) -> None:
        self._look = look

    async def incidents(self, wanted: Incidents) -> Returned:
        seen = [one for one in await self._look.link.incidents(wanted.limit) if within(self._of(one), self._look.clearance)]
        said = {one.incident: one.mode for one in await self._look.link.causes()}
        found: list[IncidentShort] = []
        for one in seen:
            first = one.diagnosis.causes[0] if one.diagnosis is not None and one.diagnosis.causes else None
            found.append(
                IncidentShort(
                    id=one.id, seq=one.seq, at_ns=one.at_ns, state=one.state, tags=one.tags[:6],
                    cause=self._mode(first.mode) if first else "",
                    probability=first.probability if first else 0.0, confirmed=_cut(said.get(one.incident, "")),
                )
            )  # fmt: skip
        cites = tuple(Citation(kind="incident", ref=one.id, at_ns=one.at_ns, seq=one.seq) for one in found)
        return Returned(label=joined([self._of(one) for one in seen]), body=IncidentList(incidents=tuple(found)), citations=cites)

    async def incident(self, wanted: OneIncident) -> Returned:
        listed = await self._look.link.incidents(INCIDENTS_MAX)
        seen = [one for one in listed if not wanted.id or wanted.id in (one.id, one.incident)]
        seen = [one for one in seen if within(self._of(one), self._look.clearance)]
        if not seen:
            raise ToolError("tools.no_incident", incident=wanted.id or "–")
        label, one = self._of(seen[0]), self._cleaned(seen[0])
        said = next((c for c in await self._look.link.causes() if c.incident == one.incident), None)
        causes = tuple(_short(cause) for cause in (one.diagnosis.causes if one.diagnosis else ())[:CAUSES_MAX])
        cites = [Citation(kind="incident", ref=one.id, at_ns=one.at_ns, seq=one.seq)]
        if one.diagnosis is not None:
            cites.append(Citation(kind="record", ref=one.diagnosis.id, at_ns=one.diagnosis.at_ns, seq=one.diagnosis_seq))
        cites += [Citation(kind="record", ref=p.proposal, at_ns=p.at_ns, seq=p.seq) for p in one.proposals]
        body = Incident(incident=one, causes=causes, confirmed=_cut(said.mode) if said else "", confirmed_by=said.person if said else "")
        return Returned(label=label, body=body, citations=tuple(cites))

    async def alarms(self, wanted: Alarms) -> Returned:
        seen = [a for a in await self._look.link.alarms() if a.tag in self._look.tags and (a.active or not wanted.active_only)]
        seen.sort(key=lambda a: (not a.active, a.acknowledged, -a.since_ns))
        told = tuple(seen[:ALARMS_MAX])
        cites = tuple(
            Citation(kind="alarm", ref=f"{a.tag} {a.limit}", quote=f"{a.value:g} / {a.threshold:g}", at_ns=a.since_ns) for a in told
        )
        if not told:  # that there is none is a finding too
            cites = (Citation(kind="alarm", ref="*", at_ns=self._look.clock.now_ns()),)
        label = self._look.label([a.tag for a in told])
        return Returned(label=label, body=AlarmsTold(alarms=told), citations=cites, cut=len(seen) > ALARMS_MAX)

    async def modes(self, wanted: FailureModes) -> Returned:
        self._look.paper()
        of = [mode for mode in modes_of(self._look.site) if _fits(mode, wanted.about)]
        told = tuple(mode_told(mode) for mode in of[:MODES_MAX])
        cites = tuple(Citation(kind="mode", ref=one.id, quote="; ".join(one.sources)[:300]) for one in told)
        return Returned(label="site", body=ModesTold(modes=told), citations=cites, cut=len(of) > MODES_MAX)

    def _of(self, one: IncidentTold) -> Label:
        """By all that is in it: what stands behind its name may tell more than its name."""
        known: dict[str, Label] = {tag.name: tag.label for tag in self._look.site.tags}
        # A tag that the site does not have (any more) has a label that nobody knows.
        labels: list[Label] = [known.get(name, "restricted") for name in (*one.tags, *(tag for tag, _ in one.finding.shares))]
        return label_in(self._look, one, joined(labels, "site"))

    def _cleaned(self, one: IncidentTold) -> IncidentTold:
        """As it may be shown: no sign that is no text, and a cause that no library has is called by nothing that an agent made up."""
        told = _clean(one)
        if told.diagnosis is None:
            return told
        causes = tuple(dataclasses.replace(cause, mode=self._mode(cause.mode)) for cause in told.diagnosis.causes)
        return dataclasses.replace(told, diagnosis=dataclasses.replace(told.diagnosis, causes=causes, course=()))

    def _mode(self, mode: str) -> str:
        id, _, equipment = mode.partition("@")
        if mode in NO_MODES:
            return mode
        if id not in {known.id for known in modes_of(self._look.site)}:
            return UNNAMED
        return mode if equipment in {piece.name for piece in self._look.site.equipment} else id


def _fits(mode: Mode, about: str) -> bool:
    about = about.strip().lower()
    return not about or about in (mode.id, mode.name.en.lower(), mode.name.zh) or about in mode.roles()


def mode_told(mode: Mode) -> ModeTold:
    advice = [step.text for step in mode.actions if isinstance(step, Advice)]  # a Trim is a move of the agent's own
    return ModeTold(
        id=mode.id, name=(mode.name.en, mode.name.zh), cause=(mode.cause.en, mode.cause.zh),
        checks=tuple((one.en, one.zh) for one in mode.checks), advice=tuple((one.en, one.zh) for one in advice), sources=mode.sources,
    )  # fmt: skip


def _short(cause: Cause) -> Cause:
    return Cause(
        mode=cause.mode,
        probability=cause.probability,
        supporting=tuple(_said(one) for one in cause.supporting[:EVIDENCE_MAX]),
        opposing=tuple(_said(one) for one in cause.opposing[:EVIDENCE_MAX]),
    )


def _said(one: Evidence) -> Evidence:
    return Evidence(kind=one.kind, ref=one.ref, quote=_cut(one.quote))


def _clean(value: T) -> T:
    """Every text in it bounded and without signs that are no text."""
    if isinstance(value, str):
        return _cut(value)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(_clean(item) for item in cast("tuple[Any, ...]", value))  # type: ignore[return-value]
    if isinstance(value, Word):
        word: Any = value  # every Word is a dataclass, which its base does not tell a type checker
        return dataclasses.replace(word, **{field.name: _clean(getattr(word, field.name)) for field in dataclasses.fields(word)})
    return value


def _cut(text: str) -> str:
    kept: PlantText = plant_text(text)
    return kept.plant_text
