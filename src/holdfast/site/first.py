"""`holdfast init`: a first, read-only site file from what a server shows or from a tag list."""

import json
import re
from collections.abc import Sequence

from holdfast.site.names import LENGTH_MAX, clean, fault, skeleton
from holdfast.site.units import parse
from holdfast.terms import Tag

TAGS_MAX = 5000
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "none"))


def site_text(
    name: str, connection: str, options: Sequence[tuple[str, str]], tags: Sequence[Tag], *, language: str = "", timezone: str = ""
) -> str:
    """A site file with every tag read-only. Raises ValueError if there is none to write down."""
    if not tags:
        raise ValueError("there is no tag: the server shows no variable that this account may read")
    where = ", ".join(f"{key}: {_quoted(value)}" for key, value in options)
    more = "".join(f", {key}: {_quoted(value)}" for key, value in (("language", language), ("timezone", timezone)) if value)
    lines = [
        "# A first site file: everything is read, nothing is written. Sort the tags into your equipment, give roles and alarm limits.",
        "holdfast: 1",
        f"site: {{name: {_quoted(name)}{more}}}",
        "connections:",
        f"  {connection}: {{{where}}}",
        "equipment:",
    ]
    taken: set[str] = set()
    for equipment, members in _grouped(tags[:TAGS_MAX]).items():
        lines += [f"  {_quoted(equipment)}:", "    tags:"]
        for tag, short in members:
            lines.append(f"      {_quoted(_free(short, equipment, taken))}: {{{_described(tag)}}}")
    if len(tags) > TAGS_MAX:
        lines.append(f"# {len(tags) - TAGS_MAX} further tags were left out: browse below one node, or use a tag list.")
    return "\n".join(lines) + "\n"


def from_list(name: str, file: str) -> str:
    """A site file around a CSV tag list, on a connection that is to be filled in."""
    return "\n".join(
        (
            "# A first site file around a tag list: fill in the connection.",
            "holdfast: 1",
            f"site: {{name: {_quoted(name)}}}",
            "connections:",
            "  plc: {type: opcua, url: opc.tcp://127.0.0.1:4840, security: none}",
            "equipment:",
            f"  line: {{tags: {_quoted(file)}}}",
            "",
        )
    )


def read_as(name: str, address: str) -> str:
    """What a person reads of a browsed tag: its name below the connection, without an OPC UA address's namespace."""
    path = name.partition("/")[2] or address
    return path.rpartition(";s=")[2] if ";s=" in path else path


def _grouped(tags: Sequence[Tag]) -> dict[str, list[tuple[Tag, str]]]:
    """By the first part of a dotted address, which is mostly the equipment."""
    groups: dict[str, list[tuple[Tag, str]]] = {}
    for tag in tags:
        path = read_as(tag.name, tag.address)
        first, dot, rest = path.partition(".")
        equipment = _fit(first) if dot and rest else "plant"
        groups.setdefault(equipment, []).append((tag, _fit(rest if dot and rest else path, dots=True)))
    return groups


def _fit(name: str, *, dots: bool = False) -> str:
    """The nearest allowed name."""
    kept = "".join(c if fault(c, dots=dots) is None else "_" for c in clean(name))[: LENGTH_MAX - 6].strip()
    return kept or "unnamed"


def _free(short: str, equipment: str, taken: set[str]) -> str:
    name, number = short, 2
    while skeleton(f"{equipment}/{name}") in taken:  # ends: at most TAGS_MAX names are taken
        name, number = f"{short}_{number}", number + 1
    taken.add(skeleton(f"{equipment}/{name}"))
    return name


def _described(tag: Tag) -> str:
    parts = [f"address: {_quoted(tag.address)}"]
    if tag.type in ("bool", "integer"):
        parts.append(f"type: {tag.type}")
    try:
        unit = parse(tag.unit).code
    except ValueError:
        unit = "1"
        parts.append(f"description: {_quoted(f'{tag.description} (unit on the server: {tag.unit})'.strip())}")
    else:
        if tag.description:
            parts.append(f"description: {_quoted(tag.description)}")
    if unit != "1" and tag.type in ("float", "integer"):
        parts.insert(1, f"unit: {_quoted(unit)}")
    if tag.eu_range is not None and tag.eu_range[0] < tag.eu_range[1]:
        parts.append(f"eu_range: [{tag.eu_range[0]:g}, {tag.eu_range[1]:g}]")
    return ", ".join(parts)


def _quoted(text: str) -> str:
    """As YAML: plain where that is safe, else in double quotes (JSON's escapes are YAML's)."""
    return text if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS else json.dumps(text, ensure_ascii=False)
