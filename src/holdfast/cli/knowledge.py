"""`holdfast knowledge`: whether failure modes hold together and where they fit a site; what people said past causes were."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.asking import ask, password_of
from holdfast.cli.people import HOME, HomeOption
from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.agent.diagnosis.fit import Fit
    from holdfast.agent.knowledge.modes import Mode
    from holdfast.site.load import Loaded
    from holdfast.site.model import Problem

AsOption = Annotated[str, typer.Option("--as", help="Your name, as `holdfast people list` has it.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is signed with the act.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Failure modes, and what people said the causes of past incidents were.")
    group.command("check")(check)
    group.command("cases")(cases)
    group.command("confirm")(confirm)
    group.command("retract")(retract)
    app.add_typer(group, name="knowledge")


def check(
    file: Annotated[Path | None, typer.Argument(help="A file of failure modes; the shipped library, without.")] = None,
    site: Annotated[Path | None, typer.Option(help="Also tell where the modes fit this site, and where they fit nothing.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    lang: Annotated[str, typer.Option(help="Of the modes' names: en or zh.")] = "en",
    json: Json = False,
) -> None:
    """Report unknown roles, contradictions and modes that fit nothing: file, line, cause, cure. Exit 1 if there are errors."""
    from holdfast.agent.diagnosis.fit import fits, strange_kinds, unfit
    from holdfast.agent.knowledge.modes import library

    if lang not in ("en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)
    loaded = None if site is None else _loaded(site, json=json)
    modes, problems = (library(), []) if file is None and not _own(loaded) else _read(file, loaded, json=json)
    table: Sequence[Fit] = ()
    if loaded is not None:
        shipped = tuple(mode for mode in library() if mode.id not in {one.id for one in modes})
        everything = (*modes, *(shipped if file is None else ()))
        table = fits(loaded.site, everything)
        if file is not None or _own(loaded):  # of the shipped library most modes are about other plants
            problems += unfit(loaded.site, modes)
        problems += strange_kinds(loaded.site, (*modes, *shipped), loaded.file)
    errors = [p for p in problems if p.severity == "error" or strict]
    rows = tuple(
        (fit.mode.id, fit.mode.name.zh if lang == "zh" else fit.mode.name.en, ", ".join(fit.places)) for fit in table if fit.places
    )
    kinds = sorted({mode.kind for mode in modes if mode.kind})
    told = f"{len(modes)} modes, {len(errors)} errors, {len(problems) - len(errors)} warnings"
    lines = [*(f"{p.severity}: {p}" for p in problems), *((f"kinds of equipment: {', '.join(kinds)}",) if kinds else ()), told]
    data = {
        "file": None if file is None else str(file),
        "ok": not errors,
        "modes": [mode.id for mode in modes],
        "kinds": kinds,
        "problems": tuple(problems),
        "fits": [{"mode": fit.mode.id, "equipment": fit.places, "missing": fit.missing} for fit in table],
    }
    columns = ("mode", "name", "fits") if rows else ()
    render(Answer(data=data, columns=columns, rows=rows, lines=tuple(lines), code=NO if errors else DONE), json=json)


def cases(home: HomeOption = HOME, json: Json = False) -> None:
    """What people said the causes of past incidents were, the newest first."""
    found = ask(home, lambda desk: desk.look("/v1/causes", {}), json=json)
    rows = tuple((_utc(one["at_ns"]), one["incident"], one["mode"], one["told"], one["person"]) for one in found)
    lines = () if found else ("no cause of an incident was confirmed yet: `holdfast knowledge confirm INCIDENT MODE --as PERSON`",)
    columns = ("at (UTC)", "incident", "cause", "diagnosis said", "by")
    render(Answer(data={"cases": found}, columns=columns, rows=rows, lines=lines), json=json)


def confirm(
    incident: Annotated[str, typer.Argument(help="The incident, as `holdfast incidents list` has it.")],
    mode: Annotated[str, typer.Argument(help="The failure mode that was the cause, by its id, or 'none of these'.")],
    person: AsOption,
    home: HomeOption = HOME,
    reason: ReasonOption = "",
    json: Json = False,
) -> None:
    """Confirm or correct the cause of an incident; the next ranking has learnt it. Signed, on record, and taken back by `retract`."""
    from holdfast.agent.diagnosis.rank import NONE
    from holdfast.agent.knowledge.modes import library

    body = {"incident": incident, "mode": mode, "person": person, "password": password_of(person, json=json), "reason": reason}
    found = ask(home, lambda desk: desk.act("/v1/causes", body), json=json)
    shipped = {one.id for one in library()} | {NONE}
    strange = () if mode.split("@")[0] in shipped else (f"{mode} is no shipped mode; it counts if the site's own file has it",)
    what = "confirmed" if found["told"] == mode else f"put in place of {found['told'] or 'no cause'}"
    render(Answer(data={"case": found}, lines=(f"{incident}: {mode} is {what}", *strange)), json=json)


def retract(
    incident: Annotated[str, typer.Argument(help="The incident whose cause was confirmed.")],
    person: AsOption,
    home: HomeOption = HOME,
    reason: ReasonOption = "",
    json: Json = False,
) -> None:
    """Take back what was said of an incident's cause."""
    body = {"incident": incident, "person": person, "password": password_of(person, json=json), "reason": reason}
    found = ask(home, lambda desk: desk.act("/v1/causes/retract", body), json=json)
    render(Answer(data={"case": found}, lines=(f"{incident}: {found['mode']} counts no more",)), json=json)


def _utc(ns: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def _own(loaded: "Loaded | None") -> bool:
    return loaded is not None and bool(loaded.modes_file)


def _read(file: Path | None, loaded: "Loaded | None", *, json: bool) -> "tuple[tuple[Mode, ...], list[Problem]]":
    """The modes of a file, or of the site's own; a site's own roles are known roles."""
    from holdfast.agent.knowledge.modes import read_modes

    path = Path(loaded.modes_file) if file is None and loaded is not None else file
    assert path is not None  # noqa: S101 - without a file the site has modes of its own
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        fail(f"{path}: {error.strerror}; give a YAML file that begins with 'holdfast_modes: 1'", json=json)
    except UnicodeDecodeError as error:
        fail(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8", json=json)
    roles = set[str]() if loaded is None else {tag.role for tag in loaded.site.tags if tag.role}
    modes, problems = read_modes(text, str(path), roles)
    return modes, list(problems)


def _loaded(site: Path, *, json: bool) -> "Loaded":
    from holdfast.site.load import load
    from holdfast.site.model import SiteError

    try:
        return load(site)
    except SiteError as error:
        fail(str(error), json=json)
