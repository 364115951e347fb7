"""Context: what the plant knows beside its tags, where each table comes from and how old it may be."""

import re
from collections.abc import Mapping
from typing import Any

from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import ContextTable
from holdfast.site.names import Directory, Register, clean
from holdfast.site.secrets import fault, is_reference
from holdfast.site.shapes import At, Block
from holdfast.terms import Scale, Tag

# Of each kind: the columns that a row must have, then those that it may have.
COLUMNS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "health": (("name", "value"), ("at",)),
    "inventory": (("name", "value"), ("at",)),
    "schedule": (("from", "to", "kind"), ("product", "lot", "order", "at")),
    "lots": (("lot", "from"), ("to", "material", "supplier", "supplier_lot", "parents", "at")),
}
SLOT_FIELDS = ("kind", "product", "lot", "order")  # what `schedule("current.…")` and `schedule("next.…")` can ask for
SLOTS = tuple(f"{which}.{field}" for which in ("current", "next") for field in SLOT_FIELDS)
NEEDS: Mapping[str, tuple[str, ...]] = {
    "tag": ("tag", "as"),
    "csv": ("file",),
    "sqlite": ("file", "query"),
    "postgres": ("host", "database", "user", "query"),
}
TAKES: Mapping[str, tuple[str, ...]] = {
    "tag": ("scale",),
    "csv": ("every",),
    "sqlite": ("every",),
    "postgres": ("port", "password", "every"),
}
EVERY_S = 10.0
_SELECT = re.compile(r"\s*(select|with)\b[^;]*;?\s*", re.IGNORECASE | re.DOTALL)


def make_context(entries: Mapping[str, At], tags: Directory, log: Log) -> tuple[ContextTable, ...]:
    """The context tables in the file's order; one that can't be read is told and left out."""
    names = Register("context table")
    made: list[ContextTable] = []
    for key, at in entries.items():
        name = clean(key)
        names.take(name, at.node.file, at.line, log)
        table = _table(name, at, tags, log)
        if table is not None:
            made.append(table)
    return tuple(made)


def _table(name: str, at: At, tags: Directory, log: Log) -> ContextTable | None:
    block: Block = at.value
    source = block.block("source")
    kind = block.get("kind")
    if source is None or kind is None or block.get("newer_than") is None or source.get("type") is None:
        return None  # told already
    of = source.get("type")
    fits = options_fit(source, of, NEEDS[of], TAKES[of], name, log)
    options = {k: v.value for k, v in source.found.items() if k not in ("type", "scale", "every")}
    scale: Scale | None = None
    if of == "tag":
        tag = tags.resolve(source.get("tag", ""), "", at.node.file, source.line("tag"), log) if fits else None
        if tag is None or not _tag_fits(tag, kind, source, log):
            return None
        options |= {"tag": tag.name, "as": clean(source.get("as"))}
        scale = _scale(source)
    elif "query" in options and not _SELECT.fullmatch(options["query"]):
        log.error(at.node.file, source.line("query"), "the query is not one SELECT", "write SELECT … FROM …, one statement that only reads")
    columns = _columns(block, kind, log) if of != "tag" else ()
    if of == "tag" and block.at("columns") is not None:
        log.error(at.node.file, block.line("columns"), "a tag has no columns", "delete `columns`; `as` gives the name")
    return ContextTable(
        name=name,
        kind=kind,
        source=of,
        options=tuple(sorted(options.items())),
        scale=scale,
        columns=columns,
        newer_than_s=block.get("newer_than"),
        every_s=source.get("every", EVERY_S),
        line=at.line,
    )


def options_fit(block: Block, of: str, needs: tuple[str, ...], takes: tuple[str, ...], name: str, log: Log) -> bool:
    """Tell of options that this type lacks or does not have, and of secrets that can't be references."""
    before = len(log.errors)
    file = block.node.file
    for key in needs:
        if key not in block.present:
            log.error(file, block.node.line, f"{name} is of type {of} and lacks `{key}`", f"write {key}: …")
    for key, at in block.found.items():
        if key not in (*needs, *takes, "type", "orders", "equipment"):
            log.error(file, at.line, f"`{key}` means nothing for type {of}", f"it takes {one_of((*needs, *takes))}")
        why = fault(at.value) if isinstance(at.value, str) else None
        if why:
            log.error(file, at.line, f"`{key}` of {name}: {why}", "write env:NAME or file:NAME, relative to the site file")
        if key in ("password", "token") and not is_reference(at.value):
            log.error(file, at.line, f"the {key} of {name} stands in the file", f"write {key}: file:NAME or env:NAME")
    return len(log.errors) == before


def _tag_fits(tag: Tag, kind: str, source: Block, log: Log) -> bool:
    name, file, line = clean(source.get("as")), source.node.file, source.line("as")
    if kind == "lots":
        log.error(file, source.line("type"), "lots can't come from a tag", "a lot has many columns: use csv, sqlite or postgres")
    elif kind == "schedule" and (tag.type != "state" or source.at("scale") is not None):
        log.error(file, source.line("tag"), f"{tag.name} has no named states", "a schedule's word comes from a state tag, without scale")
    elif kind == "schedule" and name not in SLOTS:
        log.error(file, line, f'no schedule has "{name}"', nearest(name, SLOTS, f"write {one_of(SLOTS)}"))
    elif kind != "schedule" and tag.type not in ("float", "integer"):
        log.error(file, source.line("tag"), f"{tag.name} is no number", f"{kind} is a number: name a float or integer tag")
    else:
        return True
    return False


def _scale(source: Block) -> Scale | None:
    block = source.block("scale")
    if block is None or block.get("raw") is None or block.get("eng") is None:
        return None
    return Scale(raw=block.get("raw"), eng=block.get("eng"))


def _columns(block: Block, kind: str, log: Log) -> tuple[tuple[str, str], ...]:
    known = (*COLUMNS[kind][0], *COLUMNS[kind][1])
    found: dict[str, str] = {}
    theirs: dict[str, Any] = {}
    for ours, at in block.each("columns"):
        if ours not in known:
            log.error(at.node.file, at.line, f'{kind} has no column "{ours}"', nearest(ours, known, f"write {one_of(known)}"))
        elif at.value in theirs:
            log.error(at.node.file, at.line, f'"{at.value}" is given to two columns', "give each column one of its own")
        theirs[at.value] = found[ours] = at.value.strip()
    return tuple(sorted(found.items()))
