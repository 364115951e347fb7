"""Answers about values, limits, moves and paper: the tools' findings put into sentences, each with where it comes from."""

import dataclasses
import itertools
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from holdfast.agent.ask.answer import Answer, Language, Step
from holdfast.agent.ask.compare import compared
from holdfast.agent.ask.cues import amount_asked, cue, deed, lacking, searched, sign_words, signs
from holdfast.agent.ask.incident import OF_INCIDENT, incident_answer
from holdfast.agent.ask.passages import covered, fit, has_amount, has_head, names_what_is_asked, newest_of_deed, passage
from holdfast.agent.ask.shown import Shown
from holdfast.agent.ask.understand import Question
from holdfast.agent.ask.wish import wished
from holdfast.agent.knowledge.manuals.words import terms
from holdfast.agent.tools.happened import AlarmsTold, ModesTold
from holdfast.agent.tools.known import CasesTold, ManualHits, StandardsTold
from holdfast.agent.tools.tool import CITATIONS_MAX, Citation, Returned, Tool, ToolError, joined
from holdfast.agent.tools.values import Course, Limits, MovesTold, TagValues
from holdfast.site.model import Envelope, Site

COVERS_MIN = 0.5  # of a question's words, by a passage that is to answer it
FEW, COVERS_FEW_MIN = 3, 0.6  # of so few words half is one, which says nothing
ALIKE_MIN = 0.12
HITS = 10
CASES = 10
STEADY_SHARE = 0.015  # of the mean: ends that differ by less did not move
TOLD_MAX = 12
POINTS, ENDS = 60, 6  # of a window, and of its beginning and end


LIMITING = re.compile(r"不得|不超过|超过|限制|允许|must not|exceed|limit|permissible|at most")

Told = Callable[[Step], Awaitable[None]]
Tools = Mapping[str, Tool[Any]]


class Nothing(Exception):
    """There is no answer here; `code` of words/ask says why and what would help."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


class Responder:
    """Runs the tools that a question needs, one after the other, and words what they found."""

    def __init__(self, tools: Tools, site: Site) -> None:
        self._tools, self._site = tools, site

    async def answer(self, question: Question, language: Language, told: Told) -> Answer:
        shown = Shown(self._site, language)
        try:
            if question.intent == "decline":
                raise Nothing(f"no.{question.why}", about=question.about, have=self._have(shown))
            return await self._of(question, shown, told)
        except Nothing as nothing:
            text = shown.say(nothing.code, **nothing.facts)
            return Answer(text=text, language=language, code=nothing.code, declined=True)
        except ToolError as error:
            return Answer(text=error.told(language), language=language, code=error.code, declined=True)

    async def answer_all(self, questions: Sequence[Question], language: Language, told: Told) -> Answer:
        """Of several parts each by itself, with its own citations or its own declining; declined where all of them are."""
        answers = [await self.answer(one, language, told) for one in questions]
        if len(answers) == 1:
            return answers[0]
        given = [one for one in answers if not one.declined]
        if not given:
            return answers[0]
        shown = Shown(self._site, language)
        lines = [
            shown.say("part.declined", part=question.about or question.text, why=one.text) if one.declined else one.text
            for question, one in zip(questions, answers, strict=True)
        ]
        cites = tuple(dict.fromkeys(cite for one in given for cite in one.citations))
        label = joined([one.label for one in given])
        return Answer(text="\n".join(dict.fromkeys(lines)), language=language, code="parts", label=label, citations=cites[:CITATIONS_MAX])

    async def _of(self, question: Question, shown: Shown, told: Told) -> Answer:
        match question.intent:
            case "now":
                return await self._now(question, shown, told)
            case "course":
                return await self._course(question, shown, told)
            case "compare":
                return await compared(question, shown, lambda name, given, about: self._use(name, given, about, shown, told))
            case "wish":
                return await wished(question, shown, lambda name, given, about: self._use(name, given, about, shown, told))
            case "limits":
                return await self._limits(question, shown, told)
            case "moves":
                return await self._moves(question, shown, told)
            case "alarms":
                return await self._alarms(question, shown, told)
            case "mode":
                return await self._mode(question, shown, told)
            case "cases":
                return await self._cases(question, shown, told)
            case "standard":
                return await self._standard(question, shown, told)
            case "manual":
                try:
                    return await self._manual(question, shown, told)
                except Nothing:
                    if not question.instead:
                        raise
                return await self._manual(dataclasses.replace(question, text=question.instead), shown, told)
            case _ if question.intent in OF_INCIDENT:
                found = await incident_answer(question, shown, lambda name, given, about: self._use(name, given, about, shown, told))
                if found is None:
                    raise Nothing("no.incident", about=question.equipment or self._site.name)
                return found
            case _:
                raise Nothing("no.manual", have=self._have(shown))

    async def _use(self, name: str, given: Mapping[str, Any], about: str, shown: Shown, told: Told) -> Returned:
        await told(Step(tool=name, about=about, text=shown.say(f"step.{name}", about=about)))
        return await self._tools[name].use(given)

    def _have(self, shown: Shown) -> str:
        """What is measured here, for whoever asked for something that is not."""
        names = [shown.tag(tag.name) for tag in self._site.tags if tag.role]
        return (", " if shown.language == "en" else "、").join(names[:TOLD_MAX])

    # ---- values --------------------------------------------------------------------------------------------------------

    async def _now(self, question: Question, shown: Shown, told: Told) -> Answer:
        found = await self._use("read_tags", {"tags": list(question.tags)}, ", ".join(question.tags), shown, told)
        body = cast(TagValues, found.body)
        lines = [
            shown.say(
                "now" if one.quality == "good" else f"now.{one.quality}",
                tag=shown.tag(one.tag), value=shown.value(one.tag, one.value, one.state), at=shown.time(one.at_ns),
            )
            for one in body.values
        ]  # fmt: skip
        return _said("now", " ".join(lines), shown, found)

    async def _course(self, question: Question, shown: Shown, told: Told) -> Answer:
        lines: list[str] = []
        cites: list[Citation] = []
        label = None
        for tag in question.tags:
            found = await self._use("history", {"tag": tag, "minutes": question.minutes, "points": POINTS}, tag, shown, told)
            course = cast(Course, found.body)
            label = found
            if course.mean is None:
                raise Nothing("no.rows", about=tag)
            lines.append(_course_told(course, question.what, shown))
            cites += found.citations
        if label is None:
            raise Nothing("no.no_tag", have=self._have(shown))
        return Answer(text=" ".join(lines), language=shown.language, code="course", label=label.label, citations=tuple(cites))

    async def _limits(self, question: Question, shown: Shown, told: Told) -> Answer:
        found = await self._use("limits", {"tag": question.tags[0]}, question.tags[0], shown, told)
        body = cast(Limits, found.body)
        parts: list[str] = []
        if body.alarms is not None:
            named = [(name, getattr(body.alarms, name)) for name in ("hihi", "hi", "lo", "lolo") if getattr(body.alarms, name) is not None]
            listed = ", ".join(f"{shown.say(f'limit.{name}')} {value:g} {shown.unit(body.tag)}".strip() for name, value in named)
            parts.append(shown.say("limits.alarm", tag=shown.tag(body.tag), listed=listed, delay_s=repr(body.alarms.delay_s)))
            clauses = "; ".join(dict.fromkeys(f"{one.standard} {one.clause}".strip() for one in body.alarms.clauses))
            if clauses or body.alarms.source:
                parts.append(shown.say("limits.source", source=clauses or body.alarms.source))
        if body.envelope is not None:
            parts += _envelope_told(body.envelope, shown)
        if not parts:
            return await self._written_limit(question, shown, told)
        return _said("limits", " ".join(parts), shown, found)

    async def _written_limit(self, question: Question, shown: Shown, told: Told) -> Answer:
        """What the site file has no limit for may have one in the manual; a passage without a limit is none."""
        try:
            found = await self._manual(dataclasses.replace(question, intent="manual", text=question.subject, about=""), shown, told)
        except (Nothing, ToolError):
            found = None
        if found is None or not LIMITING.search(found.text):
            raise Nothing("no.limits", about=question.tags[0])
        return found

    async def _moves(self, question: Question, shown: Shown, told: Told) -> Answer:
        only = question.tags[0] if question.tags else ""
        found = await self._use("moves", {"tag": only, "minutes": 24 * 60.0}, only or "*", shown, told)
        body = cast(MovesTold, found.body)
        if not body.moves:
            raise Nothing("no.moves", about=only or self._site.name)
        lines = [
            shown.say(
                "move",
                tag=one.tag,
                at=shown.time(one.at_ns),
                by=one.by,
                before=f"{one.before:g}",
                after=f"{one.after:g}",
                unit=shown.unit(one.tag),
            )
            for one in body.moves[:TOLD_MAX]
        ]
        return _said("moves", " ".join(lines), shown, found)

    async def _alarms(self, question: Question, shown: Shown, told: Told) -> Answer:
        found = await self._use("alarms", {"active_only": True}, self._site.name, shown, told)
        alarms = cast(AlarmsTold, found.body).alarms
        lines = [
            shown.say(
                "alarm", tag=shown.tag(one.tag), limit=shown.say(f"limit.{one.limit}"), value=shown.value(one.tag, one.value),
                threshold=shown.value(one.tag, one.threshold), since=shown.time(one.since_ns),
            )
            for one in alarms
        ]  # fmt: skip
        return _said("alarms", " ".join(lines) or shown.say("alarms.none"), shown, found)

    # ---- what is known -------------------------------------------------------------------------------------------------

    async def _mode(self, question: Question, shown: Shown, told: Told) -> Answer:
        found = await self._use("failure_modes", {"about": question.mode}, shown.mode(question.mode), shown, told)
        mode = cast(ModesTold, found.body).modes[0]
        pick = 1 if shown.language == "zh" else 0
        checks = " ".join(pair[pick] for pair in mode.checks)
        advice = " ".join(pair[pick] for pair in mode.advice)
        text = shown.say("mode", mode=mode.name[pick], cause=mode.cause[pick])
        text += (" " + shown.say("mode.checks", checks=checks) if checks else "") + (
            " " + shown.say("mode.advice", advice=advice) if advice else ""
        )
        return _said("mode", text, shown, found)

    async def _cases(self, question: Question, shown: Shown, told: Told) -> Answer:
        given = {"equipment": question.equipment, "signs": signs(question.text)[:300], "limit": CASES}
        found = await self._use("past_cases", given, question.text, shown, told)
        cases = [case for case in cast(CasesTold, found.body).cases if case.alike >= ALIKE_MIN]
        done = deed(question.text) if cue("last").search(question.text) else ""
        if done:  # "when was it last changed" wants the newest record in which it was
            cases = newest_of_deed(cases, done, sign_words(question.text))
        cases = cases[:3]
        if not cases:
            raise Nothing("no.cases")
        lines = [
            shown.say(
                "case", at=case.at, equipment=case.equipment.plant_text, symptom=case.symptom.plant_text, cause=case.cause.plant_text,
                action=case.action.plant_text,
            )
            for case in cases
        ]  # fmt: skip
        kept = {case.ref for case in cases}
        cites = tuple(one for one in found.citations if one.ref in kept)
        return Answer(text=" ".join(lines), language=shown.language, code="cases", label=found.label, citations=cites)

    async def _standard(self, question: Question, shown: Shown, told: Told) -> Answer:
        found = await self._use("standards", {"reference": question.text[:300]}, question.text[:100], shown, told)
        lines: list[str] = []
        for one in cast(StandardsTold, found.body).standards:
            if one.fate == "unknown":
                raise Nothing("no.standard", about=one.canonical)
            title = (one.title_zh or one.title_en) if shown.language == "zh" else (one.title_en or one.title_zh)
            instead = ", ".join(one.instead)
            lines.append(
                shown.say(f"standard.{one.fate}" + ("_by" if instead else ""), standard=one.canonical, title=title, instead=instead)
            )
            if one.asked_here:
                lines.append(shown.say("standard.here", tags=", ".join(one.asked_here)))
        return _said("standard", " ".join(lines), shown, found)

    async def _manual(self, question: Question, shown: Shown, told: Told) -> Answer:
        """The passage that has most of what was asked, and what such a question asks for; none below COVERS_MIN."""
        wanted, asked = searched(question.text), question.about or question.text
        if not wanted:
            raise Nothing("no.manual")
        # By words alone: what is answered here has them, and what is only alike in meaning must make no answer of a refusal.
        given = {"question": wanted[:300], "limit": HITS, "words_only": True}
        found = await self._use("search_manuals", given, question.text[:100], shown, told)
        hits = [hit for hit in cast(ManualHits, found.body).hits if hit.text.plant_text != hit.heading.plant_text]
        least = COVERS_MIN if len(terms(wanted)) > FEW else COVERS_FEW_MIN
        fitting = [
            (covered(wanted, hit), place, hit)
            for place, hit in enumerate(hits)
            if covered(wanted, hit) >= least
            and names_what_is_asked(wanted, hit)
            and has_head(asked, hit)
            and not lacking(asked, hit.text.plant_text)
            and (not amount_asked(asked) or has_amount(wanted, hit.text.plant_text))
        ]
        if not fitting:
            raise Nothing("no.manual")
        _, _, best = max(fitting, key=lambda one: (one[0] + fit(asked, wanted, one[2]), -one[1]))
        document, _, _ = best.ref.partition("#")
        text = passage(wanted, best)
        said = shown.say("manual", document=document, page=str(best.page), paragraph=str(best.paragraph), text=text)
        cite = Citation(kind="document", ref=best.ref, quote=text)
        return Answer(text=said, language=shown.language, code="manual", label=found.label, citations=(cite,))


def _said(code: str, text: str, shown: Shown, found: Returned) -> Answer:
    return Answer(text=text, language=shown.language, code=code, label=found.label, citations=found.citations[:TOLD_MAX])


def _course_told(course: Course, what: str, shown: Shown) -> str:
    def of(value: float | None) -> str:
        return shown.value(course.tag, value)

    ends = {"tag": shown.tag(course.tag), "from": shown.time(course.from_ns), "to": shown.time(course.to_ns)}
    facts = {"tag": ends["tag"], "begin": ends["from"], "end": ends["to"], "first": of(course.first), "last": of(course.last)}
    facts |= {"low": of(course.low), "high": of(course.high), "mean": of(course.mean)}
    facts |= {"low_at": shown.time(course.low_ns), "high_at": shown.time(course.high_ns)}
    way = shown.say(f"way.{direction(course)}")
    if what in ("max", "min", "mean"):
        return shown.say(f"course.{what}", **facts)
    return shown.say("course", way=way, **facts)


def direction(course: Course) -> str:
    """Which way it went over the window: rose, fell, or held; by the means of its first and last tenth."""
    values = [value for _, value in course.points if value is not None]
    if len(values) < 2 * ENDS or course.mean is None:
        return "held"
    first, last = sum(values[:ENDS]) / ENDS, sum(values[-ENDS:]) / ENDS
    noise = sum(abs(b - a) for a, b in itertools.pairwise(values)) / (len(values) - 1)
    if abs(last - first) < max(STEADY_SHARE * abs(course.mean), noise):
        return "held"
    return "rose" if last > first else "fell"


def _envelope_told(envelope: Envelope, shown: Shown) -> list[str]:
    unit = shown.unit(envelope.tag)
    told: list[str] = []
    if envelope.range is not None:
        rows = "; ".join(f"{name + ': ' if name else ''}{low:g} – {high:g} {unit}" for name, (low, high) in envelope.range.rows)
        told.append(shown.say("limits.range", tag=envelope.tag, rows=rows))
    if envelope.step is not None:
        told.append(shown.say("limits.step", step=f"{envelope.step:g} {unit}"))
    if envelope.rate is not None:
        told.append(shown.say("limits.rate", max=f"{envelope.rate.max:g} {unit}", per_s=repr(envelope.rate.per_s)))
    if envelope.writes is not None:
        told.append(shown.say("limits.writes", max=str(envelope.writes.max), per_s=repr(envelope.writes.per_s)))
    if envelope.dwell_s is not None:
        told.append(shown.say("limits.dwell", dwell_s=repr(envelope.dwell_s)))
    return told
