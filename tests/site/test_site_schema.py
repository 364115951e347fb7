"""The JSON Schema says of the site files what the loader says, as far as a schema can."""

import re
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.site.grammar import policy_schema, site_schema
from holdfast.site.lines import read
from holdfast.site.log import Log

MILL = Path(holdfast.__file__).parent / "sim" / "mill"
EXAMPLES = Path(__file__).parents[2] / "examples"
KEYWORDS = {
    "$schema",
    "title",
    "description",
    "examples",
    "type",
    "properties",
    "additionalProperties",
    "required",
    "items",
    "minItems",
    "maxItems",
    "enum",
    "const",
    "pattern",
    "anyOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def faults(value: Any, schema: Any, where: str = "") -> list[str]:
    """JSON Schema validation (2020-12, chapters 6 and 10 of its validation and core parts), for the keywords in KEYWORDS."""
    if schema is True or schema == {}:
        return []
    if schema is False:
        return [f"{where}: not allowed"]
    assert set(schema) <= KEYWORDS, set(schema) - KEYWORDS
    kinds = schema.get("type", list(TYPES))
    found = [] if any(_is(value, k) for k in ([kinds] if isinstance(kinds, str) else kinds)) else [f"{where}: {value!r} is no {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: {value!r} is not {schema['const']!r}")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if "anyOf" in schema and all(faults(value, s, where) for s in schema["anyOf"]):
        found += [f for s in schema["anyOf"] for f in faults(value, s, where)]
    if _is(value, "number"):
        found += [f"{where}: below" for k in ("minimum",) if k in schema and value < schema[k]]
        found += [f"{where}: above" for k in ("maximum",) if k in schema and value > schema[k]]
        found += [f"{where}: not above" for k in ("exclusiveMinimum",) if k in schema and value <= schema[k]]
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
            found.append(f"{where}: {len(value)} items")
        found += [f for i, item in enumerate(value) for f in faults(item, schema.get("items", True), f"{where}[{i}]")]
    if isinstance(value, dict):
        found += [f"{where}: lacks {k}" for k in schema.get("required", ()) if k not in value]
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
            found += faults(item, inner, f"{where}.{key}")
    return found


def plain(path: Path) -> Any:
    log = Log()
    node = read(path.read_bytes(), str(path), log)
    assert node is not None, log.all()
    return node.plain()


@pytest.mark.parametrize("path", [MILL / "site.yaml", *sorted(EXAMPLES.glob("*/site.yaml"))], ids=lambda p: p.parent.name)
def test_the_schema_accepts_our_site_files(path: Path) -> None:
    assert faults(plain(path), site_schema()) == []


def test_the_policy_schema_accepts_the_demo_policy() -> None:
    assert faults(plain(MILL / "policy.yaml"), policy_schema()) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("holdfast",), 2),
        (("sitee",), {}),
        (("site", "language"), "fr"),
        (("equipment", "stand-4", "envelopes", "tension.sp", "step"), 0),
        (("equipment", "stand-4", "envelopes", "tension.sp", "dwell"), 60),
        (("equipment", "stand-4", "envelopes", "tension.sp", "range"), [1]),
        (("equipment", "stand-4", "alarms", "vibration", "hig"), 1),
        (("equipment", "stand-4", "tags", "force", "every"), "fast"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(path: tuple[str, ...], value: Any) -> None:
    document = plain(MILL / "site.yaml")
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert faults(document, site_schema())


@pytest.mark.parametrize("bound", ["enable", "range", "step", "rate", "writes", "dwell", "rests_on", "readback"])
def test_the_schema_demands_every_mandatory_bound(bound: str) -> None:
    document = plain(MILL / "site.yaml")
    del document["equipment"]["stand-4"]["envelopes"]["tension.sp"][bound]
    assert any(f"lacks {bound}" in f for f in faults(document, site_schema()))
