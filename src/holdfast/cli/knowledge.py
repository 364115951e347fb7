"""`holdfast knowledge`: whether failure modes hold together, and where they fit a site."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.agent.diagnosis.fit import Fit
    from holdfast.agent.knowledge.modes import Mode
    from holdfast.site.load import Loaded
    from holdfast.site.model import Problem

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Failure modes: whether they hold together, and where they fit a site.")
    group.command("check")(check)
    group.callback()(lambda: None)
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
