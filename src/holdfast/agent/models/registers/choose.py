"""Which row a request means: by meaning, by phases taken together, or by nothing that the map has."""

import dataclasses
import re
from collections.abc import Sequence

from holdfast.agent.models.registers import notation
from holdfast.agent.models.registers.meaning import Fit, Idea, Meaning, atoms_of, fit, meaning, plain, shared_beginning
from holdfast.agent.models.registers.patterns import any_of
from holdfast.agent.models.registers.states import bit_asked, bits_of, names_state, states_of
from holdfast.agent.models.registers.words import Abstention, Area, Ask, Refusal, Row
from holdfast.terms import Word

LACKING_MAX = 0.5  # share of what is asked for that a row may lack to be read
LACKING_ALONE_MAX = 0.7  # where the request says `coil` and the map has one
CLOSE = 0.6  # points between two rows that are too near to choose
_ALL_PHASES = any_of("all_phases")
_CHINESE, _LATIN, _WORDLY = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"[A-Za-z]"), re.compile(r"[a-z0-9_]")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*\s*=\s*(?:0x[0-9A-Fa-f]+|\d+)")
_CODED = re.compile(r"_|[a-z][A-Z]|\d|\.")
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


def choose(ask: Ask, request: str, rows: Sequence[Row], text: str = "") -> Chosen | Refusal | Abstention:
    """`request` is the whole text, for what it says of phases and coils; `text` the map, for what it says of the device as a whole."""
    missing = Refusal(reason="not_in_map", missing=("register_for_quantity",))
    if not rows:
        return missing
    prefix = shared_beginning([row.title for row in rows])
    if prefix and set(prefix) <= set(atoms_of(request)):
        prefix = ()  # a request that says the common beginning counts it
    quoted = _quoted(request, rows, prefix)
    if quoted is not None:
        return quoted
    wanted = _without_device(_wanted(ask, request, rows), rows, text)
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
        able = _alone_of_kind(wanted, rows, meanings, fits)
    if not able:
        named = _by_state(ask, request, rows) or _by_bit(ask, request, rows)
        return named or (_only(ask, request, rows) if hinted is not None or not ask.name else missing)
    able.sort(key=lambda i: (-fits[i].score, rows[i].block.start))
    best = able[0]
    if ask.writes and _by_remark(wanted, meanings[best], rows[best]):
        return Abstention(why="ambiguous")
    near = [i for i in able if fits[best].score - fits[i].score < (CLOSE if i != best else 1)]
    same = [i for i in near if plain(rows[i].title) == plain(rows[best].title)]
    if len(same) > 1:
        return _differ([rows[i] for i in same]) or Chosen(rows=(rows[best],), fit=fits[best])
    if len(near) > 1:
        some = [rows[i] for i in near]
        stated = _by_state(ask, request, some)
        named = _by_unit(ask, some) or _by_access(ask, some) or (stated.rows[0] if isinstance(stated, Chosen) else None)
        if named is None:
            return Abstention(why="ambiguous")
        return Chosen(rows=(named,), fit=fits[next(i for i in near if rows[i] is named)])
    return Chosen(rows=(rows[best],), fit=fits[best])


def _quoted(request: str, rows: Sequence[Row], prefix: tuple[str, ...]) -> Chosen | None:
    """The one row whose name, written as programs write names or in the other language's letters, stands whole in the request."""
    if _ALL_PHASES.search(request):
        return None
    found: list[tuple[int, Row]] = []
    foreign = _CHINESE.search(request) is not None
    said = request.lower()
    placed = [row for row in rows if _placed_in(said, row)]
    if len(placed) == 1:
        return Chosen(rows=(placed[0],), fit=Fit(score=5.0, lacking=0.0, extra=0.0, opposed=False, kind=True))
    for row in rows:
        name = row.title.strip()
        if not _LATIN.search(name):
            continue
        for form in {name, _without(name, prefix)}:
            at = _stands_in(said, form.lower())
            coded = at >= 0 and (foreign or _CODED.search(form) is not None or said[max(at - 1, 0) : at] in ("(", '"', "'", "`"))
            if len(form) >= 2 and coded:
                found.append((len(form), row))
    longest = max((size for size, _ in found), default=0)
    best = {id(row): row for size, row in found if size == longest}
    if len(best) != 1:
        return None
    row = next(iter(best.values()))
    return Chosen(rows=(row,), fit=Fit(score=5.0, lacking=0.0, extra=0.0, opposed=False, kind=True))


def _placed_in(said: str, row: Row) -> bool:
    """Whether a request names a row's address as the map writes it: in hexadecimal, or behind a word for a register."""
    address = row.address.text.lower().strip("[]\"'` ")
    at = _stands_in(said, address) if len(address) >= 3 else -1
    if at < 0:
        return False
    return not address.isdigit() or re.search(r"(?:register|address|reg\.?|addr\.?|寄存器|地址)\s*(?:no\.?\s*)?$", said[:at]) is not None


def _without(name: str, prefix: tuple[str, ...]) -> str:
    """An identifier without the atoms that all names of the map begin with."""
    at, low = 0, name.lower()
    for atom in prefix:
        start = low.find(atom, at)
        if start < 0 or low[at:start].strip("_. -"):
            return name
        at = start + len(atom)
    return name[at:].lstrip("_. -")


def _stands_in(text: str, form: str) -> int:
    """Where a form stands in a text as a word of its own, -1 where it does not."""
    at = text.find(form)
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(form) : at + len(form) + 1]
        if not _WORDLY.match(before) and not _WORDLY.match(after):
            return at
        at = text.find(form, at + 1)
    return -1


def _without_device(wanted: Meaning, rows: Sequence[Row], text: str) -> Meaning:
    """What is wanted without words that only tell which device is meant: they stand outside the rows and in none of them."""
    if not text:
        return wanted
    outside, at = "", 0
    for row in sorted(rows, key=lambda one: one.block.start):
        outside += text[at : max(at, row.block.start)] + "\n"
        at = max(at, row.block.end)
    device = meaning(outside + text[at:])
    have = frozenset[Idea]().union(*(meaning(row.title).ideas | meaning(row.remark).ideas for row in rows))
    told = {idea for idea in wanted.ideas if idea.group in ("word", "sign", "narrow") and idea in device.ideas and idea not in have}
    if Idea(group="narrow", text="charger") in device.ideas:
        told |= {idea for idea in wanted.ideas if idea.text == "charge" and idea not in have}
    left = wanted.ideas - told
    return dataclasses.replace(wanted, ideas=left) if any(idea.group != "wish" for idea in left) else wanted


def _alone_of_kind(wanted: Meaning, rows: Sequence[Row], meanings: Sequence[Meaning], fits: Sequence[Fit]) -> list[int]:
    """The one row of the quantity that is asked for, where neither it nor the map says more than that and the rest is no known idea."""
    kinds = {idea for idea in wanted.ideas if idea.group == "kind"}
    rest = {idea for idea in wanted.ideas - kinds if idea.group not in ("word", "sign", "wish")}
    if not kinds or rest:
        return []
    able = [i for i, m in enumerate(meanings) if kinds <= m.ideas | m.also and not fits[i].opposed]
    return able if len(able) == 1 and not (meanings[able[0]].ideas - kinds - meanings[able[0]].also) else []


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
    return meaning(row.title, unit=row.unit.text if row.unit is not None else "", remark=row.remark, without=prefix)


def _by_remark(wanted: Meaning, row_meaning: Meaning, row: Row) -> bool:
    """Whether a row is meant by its remark alone, and that speaks of several numbered things: for a write that is too little."""
    alone = fit(wanted, dataclasses.replace(row_meaning, beside=frozenset()), writes=True)
    return alone.lacking > LACKING_MAX and len(_ASSIGNED.findall(row.block.text)) > 1


def _wanted(ask: Ask, request: str, rows: Sequence[Row]) -> Meaning:
    """What is asked for; a row's own name that is quoted whole outranks what rules cut out of the request."""
    whole = plain(request)
    quoted = [row.title for row in rows if len(plain(row.title)) >= 6 and plain(row.title) in whole]
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
            if row.unit is not None and row.unit.text == ask.unit and any(i.text in ("setpoint", "limit") for i in meaning(row.title).ideas)
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
        sum(idea.group == "phase" for idea in wanted.ideas) == 1
        and not re.search(r"(?i)l1.{0,12}l3|(?<![a-z])a\W.{0,6}c(?![a-z])", request)
    ):
        return None
    loose = Meaning(
        ideas=frozenset(
            i
            for i in wanted.ideas
            if i.group not in ("phase", "number", "pair")
            and i.text not in ("all", "three", "phase_any", "one", "each", "per", "三", "各", "个", "a", "b", "c", "line")
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
