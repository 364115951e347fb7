"""The part of JSON Schema 2020-12 that every engine reads alike; what is beyond it is refused when a schema is loaded, never ignored.

Servers enforce different parts: one drops `format`, one reads `oneOf` as `anyOf`, one takes an object without `additionalProperties` as
open. So objects are closed, arrays say what is in them, every value has one type, patterns are a small part of regular expressions
(`patterns.py`), references are local and end. What is loaded is written out: no reference, no annotation but title and description.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

from holdfast.agent.models.serving.patterns import PatternFault, body_of
from holdfast.language import say
from holdfast.terms import Word, canonical, digest

DEPTH_MAX = 8
NODES_MAX = 200  # of the schema with its references written out
PROPERTIES_MAX = 100  # of one object
NAME_CHARS_MAX = 64
ENUM_MAX = 500
TEXT_CHARS_MAX = 100_000  # of minLength and maxLength
ITEMS_MAX = 10_000
DIGITS_LARGE = 2**63
ANYOF_MAX = 16
PROBLEMS_MAX = 50
DIALECTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema#",
)

ANNOTATIONS = frozenset({"title", "description", "$comment", "default", "examples", "deprecated"})
KEPT = ("title", "description")
ROOT_ONLY = frozenset({"$schema", "$defs"})
OF_TYPE: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "string": frozenset({"minLength", "maxLength", "pattern"}),
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "boolean": frozenset(),
    "null": frozenset(),
}
KNOWN = frozenset().union(*OF_TYPE.values())
# What to write instead, where there is something: `cure.CODE` among the words.
CURES: Mapping[str, str] = {
    "oneOf": "any_of", "allOf": "one_schema", "format": "pattern", "prefixItems": "object", "additionalItems": "object",
    "definitions": "defs", "$id": "local", "$anchor": "local", "$dynamicRef": "local", "$recursiveRef": "local", "nullable": "null_any_of",
    "multipleOf": "enum", "patternProperties": "list_of_pairs", "propertyNames": "list_of_pairs", "if": "any_of", "then": "any_of",
    "else": "any_of", "dependentRequired": "any_of", "dependentSchemas": "any_of", "dependencies": "any_of",
}  # fmt: skip


class Fault(Word):
    """One thing that is not taken: where (JSON pointer, "" for the whole), which keyword or bound, and a code of words/engines."""

    at: str
    what: str
    code: str
    facts: tuple[tuple[str, str], ...] = ()

    def told(self, language: str) -> str:
        return say(self.code, {"at": self.at or "/", "what": self.what, **dict(self.facts)}, language)


class SchemaError(ValueError):
    """The schema is refused; `faults` has all of them, up to PROBLEMS_MAX."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(fault.told("en") for fault in faults))
        self.faults = faults


class Schema(Word):
    """A schema that was taken. `text` is its canonical JSON with references written out; `name` is what servers are told."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        return digest(self)

    def plain(self) -> dict[str, Any]:
        """As a fresh dictionary, in the order in which it was written: decoders give properties in this order."""
        return json.loads(self.text)


def load_schema(given: Any, *, name: str = "answer") -> Schema:
    """Take a schema (JSON-ready Python) or refuse it. Raises SchemaError with every fault."""
    reader = _Reader()
    written = reader.root(given)
    if reader.faults:
        raise SchemaError(tuple(reader.faults))
    return Schema(name=name, text=json.dumps(written, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._defs: Mapping[str, Any] = {}
        self._nodes = 0

    def fault(self, at: str, what: str, code: str, **facts: str) -> None:
        if len(self.faults) < PROBLEMS_MAX:
            self.faults.append(Fault(at=at, what=what, code=code, facts=tuple(facts.items())))

    def root(self, given: Any) -> Any:
        if not isinstance(given, dict):
            return self.fault("", "schema", "schema.no_object")
        schema = cast("dict[str, Any]", given)
        if schema.get("$schema", DIALECTS[0]) not in DIALECTS:
            self.fault("", "$schema", "schema.dialect", given=str(schema["$schema"]))
        defs = schema.get("$defs", {})
        if not isinstance(defs, dict):
            return self.fault("", "$defs", "schema.value", given=_short(defs))
        self._defs = cast("dict[str, Any]", defs)
        for name, one in self._defs.items():  # also those that nothing refers to
            self.node(one, f"/$defs/{name}", 1, (name,))
        self._nodes = 0
        return self.node({k: v for k, v in schema.items() if k not in ROOT_ONLY}, "", 0, ())

    def node(self, given: Any, at: str, depth: int, within: tuple[str, ...]) -> Any:
        """One schema with its references written out. `within`: the definitions that are being written out."""
        self._nodes += 1
        if self._nodes > NODES_MAX:
            return self.fault(at, "size", "schema.size", most=str(NODES_MAX)) if self._nodes == NODES_MAX + 1 else None
        if depth > DEPTH_MAX:
            return self.fault(at, "depth", "schema.depth", most=str(DEPTH_MAX))
        if not isinstance(given, dict):
            return self.fault(at, at.rpartition("/")[2] or "schema", "schema.no_object")
        schema = cast("dict[str, Any]", given)
        kept = {k: schema[k] for k in KEPT if k in schema}
        for key, value in kept.items():
            if not isinstance(value, str):
                self.fault(at, key, "schema.value", given=_short(value))
        said = {k: v for k, v in schema.items() if k not in ANNOTATIONS}
        if "$ref" in said:
            return self._reference(said, at, depth, within)
        if "anyOf" in said:
            return kept | self._any(said, at, depth, within)
        return kept | self._typed(said, at, depth, within)

    def _reference(self, said: dict[str, Any], at: str, depth: int, within: tuple[str, ...]) -> Any:
        self._alone(said, "$ref", at)
        target = said["$ref"]
        prefix = "#/$defs/"
        name = target.removeprefix(prefix).replace("~1", "/").replace("~0", "~") if isinstance(target, str) else ""
        if not isinstance(target, str) or not target.startswith(prefix) or name not in self._defs:
            return self.fault(at, "$ref", "schema.ref", given=_short(target))
        if name in within:
            return self.fault(at, "$ref", "schema.recursive", given=_short(target))
        return self.node(self._defs[name], at, depth, (*within, name))

    def _any(self, said: dict[str, Any], at: str, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        self._alone(said, "anyOf", at)
        members = said["anyOf"]
        if not isinstance(members, list) or not 1 <= len(cast("list[Any]", members)) <= ANYOF_MAX:
            self.fault(at, "anyOf", "schema.value", given=_short(members))
            return {}
        listed = cast("list[Any]", members)
        return {"anyOf": [self.node(one, f"{at}/anyOf/{n}", depth + 1, within) for n, one in enumerate(listed)]}

    def _alone(self, said: dict[str, Any], keyword: str, at: str) -> None:
        others = [other for other in said if other != keyword]
        for other in others:
            self.fault(at, other, "schema.beside", keyword=keyword)
        if len(others) > 1:
            self.fault(at, keyword, "schema.beside", keyword=", ".join(others))

    def _typed(self, said: dict[str, Any], at: str, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        kind = said.get("type")
        listed = [k for k in ("const", "enum") if k in said]
        for key in said:
            if key in KNOWN or key in ("type", "const", "enum"):
                continue
            self.fault(at, key, "schema.keyword", cure=CURES.get(key, "delete"))
        if "type" in said and (not isinstance(kind, str) or kind not in OF_TYPE):
            self.fault(at, "type", "schema.type", given=_short(kind))
            return {}
        if listed:
            return self._listed(said, listed, at)
        if kind is None:
            self.fault(at, "type", "schema.lacks")
            return {}
        for key in said:
            if key in KNOWN and key not in OF_TYPE[kind]:
                self.fault(at, key, "schema.not_here", type=kind)
        found: dict[str, Any] = {"type": kind}
        if kind == "object":
            found |= self._object(said, at, depth, within)
        elif kind == "array":
            found |= self._array(said, at, depth, within)
        elif kind == "string":
            found |= self._string(said, at)
        elif kind in ("integer", "number"):
            found |= self._number(said, at, kind)
        return found

    def _listed(self, said: dict[str, Any], listed: list[str], at: str) -> dict[str, Any]:
        """`enum` or `const`: texts, whole numbers, truth values and null; alone, since a bound beside them only hides what is left."""
        keyword = listed[0]
        for other in (k for k in said if (k in KNOWN or k in listed[1:])):
            self.fault(at, other, "schema.beside", keyword=keyword)
        for other in listed[1:]:
            self.fault(at, keyword, "schema.beside", keyword=other)
        members = said[keyword] if keyword == "enum" else [said[keyword]]
        if not isinstance(members, list) or not 1 <= len(cast("list[Any]", members)) <= ENUM_MAX:
            self.fault(at, keyword, "schema.value", given=_short(members))
            return {}
        values = cast("list[Any]", members)
        kind = said.get("type")
        fits = all(_scalar(v) and (kind is None or kind in (_type(v), "number" if _type(v) == "integer" else "")) for v in values)
        if not fits or len({(_type(v), v) for v in values if _scalar(v)}) != len(values):
            self.fault(at, keyword, "schema.members", given=_short(members))
            return {}
        return ({"type": kind} if kind else {}) | {keyword: said[keyword]}

    def _object(self, said: dict[str, Any], at: str, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        if said.get("additionalProperties") is not False:
            self.fault(at, "additionalProperties", "schema.open")
        properties = said.get("properties")
        if not isinstance(properties, dict):
            self.fault(at, "properties", "schema.lacks")
            return {}
        named = cast("dict[str, Any]", properties)
        if len(named) > PROPERTIES_MAX:
            self.fault(at, "properties", "schema.many", most=str(PROPERTIES_MAX))
            return {}
        for name in named:
            if not 1 <= len(name) <= NAME_CHARS_MAX or any(ord(c) < 32 for c in name):
                self.fault(at, "properties", "schema.name", given=_short(name))
        required = said.get("required", [])
        texts = isinstance(required, list) and all(isinstance(r, str) for r in cast("list[Any]", required))
        if not texts or len(set(required)) != len(required) or not set(required) <= set(named):
            self.fault(at, "required", "schema.required", given=_short(required))
            return {}
        inside = {name: self.node(of, f"{at}/properties/{name}", depth + 1, within) for name, of in named.items()}
        return {"properties": inside, "required": required, "additionalProperties": False}

    def _array(self, said: dict[str, Any], at: str, depth: int, within: tuple[str, ...]) -> dict[str, Any]:
        bounds = self._bounds(said, at, "minItems", "maxItems", ITEMS_MAX)
        if not isinstance(said.get("items"), dict):
            self.fault(at, "items", "schema.lacks" if "items" not in said else "schema.no_object")
            return {}
        return {"items": self.node(said["items"], f"{at}/items", depth + 1, within)} | bounds

    def _string(self, said: dict[str, Any], at: str) -> dict[str, Any]:
        if "pattern" not in said:
            return self._bounds(said, at, "minLength", "maxLength", TEXT_CHARS_MAX)
        for other in ("minLength", "maxLength"):
            if other in said:
                self.fault(at, other, "schema.beside", keyword="pattern")
        pattern = said["pattern"]
        if not isinstance(pattern, str):
            self.fault(at, "pattern", "schema.value", given=_short(pattern))
            return {}
        try:
            body_of(pattern)
        except PatternFault as error:
            self.fault(at, "pattern", "schema.pattern", given=_short(pattern), pattern=error.code)
        return {"pattern": pattern}

    def _bounds(self, said: dict[str, Any], at: str, least: str, most: str, limit: int) -> dict[str, Any]:
        found: dict[str, int] = {}
        for key in (least, most):
            value = said.get(key, 0)
            if type(value) is not int or not 0 <= value <= limit:
                self.fault(at, key, "schema.bound", given=_short(value), most=str(limit))
            elif key in said:
                found[key] = value
        if found.get(least, 0) > found.get(most, limit):
            self.fault(at, least, "schema.nothing_fits")
        return found

    def _number(self, said: dict[str, Any], at: str, kind: str) -> dict[str, Any]:
        found: dict[str, int | float] = {}
        for key in OF_TYPE[kind]:
            if key not in said:
                continue
            value = said[key]
            plain = type(value) is int or (type(value) is float and kind == "number" and math.isfinite(value))
            if not plain or abs(value) > DIGITS_LARGE:
                self.fault(at, key, "schema.value", given=_short(value))
                return {}
            found[key] = value
        for inclusive, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if inclusive in found and exclusive in found:
                self.fault(at, exclusive, "schema.beside", keyword=inclusive)
                return {}
        self._range(found, at, whole=kind == "integer")
        return {key: found[key] for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum") if key in found}

    def _range(self, found: dict[str, int | float], at: str, *, whole: bool) -> None:
        step = 1 if whole else 0
        low = found.get("minimum", found.get("exclusiveMinimum", -math.inf) + (step if "exclusiveMinimum" in found else 0))
        high = found.get("maximum", found.get("exclusiveMaximum", math.inf) - (step if "exclusiveMaximum" in found else 0))
        open_ends = not whole and ("exclusiveMinimum" in found or "exclusiveMaximum" in found)
        if low > high or (open_ends and low >= high):
            self.fault(at, "exclusiveMinimum" if "exclusiveMinimum" in found else "minimum", "schema.nothing_fits")


def walk(schema: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(JSON pointer, schema) of a loaded schema and all within it, outermost first."""
    if not isinstance(schema, dict):
        return
    node = cast("dict[str, Any]", schema)
    yield at, node
    inside: list[tuple[str, Any]] = [(f"/properties/{k}", v) for k, v in node.get("properties", {}).items()]
    inside += [(f"/anyOf/{n}", v) for n, v in enumerate(node.get("anyOf", []))]
    inside += [("/items", node["items"])] if "items" in node else []
    for place, of in inside:
        yield from walk(of, at + place)


def _scalar(value: Any) -> bool:
    return value is None or type(value) in (str, bool, int)


def _type(value: Any) -> str:
    names: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", type(None): "null"}
    return names.get(type(value), "")


def _short(value: Any) -> str:
    try:
        return canonical(value).decode()[:60]
    except (TypeError, ValueError):
        return repr(value)[:60]
