"""`holdfast registers`: a few lines of a register map and a request to an exact Modbus request; a whole map to tags."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.models import ReaderHomeOption
from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.agent.models.registers.words import Request
    from holdfast.site.exports import Export

BYTES_MAX = 4_000_000  # of one map
LISTED_MAX = 200  # rows that a table shows; --json has all

Map = Annotated[str, typer.Argument(help="Text with the rows that matter and their heading; - reads standard input.")]
Lang = Annotated[str, typer.Option(help="en or zh.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Register maps: read a request exactly, or make tags of a map.")
    group.command("read")(read)
    group.command("import")(import_)
    app.add_typer(group, name="registers")


def read(
    map_: Map,
    request: Annotated[str, typer.Argument(help='As "read the voltage of phase B" or "把功率限值设为50%".')],
    home: ReaderHomeOption = None,
    lang: Lang = "en",
    json: Json = False,
) -> None:
    """The exact Modbus request, or what is missing for it. Sends nothing. Exit 1 where there is no answer."""
    from holdfast.agent.models.registers.read import read as answered
    from holdfast.agent.models.registers.tags import lacks
    from holdfast.agent.models.registers.words import Abstention, Refusal
    from holdfast.agent.models.spans import ModelUnusable
    from holdfast.cli.models import tagger_in_force
    from holdfast.language import say

    _language(lang, json=json)
    text = _text(map_, json=json)
    try:
        answer = answered(text, request, tagger_in_force("registers", home, json=json))
    except (ValueError, ModelUnusable) as error:
        fail(f"{map_}: {error}", json=json)
    match answer:
        case Refusal():
            data: dict[str, Any] = {"refuse": True, "reason_code": answer.reason, "missing": list(answer.missing)}
            render(Answer(data=data | {"text": lacks(answer, lang)}, lines=(lacks(answer, lang),), code=NO), json=json)
        case Abstention():
            line = say(
                "registers.abstained", {"abstention": answer.why.split("_", 1)[0] if "ungrounded" in answer.why else answer.why}, lang
            )
            render(Answer(data={"abstain": True, "why": answer.why, "text": line}, lines=(line,), code=NO), json=json)
        case _:
            render(_told(answer, lang), json=json)


def import_(
    map_: Map,
    connection: Annotated[str, typer.Option("--connection", help="The Modbus connection that the tags will be read over, by its name.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the tag list here (a new file). Without it nothing is written.")] = None,
    home: ReaderHomeOption = None,
    lang: Lang = "en",
    json: Json = False,
) -> None:
    """Turn a map into a tag list that a person confirms: what was understood, and what was left and why. Exit 1 if nothing was."""
    from holdfast.agent.models.registers.tags import understood
    from holdfast.agent.models.spans import ModelUnusable
    from holdfast.cli.models import tagger_in_force
    from holdfast.site.exports import csv_text

    _language(lang, json=json)
    if out is not None and out.exists():
        fail(f"{out} is there already: name a new file, then compare the two", json=json)
    text = _text(map_, json=json)
    try:
        export = understood(text, tagger_in_force("registers", home, json=json), language=lang)
    except (ValueError, ModelUnusable) as error:
        fail(f"{map_}: {error}", json=json)
    if out is not None and export.taken:
        try:
            with out.open("x", encoding="utf-8", newline="") as target:
                target.write(csv_text(export.taken, connection))
        except OSError as error:
            fail(f"{out} can't be written: {error.strerror or error}; name another place", json=json)
    render(_listed(map_, export, out), json=json)


def _told(request: "Request", lang: str) -> Answer:
    from holdfast.agent.models.registers.compile import pdu
    from holdfast.language import say

    frame = pdu(request)
    values = " ".join(str(value) for value in (*request.registers, *request.bits))
    facts = {
        "code": f"{request.function_code:02d}",
        "address": str(request.address),
        "hex": f"0x{request.address:04X}",
        "count": str(request.count),
        "kind": request.data_type,
        "values": values,
        "order": say(f"registers.order_{request.word_order}", {}, lang) if request.word_order else "",
    }
    told = [say("registers.write_request" if request.writes else "registers.read_request", facts, lang)]
    if request.scale != 1 or request.unit:
        told.append(say("registers.scaled", {"scale": f"{request.scale.normalize():f}", "unit": request.unit}, lang).rstrip())
    if request.offset:
        told.append(say("registers.shifted", {"offset": f"{request.offset.normalize():f}"}, lang))
    told += [say("registers.frame", {"pdu": frame.hex(" ")}, lang), say("registers.unsent", {}, lang)]
    data: dict[str, Any] = {
        "function_code": request.function_code,
        "address": request.address,
        "count": request.count,
        "data_type": request.data_type,
        "word_order": request.word_order,
        "byte_order": request.byte_order,
        "scale": float(request.scale),
        "offset": float(request.offset),
        "unit": request.unit or None,
        "value_registers": list(request.registers) or None,
        "value_bits": list(request.bits) or None,
        "pdu": frame.hex(),
    }
    return Answer(data={key: value for key, value in data.items() if value is not None or not key.startswith("value")}, lines=tuple(told))


def _listed(map_: str, export: "Export", out: Path | None) -> Answer:
    rows = tuple((str(t.line), t.name, t.address, t.type, "" if t.unit == "1" else t.unit, t.remark) for t in export.taken[:LISTED_MAX])
    told = [f"… and {len(export.taken) - LISTED_MAX} more"] if len(export.taken) > LISTED_MAX else []
    told += [f"  line {one.line}: {one.name}: left, {one.why}" for one in export.left[:LISTED_MAX]]
    told += [f"Check: {note}." for note in export.notes]
    written = out is not None and bool(export.taken)
    done = f"written to {out}; name it in the site file as `tags: {out.name}`" if out is not None and written else "nothing was written"
    if out is None and export.taken:
        done += ": say --out FILE.csv for that"
    told.append(f"{len(export.taken)} tags understood, {len(export.left)} rows left; {done}. Compare each with the map before it is used.")
    data = {"file": map_, "tags": export.taken, "left": export.left, "notes": export.notes, "written": str(out) if written else None}
    columns = ("line", "name", "address", "type", "unit", "remark")
    return Answer(data=data, title=map_, columns=columns, rows=rows, lines=tuple(told), code=DONE if export.taken else NO)


def _text(map_: str, *, json: bool) -> str:
    from holdfast.agent.knowledge.standards.documents import Unreadable, decoded

    try:
        if map_ == "-":
            content = sys.stdin.buffer.read(BYTES_MAX + 1)
        else:
            with Path(map_).open("rb") as file:
                content = file.read(BYTES_MAX + 1)
    except OSError as error:
        fail(f"{map_}: {error.strerror}; give a text file with the register map", json=json)
    if len(content) > BYTES_MAX:
        fail(f"{map_}: more than {BYTES_MAX} bytes; cut out the rows that matter, with their heading", json=json)
    try:
        return decoded(content, map_)
    except Unreadable as error:
        fail(str(error), json=json)


def _language(lang: str, *, json: bool) -> None:
    if lang not in ("en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)
