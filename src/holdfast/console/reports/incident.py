"""The report of one incident: what was seen, why, what was proposed and decided, what was written, and what came of it.

Every sentence is a code with facts of the graph, so that both languages say the same. What an agent or a person wrote is quoted as theirs.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.console.chain import Chain, Story, chain_of
from holdfast.console.cited import Cited
from holdfast.console.names import Names
from holdfast.console.reports import drawn
from holdfast.console.reports.document import AGENT, MODEL, Block, Document, Figure, Heading, Paragraph, Quote, Table, generated
from holdfast.console.reports.graph import Change, Graph
from holdfast.console.reports.mark import metadata
from holdfast.console.shown import Shown
from holdfast.console.telling import Teller
from holdfast.terms import SECOND_NS

CAUSES_FULL = 3  # causes whose evidence is told in full
EVIDENCE_MAX = 16  # a side
RECORDS_MAX = 400  # listed at the end
FINDINGS_MAX = 8  # drawn with their scores
APART = ("finding", "diagnosis", "report")  # kinds with a section of their own
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def incident_report(graph: Graph, language: str, made_ns: int) -> Document:
    """`made_ns`: when it is made, which the report says; UTC."""
    return _Incident(graph, language, made_ns).document()


class _Incident:
    def __init__(self, graph: Graph, language: str, made_ns: int) -> None:
        self.graph = graph
        self.made_ns = made_ns
        self.shown = Shown(language, ZoneInfo(graph.timezone))
        self.names = Names(graph.tables)
        self.teller = Teller(self.shown, self.names)
        self.cited = Cited(self.shown, graph.names)
        self.chain: Chain = chain_of(graph.records, self.teller)
        self.head = graph.incident

    def say(self, code: str, /, **facts: object) -> str:
        return self.shown.word(f"reports.{code}", **facts)

    def document(self) -> Document:
        said = self._said_by_agents()
        blocks: tuple[Block, ...] = (
            *self._summary(),
            *self._finding(),
            *self._causes(),
            *self._acts(),
            *self._beside(),
            *said,
            *self._records(),
        )
        models = generated(blocks)
        id = f"incident-report:{self.head['id']}:{self.graph.records[-1]['seq'] if self.graph.records else 0}"
        return Document(
            id=id,
            kind="incident",
            language=self.shown.language,
            title=self.say("incident.title", tag=self._name(self.head["tags"][0]) if self.head["tags"] else self.head["id"]),
            facts=self._facts(),
            blocks=blocks,
            made=self.shown.moment(self.made_ns),
            made_ns=self.made_ns,
            notice=self.say("aigc.notice", models=", ".join(m.removeprefix(MODEL) for m in models)) if models else "",
            aigc=metadata(producer=", ".join(m.removeprefix(MODEL) for m in models), produce_id=id) if models else "",
        )

    def _name(self, tag: str) -> str:
        called = self.names.name(tag)
        return tag if called == tag else f"{called} ({tag})"

    def _facts(self) -> tuple[tuple[str, str], ...]:
        finding, records = self.head["finding"], self.graph.records
        first, last = (records[0]["seq"], records[-1]["seq"]) if records else (0, 0)
        return (
            (self.say("fact.site"), self.graph.site),
            (self.say("fact.incident"), str(self.head["id"])),
            (self.say("fact.agent"), str(self.head["agent"])),
            (self.say("fact.onset"), self.shown.moment(finding["onset_ns"])),
            (self.say("fact.found"), self.shown.moment(finding["found_ns"])),
            (self.say("fact.until"), self.shown.moment(self.head["until_ns"])),
            (self.say("fact.state"), self.shown.t(f"incidents.state.{self.head['state']}")),
            (self.say("fact.records"), self.say("fact.records.of", count=len(records), first=first, last=last)),
            (self.say("fact.configuration"), self.graph.configuration[:16]),
            (self.say("fact.made"), f"{self.shown.moment(self.made_ns)} ({self.graph.timezone})"),
        )

    # ---- sections ----------------------------------------------------------------------------------------------------

    def _summary(self) -> list[Block]:
        finding, decisions = self.head["finding"], self._of("decision")
        late_s = (finding["found_ns"] - finding["onset_ns"]) / SECOND_NS
        first = next((r for r in self.graph.records if r["kind"] == "finding"), None)
        told: list[Block] = [Heading(text=self.say("summary"))]
        tag = self._name(self.head["tags"][0]) if self.head["tags"] else "–"
        told.append(
            Paragraph(
                text=self.say(
                    "summary.found", onset=self.shown.moment(finding["onset_ns"]), tag=tag, late_s=f"{late_s:.0f}",
                    score=finding["score"], detector=self.teller.detector(str(finding["detector"])),
                ),
                cites=(int(first["seq"]),) if first else (),
            )
        )  # fmt: skip
        diagnoses = self._of("diagnosis")
        if diagnoses and (causes := diagnoses[-1]["body"]["diagnosis"]["causes"]):
            facts = {"cause": self.cited.mode(causes[0]["mode"]), "percent": self.teller.percent(causes[0]["probability"])}
            told.append(Paragraph(text=self.say("summary.cause", **facts), cites=(int(diagnoses[-1]["seq"]),)))
        verdicts = [str(r["body"]["decision"]["verdict"]) for r in decisions]
        effects = [str(r["body"]["outcome"]["effect"]) for r in self._of("effect")]
        results = [str(r["body"]["outcome"]["result"]) for r in self._of("outcome")]
        counts = {"proposals": len(decisions)} | {v: verdicts.count(v) for v in ("permit", "ask", "refuse")}
        told.append(Paragraph(text=self.say("summary.decided", **counts)))
        if results:
            done = {r: results.count(r) for r in ("verified", "failed", "indeterminate")}
            told.append(Paragraph(text=self.say("summary.written", **done, **{e: effects.count(e) for e in ("expected", "none", "wrong")})))
        told.append(Paragraph(text=self.say("summary.state", state=self.shown.t(f"incidents.state.{self.head['state']}"))))
        return told

    def _finding(self) -> list[Block]:
        told: list[Block] = [Heading(text=self.say("finding"))]
        findings = self._of("finding")
        if self.chain.seen is not None:
            told.append(Paragraph(text=self.chain.seen.title, cites=(self.chain.seen.seq,)))
            told += [Paragraph(text=line, cites=(self.chain.seen.seq,)) for line in self.chain.seen.lines]
        scores = [
            drawn.Share(
                name=self.shown.time(r["body"]["finding"]["found_ns"]), part=float(r["body"]["finding"]["score"]),
                text=self.shown.number(r["body"]["finding"]["score"]), tone="warn",
            )
            for r in findings[:FINDINGS_MAX]
        ]  # fmt: skip
        if scores:
            caption = self.say("finding.scores")
            told.append(Figure(chart=drawn.bars(scores, told=caption, limit=1.0), caption=caption))
        if findings:
            shares = self.teller.shares(findings[0]["body"]["finding"]["shares"])
            parts = [drawn.Share(name=s.name, part=s.part, text=f"{self.teller.percent(s.part)} %") for s in shares]
            caption = self.say("finding.shares")
            told += [Figure(chart=drawn.bars(parts, told=caption), caption=caption)] if parts else []
        caption = self.say("finding.course")
        chart = drawn.contributions(self.chain.course, self.names.name, time=self.shown.time, told=caption)
        return [*told, *([] if chart is None else [Figure(chart=chart, caption=caption)]), *self._courses()]

    def _courses(self) -> list[Block]:
        finding = self.head["finding"]
        marks = [
            drawn.Mark(at_ns=int(finding["onset_ns"]), letter="▾", tone="warn"),
            drawn.Mark(at_ns=int(finding["found_ns"]), letter="!", tone="warn"),
            *(drawn.Mark(at_ns=int(r["at_ns"]), letter=letter, tone="good") for letter, r in self._lettered()),
            *(drawn.Mark(at_ns=int(r["at_ns"]), letter="×", tone="ink") for r in self._of("taken")),
        ]
        caption = self.say("courses", letters=", ".join(letter for letter, _ in self._lettered()) or "–")
        chart = drawn.courses(self.graph.trends, marks, time=self.shown.time, told=caption)
        return [Paragraph(text=self.say("courses.none"))] if chart is None else [Figure(chart=chart, caption=caption)]

    def _causes(self) -> list[Block]:
        told: list[Block] = [Heading(text=self.say("causes"))]
        diagnoses = self._of("diagnosis")
        if not diagnoses:
            return [*told, Paragraph(text=self.shown.t("incidents.no_cause"))]
        newest = diagnoses[-1]
        causes, cite = newest["body"]["diagnosis"]["causes"], int(newest["seq"])
        told.append(
            Paragraph(text=self.say("causes.by", author=newest["body"]["author"], at=self.shown.moment(newest["at_ns"])), cites=(cite,))
        )
        parts = [
            drawn.Share(name=self.cited.mode(c["mode"]), part=float(c["probability"]), text=f"{self.teller.percent(c['probability'])} %")
            for c in causes
        ]
        told.append(Figure(chart=drawn.bars(parts, told=self.say("causes.chart")), caption=self.say("causes.chart")))
        for place, cause in enumerate(causes[:CAUSES_FULL], start=1):
            said = self.say("cause", place=place, cause=self.cited.mode(cause["mode"]), percent=self.teller.percent(cause["probability"]))
            told.append(Heading(text=said, level=3))
            rows = [
                (self.say(f"evidence.{side}"), self.cited.quote(one), self.cited.source(one))
                for side in ("supporting", "opposing")
                for one in cause[side][:EVIDENCE_MAX]
            ]
            columns = (self.say("evidence.side"), self.say("evidence.said"), self.say("evidence.source"))
            told.append(
                Table(columns=columns, rows=tuple(rows), widths=(0.12, 0.5, 0.38)) if rows else Paragraph(text=self.say("evidence.none"))
            )
        if len(diagnoses) > 1:
            rows = [
                (
                    self.shown.moment(r["at_ns"]), self.cited.mode(r["body"]["diagnosis"]["causes"][0]["mode"]),
                    f"{self.teller.percent(r['body']['diagnosis']['causes'][0]['probability'])} %", f"[{r['seq']}]",
                )
                for r in diagnoses
                if r["body"]["diagnosis"]["causes"]
            ]  # fmt: skip
            told.append(Heading(text=self.say("causes.course"), level=3))
            columns = (self.say("when"), self.say("causes.first"), self.say("probability"), self.say("record"))
            told.append(Table(columns=columns, rows=tuple(rows), numeric=(2, 3), widths=(0.3, 0.44, 0.14, 0.12)))
        return told

    def _acts(self) -> list[Block]:
        told: list[Block] = [Heading(text=self.say("acts"))]
        if not self.chain.stories:
            return [*told, Paragraph(text=self.shown.t("incidents.no_proposal"))]
        letters = {str(r["body"]["proposal"]): letter for letter, r in self._lettered()}
        for place, story in enumerate(self.chain.stories, start=1):
            told += self._story(place, story, letters.get(story.proposal, ""))
        return told + self._changes(letters)

    def _story(self, place: int, story: Story, letter: str) -> list[Block]:
        decided = next(r for r in self._of("decision") if r["body"]["proposal"]["id"] == story.proposal)
        reasons = decided["body"]["decision"]["reasons"]
        title = self.say("act.lettered" if letter else "act", place=place, what=story.stages[0].text, letter=letter)
        rows = tuple(
            (
                self.shown.t(f"stage.{stage.key}"), stage.text, self.shown.moment(stage.at_ns) if stage.at_ns else "–",
                f"[{stage.seq}]" if stage.seq else "–",
            )
            for stage in story.stages
        )  # fmt: skip
        columns = (self.say("stage"), self.say("what"), self.say("when"), self.say("record"))
        passed = sum(bool(r["passed"]) for r in reasons)
        told: list[Block] = [
            Heading(text=title, level=3),
            Paragraph(
                text=self.say("act.checks", checks=len(reasons), passed=passed, failed=len(reasons) - passed), cites=(int(decided["seq"]),)
            ),
            Table(columns=columns, rows=rows, numeric=(3,), widths=(0.14, 0.5, 0.25, 0.11)),
        ]
        told += [Paragraph(text=f"{self.shown.t(f'incidents.why.{story.question}')} {text}") for text in story.answer]
        for claim in story.claims:
            person = claim.who != story.author
            text = claim.text if person else self.cited.again(claim.text)
            said = "incidents.expects" if claim.expects else "incidents.says"
            told.append(
                Quote(who=self.shown.t(said, who=claim.who), text=text, made_by=f"person:{claim.who}" if person else AGENT + claim.who)
            )
        return told

    def _changes(self, letters: Mapping[str, str]) -> list[Block]:
        if not self.graph.changes:
            return []
        rows = tuple((letters.get(c.proposal, "–"), self._name(c.tag), *self._change(c), f"[{c.seq}]") for c in self.graph.changes)
        columns = tuple(self.say(c) for c in ("change.act", "change.tag", "change.before", "change.after", "change.by", "record"))
        table = Table(columns=columns, rows=rows, numeric=(2, 3, 4, 5), widths=(0.08, 0.32, 0.17, 0.17, 0.15, 0.11))
        return [Heading(text=self.say("changes"), level=3), Paragraph(text=self.say("changes.how")), table]

    def _change(self, change: Change) -> tuple[str, str, str]:
        said = self.shown.quantity
        return said(change.before, change.unit), said(change.after, change.unit), said(change.after - change.before, change.unit)

    def _beside(self) -> list[Block]:
        """What people and the plant did meanwhile."""
        others = [one for one in self.chain.told if one.kind not in APART and not one.proposal]
        if not others:
            return []
        rows = tuple((self.shown.moment(one.at_ns), one.name, "; ".join((one.title, *one.lines)), f"[{one.seq}]") for one in others)
        columns = (self.say("when"), self.say("kind"), self.say("what"), self.say("record"))
        return [Heading(text=self.say("beside")), Table(columns=columns, rows=rows, numeric=(3,), widths=(0.25, 0.17, 0.47, 0.11))]

    def _said_by_agents(self) -> list[Block]:
        """What agents published about it, each text as its author's; of several versions the newest of each author."""
        newest: dict[str, Mapping[str, Any]] = {str(r["body"]["author"]): r for r in self._of("report")}
        told: list[Block] = []
        for author, record in newest.items():
            texts = record["body"]["report"]["texts"]
            # What there is in this language; else what there is, rather than nothing.
            for text in [t for t in texts if t["language"] in ("", self.shown.language)] or texts:
                model = str(text["made_by"])
                mark = self.say("aigc.mark") if model.startswith(MODEL) else ""
                who = (
                    self.say("said.by", author=author, made_by=model.removeprefix(MODEL))
                    if mark
                    else self.shown.t("incidents.says", who=author)
                )
                told.append(Quote(who=who, text=str(text["text"]), cites=(int(record["seq"]),), made_by=model or AGENT + author, mark=mark))
        return [Heading(text=self.say("said")), *told] if told else []

    def _records(self) -> list[Block]:
        rows = tuple((f"[{one.seq}]", self.shown.moment(one.at_ns), one.name, one.author or "–") for one in self.chain.told[:RECORDS_MAX])
        columns = (self.say("record"), self.say("when"), self.say("kind"), self.say("author"))
        told: list[Block] = [
            Heading(text=self.say("records")),
            Paragraph(text=self.say("records.check")),
            Table(columns=columns, rows=rows, widths=(0.12, 0.3, 0.33, 0.25)),
        ]
        if len(self.chain.told) > RECORDS_MAX:
            told.append(Paragraph(text=self.say("records.more", count=len(self.chain.told) - RECORDS_MAX)))
        return told

    # ---- pieces ------------------------------------------------------------------------------------------------------

    def _of(self, kind: str) -> Sequence[Mapping[str, Any]]:
        return [r for r in self.graph.records if r["kind"] == kind]

    def _lettered(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The writes that were begun, each with the letter that the drawing has for it; after Z, AA."""
        begun = [r for r in self._of("intent") if r["body"].get("steps")]
        return [(LETTERS[i] if i < len(LETTERS) else LETTERS[i // 26 - 1] + LETTERS[i % 26], r) for i, r in enumerate(begun[:702])]
