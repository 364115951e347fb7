"""`holdfast history`: a plant's own past in, the box's past out, and what there is of each tag."""

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from holdfast.cli.render import NO, Answer, fail, render
from holdfast.terms import plain

if TYPE_CHECKING:
    from holdfast.gate.history.bring import Brought, Mapped

HOME = Path("holdfast-home")
SITE = Path("site.yaml")
TAGS_SHOWN_MAX = 200
HomeOption = Annotated[Path, typer.Option(help="The folder that `holdfast run` is given.", envvar="HOLDFAST_HOME")]
ZoneOption = Annotated[str, typer.Option(help="Zone of times without an offset, as in the IANA list (Asia/Shanghai).")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]
group = typer.Typer(no_args_is_help=True, help="What was seen: bring in a plant's own past, take it out, see what there is.")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="history")


@group.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="CSV or Parquet, a column a tag, a row a time.")],
    site: Annotated[Path, typer.Option(help="The site file, which says what tags there are.", envvar="HOLDFAST_SITE")] = SITE,
    home: HomeOption = HOME,
    time: Annotated[str, typer.Option(help="The time column; without it, the one that looks like it.")] = "",
    timezone: ZoneOption = "",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="COLUMN=TAG, where a column is not called as its tag or tag number.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything, say what would become of it, change nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Bring a plant's recorded past into history. Interrupted, the same command goes on; nothing is brought in twice.

    The gate must not run meanwhile: history has one writer. 0: all rows are in. 1: some rows had no time, or cells were no numbers.
    """
    from holdfast.gate.history.bring import alone, bring, mapped
    from holdfast.gate.history.file import HistoryError
    from holdfast.gate.history.store import History
    from holdfast.site.load import load
    from holdfast.site.model import SiteError
    from holdfast.site.tables import tables

    try:
        loaded = load(site).site
        of = tuple(tables(loaded))
        zone = _zone(timezone or loaded.timezone, json=json)
        pairs = dict(_pair(text, json=json) for text in map_ or [])
        plans = [mapped(path, of, time, _of_file(path, time, pairs, files)) for path in files]
        file = home / "gate" / "history.db"
        with contextlib.ExitStack() as stack:
            history = None
            if not dry_run:
                stack.enter_context(alone(file.parent))
                history = stack.enter_context(contextlib.closing(History(file, durable=True, tables=of)))
            progress = stack.enter_context(_bar("import"))
            done = [bring(history, file, plan, of, zone, _of_all(progress, n, len(plans))) for n, plan in enumerate(plans)]
            if history:
                history.settle(progress)
    except (HistoryError, SiteError) as error:
        fail(str(error), json=json)
    render(_brought(done, plans, dry_run=dry_run), json=json)


@group.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write: .csv or .parquet.")],
    tags: Annotated[str, typer.Option(help="Names or patterns (line/*), by commas.")] = "*",
    from_: Annotated[str, typer.Option("--from", help="The first time (ISO 8601); without it, the oldest there is.")] = "",
    to: Annotated[str, typer.Option(help="The last time; without it, the newest there is.")] = "",
    timezone: ZoneOption = "UTC",
    status: Annotated[bool, typer.Option("--status", help="Beside each tag a column with its OPC UA status code.")] = False,
    home: HomeOption = HOME,
    json: JsonOption = False,
) -> None:
    """Write history as a table. The gate may run meanwhile. What was Bad is an empty cell."""
    from holdfast.gate.history.file import HistoryError
    from holdfast.gate.history.give import give, written
    from holdfast.gate.history.tabular import time_ns

    zone = _zone(timezone, json=json)
    if out.suffix.lower() not in (".csv", ".parquet", ".pq"):
        fail(f"--out {out}: give a name that ends in .csv or .parquet", json=json)
    bounds = [time_ns(text, zone) if text else None for text in (from_, to)]
    for text, bound in zip((from_, to), bounds, strict=True):
        if text and bound is None:
            fail(f"{text!r} is no time; write it as 2026-03-01T06:00:00", json=json)
    wanted = [tag.strip() for tag in tags.split(",") if tag.strip()]
    try:
        with _bar("export") as progress:
            found = give(_file(home, json=json), wanted, bounds[0], bounds[1], out, zone, status=status, progress=progress)
    except HistoryError as error:
        fail(str(error), json=json)
    span = (
        f"{written(found.from_ns, zone)} to {written(found.to_ns, zone)}" if found.from_ns is not None and found.to_ns is not None else ""
    )
    lines = (f"{found.rows} rows of {len(found.tags)} tags", span) if found.rows else ("no rows in that time",)
    render(Answer(data=plain(found), title=str(out), lines=lines, code=0 if found.rows else NO), json=json)


@group.command()
def stat(home: HomeOption = HOME, json: JsonOption = False) -> None:
    """What there is of each tag: rows, bytes a sample, from when to when, gaps. The gate may run meanwhile."""
    from holdfast.gate.history.file import HistoryError
    from holdfast.gate.history.give import written
    from holdfast.gate.history.stat import stat as found_in

    try:
        found = found_in(_file(home, json=json))
    except HistoryError as error:
        fail(str(error), json=json)
    utc = ZoneInfo("UTC")
    rows = tuple(
        (
            tag.tag,
            str(tag.rows),
            "" if tag.bytes_a_sample is None else f"{tag.bytes_a_sample:.2f}",
            written(tag.from_ns // 10**9 * 10**9, utc)[:19],
            written(tag.to_ns // 10**9 * 10**9, utc)[:19],
            f"{tag.gaps} ({tag.gap_s:.0f} s)" if tag.gaps else "",
        )
        for tag in found.tags[:TAGS_SHOWN_MAX]
    )
    more = len(found.tags) - TAGS_SHOWN_MAX
    lines = (
        f"{found.samples} samples, {found.unsealed} of them not sealed yet; {found.bytes_used} bytes used of a file of {found.bytes_file}",
        *((f"{more} more tags: --json has them all",) if more > 0 else ()),
    )
    columns = ("tag", "rows", "bytes each", "from (UTC)", "to (UTC)", "gaps")
    render(Answer(data=plain(found), title="history", columns=columns, rows=rows, lines=lines), json=json)


def _file(home: Path, *, json: bool) -> Path:
    file = home / "gate" / "history.db"
    if not file.exists():
        fail(f"{file}: there is no history here; give the right --home", json=json)
    return file


def _zone(name: str, *, json: bool) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        fail(f"--timezone {name}: no such zone; write it as in the IANA list, as Asia/Shanghai or UTC", json=json)


def _pair(text: str, *, json: bool) -> tuple[str, str]:
    column, equals, tag = text.rpartition("=")
    if not (column and equals and tag):
        fail(f"--map {text}: write it as COLUMN=TAG", json=json)
    return column.strip(), tag.strip()


def _of_file(path: Path, time: str, pairs: dict[str, str], files: list[Path]) -> dict[str, str]:
    """A mapping is for the files that have the column; with one file, a wrong column is an error there."""
    from holdfast.gate.history.file import HistoryError
    from holdfast.gate.history.tabular import look

    if not pairs:
        return {}
    columns = look(path, time).columns
    if len(files) == 1 and (missing := sorted(set(pairs) - set(columns))):
        raise HistoryError(f"{path}: no column {', '.join(missing)}; there are: {', '.join(columns)}")
    return {column: tag for column, tag in pairs.items() if column in columns}


@contextlib.contextmanager
def _bar(what: str) -> Generator[Callable[[float, str], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=f"{what}: {text}")


def _of_all(progress: Callable[[float, str], None], at: int, of: int) -> Callable[[float, str], None]:
    return lambda share, text: progress((at + share) / of, text)


def _brought(done: "list[Brought]", plans: "list[Mapped]", *, dry_run: bool) -> Answer:
    rows = tuple((b.path, str(b.rows), str(b.before), str(b.new), str(b.known), str(b.no_time)) for b in done)
    lines: list[str] = []
    for one, plan in zip(done, plans, strict=True):
        lines.append(f"{one.path}: {', '.join(column if column == tag else f'{column} is {tag}' for column, tag in plan.pairs)}")
        if plan.left:
            lines.append(f"{one.path}: left out, for no tag is called so: {', '.join(plan.left)}")
        lines += [f"{one.path}: {count} cells of {column} are no numbers: kept as Bad" for column, count in one.no_number]
        if one.no_time:
            lines.append(f"{one.path}: {one.no_time} rows have no time that can be read: left out")
    wrong = any(one.no_time or one.no_number for one in done)
    files = [{**plain(one), "pairs": plain(plan.pairs), "left": plain(plan.left)} for one, plan in zip(done, plans, strict=True)]
    title = "nothing was changed; an import would bring" if dry_run else "brought in"
    columns = ("file", "rows", "in before", "new", "known", "no time")
    return Answer(
        data={"files": files, "dry_run": dry_run}, title=title, columns=columns, rows=rows, lines=tuple(lines), code=NO if wrong else 0
    )
