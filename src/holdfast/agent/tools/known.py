"""What is known: the plant's context, its manuals, the standards it keeps, and past cases."""

import asyncio
import contextlib
import datetime
from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from holdfast.agent.knowledge.logs import store as logs
from holdfast.agent.knowledge.logs.cases import alike
from holdfast.agent.knowledge.manuals.index import NAME, BadIndex, FoundBy, Index
from holdfast.agent.knowledge.standards import store as kept
from holdfast.agent.knowledge.standards.find import find
from holdfast.agent.knowledge.standards.graph import Graph
from holdfast.agent.tools.look import PAPER, Look
from holdfast.agent.tools.named import label_in
from holdfast.agent.tools.tool import Citation, PlantText, Returned, ToolError, plant_text, within
from holdfast.link import ConfirmedCause, PlantContext
from holdfast.terms import SECOND_NS, Word

if TYPE_CHECKING:
    from holdfast.agent.knowledge.manuals.fused import ByMeaning
    from holdfast.agent.knowledge.manuals.meaning import Ranked

HITS_MAX = 10
CASES_MAX = 10
STANDARDS_MAX = 10
FACTS_MAX = 60
PASSAGE_CHARS_MAX = 1_500


class Context(Word):
    """No arguments."""


class SearchManuals(Word):
    question: Annotated[str, Field(min_length=1, max_length=300, description="Words or a question, in the manuals' language.")]
    limit: Annotated[int, Field(ge=1, le=HITS_MAX)] = 5
    words_only: Annotated[bool, Field(description="Only passages that hold words of the question, none that are alike in meaning.")] = False


class ManualHit(Word):
    """`covers`: how much of the question's words the passage has, 0 to 1; one that vectors alone found may have none."""

    ref: str
    page: int
    paragraph: int
    heading: PlantText
    quote: PlantText
    text: PlantText
    covers: float
    found_by: FoundBy = "words"


class ManualHits(Word):
    """`why`: the code of why words alone ranked though there was a model to ask."""

    hits: tuple[ManualHit, ...]
    ranked_by: str = "words"
    why: str = ""


class Standards(Word):
    reference: Annotated[str, Field(min_length=1, max_length=300, description="One or more standards, as they are cited.")]


class StandardTold(Word):
    """`fate` on this day; `instead` is what is in force in its place."""

    canonical: str
    fate: str
    title_zh: str
    title_en: str
    since: str
    instead: tuple[str, ...]
    asked_here: tuple[str, ...]  # tags whose limits of this site rest on it


class StandardsTold(Word):
    standards: tuple[StandardTold, ...]


class PastCases(Word):
    equipment: Annotated[str, Field(max_length=100)] = ""
    signs: Annotated[str, Field(max_length=300, description="What is seen, in words of either language.")] = ""
    limit: Annotated[int, Field(ge=1, le=CASES_MAX)] = 5


class CaseTold(Word):
    """A maintenance record that is alike; every text is the plant's."""

    ref: str
    at: str
    equipment: PlantText
    symptom: PlantText
    cause: PlantText
    action: PlantText
    parts: PlantText
    alike: float


class CasesTold(Word):
    cases: tuple[CaseTold, ...]
    confirmed: tuple[ConfirmedCause, ...]


class Known:
    """The calls of these tools. Raises ToolError for paper that is not there."""

    def __init__(self, look: Look) -> None:
        self._look = look

    async def context(self, _: Context) -> Returned:
        self._look.paper()
        found = await self._look.link.context()
        body = PlantContext(facts=found.facts[:FACTS_MAX], lots=found.lots[:FACTS_MAX], slots=found.slots[:FACTS_MAX], tables=found.tables)
        cites = tuple(Citation(kind="context", ref=fact.name, quote=str(fact.value), at_ns=fact.at_ns) for fact in body.facts)
        cut = len(found.facts) > FACTS_MAX or len(found.lots) > FACTS_MAX or len(found.slots) > FACTS_MAX
        return Returned(label=PAPER, body=body, citations=cites, cut=cut)

    async def manuals(self, wanted: SearchManuals) -> Returned:
        near = None if wanted.words_only else self._look.near
        # A model takes its time, and the agent watches the plant meanwhile.
        ranked = await asyncio.to_thread(self._ranked, near, wanted) if near is not None and near.serves() else self._ranked(near, wanted)
        told = tuple(
            ManualHit(
                ref=hit.ref, page=hit.page, paragraph=hit.paragraph, heading=plant_text(hit.heading), quote=plant_text(hit.quote),
                text=plant_text(hit.text, PASSAGE_CHARS_MAX), covers=hit.covers, found_by=hit.found_by,
            )
            for hit in ranked.hits
        )  # fmt: skip
        cites = tuple(Citation(kind="document", ref=hit.ref, quote=hit.quote.plant_text) for hit in told)
        return Returned(label=PAPER, body=ManualHits(hits=told, ranked_by=ranked.ranked_by, why=ranked.why), citations=cites)

    def _ranked(self, near: "ByMeaning | None", wanted: SearchManuals) -> "Ranked":
        from holdfast.agent.knowledge.manuals.meaning import Ranked

        with self._index() as index:
            if near is None:
                return Ranked(hits=index.search(wanted.question, wanted.limit))
            return near.search(index, wanted.question, wanted.limit)

    async def standards(self, wanted: Standards) -> Returned:
        self._look.paper()
        home = self._look.home
        mentioned = find(wanted.reference)[:STANDARDS_MAX]
        if not mentioned:
            raise ToolError("tools.no_standard", text=wanted.reference[:100])
        try:
            table = () if home is None else kept.load(home / kept.NAME).standards
        except kept.StoreError as error:
            raise ToolError("tools.standards_broken", why=str(error)) from error
        day = datetime.datetime.fromtimestamp(self._look.clock.now_ns() / SECOND_NS, datetime.UTC).date().isoformat()
        graph = Graph(table, day)
        told: list[StandardTold] = []
        for reference in mentioned:
            verdict = graph.judge(reference)
            standard = verdict.standard
            told.append(
                StandardTold(
                    canonical=standard.canonical if standard else reference.canonical, fate=verdict.fate,
                    title_zh=standard.title_zh if standard else "", title_en=standard.title_en if standard else "", since=verdict.since,
                    instead=(*(one.canonical for one in verdict.successors), *verdict.named),
                    asked_here=self._asks(reference.canonical),
                )
            )  # fmt: skip
        cites = tuple(Citation(kind="standard", ref=one.canonical, quote=one.title_en or one.title_zh) for one in told)
        return Returned(label=PAPER, body=StandardsTold(standards=tuple(told)), citations=cites)

    async def cases(self, wanted: PastCases) -> Returned:
        self._look.paper()
        home = self._look.home
        try:
            sources = () if home is None else logs.load(home / logs.NAME)
        except logs.StoreError as error:
            raise ToolError("tools.logs_broken", why=str(error)) from error
        found = alike(sources, wanted.equipment, wanted.signs, wanted.limit)
        told = tuple(
            CaseTold(
                ref=case.evidence().ref, at=case.entry.at, equipment=plant_text(case.entry.equipment),
                symptom=plant_text(case.entry.symptom), cause=plant_text(case.entry.cause), action=plant_text(case.entry.action),
                parts=plant_text(", ".join(case.entry.parts)), alike=round(case.alike, 4),
            )
            for case in found
        )  # fmt: skip
        clear = self._look.clearance
        known = [one for one in await self._look.link.causes() if within(label_in(self._look, one, PAPER), clear)]
        confirmed = tuple(known[: wanted.limit])
        cites = [Citation(kind="case", ref=case.evidence().ref, quote=plant_text(case.entry.text).plant_text) for case in found]
        cites += [Citation(kind="incident", ref=one.incident, quote=one.mode, at_ns=one.at_ns) for one in confirmed]
        return Returned(label=PAPER, body=CasesTold(cases=told, confirmed=confirmed), citations=tuple(cites))

    def _asks(self, canonical: str) -> tuple[str, ...]:
        """Tags whose limits name it, whatever the edition."""
        number = canonical.partition("-" if "/" in canonical else ":")[0]
        named = [a.tag for a in self._look.site.alarms if any(clause.standard.startswith(number) for clause in a.clauses)]
        return tuple(tag for tag in named if tag in self._look.tags)

    @contextlib.contextmanager
    def _index(self) -> Generator[Index]:
        self._look.paper()
        file = None if self._look.home is None else self._look.home / NAME
        if file is None or not file.is_file():
            raise ToolError("tools.no_manuals")
        try:
            with contextlib.closing(Index(file)) as index:
                yield index
        except BadIndex as error:
            raise ToolError("tools.manuals_broken", why=str(error)) from error
