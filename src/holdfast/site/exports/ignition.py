"""Ignition's JSON export of tags: folders, single tags, and instances of types with their parameters filled in.

A tag is read from the OPC UA server that Ignition reads it from, Ignition's own among them; or, where it lies in a Modbus or S7 device,
from that device (`source`).

Sources: Inductive Automation, "Exporting and Importing Tags", "Tag Properties", "UDT Parameters", "Modbus Addressing".
"""

import json
import json.decoder
import json.scanner
import re
from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.site.exports.addresses import modbus_of_ignition, s7_of_item
from holdfast.site.exports.found import Export, NotUnderstood, Options, Sorting, Taken, scaled
from holdfast.terms import TagType, Word

OWN = "Ignition OPC UA Server"
TYPES: dict[str, TagType] = {
    "Boolean": "bool", "Float4": "float", "Float8": "float", "Int1": "integer", "Int2": "integer", "Int4": "integer", "Int8": "integer",
}  # fmt: skip
DEPTH_MAX = 20  # of types that contain and extend types
TAGS_MAX = 200_000
_AT = "\0line"  # a key that no JSON text of Ignition has
_DEVICE = re.compile(r"(?:ns=1;s=)?\[([^\[\]]+)\](.*)", re.DOTALL)
_PLACE = re.compile(r"\{([^{}]+)\}")

Json = dict[str, Any]  # as the export has it


class _Leaf(Word):
    """One single tag with what its type says of it."""

    path: str
    line: int
    told: Mapping[str, Any]
    parameters: Mapping[str, str]


def understand(text: str, options: Options) -> Export:
    """Raises NotUnderstood where it is no such export, or it is not said which device is wanted."""
    root = _read(text)
    protocol = options.protocol or "opcua"
    if protocol not in ("opcua", "modbus", "s7"):
        raise NotUnderstood(f"tags of Ignition are read by opcua, modbus or s7, not by {protocol}")
    sorting = Sorting()
    leaves = list(_Walk(root, sorting).leaves())
    source = options.source or _only([_source(leaf, protocol) for leaf in leaves], protocol)
    for leaf in leaves:
        try:
            sorting.take(_tag(leaf, protocol, source, options, sorting))
        except ValueError as why:
            sorting.leave(leaf.line, leaf.path, str(why))
    return sorting.done("ignition")


def _tag(leaf: _Leaf, protocol: str, source: str, options: Options, sorting: Sorting) -> Taken:
    told = leaf.told
    if told.get("enabled") is False:
        raise ValueError("it is disabled there")
    if told.get("valueSource", "opc") != "opc":
        raise ValueError(f"its value comes from {told['valueSource']}, not from a device or server")
    kind = TYPES.get(str(told.get("dataType", "Int4")))
    if kind is None:
        raise ValueError(f"{told.get('dataType')} is neither a number nor a truth value")
    mine = _source(leaf, protocol)
    if mine != source:
        raise ValueError(f"it is of {mine or 'another kind of source'}, not of {source}")
    path = _filled(told.get("opcItemPath"), leaf.parameters)
    address, on_wire = _address(path, protocol, options, sorting)
    return Taken(
        line=leaf.line,
        name=leaf.path,
        address=address,
        type=kind if kind != "float" or on_wire != "integer" else "float",
        unit=_filled(told.get("engUnit", ""), leaf.parameters),
        eu_range=_range(told),
        scale=_scale(told),
        description=_filled(told.get("documentation") or told.get("tooltip") or "", leaf.parameters),
    )


def _address(path: str, protocol: str, options: Options, sorting: Sorting) -> tuple[str, TagType | str]:
    found = _DEVICE.fullmatch(path)
    if protocol == "opcua":
        if found is not None:
            sorting.note("addresses in Ignition's own server are by number (ns=1): compare one with `holdfast tags browse`")
            return f"ns=1;s=[{found[1]}]{found[2]}", ""
        if not re.match(r"(nsu?=[^;]*;)?[sigb]=", path):
            raise ValueError(f'"{path}" is no OPC UA NodeId')
        return path, ""
    if found is None:
        raise ValueError("it is not in a device of Ignition's")
    if protocol == "s7":
        return s7_of_item(found[2], "")
    address, kind, unit = modbus_of_ignition(found[2], options.word_order)
    if unit:
        sorting.note(f"some addresses name unit {unit}: say `unit_id: {unit}` at the connection, and import each unit by itself")
    return address, kind


def _scale(told: Mapping[str, Any]) -> Any:
    mode = str(told.get("scaleMode", "Off"))
    if mode == "Off":
        return None
    if mode != "Linear":
        raise ValueError(f"its scaling is {mode}: only linear scaling is done")
    # What an export leaves out is Ignition's default.
    ends = [_float(told.get(key, default)) for key, default in (("rawLow", 0), ("rawHigh", 10), ("scaledLow", 0), ("scaledHigh", 10))]
    return scaled((ends[0], ends[1]), (ends[2], ends[3]))


def _range(told: Mapping[str, Any]) -> tuple[float, float] | None:
    if "engLow" not in told and "engHigh" not in told:
        return None
    low, high = _float(told.get("engLow", 0)), _float(told.get("engHigh", 100))
    return (low, high) if low < high else None


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is bound or no number: only plain numbers are read in its scaling and range")
    return float(value)


def _source(leaf: _Leaf, protocol: str) -> str:
    """The OPC UA server that Ignition has it from; for a direct protocol, the device."""
    try:
        path = _filled(leaf.told.get("opcItemPath", ""), leaf.parameters)
        server = _filled(leaf.told.get("opcServer", ""), leaf.parameters) or OWN
    except ValueError:
        return ""
    if not path:
        return ""
    found = _DEVICE.fullmatch(path)
    return server if protocol == "opcua" else found[1] if found is not None else ""


def _only(sources: list[str], protocol: str) -> str:
    named = sorted({source for source in sources if source})
    what = "OPC UA servers" if protocol == "opcua" else "devices"
    if len(named) > 1:
        raise NotUnderstood(f"it has tags of several {what}: say --source with one of {', '.join(named)}")
    return named[0] if named else ""


# ---- types and instances ---------------------------------------------------------------------------------------------


class _Walk:
    """Single tags of a tree, with types put in for their instances."""

    def __init__(self, root: list[Json], sorting: Sorting) -> None:
        self._root, self._sorting, self._count = root, sorting, 0
        self._types: dict[str, Json] = dict(_types(root, ""))

    def leaves(self) -> Iterator[_Leaf]:
        for node in self._root:
            yield from self._of(node, "", {}, 0)

    def _of(self, node: Json, path: str, parameters: Mapping[str, str], depth: int) -> Iterator[_Leaf]:
        self._count += 1
        if self._count > TAGS_MAX:
            raise NotUnderstood(f"more than {TAGS_MAX} tags: export it folder by folder")
        name, kind = str(node.get("name") or ""), str(node.get("tagType", "AtomicTag" if "valueSource" in node else "Folder"))
        if name == "_types_" or kind == "UdtType":
            return
        full = ".".join(part for part in (path, name) if part)
        if kind == "UdtInstance":
            try:
                node, parameters = self._instance(node, name, parameters, depth)
            except ValueError as why:
                self._sorting.leave(int(node.get(_AT, 0)), full, str(why))
                return
        elif kind == "AtomicTag":
            yield _Leaf(path=full, line=int(node.get(_AT, 0)), told=node, parameters=parameters)
            return
        for child in _children(node):
            yield from self._of(child, full, parameters, depth + 1)

    def _instance(self, node: Json, name: str, outer: Mapping[str, str], depth: int) -> tuple[Json, Mapping[str, str]]:
        if depth > DEPTH_MAX:
            raise ValueError(f"types inside types, more than {DEPTH_MAX} deep")
        definition = self._definition(str(node.get("typeId", "")), 0)
        own = {**_parameters(definition, outer), **_parameters(node, outer)}
        return _merged(definition, node), {**outer, **own, "InstanceName": name}

    def _definition(self, name: str, depth: int) -> Json:
        """A type with all that it extends."""
        short = name.rpartition("_types_/")[2]
        found = self._types.get(short)
        if found is None:
            raise ValueError(f'its type "{short}" is not in this file: export the types with it')
        if depth > DEPTH_MAX:
            raise ValueError(f'type "{short}" extends itself')
        parent = found.get("typeId")
        return _merged(self._definition(str(parent), depth + 1), found) if parent else found


def _types(nodes: list[Json], path: str) -> Iterator[tuple[str, Json]]:
    for node in nodes:
        name = str(node.get("name") or "")
        full = "" if name == "_types_" else "/".join(part for part in (path, name) if part)
        if node.get("tagType") == "UdtType":
            yield full, node
        elif node.get("tagType", "Folder") in ("Folder", "Provider"):
            yield from _types(_children(node), full)


def _merged(below: Json, above: Json) -> Json:
    """`above` over `below`: its properties win, its tags change those of the same name. The line is that of the definition's tag."""
    merged = {**below, **{key: value for key, value in above.items() if key not in ("tags", "parameters", "typeId", _AT)}}
    merged["parameters"] = {**(below.get("parameters") or {}), **(above.get("parameters") or {})}
    tags = {str(child.get("name")): child for child in _children(below)}
    for child in _children(above):
        name = str(child.get("name"))
        tags[name] = (
            _merged(tags[name], child) | ({"typeId": tags[name]["typeId"]} if "typeId" in tags[name] else {}) if name in tags else child
        )
    merged["tags"] = list(tags.values())
    return merged


def _parameters(node: Json, outer: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, given in (node.get("parameters") or {}).items():
        if name == _AT:
            continue
        value: Any = given.get("value") if isinstance(given, dict) else given  # type: ignore[union-attr]
        if value is not None:
            found[str(name)] = _filled(value, outer)
    return found


def _filled(value: Any, parameters: Mapping[str, str]) -> str:
    """A property's text, with its parameters put in. Raises ValueError where it is bound to something else, or one has no value."""
    bound = isinstance(value, dict)
    if bound:
        if value.get("bindType") != "parameter":
            raise ValueError("one of its properties is calculated there")
        value = value.get("binding")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else str(value)
    if not bound:
        return text
    missing = [name for name in _PLACE.findall(text) if name not in parameters]
    if missing:
        raise ValueError(f"its parameter {missing[0]} has no value in this file")
    return _PLACE.sub(lambda match: parameters[match[1]], text)


def _children(node: Json) -> list[Json]:
    return [child for child in node.get("tags") or () if isinstance(child, dict)]


# ---- JSON with lines -------------------------------------------------------------------------------------------------


class _Lined(json.JSONDecoder):
    """A decoder that notes on which line each object begins."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text, self._line, self._seen = text, 1, 0
        self.parse_object = self._object
        self.scan_once: Any = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]

    def _object(self, state: tuple[str, int], *more: Any) -> tuple[Json, int]:
        start = state[1]
        self._line, self._seen = self._line + self._text.count("\n", self._seen, start), max(self._seen, start)
        line = self._line
        found, end = json.decoder.JSONObject(state, *more)  # type: ignore[attr-defined]
        found[_AT] = line
        return found, end


def _read(text: str) -> list[Json]:
    try:
        root: Any = _Lined(text).decode(text)
    except json.JSONDecodeError as error:
        raise NotUnderstood(f"line {error.lineno} is no JSON ({error.msg}): export the tags anew, as JSON") from None
    except RecursionError:
        raise NotUnderstood("it is nested too deeply to be a tag export") from None
    nodes = root if isinstance(root, list) else [root]
    if not all(isinstance(node, dict) and ("tags" in node or "tagType" in node or "valueSource" in node) for node in nodes):  # type: ignore[union-attr]
        raise NotUnderstood("it is JSON, but no export of Ignition's tags: export them from the Tag Browser, as JSON")
    return nodes
