"""The report of compliance: each clause that a limit is bound to, what it asks, since when it is kept or not, and how far."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.console.names import Names
from holdfast.console.reports import drawn
from holdfast.console.reports.document import Block, Document, Figure, Heading, Paragraph, Table
from holdfast.console.reports.period import Clauses
from holdfast.console.shown import Shown
from holdfast.language import chosen

TONES: Mapping[str, Any] = {"kept": "accent", "beyond": "warn", "unknown": "soft"}
DRAWN_MAX = 20


def compliance_report(clauses: Clauses, language: str, made_ns: int) -> Document:
    """`made_ns`: when it is made; UTC."""
    return _Compliance(clauses, language, made_ns).document()


class _Compliance:
    def __init__(self, clauses: Clauses, language: str, made_ns: int) -> None:
        self.found, self.status = clauses.found, clauses.status
        self.made_ns = made_ns
        self.shown = Shown(language, ZoneInfo(str(clauses.status["timezone"])))
        self.names = Names(clauses.tables)

    def say(self, code: str, /, **facts: object) -> str:
        return self.shown.word(f"reports.{code}", **facts)

    def document(self) -> Document:
        clauses, moment = self.found["clauses"], self.shown.moment
        facts = (
            (self.say("fact.site"), str(self.status["site"])),
            (self.say("fact.from"), moment(int(self.found["from_ns"]))),
            (self.say("fact.to"), moment(int(self.found["to_ns"]))),
            (self.say("fact.configuration"), str(self.status["configuration"])[:16]),
            (self.say("fact.made"), f"{moment(self.made_ns)} ({self.status['timezone']})"),
        )
        now = [str(one["now"]) for one in clauses]
        counts = {state: now.count(state) for state in ("kept", "beyond", "unknown")}
        told: list[Block] = [Heading(text=self.say("summary"))]
        told.append(
            Paragraph(text=self.say("compliance.sum", clauses=len(clauses), **counts) if clauses else self.shown.t("compliance.none"))
        )
        if self.found["cut"]:
            told.append(Paragraph(text=self.shown.t("compliance.cut", tags=", ".join(self.found["cut"]))))
        period_s = (int(self.found["to_ns"]) - int(self.found["from_ns"])) / 1e9
        shares = [
            drawn.Share(
                name=f"{one['standard']} {one['clause']}".strip()[:38], part=one["beyond_s"] / period_s,
                text=f"{100 * one['beyond_s'] / period_s:.3g} %", tone=TONES[one["now"]],
            )
            for one in clauses[:DRAWN_MAX]
        ]  # fmt: skip
        if shares:
            caption = self.say("compliance.chart")
            told.append(Figure(chart=drawn.bars(shares, told=caption, limit=1.0), caption=caption))
        for place, one in enumerate(clauses, start=1):
            told += self._clause(place, one)
        return Document(
            id=f"compliance-report:{self.found['from_ns']}:{self.found['to_ns']}",
            kind="compliance",
            language=self.shown.language,
            title=self.say("compliance.title", site=self.status["site"]),
            facts=facts,
            blocks=tuple(told),
            made=moment(self.made_ns),
            made_ns=self.made_ns,
        )

    def _clause(self, place: int, one: Mapping[str, Any]) -> list[Block]:
        unit, t = str(one["unit"]), self.shown.t
        high = one["limit"] in ("hi", "hihi")
        since = "–" if one["since_ns"] is None else self.shown.moment(int(one["since_ns"]))
        margin = "–"
        if one["margin"] is not None:
            margin = t("compliance.inside" if one["margin"] >= 0 else "compliance.over", by=self.shown.quantity(abs(one["margin"]), unit))
        rows = (
            (self.say("compliance.asks"), chosen(one["asks"], self.shown.language) or "–"),
            (
                t("compliance.limit"),
                f"{self.names.name(str(one['tag']))} {'≤' if high else '≥'} {self.shown.quantity(one['threshold'], unit)}",
            ),
            (t("compliance.now"), t(f"compliance.{one['now']}")),
            (self.say("compliance.since"), since),
            (self.say("compliance.margin"), margin),
            (self.say("times"), str(one["times"])),
            (self.say("compliance.beyond"), self.shown.lasts(round(one["beyond_s"]))),
            (self.say("compliance.worst"), self.shown.quantity(one["worst"], unit)),
        )
        title = self.say("compliance.clause", place=place, standard=one["standard"], clause=one["clause"] or "–")
        return [Heading(text=title, level=3), Table(columns=(self.say("kind"), self.say("what")), rows=rows, widths=(0.3, 0.7))]
