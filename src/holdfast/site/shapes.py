"""What a value in the site file may look like: each shape reads a node, telling every problem, and gives its JSON Schema.

One declaration serves both, so the loader and an editor's completion can't diverge.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.site import units
from holdfast.site.lines import WORDS, Node
from holdfast.site.log import Log, nearest, one_of

TEXT_MAX = 4096
ENTRIES_MAX = 50_000
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class At:
    """A value that was read, and the node it was read from."""

    value: Any
    node: Node

    @property
    def line(self) -> int:
        return self.node.line


@dataclass(frozen=True, slots=True)
class Block:
    """A record that was read: its good keys. `present` also has the keys whose value was wrong (told already)."""

    node: Node
    found: Mapping[str, At]
    present: frozenset[str]
    rest: Mapping[str, At] = field(default_factory=dict[str, At])  # keys beyond the declared ones, where they are allowed

    def get(self, key: str, default: Any = None) -> Any:
        at = self.found.get(key)
        return default if at is None else at.value

    def at(self, key: str) -> At | None:
        return self.found.get(key)

    def block(self, key: str) -> "Block | None":
        value = self.get(key)
        return value if isinstance(value, Block) else None

    def each(self, key: str) -> Iterator[tuple[str, At]]:
        """The entries of a Table, none where it is absent."""
        value: Mapping[str, At] = self.get(key) or {}
        yield from value.items()

    def listed(self, key: str) -> tuple[At, ...]:
        """The items of a Listing, none where it is absent."""
        value: tuple[At, ...] = self.get(key) or ()
        return value

    def line(self, key: str) -> int:
        at = self.found.get(key)
        return self.node.line if at is None else at.line


class Shape(ABC):
    """`read` returns the value, or None after telling what is wrong (then it is as if the key were absent)."""

    @abstractmethod
    def read(self, node: Node, log: Log, name: str) -> At | None: ...

    @abstractmethod
    def schema(self) -> Schema: ...

    def refuse(self, node: Node, log: Log, name: str, wanted: str) -> None:
        given = f'"{node.text}"' if node.kind in ("text", "number", "flag") else WORDS[node.kind]
        log.error(node.file, node.line, f"`{name}` can't be {given[:80]}", wanted)


@dataclass(frozen=True)
class Text(Shape):
    """Text; numbers and true/false are taken as written, so that `tag_no: 401` needs no quotes."""

    choices: tuple[str, ...] = ()
    pattern: str = ""
    wanted: str = "write a text"
    empty: bool = False

    def read(self, node: Node, log: Log, name: str) -> At | None:
        if node.kind not in ("text", "number", "flag") or (not node.text.strip() and not self.empty):
            return self.refuse(node, log, name, one_of(self.choices) if self.choices else self.wanted)
        if len(node.text) > TEXT_MAX:
            return log.error(node.file, node.line, f"`{name}` is longer than {TEXT_MAX} characters", "shorten it")
        if self.choices and node.text not in self.choices:
            return self.refuse(node, log, name, nearest(node.text, self.choices, f"write {one_of(self.choices)}"))
        if self.pattern and not re.fullmatch(self.pattern, node.text):
            return self.refuse(node, log, name, self.wanted)
        return At(node.text, node)

    def schema(self) -> Schema:
        if self.choices:
            return {"enum": list(self.choices)}
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"} if self.pattern else {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True)
class Number(Shape):
    """A finite number; a bool is none."""

    above: float | None = None
    least: float | None = None
    most: float | None = None
    whole: bool = False

    def read(self, node: Node, log: Log, name: str) -> At | None:
        value = node.value
        if node.kind != "number" or not isinstance(value, int | float) or not math.isfinite(value):
            return self.refuse(node, log, name, f"write {self._wanted()}")
        if (
            (self.above is not None and not value > self.above)
            or (self.least is not None and not value >= self.least)
            or (self.most is not None and not value <= self.most)
            or (self.whole and value != int(value))
        ):
            return self.refuse(node, log, name, f"write {self._wanted()}")
        return At(int(value) if self.whole else float(value), node)

    def _wanted(self) -> str:
        parts = ["a whole number" if self.whole else "a number"]
        if self.above is not None:
            parts.append(f"above {self.above:g}")
        if self.least is not None:
            parts.append(f"from {self.least:g}")
        if self.most is not None:
            parts.append(f"up to {self.most:g}")
        return " ".join(parts)

    def schema(self) -> Schema:
        limits = {"exclusiveMinimum": self.above, "minimum": self.least, "maximum": self.most}
        return {"type": "integer" if self.whole else "number"} | {k: v for k, v in limits.items() if v is not None}


@dataclass(frozen=True)
class Flag(Shape):
    def read(self, node: Node, log: Log, name: str) -> At | None:
        if node.kind != "flag":
            return self.refuse(node, log, name, "write true or false")
        return At(node.value, node)

    def schema(self) -> Schema:
        return {"type": "boolean"}


_DURATION = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|min|h|d)"
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Duration(Shape):
    """`200ms`, `3s`, `10min`, `1h`, `7d`: read as seconds."""

    zero: bool = False
    most_s: float = 400 * 86400.0

    def read(self, node: Node, log: Log, name: str) -> At | None:
        match = re.fullmatch(_DURATION, node.text.strip()) if node.kind in ("text", "number") else None
        if match is None:
            example = f"{node.text}s" if node.kind == "number" else "200ms, 3s, 10min or 1h"
            return self.refuse(node, log, name, f"write a duration with its unit, such as {example}")
        # Parts of a second as a quotient: 200ms is then exactly 0.2, which is part of a table's name.
        seconds = float(match[1]) / 1000 if match[2] == "ms" else float(match[1]) * _SECONDS[match[2]]
        if seconds < 0 or (seconds == 0 and not self.zero) or seconds > self.most_s:
            return self.refuse(node, log, name, f"write a duration {'from' if self.zero else 'above'} 0s and up to {self.most_s:g}s")
        return At(seconds, node)

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{_DURATION}$", "examples": ["200ms", "3s", "10min", "1h"]}


@dataclass(frozen=True)
class UnitCode(Shape):
    """A UCUM code or a usual spelling: read as the code."""

    def read(self, node: Node, log: Log, name: str) -> At | None:
        text = node.text if node.kind in ("text", "number") else "?"
        try:
            return At(units.parse(text).code, node)
        except ValueError as error:
            cure = nearest(text, units.known(), "write a UCUM code such as mm/s, kN, Cel, L/min, or 1 for none")
            return log.error(node.file, node.line, str(error), cure)

    def schema(self) -> Schema:
        return {"type": ["string", "number"], "description": "UCUM code or usual spelling", "examples": list(units.known()[:20])}


@dataclass(frozen=True)
class Span(Shape):
    """`[low, high]` with low < high."""

    def read(self, node: Node, log: Log, name: str) -> At | None:
        if node.kind != "list" or len(node.items) != 2:
            return self.refuse(node, log, name, "write [low, high]")
        ends = [Number().read(item, log, name) for item in node.items]
        if ends[0] is None or ends[1] is None:
            return None
        low, high = float(ends[0].value), float(ends[1].value)
        if low >= high:
            cure = "write two different ends" if low == high else f"write [{high:g}, {low:g}]: the low end first"
            return log.error(node.file, node.line, f"`{name}` is upside down: {low:g} is not below {high:g}", cure)
        return At((low, high), node)

    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


@dataclass(frozen=True)
class OrNone(Shape):
    """The shape, or the word `none`: the engineer does not want this bound. Reads as At(None)."""

    shape: Shape

    def read(self, node: Node, log: Log, name: str) -> At | None:
        if node.kind == "text" and node.text == "none":
            return At(None, node)
        if node.kind == "null":
            return self.refuse(node, log, name, "write the bound, or the word none")
        return self.shape.read(node, log, name)

    def schema(self) -> Schema:
        return {"anyOf": [self.shape.schema(), {"const": "none"}]}


@dataclass(frozen=True)
class Scalar(Shape):
    """Any single value."""

    def read(self, node: Node, log: Log, name: str) -> At | None:
        if node.kind in ("map", "list"):
            return self.refuse(node, log, name, "write a single value")
        if isinstance(node.value, float) and not math.isfinite(node.value):
            return self.refuse(node, log, name, "write a finite number")
        return At(node.value, node)

    def schema(self) -> Schema:
        return {"type": ["string", "number", "boolean", "null"]}


@dataclass(frozen=True)
class Listing(Shape):
    shape: Shape
    least: int = 0

    def read(self, node: Node, log: Log, name: str) -> At | None:
        if node.kind != "list":
            return self.refuse(node, log, name, "write a list: [a, b]")
        if len(node.items) < self.least or len(node.items) > ENTRIES_MAX:
            return log.error(node.file, node.line, f"`{name}` has {len(node.items)} entries", f"write {self.least} or more")
        read = (self.shape.read(item, log, name) for item in node.items)
        return At(tuple(at for at in read if at is not None), node)

    def schema(self) -> Schema:
        return {"type": "array", "items": self.shape.schema()} | ({"minItems": self.least} if self.least else {})


@dataclass(frozen=True)
class Table(Shape):
    """A block whose keys are names that the person chooses. Reads as a mapping; an entry that can't be read is left out."""

    shape: Shape

    def read(self, node: Node, log: Log, name: str) -> At | None:
        if node.kind == "null":
            return At({}, node)
        if node.kind != "map":
            return self.refuse(node, log, name, "write a block: a name, a colon, what it is")
        found: dict[str, At] = {}
        for key, value in node.entries[:ENTRIES_MAX]:
            at = self.shape.read(value, log, key.text)
            if at is not None:
                found[key.text] = at
        return At(found, node)

    def schema(self) -> Schema:
        return {"type": ["object", "null"], "additionalProperties": self.shape.schema()}


@dataclass(frozen=True)
class Field:
    """One key of a record; `doc` is what an editor shows."""

    shape: Shape
    doc: str = ""
    required: bool = False
    cure: str = ""  # how to mend its absence


@dataclass(frozen=True)
class Record(Shape):
    """A block with known keys; `rest` is the shape of further ones, None where an unknown key is a mistake."""

    fields: Mapping[str, Field]
    rest: Shape | None = None

    def read(self, node: Node, log: Log, name: str) -> At | None:
        if node.kind != "map":
            return self.refuse(node, log, name, f"write a block with {one_of(self.fields).removeprefix('one of ')}")
        found: dict[str, At] = {}
        rest: dict[str, At] = {}
        for key, value in node.entries:
            declared = self.fields.get(key.text)
            if declared is None and self.rest is None:
                cure = nearest(key.text, self.fields, f"it takes {one_of(self.fields, 20)}")
                log.error(key.file, key.line, f'unknown key "{key.text}" in `{name}`', cure)
                continue
            at = (declared.shape if declared else self.rest or Scalar()).read(value, log, key.text)
            if at is not None:
                (found if declared else rest)[key.text] = at
        for key, declared in self.fields.items():
            if declared.required and node.get(key) is None:
                log.error(node.file, node.line, f"`{name}` lacks `{key}`", declared.cure or f"write {key}: {declared.doc}")
        return At(Block(node, found, frozenset(k.text for k, _ in node.entries), rest), node)

    def schema(self) -> Schema:
        properties = {k: f.shape.schema() | ({"description": f.doc} if f.doc else {}) for k, f in self.fields.items()}
        required = [k for k, f in self.fields.items() if f.required]
        rest: Any = False if self.rest is None else self.rest.schema()
        return {"type": "object", "properties": properties, "additionalProperties": rest} | ({"required": required} if required else {})


@dataclass(frozen=True)
class ByKind(Shape):
    """What it is depends on how it is written: a list, a block or a text."""

    lists: Shape | None = None
    maps: Shape | None = None
    texts: Shape | None = None

    def read(self, node: Node, log: Log, name: str) -> At | None:
        shape = {"list": self.lists, "map": self.maps}.get(node.kind, self.texts)
        if shape is None:
            kinds = [WORDS[k] for k, s in (("list", self.lists), ("map", self.maps), ("text", self.texts)) if s is not None]  # pyright: ignore[reportArgumentType]
            return self.refuse(node, log, name, "write " + " or ".join(kinds))
        return shape.read(node, log, name)

    def schema(self) -> Schema:
        return {"anyOf": [s.schema() for s in (self.lists, self.maps, self.texts) if s is not None]}
