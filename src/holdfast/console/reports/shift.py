"""The report of a shift, and with it the handover: what stands open comes first, then what happened, in order of weight."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.console.names import Names
from holdfast.console.reports.document import Block, Document, Heading, Paragraph, Table
from holdfast.console.reports.period import Period
from holdfast.console.shown import Shown
from holdfast.console.telling import Teller, Told
from holdfast.terms import SECOND_NS

ROWS_MAX = 100  # of one table; what is left out is said
PEOPLES = ("approval", "alarm.acknowledged", "alarm.shelved", "autonomy", "activated", "relearn", "resolved", "resume", "stop", "taken")
PLANTS = ("connection", "fault", "recovered", "clock", "start", "set_back", "escalated", "alarm.flood")


def shift_report(period: Period, language: str, made_ns: int) -> Document:
    """`made_ns`: when it is made; UTC."""
    return _Shift(period, language, made_ns).document()


class _Shift:
    def __init__(self, period: Period, language: str, made_ns: int) -> None:
        self.period = period
        self.made_ns = made_ns
        self.shown = Shown(language, ZoneInfo(str(period.status["timezone"])))
        self.names = Names(period.tables)
        self.teller = Teller(self.shown, self.names, brief=True)

    def say(self, code: str, /, **facts: object) -> str:
        return self.shown.word(f"reports.{code}", **facts)

    def document(self) -> Document:
        period, moment = self.period, self.shown.moment
        lasts_s = (period.to_ns - period.from_ns) // SECOND_NS
        facts = (
            (self.say("fact.site"), str(period.status["site"])),
            (self.say("fact.from"), moment(period.from_ns)),
            (self.say("fact.to"), f"{moment(period.to_ns)} ({self.shown.lasts(lasts_s)})"),
            (self.say("fact.configuration"), str(period.status["configuration"])[:16]),
            (self.say("fact.made"), f"{moment(self.made_ns)} ({period.status['timezone']})"),
        )
        blocks = (
            *self._open(),
            *self._sum(),
            *self._incidents(),
            *self._alarms(),
            *self._listed("people", PEOPLES),
            *self._listed("plant", PLANTS),
        )
        return Document(
            id=f"shift-report:{period.from_ns}:{period.to_ns}",
            kind="shift",
            language=self.shown.language,
            title=self.say("shift.title", site=period.status["site"]),
            facts=facts,
            blocks=(*blocks, Heading(text=self.say("records")), Paragraph(text=self.say("records.check"))),
            made=moment(self.made_ns),
            made_ns=self.made_ns,
        )

    def _open(self) -> list[Block]:
        """What the next shift takes over."""
        status, moment = self.period.status, self.shown.moment
        rows: list[tuple[str, str]] = []
        if status["fault"]:
            rows.append((self.say("open.fault"), self.say("open.fault.said")))
        rows += [(self.say("open.stopped"), self._place(str(scope))) for scope in status["stopped"]]
        rows += [(self.say("open.lowered"), self._lowered(*map(str, one))) for one in status["lowered"]]
        rows += [(self.say("open.alarm"), self._alarm(a)) for a in self.period.alarms["alarms"]]
        rows += [(self.say("open.job"), self._job(job)) for job in status["jobs"]]
        rows += [
            (self.say("open.yield"), self.say("open.yield.said", tag=self.names.name(str(tag)), until=moment(int(until_ns))))
            for tag, until_ns in status["yields"]
            if int(until_ns) > int(status["at_ns"])
        ]
        rows += [(self.say("open.connection"), name) for name, health in status["connections"].items() if not health.get("connected")]
        at = Paragraph(text=self.say("open.at", at=moment(int(status["at_ns"]))))
        told: list[Block] = [Heading(text=self.say("open")), at]
        if not rows:
            return [*told, Paragraph(text=self.say("open.none"))]
        return [
            *told,
            Table(columns=(self.say("kind"), self.say("what")), rows=tuple(rows[:ROWS_MAX]), widths=(0.28, 0.72)),
            *self._more(len(rows)),
        ]

    def _lowered(self, scope: str, level: str, code: str) -> str:
        return f"{self._place(scope)}: {self.teller.value('level', level)}; {self.teller.code(code)}"

    def _alarm(self, alarm: Mapping[str, Any]) -> str:
        return self.say(
            "open.alarm.said",
            tag=self.names.name(str(alarm["tag"])),
            limit=self.teller.value("limit", str(alarm["limit"])),
            value=self.shown.quantity(alarm["value"], str(alarm["unit"])),
            state=self.say(f"alarm.{alarm['state']}"),
            since=self.shown.moment(int(alarm["since_ns"])),
        )

    def _job(self, job: Mapping[str, Any]) -> str:
        tags = ", ".join(map(self.names.name, job["tags"])) or "–"
        return self.say("open.job.said", proposal=job["proposal"], tags=tags, state=self._state(str(job["state"])))

    def _place(self, scope: str) -> str:
        return self.shown.t("stop.plant") if scope == "*" else self.names.name(scope)

    def _state(self, state: str) -> str:
        said = self.shown.t(f"incidents.state.{state}")
        return state if said.startswith("console.") else said

    def _sum(self) -> list[Block]:
        verdicts, results, effects = (self.period.tally[kind] for kind in ("decision", "outcome", "effect"))
        counts = {v: verdicts.get(v, 0) for v in ("permit", "ask", "refuse")}
        done = {r: results.get(r, 0) for r in ("verified", "failed", "indeterminate")}
        came = {e: effects.get(e, 0) for e in ("expected", "none", "wrong")}
        signed = len(self._of("approval"))
        told: list[Block] = [
            Heading(text=self.say("summary")),
            Paragraph(text=self.say("shift.sum", incidents=self._began(), alarms=self._rang(), people=signed)),
            Paragraph(text=self.say("summary.decided", proposals=sum(verdicts.values()), **counts)),
            Paragraph(text=self.say("summary.written", **done, **came)),
        ]
        return [*told, Paragraph(text=self.say("shift.cut"))] if self.period.cut else told

    def _rang(self) -> int:
        return sum(bool(r["body"]["active"]) for r in self._of("alarm"))

    def _began(self) -> int:
        """Those that began in it, and those that went on in it."""
        before = sum(int(one["at_ns"]) < self.period.from_ns for one in self.period.incidents)
        return self.period.tally["incident"]["began"] + before

    def _incidents(self) -> list[Block]:
        rows = [
            (
                self.shown.moment(int(one["at_ns"])), ", ".join(self.names.name(tag) for tag in one["tags"][:2]) or "–",
                self.shown.t(f"incidents.state.{one['state']}"), str(one["id"]), f"[{one['seq']}]",
            )
            for one in self.period.incidents
        ]  # fmt: skip
        columns = tuple(self.say(c) for c in ("when", "mainly", "state", "incident", "record"))
        return self._section("incidents", columns, rows, (0.2, 0.25, 0.24, 0.22, 0.09), of=self._began())

    def _alarms(self) -> list[Block]:
        """How often each rang, the most frequent first: what rings all day is looked at first."""
        rang = Counter((str(r["body"]["tag"]), str(r["body"]["limit"])) for r in self._of("alarm") if r["body"]["active"])
        last = {(str(r["body"]["tag"]), str(r["body"]["limit"])): r for r in self._of("alarm") if r["body"]["active"]}
        rows = [
            (
                self.names.name(tag), self.teller.value("limit", limit), str(times), self.shown.moment(int(last[tag, limit]["at_ns"])),
                f"[{last[tag, limit]['seq']}]",
            )
            for (tag, limit), times in rang.most_common()
        ]  # fmt: skip
        columns = tuple(self.say(c) for c in ("change.tag", "limit", "times", "last", "record"))
        return self._section("alarms", columns, rows, (0.36, 0.16, 0.12, 0.25, 0.11), numeric=(2, 4))

    def _listed(self, name: str, kinds: Sequence[str]) -> list[Block]:
        of = [record for record in self.period.records if record["kind"] in kinds]
        # Words are made for what is shown alone: a shift may have thousands of records.
        rows = [self._row(self.teller.tell(record)) for record in of[:ROWS_MAX]]
        columns = tuple(self.say(c) for c in ("when", "kind", "what", "record"))
        return self._section(name, columns, rows, (0.21, 0.18, 0.5, 0.11), of=len(of))

    def _row(self, one: Told) -> tuple[str, ...]:
        said = "; ".join((one.title, *(f"{claim.who}: {claim.text}" for claim in one.claims)))
        return (self.shown.moment(one.at_ns), one.name, said, f"[{one.seq}]")

    def _section(
        self,
        name: str,
        columns: tuple[str, ...],
        rows: Sequence[tuple[str, ...]],
        widths: tuple[float, ...],
        numeric: tuple[int, ...] = (),
        of: int | None = None,
    ) -> list[Block]:
        """`of`: how many rows there were, where not all of them are in `rows`."""
        told: list[Block] = [Heading(text=self.say(f"section.{name}"))]
        if not rows:
            return [*told, Paragraph(text=self.say("nothing"))]
        return [
            *told,
            Table(columns=columns, rows=tuple(rows[:ROWS_MAX]), widths=widths, numeric=numeric),
            *self._more(len(rows) if of is None else of, len(rows[:ROWS_MAX])),
        ]

    def _more(self, rows: int, shown: int = ROWS_MAX) -> list[Block]:
        return [Paragraph(text=self.say("more", count=rows - shown))] if rows > shown else []

    def _of(self, kind: str) -> list[Mapping[str, Any]]:
        return [r for r in self.period.records if r["kind"] == kind]
