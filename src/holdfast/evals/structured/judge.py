"""Whether a value fits a schema, by a reading of JSON Schema 2020-12 of its own: it shares no line with what it judges.

Only the keywords that the cases use. Anything else is an error here, so that a keyword nobody judges can't pass.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

SILENT = frozenset({"$schema", "$defs", "title", "description", "$comment", "default", "examples"})


class Verdict:
    """Judges values against one schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema

    def fits(self, value: Any) -> bool:
        return self.of(value, self._root)

    def of(self, value: Any, schema: Mapping[str, Any]) -> bool:
        return all(self._holds(keyword, wanted, value, schema) for keyword, wanted in schema.items() if keyword not in SILENT)

    def _holds(self, keyword: str, wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
        if keyword == "$ref":
            name = str(wanted).removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
            return self.of(value, self._root["$defs"][name])
        if keyword == "anyOf":
            return any(self.of(value, one) for one in wanted)
        if keyword == "additionalProperties":
            return not isinstance(value, dict) or not set(cast("dict[str, Any]", value)) - set(schema["properties"])
        if keyword == "properties":
            return not isinstance(value, dict) or all(self.of(value[name], one) for name, one in wanted.items() if name in value)
        if keyword == "items":
            return not isinstance(value, list) or all(self.of(one, wanted) for one in cast("list[Any]", value))
        return JUDGES[keyword](value, wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(a: Any, b: Any) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool) and (a is None) == (b is None)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: _is_number(v) and float(v).is_integer(),
    "number": _is_number,
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}
JUDGES: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": lambda v, w: TYPES[w](v),
    "enum": lambda v, w: any(_same(v, one) for one in w),
    "const": _same,
    "required": lambda v, w: not isinstance(v, dict) or all(name in v for name in w),
    "minItems": lambda v, w: not isinstance(v, list) or len(cast("list[Any]", v)) >= w,
    "maxItems": lambda v, w: not isinstance(v, list) or len(cast("list[Any]", v)) <= w,
    "minLength": lambda v, w: not isinstance(v, str) or len(v) >= w,
    "maxLength": lambda v, w: not isinstance(v, str) or len(v) <= w,
    "pattern": lambda v, w: not isinstance(v, str) or re.compile(r"\A(?:" + w[1:-1] + r")\Z").match(v) is not None,
    "minimum": lambda v, w: not _is_number(v) or v >= w,
    "maximum": lambda v, w: not _is_number(v) or v <= w,
    "exclusiveMinimum": lambda v, w: not _is_number(v) or v > w,
    "exclusiveMaximum": lambda v, w: not _is_number(v) or v < w,
}
