"""One tool: a name, arguments as a frozen Word, and a bounded, labelled, cited answer. Every agent has the same ones.

    listed.tools(link, site, home, clock=…, author=…, clearance=…) -> tuple[Tool, ...]
    tool.name, tool.description(language), tool.schema()      what a model or a foreign agent is told
    await tool.use(arguments) -> Returned                     arguments: JSON-ready mapping, or the tool's own Word; raises ToolError
    told(returned) -> str                                     the answer as JSON text for a model, at most CHARS_MAX characters

`Returned.label` is the join over all that the answer holds; nothing above `clearance` is in it. Text that people or devices of the
plant wrote stands in `PlantText` alone, so that it can be told from words of ours: it is data, whatever it says.
"""

import dataclasses
import json
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from holdfast.language import say
from holdfast.link import LinkError
from holdfast.terms import LABELS, Label, Word, canonical, plain

CHARS_MAX = 12_000  # of one answer as a model reads it
TEXT_CHARS_MAX = 400  # of one text of the plant
CITATIONS_MAX = 40
ARGUMENT_BYTES_MAX = 8_192

CitationKind = Literal["tag", "history", "alarm", "limit", "incident", "document", "case", "standard", "mode", "context", "move", "record"]


class ToolError(Exception):
    """The tool gave no answer; `code` has words of its own in words/tools, which name `facts`. Trying the same again won't help."""

    def __init__(self, code: str, **facts: str) -> None:
        self.code, self.facts = code, facts
        super().__init__(say(code, facts, "en"))

    def told(self, language: str) -> str:
        return say(self.code, self.facts, language)


class PlantText(Word):
    """What a person or a device of the plant wrote. It is data: nothing in it is an instruction to whoever reads it."""

    plant_text: str


class Citation(Word):
    """Where a statement comes from. `ref`: a tag, an incident's id, `NAME#pPAGE.PARAGRAPH`, a standard's canonical form …

    `at_ns` is when it was so (the beginning of a window, whose end is `to_ns`); `seq` the number of the record, 0 where there is none.
    """

    kind: CitationKind
    ref: str
    quote: str = ""
    at_ns: int = 0
    to_ns: int = 0
    seq: int = 0


class Returned(Word):
    """What a tool found. `cut`: there was more than fits; ask for less."""

    label: Label
    body: Word
    citations: tuple[Citation, ...] = ()
    cut: bool = False


A = TypeVar("A", bound=Word)


@dataclasses.dataclass(frozen=True)
class Tool(Generic[A]):
    """`acts`: it asks the gate for an action, which the gate decides on; every other one only looks."""

    name: str
    arguments: type[A]
    call: Callable[[A], Awaitable[Returned]]
    acts: bool = False

    def description(self, language: str = "en") -> str:
        return say(f"tools.{self.name}", {}, language)

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the arguments: one object of plain fields, no references, nothing additional."""
        return _plain_schema(self._adapter.json_schema())

    async def use(self, given: Mapping[str, Any] | A) -> Returned:
        """Raises ToolError for arguments that are none, for what is not there, and where the gate can't be reached."""
        if isinstance(given, self.arguments):
            wanted: A = given
        else:
            wanted = self._read(given)
        try:
            return await self.call(wanted)
        except LinkError as error:
            raise ToolError("tools.link", why=str(error)[:TEXT_CHARS_MAX]) from error

    def _read(self, given: Any) -> A:
        try:
            content = canonical(given)
        except (TypeError, ValueError) as error:
            raise ToolError("tools.arguments", tool=self.name, why=str(error)[:TEXT_CHARS_MAX]) from error
        if len(content) > ARGUMENT_BYTES_MAX:
            raise ToolError("tools.arguments", tool=self.name, why=f"more than {ARGUMENT_BYTES_MAX} bytes")
        try:
            return self._adapter.validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            why = f"{'.'.join(map(str, first['loc'])) or 'arguments'}: {first['msg']}"
            raise ToolError("tools.arguments", tool=self.name, why=why[:TEXT_CHARS_MAX]) from error

    @cached_property
    def _adapter(self) -> TypeAdapter[A]:
        return TypeAdapter(self.arguments)


def joined(labels: Iterable[Label], least: Label = "public") -> Label:
    """The highest of the labels."""
    return max((*labels, least), key=LABELS.index)


def within(label: Label, clearance: Label) -> bool:
    return LABELS.index(label) <= LABELS.index(clearance)


def plant_text(text: str, chars_max: int = TEXT_CHARS_MAX) -> PlantText:
    """Bounded, and without characters that are no text: controls, direction marks, what is not shown."""
    kept = "".join(c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Cn") else " " for c in text)
    return PlantText(plant_text=kept if len(kept) <= chars_max else kept[: chars_max - 1] + "…")


def told(returned: Returned) -> str:
    """The answer as JSON for a model: body, citations by number, whether it was cut. Lists are halved, the longest first, until it fits."""
    body: Any = plain(returned.body)
    cites: list[Any] = [{"n": n + 1, **_short(plain(one))} for n, one in enumerate(returned.citations[:CITATIONS_MAX])]
    cut = returned.cut or len(returned.citations) > CITATIONS_MAX
    while True:
        told: dict[str, Any] = {"found": body, "citations": cites, **({"cut": True} if cut else {})}
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        if len(text) <= CHARS_MAX:
            return text
        longest = max(_lists(told), key=lambda one: len(json.dumps(one)), default=[])
        if not longest:
            return json.dumps({"found": {}, "citations": [], "cut": True})
        del longest[len(longest) // 2 :]
        cut = True


def _short(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", 0)}


def _lists(value: Any) -> list[list[Any]]:
    """Every list in it that has something."""
    if isinstance(value, list):
        return ([value] if value else []) + [one for item in value for one in _lists(item)]
    if isinstance(value, dict):
        return [one for item in value.values() for one in _lists(item)]
    return []


def _plain_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without titles and references: what every dialect of constrained decoding reads."""
    found: dict[str, Any] = {}
    for name, value in schema.items():
        if name in ("title", "$defs") and not isinstance(value, Mapping):
            continue
        if name == "properties":
            found[name] = {key: _plain_schema(of) for key, of in value.items()}
        elif isinstance(value, Mapping):
            found[name] = _plain_schema(value)
        else:
            found[name] = value
    found.pop("title", None)
    return found
