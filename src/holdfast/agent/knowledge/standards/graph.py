"""What has become of a standard: its state on a day, what replaced it, who adopts and who cites it."""

from collections.abc import Iterable, Mapping
from typing import Literal

from holdfast.agent.knowledge.standards.find import find
from holdfast.agent.knowledge.standards.reference import Reference, undated
from holdfast.agent.knowledge.standards.table import Standard
from holdfast.terms import Word

# in_force: nothing to do. withdrawn, upcoming: this very edition. superseded: another edition than the table has, and a newer one is in
# force. misnamed: the table has it with (or without) the /T. unknown: not in the table.
Fate = Literal["in_force", "withdrawn", "upcoming", "superseded", "misnamed", "unknown"]
STEPS_MAX = 20  # replacements of replacements
CENTURY_FROM = 50  # two-digit years from here on are of the last century


class Verdict(Word):
    """What is to be said of one mention. `standard` is the table's edition that it means, None where there is none.

    `successors` are what is in force instead, `named` are canonical forms that replace it and have no row of their own, `since`
    is the day (YYYY-MM-DD, "" unknown) from which the fate holds.
    """

    fate: Fate
    standard: Standard | None = None
    successors: tuple[Standard, ...] = ()
    named: tuple[str, ...] = ()
    since: str = ""


class Graph:
    """The table as a graph, asked on one day (`on`, YYYY-MM-DD)."""

    def __init__(self, standards: Iterable[Standard], on: str) -> None:
        self.on = on
        self.standards: Mapping[str, Standard] = {whole_year(standard.canonical): standard for standard in standards}
        self._editions: dict[str, list[Standard]] = {}
        self._adopted_by: dict[str, list[str]] = {}
        self._cited_by: dict[str, list[str]] = {}
        for standard in self.standards.values():
            self._editions.setdefault(undated(standard.canonical), []).append(standard)
            for other in standard.adopts:
                self._adopted_by.setdefault(whole_year(other), []).append(standard.canonical)
            for other in standard.cites:
                self._cited_by.setdefault(whole_year(other), []).append(standard.canonical)

    def state(self, standard: Standard) -> Literal["current", "withdrawn", "upcoming"]:
        """On the day: a date that has come outweighs the state that was written down before it."""
        if standard.withdrawn:
            if standard.withdrawn <= self.on:
                return "withdrawn"
            if standard.state == "withdrawn":
                return "current"
        if standard.state == "withdrawn":
            return "withdrawn" if self._replaced_from(standard) <= self.on else "current"
        if standard.effective:
            return "current" if standard.effective <= self.on else "upcoming"
        return standard.state

    def _replaced_from(self, standard: Standard) -> str:
        """The first day of what replaces it, for a withdrawal without a day of its own; "" where that is unknown too."""
        following = (self.standards.get(whole_year(name)) for name in standard.replaced_by)
        days = [s.effective for s in following if s is not None]
        return min(days, default="")

    def judge(self, reference: Reference) -> Verdict:
        """The fate of a mention. One without a year means the edition in force."""
        form = whole_year(reference.canonical)
        known = self.standards.get(form)
        if known is not None:
            return self._edition(known)
        editions = self._editions.get(undated(form), [])
        if editions:
            return self._other_edition(reference, editions)
        twin = _twin(form)
        named = self.standards.get(twin) or next(iter(self._in_force(self._editions.get(twin, []))), None)
        if named is None:
            return Verdict(fate="unknown")
        verdict = self._edition(named)
        return verdict if verdict.fate != "in_force" else Verdict(fate="misnamed", standard=named, successors=(named,))

    def _edition(self, standard: Standard) -> Verdict:
        state = self.state(standard)
        if state == "withdrawn":
            successors, named = self.successors(standard)
            since = standard.withdrawn or min((s.effective for s in successors if s.effective), default="")
            return Verdict(fate="withdrawn", standard=standard, successors=successors, named=named, since=since)
        if state == "upcoming":
            before = tuple(s for s in self._in_force(self._editions[undated(standard.canonical)]) if s is not standard)
            return Verdict(fate="upcoming", standard=standard, successors=before, since=standard.effective)
        return Verdict(fate="in_force", standard=standard)

    def _other_edition(self, reference: Reference, editions: list[Standard]) -> Verdict:
        in_force = self._in_force(editions)
        if not reference.year:
            if in_force:
                return Verdict(fate="in_force", standard=in_force[-1])
            return self._edition(max(editions, key=lambda s: s.canonical))
        year = year_of(whole_year(reference.canonical))
        newer = tuple(s for s in in_force if year_of(s.canonical) > year)
        since = min((s.effective for s in newer if s.effective), default="")
        return Verdict(fate="superseded", successors=newer, since=since) if newer else Verdict(fate="unknown")

    def _in_force(self, editions: Iterable[Standard]) -> list[Standard]:
        return sorted((s for s in editions if self.state(s) == "current"), key=lambda s: s.canonical)

    def successors(self, standard: Standard) -> tuple[tuple[Standard, ...], tuple[str, ...]]:
        """What is in force in its place, through any number of replacements; and what replaces it but has no row."""
        found: dict[str, Standard] = {}
        rowless: dict[str, None] = {}
        seen = {standard.canonical}
        edge = [standard]
        for _ in range(STEPS_MAX):
            names = dict.fromkeys(whole_year(name) for one in edge for name in one.replaced_by)
            rowless |= {name: None for name in names if name not in self.standards}
            edge = [s for name in names if (s := self.standards.get(name)) is not None and s.canonical not in seen]
            seen.update(s.canonical for s in edge)
            found |= {s.canonical: s for s in edge if self.state(s) == "current"}
            edge = [s for s in edge if self.state(s) == "withdrawn"]
            if not edge:
                break
        if not found and not rowless:
            found = {s.canonical: s for s in self._in_force(self._editions.get(undated(standard.canonical), []))}
        return tuple(found.values()), tuple(rowless)

    def adopted_by(self, canonical_form: str) -> tuple[str, ...]:
        return tuple(self._adopted_by.get(whole_year(canonical_form), ()))

    def cited_by(self, canonical_form: str) -> tuple[str, ...]:
        return tuple(self._cited_by.get(whole_year(canonical_form), ()))

    def stale_citations(self) -> tuple[tuple[Standard, str], ...]:
        """(standard in force, withdrawn edition that it cites)."""
        return tuple(
            (standard, name)
            for standard in self.standards.values()
            if self.state(standard) == "current"
            for name in standard.cites
            if (cited := self.standards.get(whole_year(name))) is not None and self.state(cited) == "withdrawn"
        )


def whole_year(canonical_form: str) -> str:
    """`GB 7702.7—87` is the edition `GB 7702.7—1987`. ASTM's own two digits stay: they are its way."""
    head, sign, year = canonical_form.rpartition("—" if "—" in canonical_form else ":")
    if not sign or len(year) != 2:
        return canonical_form
    return f"{head}{sign}{'19' if int(year) >= CENTURY_FROM else '20'}{year}"


def year_of(canonical_form: str) -> str:
    """The year, "" without one."""
    references = find(canonical_form)
    year = references[0].year if references else ""
    return year if len(year) != 2 else f"{'19' if int(year) >= CENTURY_FROM else '20'}{year}"


def _twin(form: str) -> str:
    """The same number with or without its /T: authors leave it out, and many GB have become GB/T."""
    family, _, number = form.partition(" ")
    if family.endswith("/T"):
        return f"{family[:-2]} {number}"
    return f"{family}/T {number}" if family.isalpha() and len(family) <= 3 else form
