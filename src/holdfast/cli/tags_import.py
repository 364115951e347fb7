"""`holdfast tags import`: an export of Kepware, TIA Portal or Ignition as a tag list of ours, each line told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.site.exports import Export, Options, Taken

LISTED_MAX = 200  # lines of each table; --json has all
NAMES = {"opcua": "OPC UA", "modbus": "Modbus", "s7": "S7"}


def import_(
    file: Annotated[Path, typer.Argument(help="The export: Kepware CSV, TIA .xlsx/.xml/.csv/.db, Ignition JSON.")],
    connection: Annotated[str, typer.Option("--connection", help="The connection that the tags will be read over, by its name.")],
    kind: Annotated[str, typer.Option("--kind", help="kepware, tia or ignition; told from the file if left out.")] = "",
    protocol: Annotated[
        str, typer.Option("--protocol", help="opcua, modbus or s7; that of --site's connection, or told from the file.")
    ] = "",
    word_order: Annotated[str, typer.Option("--word-order", help="big or little: which of two Modbus registers comes first.")] = "",
    source: Annotated[str, typer.Option("--source", help="Of several devices or OPC servers in it, the one that is wanted.")] = "",
    under: Annotated[str, typer.Option("--under", help="Channel.Device, for tags read from KEPServerEX over OPC UA.")] = "",
    db: Annotated[int, typer.Option("--db", help="The data block's number, for its source (.db).", min=0, max=65_535)] = 0,
    site: Annotated[Path | None, typer.Option("--site", help="The site file that has the connection.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the tag list here (a new file). Without it nothing is written.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Turn an export into a tag list; shows what was understood and what was left, and why. Exit 1 if nothing was."""
    from holdfast.site.exports import Options, csv_text

    if word_order not in ("", "big", "little"):
        fail(f'--word-order "{word_order}": write big or little', json=json)
    if out is not None and out.exists():
        fail(f"{out} is there already: name a new file, then compare the two", json=json)
    options = Options(protocol=_protocol(connection, protocol, site, json), word_order=word_order, source=source, under=under, db=db)
    export = _understood(file, options, kind, json)
    if out is not None and export.taken:
        try:
            with out.open("x", encoding="utf-8", newline="") as target:
                target.write(csv_text(export.taken, connection))
        except OSError as error:
            fail(f"{out} can't be written: {error.strerror or error}; name another place", json=json)
    render(_answer(file, export, out), json=json)


def _protocol(connection: str, protocol: str, site: Path | None, json: bool) -> str:
    """What the site file says of the connection; a word on the command line must agree."""
    if protocol not in ("", *NAMES):
        fail(f'--protocol "{protocol}": write one of {", ".join(NAMES)}', json=json)
    if site is None:
        return protocol
    from holdfast.site.load import load
    from holdfast.site.model import SiteError

    try:
        known = {c.name: c.type for c in load(site).site.connections}
    except SiteError as error:
        fail("\n".join(str(p) for p in error.problems), json=json)
    if connection not in known:
        fail(f'{site} has no connection "{connection}"; it has {", ".join(known) or "none"}', json=json)
    if known[connection] not in NAMES:
        fail(f"{connection} is of type {known[connection]}: no export has addresses for that", json=json)
    if protocol not in ("", known[connection]):
        fail(f"{connection} is of type {known[connection]}, not {protocol}: leave --protocol out", json=json)
    return known[connection]


def _understood(file: Path, options: "Options", kind: str, json: bool) -> "Export":
    from holdfast.site.exports import understand
    from holdfast.site.exports.found import NotUnderstood
    from holdfast.site.exports.text import BYTES_MAX

    try:
        with file.open("rb") as opened:
            data = opened.read(BYTES_MAX + 1)
        return understand(data, options, kind)
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror or error}; check the name", json=json)
    except NotUnderstood as why:
        fail(f"{file}: {why}", json=json)


def _answer(file: Path, export: "Export", out: Path | None) -> Answer:
    rows = [_row(tag) for tag in export.taken[:LISTED_MAX]]
    lines = [f"… and {len(export.taken) - LISTED_MAX} more"] if len(export.taken) > LISTED_MAX else []
    lines += [f"  {_line(one.line)}{one.name or '(no name)'}: left, {one.why}" for one in export.left[:LISTED_MAX]]
    lines += [f"  … and {len(export.left) - LISTED_MAX} more were left"] if len(export.left) > LISTED_MAX else []
    lines += [f"Check: {note}." for note in export.notes]
    written = out is not None and bool(export.taken)
    done = f"written to {out}; name it in the site file as `tags: {out.name}`" if out is not None and written else "nothing was written"
    if out is None and export.taken:
        done += ": say --out FILE.csv for that"
    lines.append(f"{len(export.taken)} tags understood, {len(export.left)} lines left; {done}.")
    data = {
        "file": str(file),
        "kind": export.kind,
        "tags": export.taken,
        "left": export.left,
        "notes": export.notes,
        "written": str(out) if written else None,
    }
    columns = ("line", "name", "address", "type", "unit", "every", "remark")
    code = DONE if export.taken else NO
    return Answer(data=data, title=f"{file.name}: {export.kind}", columns=columns, rows=tuple(rows), lines=tuple(lines), code=code)


def _row(tag: "Taken") -> tuple[str, ...]:
    every = "" if tag.every_s is None else f"{tag.every_s:g} s"
    unit = "" if tag.unit == "1" else tag.unit
    return (str(tag.line or ""), tag.name, tag.address, tag.type, unit, every, tag.remark)


def _line(line: int) -> str:
    return f"line {line}: " if line else ""
