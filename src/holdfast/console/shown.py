"""How times, numbers, names and codes look on a page: 24-hour times in the site's zone, a unit beside each number, words from codes."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.console.gate import GateError
from holdfast.language import duration, explain, number, say
from holdfast.terms import SECOND_NS

NARROW_SPACE = " "  # between a number and its unit (SI brochure, 9th edition, §5.4.3)
UNITS = {"Cel": "°C", "um": "µm", "1": "", "%": "%"}  # UCUM codes that people write otherwise


class Shown:
    """For one language and zone; what the templates call."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language = language
        self._zone = zone

    def t(self, code: str, /, **facts: object) -> str:
        """The words of a code; a fact may be called `code` too."""
        return say(f"console.{code}", {name: str(value) for name, value in facts.items()}, self.language)

    def word(self, code: str, /, **facts: object) -> str:
        """The same for a code of another room."""
        return say(code, {name: str(value) for name, value in facts.items()}, self.language)

    def role(self, role: str) -> str:
        """A role's name in this language; a site may have roles of its own, which are shown as they are."""
        said = self.t(f"role.{role}")
        return role if said == f"console.role.{role}" else said

    def roles(self, roles: Iterable[str]) -> str:
        return ", ".join(self.role(role) for role in roles)

    def refusal(self, error: GateError) -> str:
        """Why the gate said no: in this language where its code has words, else as it said it, and marked as that."""
        facts = error.facts
        if "roles" in facts:
            facts = {**facts, "roles": self.roles(facts["roles"].split(", "))}
        said = say(error.code, facts, self.language) if error.code else ""
        return self.original(str(error)) if not said or said.startswith(error.code) else said

    def original(self, text: str) -> str:
        """What a program said in English, marked as its own words where the page is in another language."""
        return text if self.language == "en" or not text.strip() else self.t("original", text=text)

    def reason(self, reason: Mapping[str, Any]) -> str:
        """A decision's reason as a sentence."""
        facts = tuple((str(name), str(value)) for name, value in reason["facts"])
        return explain(str(reason["code"]), passed=bool(reason["passed"]), tag=str(reason["tag"]), facts=facts, language=self.language)

    def time(self, ns: int) -> str:
        """14:05:33."""
        return self._at(ns).strftime("%H:%M:%S")

    @staticmethod
    def left(until_ns: int, now_ns: int) -> str:
        """Minutes and seconds: 4:54."""
        seconds = max(round((until_ns - now_ns) / SECOND_NS), 0)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def moment(self, ns: int) -> str:
        """2026-11-22 14:05:33."""
        return self._at(ns).strftime("%Y-%m-%d %H:%M:%S")

    def iso(self, ns: int) -> str:
        """With the zone, for programs and for `datetime` attributes."""
        return self._at(ns).isoformat(timespec="milliseconds")

    def lasts(self, seconds: float) -> str:
        return duration(str(seconds), self.language)

    def number(self, value: float | int | None) -> str:
        return "–" if value is None else number(repr(float(value)))

    def quantity(self, value: float | int | None, unit: str) -> str:
        """A number with its unit."""
        text, named = self.number(value), self.unit(unit)
        return f"{text}{NARROW_SPACE}{named}" if named and value is not None else text

    @staticmethod
    def unit(unit: str) -> str:
        return UNITS.get(unit, unit)

    def _at(self, ns: int) -> datetime:
        return datetime.fromtimestamp(ns / SECOND_NS, tz=UTC).astimezone(self._zone)
