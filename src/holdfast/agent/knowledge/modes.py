"""Failure modes as data: what goes wrong, how it shows on tag roles, what to do about it, and who says so.

A signature speaks of roles (`role:` of a tag), so one library serves any plant. The shipped library lies beside this
file; a site's own modes come as text in `Site.modes` and replace shipped ones of the same id.
"""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from holdfast.site.model import Problem, Site, SiteError
from holdfast.terms import Word

Shows = Literal["up", "down", "moved", "steady", "more_variable", "frozen", "alone"]
SHOWS: tuple[Shows, ...] = get_args(Shows)
ANY = "any"  # a sign of no particular role: the tag that contributes most
BYTES_MAX = 1_000_000  # of one file
MODES_MAX = 500  # of one library
FOLDER = Path(__file__).parent


class Text(Word):
    """The same words in both languages."""

    en: str
    zh: str

    def of(self, language: Literal["en", "zh"]) -> str:
        return self.zh if language == "zh" else self.en


class Sign(Word):
    """What one role shows when the mode is present. `weight` 0..3; `order` > 0: modes' own sequence in time."""

    role: str
    shows: Shows
    weight: float = 1.0
    order: int = 0


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
    id: str
    name: Text
    equipment: str
    cause: Text
    prior: float
    signature: tuple[Sign, ...]
    actions: tuple[Step, ...]
    checks: tuple[Text, ...]
    sources: tuple[str, ...]
    file: str = ""
    line: int = 0

    def roles(self) -> tuple[str, ...]:
        return tuple(sign.role for sign in self.signature)


class Role(Word):
    """What a tag means, whatever it is called."""

    id: str
    name: Text


class Parser:
    """Reads one YAML text and collects every problem with its line; nothing raises."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def wrong(self, line: int, what: str, cure: str, severity: Literal["error", "warning"] = "error") -> None:
        self.problems.append(Problem(file=self.file, line=line, what=what, cure=cure, severity=severity))

    def load(self, text: str) -> Any:
        if len(text.encode()) > BYTES_MAX:
            self.wrong(1, f"the file is larger than {BYTES_MAX} bytes", "split it into several files")
            return None
        try:
            return YAML(typ="rt", pure=True).load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = 1 if mark is None else int(mark.line) + 1
            self.wrong(line, f"this is not YAML: {error.problem or error.context}", "mend the line; keys may stand only once")
        except YAMLError as error:
            self.wrong(1, f"this is not YAML: {error}", "mend the file")
        return None

    def mapping(self, node: Any, where: str, line: int, known: tuple[str, ...]) -> CommentedMap | None:
        if not isinstance(node, CommentedMap):
            self.wrong(line, f"{where} must be a mapping", f"write the keys {', '.join(known)}")
            return None
        for key in node:
            if key not in known:
                self.wrong(line_of(node, str(key)), f"{where} has no key '{key}'", f"the keys are {', '.join(known)}")
        return node

    def items(self, node: CommentedMap, key: str, where: str, *, needed: bool = True) -> list[tuple[Any, int]]:
        found = node.get(key)
        if found is None and not needed:
            return []
        if not isinstance(found, CommentedSeq) or not found:
            self.wrong(line_of(node, key), f"{where}: '{key}' must be a list with at least one item", f"write '{key}: [...]'")
            return []
        return [(item, int(found.lc.item(i)[0]) + 1) for i, item in enumerate(found)]

    def string(self, node: CommentedMap, key: str, where: str) -> str:
        value = node.get(key)
        if not isinstance(value, str) or not value.strip():
            self.wrong(line_of(node, key), f"{where}: '{key}' must be text", f"write '{key}: ...'")
            return ""
        return str(value).strip()

    def number(self, node: CommentedMap, key: str, where: str, default: float, low: float, high: float) -> float:
        value = node.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= float(value) <= high:
            self.wrong(line_of(node, key), f"{where}: '{key}' is {value!r}", f"write a number from {low:g} to {high:g}")
            return default
        return float(value)

    def choice(self, node: CommentedMap, key: str, where: str, of: tuple[str, ...]) -> str:
        value = node.get(key)
        if value not in of:
            self.wrong(line_of(node, key), f"{where}: '{key}' is {value!r}", f"write one of {', '.join(of)}")
            return of[0]
        return str(value)

    def text(self, node: Any, where: str, line: int) -> Text:
        pair = self.mapping(node, where, line, ("en", "zh"))
        if pair is None:
            return Text(en="", zh="")
        return Text(en=self.string(pair, "en", where), zh=self.string(pair, "zh", where))


def line_of(node: CommentedMap, key: str) -> int:
    """1-based line of a key, or of the mapping where the key is missing."""
    try:
        return int(node.lc.key(key)[0]) + 1
    except (KeyError, AttributeError, TypeError):
        return int(node.lc.line) + 1


@functools.cache
def roles() -> tuple[Role, ...]:
    """The vocabulary of `role:`. Raises SiteError where roles.yaml is broken."""
    path = FOLDER / "roles.yaml"
    parser = Parser(path.name)
    top = parser.mapping(parser.load(path.read_text("utf-8")), "the file", 1, ("roles",))
    found: list[Role] = []
    listed = None if top is None else top.get("roles")
    if isinstance(listed, CommentedMap):
        for name, pair in listed.items():
            found.append(Role(id=str(name), name=parser.text(pair, f"role {name}", line_of(listed, str(name)))))
    if parser.problems or not found:
        raise SiteError(tuple(parser.problems))
    return tuple(found)


def read_modes(text: str, file: str, more_roles: Iterable[str] = ()) -> tuple[tuple[Mode, ...], tuple[Problem, ...]]:
    """The modes of one YAML text with all its problems. `more_roles`: a site's own roles beside the shipped ones."""
    parser = Parser(file)
    loaded = parser.load(text)
    if parser.problems:
        return (), tuple(parser.problems)
    top = parser.mapping(loaded, "the file", 1, ("holdfast_modes", "modes"))
    if top is None:
        return (), tuple(parser.problems)
    if top.get("holdfast_modes") != 1:
        parser.wrong(line_of(top, "holdfast_modes"), "the version of the file is missing or unknown", "write 'holdfast_modes: 1'")
    known = {role.id for role in roles()} | set(more_roles)
    modes = [mode for node, line in parser.items(top, "modes", "the file") if (mode := _mode(parser, node, line, known)) is not None]
    if len(modes) > MODES_MAX:
        parser.wrong(1, f"more than {MODES_MAX} modes", "split the library")
    parser.problems.extend(contradictions(modes))
    return tuple(modes), tuple(parser.problems)


def contradictions(modes: Iterable[Mode]) -> list[Problem]:
    """Modes that no reader could tell apart: the same id twice, or the same signature with another action."""
    problems: list[Problem] = []
    ids: dict[str, Mode] = {}
    signatures: dict[tuple[str, frozenset[tuple[str, str]]], Mode] = {}
    for mode in modes:
        signature = (mode.equipment, frozenset((sign.role, sign.shows) for sign in mode.signature))
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
    keys = ("id", "name", "equipment", "cause", "prior", "signature", "actions", "checks", "sources")
    found = parser.mapping(node, "a mode", line, keys)
    if found is None:
        return None
    name = parser.string(found, "id", "a mode")
    where = f"mode '{name}'"
    signs = [sign for item, at in parser.items(found, "signature", where) if (sign := _sign(parser, item, at, where, known)) is not None]
    if signs and all(sign.shows == "steady" for sign in signs):
        parser.wrong(line_of(found, "signature"), f"{where} expects nothing to move", "add a sign that moves when the mode is there")
    steps = [step for item, at in parser.items(found, "actions", where) if (step := _step(parser, item, at, where, known)) is not None]
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
        file=parser.file,
        line=line,
    )


def _role(parser: Parser, node: CommentedMap, key: str, where: str, known: set[str]) -> str:
    role = parser.string(node, key, where)
    if role and role not in known:
        near = ", ".join(sorted(known, key=lambda other: (-len(set(other) & set(role)), other))[:5])
        parser.wrong(
            line_of(node, key), f"{where} names an unknown role '{role}'", f"give a tag that role, or write a known one ({near} …)"
        )
    return role


def _sign(parser: Parser, node: Any, line: int, where: str, known: set[str]) -> Sign | None:
    found = parser.mapping(node, f"{where}: a sign", line, ("role", "shows", "weight", "order"))
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
    modes: list[Mode] = []
    problems: list[Problem] = []
    for path in sorted((FOLDER / "modes").glob("*.yaml")):
        found, wrong = read_modes(path.read_text("utf-8"), path.name)
        modes.extend(found)
        problems.extend(wrong)
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
