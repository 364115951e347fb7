"""Tags, values and times as a person reads them, in one language and the plant's own time."""

from datetime import datetime
from zoneinfo import ZoneInfo

from holdfast.agent.ask.answer import Language
from holdfast.agent.knowledge.modes import Mode, modes_of, roles
from holdfast.agent.tools.tool import Citation
from holdfast.language import number, retold, say
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS

UNITS = {"Cel": "°C", "um": "µm", "1": ""}
NO_MODES = ("setpoint_change", "operating_change", "unnamed")  # causes that are no failure modes


class Shown:
    """For one answer."""

    def __init__(self, site: Site, language: Language) -> None:
        self.site = site
        self.language: Language = language
        self._zone = ZoneInfo(site.timezone)
        self._roles = {role.id: role.name.of(language) for role in roles()}

    def say(self, code: str, **facts: str) -> str:
        return say(f"ask.{code}", facts, self.language)

    def time(self, ns: int) -> str:
        return datetime.fromtimestamp(ns / SECOND_NS, self._zone).strftime("%H:%M:%S")

    def tag(self, name: str) -> str:
        """The role's name with the tag's own."""
        tag = self.site.tag(name)
        role = self._roles.get(tag.role, "") if tag is not None else ""
        return self.say("tag", role=role, tag=name) if role else name

    def unit(self, name: str) -> str:
        tag = self.site.tag(name)
        return "" if tag is None else UNITS.get(tag.unit, tag.unit)

    def value(self, tag: str, value: float | None, state: str = "") -> str:
        """With its unit; a state by its name, a truth value as yes or no."""
        of = self.site.tag(tag)
        if value is None:
            return self.say("unknown")
        if state:
            return state
        if of is not None and of.type == "bool":
            return self.say("yes" if value else "no")
        return f"{number(repr(float(value)))} {self.unit(tag)}".strip()

    def mode(self, id: str) -> str:
        found = self.known_mode(id)
        if found is not None:
            return found.name.of(self.language)
        return self.say("none_of_these") if id == "none of these" else self.say(f"mode.{id}") if id in NO_MODES else id

    def known_mode(self, id: str) -> Mode | None:
        plain = id.partition("@")[0]
        return next((mode for mode in modes_of(self.site) if mode.id == plain), None)

    def quote(self, text: str) -> str:
        """Evidence as the diagnosis wrote it, in this language."""
        return retold(text, "diagnosis", self.language)

    def citation(self, one: Citation) -> str:
        """Where it stands, as a person goes and looks."""
        document, _, place = one.ref.partition("#p")
        page, _, paragraph = place.partition(".")
        facts = {"ref": one.ref, "quote": one.quote, "seq": str(one.seq), "document": document, "page": page, "paragraph": paragraph}
        times = {"at": self.time(one.at_ns) if one.at_ns else "", "end": self.time(one.to_ns) if one.to_ns else ""}
        return self.say(f"cite.{one.kind}", **facts, **times)
