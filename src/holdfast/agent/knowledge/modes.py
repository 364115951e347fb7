"""Failure modes as data: what goes wrong, how it shows on tag roles, what to do about it, and who says so.

A signature speaks of roles (`role:` of a tag), so one library serves any plant. The shipped library lies beside this
file; a site's own modes come as text in `Site.modes` and replace shipped ones of the same id.
"""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from ruamel.yaml.comments import CommentedMap

from holdfast.agent.knowledge.parse import Parser, Text, line_of
from holdfast.site.model import Problem, Site, SiteError
from holdfast.terms import Word

Shows = Literal["up", "down", "moved", "steady", "more_variable", "wanders", "oscillates", "calm", "quieter", "frozen", "alone"]
"""What a role shows. The mean: up, down, moved (either way), steady. The variation about it: more_variable (of any kind),
wanders (slow and irregular), oscillates (a regular cycle), calm (no more than it was), quieter (far less than it was). A sensor:
frozen, alone (no other tag moved)."""
SHOWS: tuple[Shows, ...] = get_args(Shows)
MOVES: tuple[Shows, ...] = (
    "up",
    "down",
    "moved",
    "more_variable",
    "wanders",
    "oscillates",
    "quieter",
    "alone",
)  # what a mode is noticed by
ANY = "any"  # a sign of no particular role: the tag that contributes most
MODES_MAX = 500  # of one library
FOLDER = Path(__file__).parent


class Sign(Word):
    """What one role shows when the mode is present. `weight` 0..3; `order` > 0: modes' own sequence in time; `band` says in which
    band of a spectrum, where there is one ("1x": once a turn, "BPFO": outer race)."""

    role: str
    shows: Shows
    weight: float = 1.0
    order: int = 0
    band: str = ""

    @property
    def of(self) -> str:
        """The role of the tag that shows it: `role`, or `role:band` for a part of a spectrum."""
        return f"{self.role}:{self.band}" if self.band else self.role


class Trim(Word):
    """Move the loop whose pv has `role` by `by` envelope steps (0 < by ≤ 1); `expect_role` then falls or rises."""

    role: str
    move: Literal["up", "down"]
    by: float
    expect_role: str
    expect: Literal["falls", "rises"]


class Advice(Word):
    """What a person is told or asked to do."""

    kind: Literal["notify", "work_order"]
    text: Text


Step: TypeAlias = Trim | Advice


class Mode(Word):
    """One way of going wrong. `mirror`: it comes in either direction, so its ups and downs may all be exchanged.

    `kind`: it belongs to equipment that the site file gives this `kind`; "": to any that has the roles. `instead_of`: more general
    modes that it stands for where it fits.
    """

    id: str
    name: Text
    equipment: str
    cause: Text
    prior: float
    signature: tuple[Sign, ...]
    actions: tuple[Step, ...]
    checks: tuple[Text, ...]
    sources: tuple[str, ...]
    mirror: bool = False
    kind: str = ""
    instead_of: tuple[str, ...] = ()
    file: str = ""
    line: int = 0

    def roles(self) -> tuple[str, ...]:
        return tuple(sign.role for sign in self.signature)


class Role(Word):
    """What a tag means, whatever it is called."""

    id: str
    name: Text


@functools.cache
def roles() -> tuple[Role, ...]:
    """The vocabulary of `role:`: roles.yaml and what shipped libraries of one process add. Raises SiteError where one is broken."""
    path = FOLDER / "roles.yaml"
    parser = Parser(path.name)
    top = parser.mapping(parser.load(path.read_text("utf-8")), "the file", 1, ("roles",))
    found = () if top is None else _vocabulary(parser, top)
    if parser.problems or not found:
        raise SiteError(tuple(parser.problems))
    return (*found, *(role for shipped in _shipped() for role in shipped.roles))


def _vocabulary(parser: Parser, top: CommentedMap) -> tuple[Role, ...]:
    listed = top.get("roles")
    if not isinstance(listed, CommentedMap):
        parser.wrong(line_of(top, "roles"), "'roles' must be a mapping", "write 'name: {en: ..., zh: ...}', one a line")
        return ()
    return tuple(Role(id=str(name), name=parser.text(pair, f"role {name}", line_of(listed, str(name)))) for name, pair in listed.items())


class _Shipped(Word):
    """One file of the shipped library, loaded but not yet understood: its modes may speak of the roles of other files."""

    name: str
    top: Any
    roles: tuple[Role, ...]
    problems: tuple[Problem, ...]


@functools.cache
def _shipped() -> tuple[_Shipped, ...]:
    found: list[_Shipped] = []
    for path in sorted((FOLDER / "modes").glob("*.yaml")):
        parser = Parser(path.name)
        loaded = parser.load(path.read_text("utf-8"))
        own = _vocabulary(parser, loaded) if isinstance(loaded, CommentedMap) and "roles" in loaded else ()
        found.append(_Shipped(name=path.name, top=loaded, roles=own, problems=tuple(parser.problems)))
    return tuple(found)


def read_modes(text: str, file: str, more_roles: Iterable[str] = ()) -> tuple[tuple[Mode, ...], tuple[Problem, ...]]:
    """The modes of one YAML text with all its problems. `more_roles`: a site's own roles beside the shipped ones."""
    parser = Parser(file)
    loaded = parser.load(text)
    if parser.problems:
        return (), tuple(parser.problems)
    own = _vocabulary(parser, loaded) if isinstance(loaded, CommentedMap) and "roles" in loaded else ()
    modes = _modes(parser, loaded, {role.id for role in (*roles(), *own)} | set(more_roles))
    return modes, tuple(parser.problems)


def _modes(parser: Parser, loaded: Any, known: set[str]) -> tuple[Mode, ...]:
    top = parser.mapping(loaded, "the file", 1, ("holdfast_modes", "roles", "modes"))
    if top is None:
        return ()
    if top.get("holdfast_modes") != 1:
        parser.wrong(line_of(top, "holdfast_modes"), "the version of the file is missing or unknown", "write 'holdfast_modes: 1'")
    modes = [mode for node, line in parser.items(top, "modes", "the file") if (mode := _mode(parser, node, line, known)) is not None]
    if len(modes) > MODES_MAX:
        parser.wrong(1, f"more than {MODES_MAX} modes", "split the library")
    parser.problems.extend(contradictions(modes))
    return tuple(modes)


def contradictions(modes: Iterable[Mode]) -> list[Problem]:
    """Modes that no reader could tell apart: the same id twice, or the same signature with another action."""
    problems: list[Problem] = []
    ids: dict[str, Mode] = {}
    signatures: dict[tuple[str, frozenset[tuple[str, str]]], Mode] = {}
    for mode in modes:
        signature = (mode.equipment, frozenset((sign.role, f"{sign.shows} {sign.band}") for sign in mode.signature))
        twin = signatures.setdefault(signature, mode)
        if mode.id in ids:
            what = f"mode '{mode.id}' stands twice (first in {ids[mode.id].file}:{ids[mode.id].line})"
            problems.append(Problem(file=mode.file, line=mode.line, what=what, cure="give one of them another id, or remove it"))
        elif twin is not mode:
            opposite = {(t.role, t.move) for t in twin.actions if isinstance(t, Trim)} & {
                (t.role, "down" if t.move == "up" else "up") for t in mode.actions if isinstance(t, Trim)
            }
            what = f"modes '{twin.id}' and '{mode.id}' have the same signature" + (
                f" and move {next(iter(opposite))[0]} opposite ways" if opposite else ""
            )
            cure = "add the sign that tells them apart, or make them one mode"
            problems.append(Problem(file=mode.file, line=mode.line, what=what, cure=cure, severity="error" if opposite else "warning"))
        ids.setdefault(mode.id, mode)
    return problems


def _mode(parser: Parser, node: Any, line: int, known: set[str]) -> Mode | None:
    keys = (
        *("id", "name", "equipment", "kind", "instead_of", "mirror", "cause", "prior"),
        *("signature", "actions", "checks", "sources"),
    )
    found = parser.mapping(node, "a mode", line, keys)
    if found is None:
        return None
    name = parser.string(found, "id", "a mode")
    where = f"mode '{name}'"
    signs = [sign for item, at in parser.items(found, "signature", where) if (sign := _sign(parser, item, at, where, known)) is not None]
    parser.problems.extend(_against_itself(signs, found, where, parser.file))
    if signs and not any(sign.shows in MOVES or sign.shows == "frozen" for sign in signs):
        parser.wrong(line_of(found, "signature"), f"{where} expects nothing to move", "add a sign that moves when the mode is there")
    steps = [step for item, at in parser.items(found, "actions", where) if (step := _step(parser, item, at, where, known)) is not None]
    mirror = parser.flag(found, "mirror", where)
    if mirror and any(isinstance(step, Trim) for step in steps):
        cure = "write two modes, one for each direction with its own move, or leave the move to people"
        parser.wrong(line_of(found, "mirror"), f"{where} comes in either direction and yet moves a setpoint one way", cure)
    sources: list[str] = []
    for item, at in parser.items(found, "sources", where):
        if isinstance(item, str) and item.strip():
            sources.append(str(item))
        else:
            parser.wrong(at, f"{where}: a source must be text", "name the standard, book or paper")
    return Mode(
        id=name,
        name=parser.text(found.get("name"), f"{where}: 'name'", line_of(found, "name")),
        equipment=parser.string(found, "equipment", where),
        cause=parser.text(found.get("cause"), f"{where}: 'cause'", line_of(found, "cause")),
        prior=parser.number(found, "prior", where, 1.0, 0.01, 100.0),
        signature=tuple(signs),
        actions=tuple(steps),
        checks=tuple(parser.text(item, f"{where}: a check", at) for item, at in parser.items(found, "checks", where)),
        sources=tuple(sources),
        mirror=mirror,
        kind=parser.string(found, "kind", where) if "kind" in found else "",
        instead_of=tuple(str(item) for item, _ in parser.items(found, "instead_of", where, needed=False)),
        file=parser.file,
        line=line,
    )


EXCLUDE: tuple[frozenset[str], ...] = tuple(
    frozenset(pair)
    for pair in (
        *(("up", "down"), ("up", "steady"), ("down", "steady"), ("moved", "steady")),
        *(("calm", "more_variable"), ("calm", "wanders"), ("calm", "oscillates"), ("wanders", "oscillates"), ("quieter", "more_variable")),
        *(("frozen", "up"), ("frozen", "down"), ("frozen", "moved"), ("frozen", "more_variable"), ("alone", "steady")),
    )
)
"""What one role can't show at the same time."""


def _against_itself(signs: list[Sign], node: CommentedMap, where: str, file: str) -> list[Problem]:
    """One role with signs that exclude each other, or the same sign twice."""
    found: list[Problem] = []
    for place, sign in enumerate(signs):
        for other in signs[:place]:
            if other.role != sign.role or (other.band != sign.band and other.shows != sign.shows):
                continue
            if (other.shows == sign.shows and other.band == sign.band) or frozenset((other.shows, sign.shows)) in EXCLUDE:
                listed = node["signature"]
                line = int(listed.lc.item(place)[0]) + 1 if place < len(listed) else line_of(node, "signature")
                what = f"{where} expects '{sign.role}' to show both '{other.shows}' and '{sign.shows}'"
                found.append(Problem(file=file, line=line, what=what, cure="keep the sign that is meant, or make two modes of it"))
    return found


def _role(parser: Parser, node: CommentedMap, key: str, where: str, known: set[str]) -> str:
    role = parser.string(node, key, where)
    if role and role not in known:
        near = ", ".join(sorted(known, key=lambda other: (-len(set(other) & set(role)), other))[:5])
        parser.wrong(
            line_of(node, key), f"{where} names an unknown role '{role}'", f"give a tag that role, or write a known one ({near} …)"
        )
    return role


def _sign(parser: Parser, node: Any, line: int, where: str, known: set[str]) -> Sign | None:
    found = parser.mapping(node, f"{where}: a sign", line, ("role", "shows", "weight", "order", "band"))
    if found is None:
        return None
    shows = cast(Shows, parser.choice(found, "shows", where, SHOWS))
    if shows in ("frozen", "alone"):
        known = known | {ANY}
    return Sign(
        role=_role(parser, found, "role", where, known),
        shows=shows,
        weight=parser.number(found, "weight", where, 1.0, 0.0, 3.0),
        order=int(parser.number(found, "order", where, 0, 0, 20)),
        band=parser.string(found, "band", where) if "band" in found else "",
    )


def _step(parser: Parser, node: Any, line: int, where: str, known: set[str]) -> Step | None:
    if isinstance(node, CommentedMap) and ("notify" in node or "work_order" in node):
        found = parser.mapping(node, f"{where}: an advice", line, ("notify", "work_order"))
        assert found is not None  # noqa: S101 - checked to be a mapping just above
        kind: Literal["notify", "work_order"] = "work_order" if "work_order" in found else "notify"
        return Advice(kind=kind, text=parser.text(found[kind], f"{where}: '{kind}'", line_of(found, kind)))
    found = parser.mapping(node, f"{where}: an action", line, ("trim", "move", "by", "expect", "on"))
    if found is None:
        return None
    return Trim(
        role=_role(parser, found, "trim", where, known),
        move=cast(Literal["up", "down"], parser.choice(found, "move", where, ("up", "down"))),
        by=parser.number(found, "by", where, 1.0, 0.05, 1.0),
        expect_role=_role(parser, found, "on", where, known),
        expect=cast(Literal["falls", "rises"], parser.choice(found, "expect", where, ("falls", "rises"))),
    )


@functools.cache
def library() -> tuple[Mode, ...]:
    """The shipped modes, in file and line order. Raises SiteError where a shipped file is broken."""
    known = {role.id for role in roles()}
    modes: list[Mode] = []
    problems: list[Problem] = []
    for shipped in _shipped():
        parser = Parser(shipped.name)
        modes.extend(_modes(parser, shipped.top, known))
        problems.extend((*shipped.problems, *parser.problems))
    problems.extend(p for p in contradictions(modes) if p not in problems)
    if any(p.severity == "error" for p in problems):
        raise SiteError(tuple(problems))
    return tuple(modes)


def modes_of(site: Site) -> tuple[Mode, ...]:
    """The shipped library with the site's own modes, which win by id. Raises SiteError with every problem of the site's."""
    own: tuple[Mode, ...] = ()
    if site.modes:
        own, problems = read_modes(site.modes, "modes", {tag.role for tag in site.tags if tag.role})
        if any(p.severity == "error" for p in problems):
            raise SiteError(problems)
    ids = {mode.id for mode in own}
    return own + tuple(mode for mode in library() if mode.id not in ids)
