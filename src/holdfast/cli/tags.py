"""`holdfast tags`: what a device or server has, what it reads now and from now on, and other tools' tag lists. Nothing is written to it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render
from holdfast.cli.tags_import import import_

if TYPE_CHECKING:
    from holdfast.ports import Connector
    from holdfast.site.model import Connection, Site
    from holdfast.terms import Sample, Tag

T = TypeVar("T")
LISTED_MAX = 1000
WATCHED_MAX = 200  # tags of one live table
UNLISTED = {"modbus": "40001:float32", "s7": "DB10.DBD4:REAL"}  # protocols without a list of what there is
AGAIN_S, AGAIN_S_MAX = 1.0, 30.0  # after a loss, doubled each time

Target = Annotated[
    str, typer.Argument(help="opc.tcp://HOST:PORT, modbus://HOST:PORT/UNIT, s7://HOST/RACK/SLOT, mqtt://HOST, or a connection of --site.")
]
Addresses = Annotated[list[str], typer.Argument(help="Addresses (Stand4.Vibration, 40001:float32), or tags of the site file.")]
SiteFile = Annotated[Path | None, typer.Option("--site", help="The site file that names the connection.")]
Security = Annotated[str, typer.Option("--security", help="none or Basic256Sha256 (with --server).")]
Server = Annotated[str, typer.Option("--server", help="file: of the server's certificate.")]
Namespace = Annotated[str, typer.Option("--namespace", help="URI of the namespace of addresses that name none.")]
Login = Annotated[str, typer.Option("--login", help="env:NAME or file:PATH with user:password.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: one object, of `watch` one a row.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Browse, read and watch a device or server; import tag lists. Writes nothing to it.")
    group.command()(browse)
    group.command()(read)
    group.command()(watch)
    group.command("import")(import_)
    app.add_typer(group, name="tags")


def browse(
    target: Target,
    under: Annotated[str, typer.Option("--under", help="Browse below this node only.")] = "",
    find: Annotated[str, typer.Option("--find", help="Only those with this in address or description.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="Stop after so many.", min=1)] = LISTED_MAX,
    site: SiteFile = None,
    security: Security = "",
    server: Server = "",
    namespace: Namespace = "",
    login: Login = "",
    json: Json = False,
) -> None:
    """List what a server has: address, type, unit, range, and whether this account may write it."""
    connection, _, folder = _opened(target, site, {"security": security, "server": server, "namespace": namespace, "login": login}, json)

    async def listed(reader: "Connector") -> "list[Tag]":
        found: list[Tag] = []
        async for tag in reader.browse(under):
            if find.casefold() in f"{tag.address} {tag.description}".casefold():
                found.append(tag)
            if len(found) > limit:
                break
        return found

    found = _with(connection, folder, listed, json)
    if not found and connection.type in UNLISTED:
        cure = f"give addresses from its manual to `holdfast tags read`, as {UNLISTED[connection.type]}"
        fail(f"{target}: such a device can't be asked what it has; {cure}", json=json)
    more = len(found) > limit
    rows = tuple(
        (t.address, t.type, "" if t.unit == "1" else t.unit, _span(t), "yes" if t.writable else "", t.description) for t in found[:limit]
    )
    lines = (f"More than {limit}: narrow it with --under or --find, or raise --limit.",) if more else (f"{len(rows)} variables",)
    data = {"target": target, "tags": tuple(found[:limit]), "more": more}
    render(Answer(data=data, columns=("address", "type", "unit", "range", "may write", "description"), rows=rows, lines=lines), json=json)


def read(
    target: Target,
    addresses: Addresses,
    site: SiteFile = None,
    security: Security = "",
    server: Server = "",
    namespace: Namespace = "",
    login: Login = "",
    json: Json = False,
) -> None:
    """Read addresses once. Exit 1 if one of them can't be read."""
    connection, known, folder = _opened(
        target, site, {"security": security, "server": server, "namespace": namespace, "login": login}, json
    )
    tags = _tags(addresses, connection, known, json)

    async def samples(reader: "Connector") -> "Sequence[Sample]":
        return await reader.read(tags)

    found = _with(connection, folder, samples, json)
    told = [_told(tag, sample) for tag, sample in zip(tags, found, strict=True)]
    bad = sum(not row["good"] for row in told)
    rows = tuple((str(row["tag"]), str(row["shown"]), str(row["unit"]), str(row["quality"]), str(row["source_time"])) for row in told)
    lines = (f"{bad} of {len(rows)} can't be read: check these addresses with `holdfast tags browse {target}`",) if bad else ()
    data = {"target": target, "values": tuple(told)}
    columns = ("tag", "value", "unit", "quality", "source time (UTC)")
    render(Answer(data=data, columns=columns, rows=rows, lines=lines, code=NO if bad else DONE), json=json)


def watch(
    target: Target,
    addresses: Addresses,
    every: Annotated[float, typer.Option("--every", help="Seconds between rows.", min=0.05, max=3600)] = 1.0,
    rows: Annotated[int, typer.Option("--rows", help="Stop after so many rows; 0 goes on until Ctrl-C.", min=0)] = 0,
    site: SiteFile = None,
    security: Security = "",
    server: Server = "",
    namespace: Namespace = "",
    login: Login = "",
    json: Json = False,
) -> None:
    """Watch addresses live, until Ctrl-C. A lost connection is shown as lost, and tried again."""
    connection, known, folder = _opened(
        target, site, {"security": security, "server": server, "namespace": namespace, "login": login}, json
    )
    tags = _tags(addresses, connection, known, json)
    if len(tags) > WATCHED_MAX:
        fail(f"{len(tags)} tags are more than a table shows; watch {WATCHED_MAX} at most", json=json)
    shown = _Printed() if json else _Table(target)

    async def watched() -> None:
        count = 0
        async with contextlib.aclosing(_rows(connection, folder, tags, every)) as coming:
            async for state, told in coming:
                shown.show(state, told)
                count += bool(told)
                if rows and count >= rows:
                    return

    with shown, contextlib.suppress(KeyboardInterrupt):
        _run(watched(), json)
    raise typer.Exit(DONE)


# ---- what is shown ---------------------------------------------------------------------------------------------------

Told = dict[str, Any]  # one line of an answer, as --json prints it


class _Printed:
    """One JSON object a row."""

    def __enter__(self) -> "_Printed":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, state: str, told: "list[Told]") -> None:
        import json as jsonlib
        import sys

        sys.stdout.write(jsonlib.dumps({"state": state, "values": told}, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()


class _Table:
    """A table that is drawn anew with each row."""

    def __init__(self, target: str) -> None:
        from rich.live import Live

        self._target = target
        self._last: list[Told] = []
        self._live = Live(auto_refresh=False, transient=False)

    def __enter__(self) -> "_Table":
        self._live.__enter__()
        return self

    def __exit__(self, *found: Any) -> None:
        self._live.__exit__(*found)

    def show(self, state: str, told: "list[Told]") -> None:
        from rich.table import Table
        from rich.text import Text

        self._last = told or self._last
        table = Table(box=None, pad_edge=False, header_style="dim", title=f"{self._target}: {state}", title_justify="left")
        for column, side in (("tag", "left"), ("value", "right"), ("unit", "left"), ("quality", "left"), ("source time (UTC)", "left")):
            table.add_column(column, justify="right" if side == "right" else "left")
        for row in self._last:
            style = "" if row["good"] and told else "dim" if row["good"] else "red"
            cells = (row["tag"], row["shown"], row["unit"], row["quality"] if told else "lost", row["source_time"])
            table.add_row(*(Text(str(cell)) for cell in cells), style=style)
        self._live.update(table, refresh=True)


def _told(tag: "Tag", sample: "Sample") -> Told:
    from holdfast.language import number
    from holdfast.terms import GOOD

    good, value = sample.status == GOOD, sample.value
    if isinstance(value, float) and value != value:
        value = None
    shown = "" if value is None else number(repr(value)) if isinstance(value, float) else str(value)
    names = {float(code): name for code, name in tag.states}
    if isinstance(value, float | int) and float(value) in names:
        shown = names[float(value)]
    quality = "Good" if good else f"0x{sample.status:08X}"
    return {
        "tag": tag.name or tag.address,
        "address": tag.address,
        "value": value,
        "shown": shown,
        "unit": "" if tag.unit == "1" else tag.unit,
        "status": sample.status,
        "quality": quality,
        "good": good,
        "source_time": _utc(sample.source_ns) if value is not None else "",
    }


def _utc(at_ns: int) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(at_ns / 1e9, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _span(tag: "Tag") -> str:
    from holdfast.language import number

    return "" if tag.eu_range is None else " … ".join(number(repr(end)) for end in tag.eu_range)


# ---- asking ----------------------------------------------------------------------------------------------------------


def _opened(target: str, site: Path | None, options: dict[str, str], json: bool) -> "tuple[Connection, Site | None, Path]":
    """(connection, the site if one was named, the folder that `file:` begins from)."""
    from holdfast.site.load import load
    from holdfast.site.model import SiteError
    from holdfast.site.named import connection_named

    try:
        known = load(site).site if site is not None else None
        connection = connection_named(target, known, {key: value for key, value in options.items() if value})
    except SiteError as error:
        fail("\n".join(str(p) for p in error.problems), json=json)
    except (ValueError, OSError) as error:
        fail(str(error), json=json)
    return connection, known, site.parent if site is not None else Path()


def _tags(addresses: list[str], connection: "Connection", site: "Site | None", json: bool) -> "list[Tag]":
    from holdfast.terms import Tag

    named = {tag.name: tag for tag in site.tags} if site is not None else {}
    found: list[Tag] = []
    for text in addresses:
        if text in named and named[text].connection != connection.name:
            fail(f"{text} is read over {named[text].connection}, not over {connection.name}", json=json)
        found.append(named.get(text) or Tag(name=text, connection=connection.name, address=text, unit="1"))
    if len({tag.name for tag in found}) < len(found):
        fail("an address stands there twice; name each once", json=json)
    return found


def _with(connection: "Connection", folder: Path, act: "Callable[[Connector], Awaitable[T]]", json: bool) -> T:
    """Connect, act, close."""

    async def done() -> T:
        async with _connector(connection, folder) as connector:
            await connector.connect()
            return await act(connector)

    return _run(done(), json)


def _run(work: "Coroutine[Any, Any, T]", json: bool) -> T:
    from holdfast.plugins import PluginError
    from holdfast.ports import ConnectionLost
    from holdfast.site.secrets import SecretError

    try:
        return asyncio.run(work)
    except (ConnectionLost, PluginError, SecretError, ValueError, OSError) as error:
        fail(str(error) or type(error).__name__, json=json)


@contextlib.asynccontextmanager
async def _connector(connection: "Connection", folder: Path) -> "AsyncGenerator[Connector]":
    """Made, and closed whatever happens; the certificate of this call's own is not kept."""
    import tempfile

    from holdfast.clock import RealClock
    from holdfast.site import plugged

    with tempfile.TemporaryDirectory() as state:
        connector = plugged.open_connector(connection, folder, clock=RealClock(), state_dir=Path(state))
        try:
            yield connector
        finally:
            await connector.close()


async def _rows(connection: "Connection", folder: Path, tags: "list[Tag]", every_s: float) -> "AsyncGenerator[tuple[str, list[Told]]]":
    """(state, values) each period; no values while the connection is lost. The first connection that fails raises."""
    import dataclasses

    from holdfast.ports import ConnectionLost
    from holdfast.terms import Sample, TagTable

    tags = [dataclasses.replace(tag, period_s=every_s) for tag in tags]
    table = TagTable(id=f"{connection.name}@{every_s}", connection=connection.name, period_s=every_s, tags=tuple(tags))
    again_s, ever = AGAIN_S, False
    async with _connector(connection, folder) as connector:
        while True:
            try:
                await connector.connect()
                ever = True
                async with contextlib.aclosing(connector.subscribe(table)) as frames:  # type: ignore[type-var]
                    async for frame in frames:
                        again_s = AGAIN_S
                        newest = zip(tags, frame.values[-1], frame.status[-1], frame.source_ns[-1], strict=True)
                        told = [_told(t, Sample(tag=t.name, value=float(v), status=int(s), source_ns=int(at))) for t, v, s, at in newest]
                        yield "connected", told
                why = "the connection is lost"
            except ConnectionLost as lost:
                if not ever:
                    raise
                why = str(lost)
            await connector.close()
            yield f"LOST, tried again in {again_s:.0f} s ({why})", []
            await asyncio.sleep(again_s)
            again_s = min(again_s * 2, AGAIN_S_MAX)
