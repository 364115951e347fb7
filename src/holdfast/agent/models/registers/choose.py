"""Which row a request means: by meaning, by phases taken together, or by nothing that the map has."""

import dataclasses
import re
from collections.abc import Sequence

from holdfast.agent.models.registers import notation
from holdfast.agent.models.registers.compile import bit_asked, bits_of, names_state, states_of
from holdfast.agent.models.registers.meaning import Fit, Meaning, fit, meaning, plain, shared_beginning
from holdfast.agent.models.registers.patterns import any_of
from holdfast.agent.models.registers.words import Abstention, Area, Ask, Refusal, Row
from holdfast.terms import Word

LACKING_MAX = 0.5  # share of what is asked for that a row may lack to be read
LACKING_ALONE_MAX = 0.7  # where the request says `coil` and the map has one
CLOSE = 0.6  # points between two rows that are too near to choose
_ALL_PHASES = any_of("all_phases")
_TELLING_READS = frozenset(("phase", "pair", "number", "span"))
_TELLING = frozenset(("phase", "pair", "number", "way", "span", "flavour", "height"))
_PHASES = ("phase a", "phase b", "phase c")
_AREAS: tuple[tuple[re.Pattern[str], Area], ...] = (
    (re.compile(r"(?i)\bcoil\b|线圈"), "coil"),
    (re.compile(r"(?i)discrete input|离散输入"), "discrete"),
)


class Chosen(Word):
    """The rows that one request reads or writes, in the order of their addresses, and how well they fit."""

    rows: tuple[Row, ...]
    fit: Fit


def choose(ask: Ask, request: str, rows: Sequence[Row]) -> Chosen | Refusal | Abstention:
    """`request` is the whole text, for what it says of phases and coils."""
    missing = Refusal(reason="not_in_map", missing=("register_for_quantity",))
    if not rows:
        return missing
    prefix = shared_beginning([row.name.text for row in rows])
    wanted = _wanted(ask, request, rows)
    if not wanted.ideas:
        return _only(ask, request, rows)
    meanings = [_meant(row, prefix) for row in rows]
    together = _phases(wanted, request, rows, meanings)
    if together is not None:
        return together
    fits = [_fit(wanted, m, ask, row) for m, row in zip(meanings, rows, strict=True)]
    hinted = next((area for pattern, area in _AREAS if pattern.search(request)), None)
    able = [i for i, f in enumerate(fits) if not f.opposed and f.kind and f.lacking <= LACKING_MAX and (f.score > 0 or f.lacking == 0)]
    able = [i for i in able if not _told_apart(wanted, meanings[i], _TELLING if ask.writes else _TELLING_READS)]
    here = [i for i in range(len(rows)) if hinted is not None and area_of(rows[i]) == hinted]
    if here:
        able = [i for i in able if i in here]
        if not able and len(here) == 1 and not fits[here[0]].opposed and fits[here[0]].lacking < LACKING_ALONE_MAX and fits[here[0]].kind:
            able = here
    if not able:
        named = _by_state(ask, request, rows) or _by_bit(ask, request, rows)
        return named or (_only(ask, request, rows) if hinted is not None or not ask.name else missing)
    able.sort(key=lambda i: (-fits[i].score, rows[i].block.start))
    best = able[0]
    near = [i for i in able if fits[best].score - fits[i].score < (CLOSE if i != best else 1)]
    same = [i for i in near if plain(rows[i].name.text) == plain(rows[best].name.text)]
    if len(same) > 1:
        return _differ([rows[i] for i in same]) or Chosen(rows=(rows[best],), fit=fits[best])
    if len(near) > 1:
        named = _by_unit(ask, [rows[i] for i in near]) or _by_access(ask, [rows[i] for i in near])
        if named is None:
            return Abstention(why="ambiguous")
        return Chosen(rows=(named,), fit=fits[next(i for i in near if rows[i] is named)])
    return Chosen(rows=(rows[best],), fit=fits[best])


def _by_bit(ask: Ask, request: str, rows: Sequence[Row]) -> Chosen | None:
    """`Is the fault bit set?`: the one row that lists a bit of that name."""
    able = [row for row in rows if not ask.writes and bits_of(row.block.text) and bit_asked(row.block.text, request) is not None]
    return Chosen(rows=(able[0],), fit=Fit(score=1.0, lacking=0.0, extra=0.0, opposed=False, kind=True)) if len(able) == 1 else None


def _told_apart(wanted: Meaning, row: Meaning, telling: frozenset[str]) -> bool:
    """Whether a request names what tells rows apart (a phase, a number, a direction) and the row has it not."""
    return any(idea.group in telling for idea in wanted.ideas - row.ideas - row.also - row.beside)


def _by_state(ask: Ask, request: str, rows: Sequence[Row]) -> Chosen | None:
    """`Run forward`: the one row that has a state of that name."""
    if not ask.writes or (ask.value is not None and not ask.word):
        return None
    able = [
        row
        for row in rows
        if sum(names_state(name, request) for _, name in states_of(row.block.text[row.address.end - row.block.start :])) == 1
    ]
    return Chosen(rows=(able[0],), fit=Fit(score=1.0, lacking=0.0, extra=0.0, opposed=False, kind=True)) if len(able) == 1 else None


def _hinted(request: str) -> Area | None:
    for pattern, area in _AREAS:
        if pattern.search(request):
            return area
    return None


def _fit(wanted: Meaning, row_meaning: Meaning, ask: Ask, row: Row) -> Fit:
    """For a write, a row that can't be written comes after one that can."""
    found = fit(wanted, row_meaning, writes=ask.writes)
    access = notation.access_of(row.access.text) if row.access is not None else row.facts.access
    return dataclasses.replace(found, score=found.score - 1.5) if ask.writes and access == "r" else found


def _meant(row: Row, prefix: tuple[str, ...]) -> Meaning:
    return meaning(row.name.text, unit=row.unit.text if row.unit is not None else "", remark=row.remark, without=prefix)


def _wanted(ask: Ask, request: str, rows: Sequence[Row]) -> Meaning:
    """What is asked for; a row's own name that is quoted whole outranks what rules cut out of the request."""
    whole = plain(request)
    quoted = [row.name.text for row in rows if len(plain(row.name.text)) >= 6 and plain(row.name.text) in whole]
    found = meaning(ask.name)
    if quoted:
        longest = max(quoted, key=len)
        if len(plain(longest)) >= 0.75 * max(len(found.plain), 1):
            return meaning(longest)
    return found


def _only(ask: Ask, request: str, rows: Sequence[Row]) -> Chosen | Refusal | Abstention:
    """A request that names no quantity but `the coil`, or a value with a unit that one row alone can be set in."""
    if ask.writes and ask.unit and not ask.name:
        able = [
            row
            for row in rows
            if row.unit is not None
            and row.unit.text == ask.unit
            and any(i.text in ("setpoint", "limit") for i in meaning(row.name.text).ideas)
        ]
        if len(able) == 1:
            return Chosen(rows=(able[0],), fit=Fit(score=1.0, lacking=0.0, extra=0.0, opposed=False, kind=True))
    hinted = _hinted(request)
    alone = [row for row in rows if hinted is not None and area_of(row) == hinted]
    if len(alone) == 1 and not ask.writes:
        return Chosen(rows=(alone[0],), fit=Fit(score=1.0, lacking=0.0, extra=0.0, opposed=False, kind=True))
    return Refusal(reason="not_in_map", missing=("register_for_quantity",))


def area_of(row: Row) -> Area | None:
    """As the row or its section says it."""
    return (notation.area_of(row.area.text) if row.area is not None else None) or row.facts.area


def _differ(rows: Sequence[Row]) -> Refusal | None:
    """Rows of one name that say different things contradict each other."""
    what = [
        name
        for name, told in (
            ("address", {row.address.text.lower() for row in rows}),
            ("data_type", {notation.kind_of(row.kind.text) if row.kind else None for row in rows}),
            ("scale", {notation.scale_of(row.scale.text) if row.scale else None for row in rows}),
            ("unit", {row.unit.text if row.unit else "" for row in rows}),
        )
        if len(told) > 1
    ]
    return Refusal(reason="contradictory", missing=tuple(what[:1] if what[:1] == ["address"] else what)) if what else None


def _by_unit(ask: Ask, rows: Sequence[Row]) -> Row | None:
    fitting = [row for row in rows if ask.unit and row.unit is not None and row.unit.text == ask.unit]
    return fitting[0] if len(fitting) == 1 else None


def _by_access(ask: Ask, rows: Sequence[Row]) -> Row | None:
    """Of two rows that fit alike, the one that can be written, where a write is wanted."""
    if not ask.writes:
        return None
    able = [row for row in rows if "w" in (notation.access_of(row.access.text) if row.access else row.facts.access)]
    return able[0] if len(able) == 1 and len(rows) == 2 else None


# ---- three phases ------------------------------------------------------------------------------------------------------


def _phases(wanted: Meaning, request: str, rows: Sequence[Row], meanings: Sequence[Meaning]) -> Chosen | None:
    """One request for all phases: a row of several values, or three rows that follow each other."""
    if _ALL_PHASES.search(request) is None or (
        sum(idea.group == "phase" for idea in wanted.ideas) == 1 and not re.search(r"(?i)l1.{0,6}l3", request)
    ):
        return None
    loose = Meaning(
        ideas=frozenset(
            i
            for i in wanted.ideas
            if i.group not in ("phase", "number", "pair")
            and i.text not in ("all", "three", "phase_any", "one", "each", "per", "三", "各", "个")
        ),
        plain=wanted.plain,
    )
    several = [(fit(loose, m), row) for row, m in zip(rows, meanings, strict=True) if row.several == 3]
    good = [(f, row) for f, row in several if f.kind and not f.opposed and f.lacking <= LACKING_MAX]
    if good:
        f, row = max(good, key=lambda one: one[0].score)
        return Chosen(rows=(row,), fit=f)
    by_rest: dict[frozenset[str], list[tuple[str, Row, Fit]]] = {}
    for row, m in zip(rows, meanings, strict=True):
        phase = [i.text for i in m.ideas if i.group == "phase"]
        f = fit(loose, m)
        if len(phase) == 1 and f.kind and not f.opposed and f.lacking <= LACKING_MAX:
            by_rest.setdefault(frozenset(i.text for i in m.ideas if i.group != "phase"), []).append((phase[0], row, f))
    sets = [sorted(found, key=lambda one: one[0]) for found in by_rest.values() if sorted(p for p, _, _ in found) == list(_PHASES)]
    if not sets:
        return None
    best = max(sets, key=lambda found: found[0][2].score)
    return Chosen(rows=tuple(row for _, row, _ in best), fit=best[0][2])
