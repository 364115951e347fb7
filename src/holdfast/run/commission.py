"""The commissioning protocol of one loop as a page to print: Markdown or HTML, in Chinese or English, made from codes alone."""

import datetime
import html
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from holdfast.gate.actuation.rungs import RUNGS
from holdfast.language import number, say
from holdfast.terms import SECOND_NS, Word

LEADS = ("refuse", "ask", "permit")


class Part(Word):
    """A heading, a line of text, or a table whose first row is its head."""

    kind: Literal["title", "heading", "text", "table"]
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def protocol(found: Mapping[str, Any], language: str) -> tuple[Part, ...]:
    """`found` is the gate's answer about a loop (`GET /v1/commission`)."""
    return (*_head(found, language), *_rungs(found, language), *_matrix(found, language))


def checks(evidence: Mapping[str, Any], language: str) -> tuple[tuple[str, str], ...]:
    """Each check's result and sentence."""
    return tuple(
        (say("protocol.passed" if c["passed"] else "protocol.failed", {}, language), _sentence(c, language)) for c in evidence["checks"]
    )


def figures(evidence: Mapping[str, Any], language: str) -> tuple[tuple[str, str], ...]:
    """Each measured number with what it is."""
    rows: list[tuple[str, str]] = []
    for name, value in evidence["figures"]:
        code = name.partition("code:")[2]
        word = say("figure.refused_by", {"code": code}, language) if code else say(f"figure.{name}", {}, language)
        rows.append((word, number(str(value))))
    return tuple(rows)


def _sentence(check: Mapping[str, Any], language: str) -> str:
    facts = {str(name): str(value) for name, value in check["facts"]}
    return say(check["code"], {"tag": check.get("tag", ""), **facts}, language)


def _head(found: Mapping[str, Any], language: str) -> Iterator[Part]:
    def word(code: str) -> str:
        return say(f"protocol.{code}", {}, language)

    tags = found["tags"]
    yield Part(kind="title", text=say("protocol.title", {"loop": found["loop"]}, language))
    rows = (
        (word("site"), found["site"]),
        (word("loop"), found["loop"]),
        (word("tag_no"), next((t["tag_no"] for t in tags if t["tag_no"]), "-")),
        (word("date"), _time(found["at_ns"], found["timezone"])),
        (word("configuration"), found["configuration"]),
        (word("rung"), say(f"rung.{found['rung']}", {}, language) if found["rung"] else word("none")),
        (word("level"), say(f"level.{found['level']}", {}, language)),
    )
    yield Part(kind="table", rows=(("", ""), *rows))
    yield Part(kind="heading", text=word("tags"))
    points = tuple((t["name"], t["tag_no"] or "-", f"{t['connection']} {t['address']}", t["unit"]) for t in tags)
    yield Part(kind="table", rows=((word("point"), word("tag_no"), word("address"), word("unit")), *points))


def _rungs(found: Mapping[str, Any], language: str) -> Iterator[Part]:
    signed = {s["rung"]: s for s in found["signed"]}
    pending = found["evidence"]
    for place, rung in enumerate(RUNGS, 1):
        yield Part(kind="heading", text=f"{place}  {say(f'rung.{rung}', {}, language)}")
        one = signed.get(rung)
        evidence = one["found"] if one else pending if pending and pending["rung"] == rung else None
        if evidence is not None:
            head = (say("protocol.result", {}, language), say("protocol.check", {}, language))
            yield Part(kind="table", rows=(head, *checks(evidence, language)))
            if measured := figures(evidence, language):
                yield Part(kind="table", rows=((say("protocol.figures", {}, language), ""), *measured))
        if one is None:
            yield Part(kind="text", text=say("protocol.unsigned", {}, language))
            continue
        facts = {"person": one["person"], "role": one["role"], "at": _time(one["at_ns"], found["timezone"]), "seq": str(one["seq"])}
        yield Part(kind="text", text=say("protocol.signer", facts, language))
        if one["reason"]:
            yield Part(kind="text", text=say("protocol.reason", {"reason": one["reason"]}, language))
        yield Part(kind="text", text=f"{say('protocol.evidence', {}, language)}: {one['evidence']}")


def _matrix(found: Mapping[str, Any], language: str) -> Iterator[Part]:
    yield Part(kind="heading", text=say("protocol.matrix", {}, language))
    head = tuple(say(f"protocol.{code}", {}, language) for code in ("cause", *LEADS))
    rows = tuple((_sentence(row, language), *("×" if row["leads"] == lead else "" for lead in LEADS)) for row in found["matrix"])
    yield Part(kind="table", rows=(head, *rows))
    yield Part(kind="text", text=say("protocol.note", {}, language))


def _time(at_ns: int, zone: str) -> str:
    at = datetime.datetime.fromtimestamp(at_ns / SECOND_NS, zoneinfo.ZoneInfo(zone))
    return at.strftime("%Y-%m-%d %H:%M:%S %z")


def markdown(parts: Sequence[Part]) -> str:
    lines: list[str] = []
    for part in parts:
        match part.kind:
            case "title":
                lines += [f"# {part.text}", ""]
            case "heading":
                lines += [f"## {part.text}", ""]
            case "text":
                lines += [part.text, ""]
            case "table":
                head, *rows = part.rows
                lines += [_row(head), _row(("---",) * len(head)), *map(_row, rows), ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


STYLE = (
    "body{font:11pt/1.4 sans-serif;max-width:190mm;margin:10mm auto}table{border-collapse:collapse;width:100%;margin:2mm 0}"
    "td,th{border:1px solid #888;padding:1mm 2mm;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "tr,h2{break-inside:avoid;break-after:auto}h2{font-size:13pt;break-after:avoid}"
)


def page(parts: Sequence[Part], language: str) -> str:
    """One HTML file without anything from elsewhere, fit to print on A4."""
    body: list[str] = []
    for part in parts:
        text = html.escape(part.text)
        match part.kind:
            case "title":
                body.append(f"<h1>{text}</h1>")
            case "heading":
                body.append(f"<h2>{text}</h2>")
            case "text":
                body.append(f"<p>{text}</p>")
            case "table":
                head, *rows = part.rows
                top = "<tr>" + "".join(f"<th>{html.escape(c)}</th>" for c in head) + "</tr>" if any(head) else ""
                body.append(
                    "<table>" + top + "".join(f"<tr>{''.join(f'<td>{html.escape(c)}</td>' for c in r)}</tr>" for r in rows) + "</table>"
                )
    title = html.escape(parts[0].text)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )
