"""From blocks to Tags: single ones, and those that a loop gets from its template."""

import re
from collections.abc import Mapping

from holdfast.site.grammar import PARTS, TAG
from holdfast.site.lines import Node, scalar
from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import Connection, Loop
from holdfast.site.names import clean
from holdfast.site.shapes import At, Block
from holdfast.terms import Scale, Tag, TagType

# Subcodes that a person may want to rest on (OPC UA Part 4 §7.39.2, Part 8 §6.4.3); a Bad one can't be accepted.
STATUS_CODES = {
    "GoodOverload": 0x002F_0000,
    "GoodClamped": 0x0030_0000,
    "GoodLocalOverride": 0x0096_0000,
    "Uncertain": 0x4000_0000,
    "UncertainNoCommunicationLastUsableValue": 0x408F_0000,
    "UncertainLastUsableValue": 0x4090_0000,
    "UncertainSubstituteValue": 0x4091_0000,
    "UncertainInitialValue": 0x4092_0000,
    "UncertainSensorNotAccurate": 0x4093_0000,
    "UncertainEngineeringUnitsExceeded": 0x4094_0000,
    "UncertainSubNormal": 0x4095_0000,
}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def make_tag(
    block: Block,
    name: str,
    connections: Mapping[str, Connection],
    log: Log,
    *,
    on: At | None = None,
    defaults: Mapping[str, str] | None = None,
) -> Tag:
    """The Tag that a block describes; what is wrong with it is told and left at its default."""
    given = defaults or {}
    states = _states(block, log)
    kind = _kind(block, states, log)
    writable = block.get("access", "read") == "write"
    connection = _connection(block, on, connections, writable, log)
    sis = bool(block.get("sis", False))
    if sis and writable:
        cure = "delete `access: write`: what belongs to the safety system is never written by Holdfast"
        log.error(block.node.file, block.line("sis"), f"{name} is of the safety system (sis: true) and writable", cure)
    unit = block.get("unit", "1")
    if kind in ("bool", "state") and unit != "1":
        log.error(
            block.node.file, block.line("unit"), f"{name} is a {kind} and has the unit {unit}", "delete the unit, or the type and states"
        )
    return Tag(
        name=name,
        connection=connection,
        address=block.get("address", ""),
        unit=unit,
        type=kind,
        states=states,
        eu_range=block.get("eu_range"),
        period_s=block.get("every", 1.0),
        scale=_scale(block, kind, name, log),
        writable=writable and not sis,
        sis=sis,
        role=block.get("role", given.get("role", "")),
        label=block.get("label", given.get("label", "site")),
        accept=_accept(block, log),
        tag_no=block.get("tag_no", given.get("tag_no", "")),
        description=block.get("description", given.get("description", "")),
    )


def _connection(block: Block, on: At | None, connections: Mapping[str, Connection], writable: bool, log: Log) -> str:
    at = block.at("on") or on
    if at is None:
        if len(connections) == 1:
            return next(iter(connections))
        if connections:
            log.error(
                block.node.file, block.node.line, "it lacks `on`: which connection it is read from", f"write on: {one_of(connections)}"
            )
        return ""
    name = clean(at.value)
    if name not in connections:
        log.error(at.node.file, at.line, f'unknown connection "{name}"', nearest(name, connections, f"write {one_of(connections)}"))
    elif writable and not connections[name].writes:
        cure = "write `writes: true` at that connection, or delete `access: write` here"
        log.error(block.node.file, block.line("access"), f'a writable tag on connection "{name}", which does not write', cure)
    return name


def _states(block: Block, log: Log) -> tuple[tuple[int, str], ...]:
    found: dict[int, str] = {}
    for key, at in block.each("states"):
        value = scalar(key, at.node.file, at.line).value
        label = clean(at.value)
        if isinstance(value, bool) or not isinstance(value, int):
            log.error(at.node.file, at.line, f'state "{key}" is no whole number', "write number: name, such as 1: running")
        elif label in found.values():
            log.error(at.node.file, at.line, f'two states are named "{label}"', "give each its own name: conditions compare states by name")
        else:
            found[value] = label
    return tuple(sorted(found.items()))


def _kind(block: Block, states: tuple[tuple[int, str], ...], log: Log) -> TagType:
    kind: TagType = block.get("type", "state" if "states" in block.present else "float")
    if kind == "state" and not states:
        log.error(block.node.file, block.line("type"), "a state tag without states", "write states: {0: stopped, 1: running}")
    if kind != "state" and states:
        log.error(block.node.file, block.line("type"), f"a tag of type {kind} has states", "delete the type or the states")
    return kind


def _scale(block: Block, kind: TagType, name: str, log: Log) -> Scale | None:
    scale = block.block("scale")
    if scale is None or scale.get("raw") is None or scale.get("eng") is None:
        return None
    if kind in ("bool", "state"):
        log.error(block.node.file, block.line("scale"), f"{name} is a {kind} and has a scale", "delete the scale: only numbers are scaled")
    return Scale(raw=scale.get("raw"), eng=scale.get("eng"))


def _accept(block: Block, log: Log) -> tuple[int, ...]:
    codes: list[int] = []
    for at in block.listed("accept"):
        code = STATUS_CODES.get(at.value)
        if code is None:
            code = at.node.value if at.node.kind == "number" else None
        if not isinstance(code, int) or not 0 < code < 0x8000_0000:
            bad = at.value.startswith("Bad") or (isinstance(code, int) and code >= 0x8000_0000)
            cure = "Bad data is never accepted: delete it" if bad else nearest(at.value, STATUS_CODES, f"write {one_of(STATUS_CODES)}")
            log.error(at.node.file, at.line, f'"{at.value}" is no status to accept', cure)
        else:
            codes.append(code)
    return tuple(sorted(set(codes)))


# ---- loops -----------------------------------------------------------------------------------------------------------


def make_loop(
    block: Block, equipment: str, name: str, templates: Mapping[str, Node], connections: Mapping[str, Connection], log: Log
) -> tuple[Loop, tuple[tuple[Tag, Node], ...]]:
    """The loop and its tags, in the template's order."""
    template = templates.get(block.get("template", ""))
    full = f"{equipment}/{name}"
    if template is None or template.kind != "map":
        wanted = block.at("template")
        if wanted is not None:
            log.error(
                wanted.node.file,
                wanted.line,
                f'unknown template "{wanted.value}"',
                nearest(wanted.value, templates, f"write {one_of(templates)}"),
            )
        return Loop(name=full, equipment=equipment), ()
    fillings = {k: str(at.node.text) for k, at in block.rest.items()}
    fillings |= {k: str(block.get(k)) for k in ("at", "unit") if block.at(k) is not None}
    _spare(block, template, log)
    roles = dict(block.each("roles"))
    parts = [k.text for k, _ in template.entries]
    for part, at in roles.items():
        if part not in parts:
            log.error(at.node.file, at.line, f'the template has no part "{part}"', nearest(part, parts, f"write {one_of(parts)}"))
    tags: list[tuple[Tag, Node]] = []
    for key, part in template.entries:
        filled = _filled(part, fillings, full, block.node, log)
        read = TAG.read(filled, log, f"{name}.{key.text}") if filled is not None else None
        if read is None:
            continue
        defaults = {k: str(block.get(k)) for k in ("tag_no", "label", "description") if block.get(k)}
        if key.text in roles:
            defaults["role"] = str(roles[key.text].value)
        tag = make_tag(read.value, f"{full}.{clean(key.text)}", connections, log, on=block.at("on"), defaults=defaults)
        tags.append((tag, block.node))
    names = {t.name.removeprefix(f"{full}."): t.name for t, _ in tags}
    return Loop(name=full, equipment=equipment, **{p: names.get(p, "") for p in PARTS}), tuple(tags)


def check_templates(block: Block, log: Log) -> None:
    """Tell what is wrong with templates that no loop uses; those that are used are read with their loop."""
    for name, at in block.each("templates"):
        entries: Mapping[str, At] = at.value
        if not entries and not at.node.entries:
            log.error(at.node.file, at.line, f'template "{name}" is empty', "write its parts: {pv: {address: '{at}.PV'}}")


def _placeholders(node: Node) -> set[str]:
    found = set(_PLACEHOLDER.findall(node.text)) if node.kind == "text" else set[str]()
    for _, value in node.entries:
        found |= _placeholders(value)
    for item in node.items:
        found |= _placeholders(item)
    return found


def _spare(block: Block, template: Node, log: Log) -> None:
    asked = _placeholders(template)
    for key, at in block.rest.items():
        if key not in asked:
            known = [*asked, "template", "on", "tag_no", "roles", "label", "description"]
            cure = nearest(key, known, "the template has no {" + key + "}")
            log.error(at.node.file, at.line, f'unknown key "{key}" in a loop', cure)


def _filled(node: Node, fillings: Mapping[str, str], loop: str, asker: Node, log: Log) -> Node | None:
    """The node with its placeholders replaced; None where one has no value."""
    if node.kind == "text":
        missing = [p for p in _PLACEHOLDER.findall(node.text) if p not in fillings]
        if missing:
            cure = f"write {missing[0]}: … at this loop; the template asks for it in line {node.line}"
            log.error(asker.file, asker.line, f"{loop} lacks {missing[0] or 'a name'}", cure)
            return None
        if not _PLACEHOLDER.search(node.text):
            return node
        return scalar(_PLACEHOLDER.sub(lambda m: fillings[m[1]], node.text), node.file, node.line, quoted=True)
    if node.kind == "map":
        entries = [(k, _filled(v, fillings, loop, asker, log)) for k, v in node.entries]
        return Node("map", node.file, node.line, entries=tuple((k, v) for k, v in entries if v is not None))
    if node.kind == "list":
        items = [_filled(v, fillings, loop, asker, log) for v in node.items]
        return Node("list", node.file, node.line, items=tuple(v for v in items if v is not None))
    return node
