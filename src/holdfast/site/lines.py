"""YAML text as nodes that know their line. Nothing here raises for what a person may type: it is told as problems.

libyaml scans and parses to events, some twenty times as fast as a parser in Python; the tree is built here, because
constructors raise on the first duplicate key, drop line numbers and expand aliases without a bound. Scalars follow the
core schema (YAML 1.2.2 §10.3.2), so `on`, `yes` and `012` are what they look like.
"""

import dataclasses
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml
from yaml.reader import ReaderError

from holdfast.site.log import Log

BYTES_MAX = 4 * 1024 * 1024  # some 40,000 tags; larger lists belong into CSV files
DEPTH_MAX = 32  # a site file is seven deep
NODES_MAX = 400_000  # with aliases counted as often as they are used, so a "billion laughs" file ends here
ALIASES_MAX = 200
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events where PyYAML was built without libyaml

Kind = Literal["map", "list", "text", "number", "flag", "null"]
WORDS: dict[Kind, str] = {
    "map": "a block of keys",
    "list": "a list",
    "text": "text",
    "number": "a number",
    "flag": "true or false",
    "null": "empty",
}

_NULL = re.compile(r"~|null|Null|NULL|")
_FLAG = re.compile(r"true|True|TRUE|false|False|FALSE")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a file. `text` is a scalar as it was written; `size` counts the nodes in it, itself included."""

    kind: Kind
    file: str
    line: int
    value: float | int | bool | str | None = None
    text: str = ""
    entries: tuple[tuple["Node", "Node"], ...] = ()  # of a map: (key, value); keys are scalars, each once
    items: tuple["Node", ...] = ()  # of a list
    size: int = 1

    def get(self, key: str) -> "Node | None":
        return next((v for k, v in self.entries if k.text == key), None)

    def plain(self) -> Any:
        """As JSON-ready Python."""
        if self.kind == "map":
            return {k.text: v.plain() for k, v in self.entries}
        if self.kind == "list":
            return [v.plain() for v in self.items]
        return self.value


def scalar(text: str, file: str, line: int, *, quoted: bool = False) -> Node:
    """A scalar as YAML's core schema reads it."""
    if quoted:
        return Node("text", file, line, text, text)
    if _NULL.fullmatch(text):
        return Node("null", file, line, None, text)
    if _FLAG.fullmatch(text):
        return Node("flag", file, line, text[0] in "tT", text)
    if _WHOLE.fullmatch(text):
        return Node("number", file, line, int(text), text)
    if _OTHER_BASE.fullmatch(text):
        return Node("number", file, line, int(text[2:], 8 if text[1] == "o" else 16), text)
    if _FLOAT.fullmatch(text):
        return Node("number", file, line, float(text), text)
    if _SPECIAL.fullmatch(text):
        value = math.nan if "n" in text.lower().replace("inf", "") else math.inf
        return Node("number", file, line, -value if text[0] == "-" else value, text)
    return Node("text", file, line, text, text)


@dataclass(slots=True)
class _Open:
    """A map or list whose end has not come yet."""

    kind: Literal["map", "list"]
    line: int
    anchor: str | None
    items: list[Node] = field(default_factory=list[Node])  # of a map: key, value, key, value …


class _Refused(Exception):
    def __init__(self, line: int, what: str, cure: str) -> None:
        super().__init__(what)
        self.line, self.what, self.cure = line, what, cure


def read(data: bytes, file: str, log: Log) -> Node | None:
    """The tree of one YAML document, or None where it can't be read; `log` then holds why."""
    if len(data) > BYTES_MAX:
        log.error(file, 1, f"{len(data)} bytes are too many for one file", f"keep it under {BYTES_MAX} bytes: move tags into CSV files")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        log.error(file, line, f"byte {error.start} is not UTF-8", "save the file as UTF-8 (only CSV lists may be GB18030)")
        return None
    try:
        return _tree(text, file, log)
    except _Refused as refused:
        log.error(file, refused.line, refused.what, refused.cure)
    except ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        log.error(file, line, "there is a control character", "delete it: YAML allows printable characters only")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "context", None) or "this is not YAML"
        line = mark.line + 1 if mark is not None else 1
        log.error(file, line, f"not YAML: {what}", "look at this line and the one above: indentation, a missing colon, quote or bracket")
    except (RecursionError, ValueError, OverflowError, AssertionError, IndexError, TypeError, AttributeError) as error:
        # The YAML library's own slips on odd input; a person still has to hear where to look.
        log.error(
            file, 1, f"not readable as YAML ({type(error).__name__})", "check the file with a YAML editor: it has an unusual construct"
        )
    return None


def _events(text: str) -> Iterator[Any]:
    yield from yaml.parse(text, Loader=LOADER)


def _tree(text: str, file: str, log: Log) -> Node | None:
    stack: list[_Open] = []
    anchors: dict[str, Node] = {}
    root: Node | None = None
    nodes = aliases = documents = 0
    for event in _events(text):
        name = type(event).__name__
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        done: Node | None = None
        if name == "DocumentStartEvent":
            documents += 1
            if documents > 1:
                raise _Refused(line, "there is a second document", "write one document a file: delete the `---` between them")
        elif name in ("MappingStartEvent", "SequenceStartEvent"):
            _untagged(event, line)
            if len(stack) >= DEPTH_MAX:
                raise _Refused(line, f"more than {DEPTH_MAX} levels deep", "a site file needs far fewer: check the brackets")
            stack.append(_Open("map" if name.startswith("M") else "list", line, event.anchor))
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            opened = stack.pop()
            done = _closed(opened, file, log)
            if opened.anchor:
                anchors[opened.anchor] = done
        elif name == "ScalarEvent":
            _untagged(event, line)
            done = scalar(event.value, file, line, quoted=bool(event.style))
            if event.anchor:
                anchors[event.anchor] = done
        elif name == "AliasEvent":
            aliases += 1
            if event.anchor not in anchors:
                raise _Refused(
                    line, f"*{event.anchor} stands for nothing", f"write &{event.anchor} where it is defined, above and outside this"
                )
            if aliases > ALIASES_MAX:
                raise _Refused(line, f"more than {ALIASES_MAX} aliases", "use a template instead")
            done = anchors[event.anchor]
        if done is not None:
            nodes += done.size if name == "AliasEvent" else 1
            if nodes > NODES_MAX:
                raise _Refused(line, f"more than {NODES_MAX} values", "move tags into CSV files; aliases count as often as they are used")
            if stack:
                stack[-1].items.append(done)
            else:
                root = done
    return root


def _untagged(event: Any, line: int) -> None:
    tag = getattr(event, "tag", None)
    if tag is not None and str(tag) not in ("!", "None"):
        raise _Refused(line, f"the YAML tag {tag} means nothing here", "delete it: values are read by what they look like")


def _closed(opened: _Open, file: str, log: Log) -> Node:
    size = 1 + sum(n.size for n in opened.items)
    if opened.kind == "list":
        return Node("list", file, opened.line, items=tuple(opened.items), size=size)
    entries: dict[str, tuple[Node, Node]] = {}
    for key, value in zip(opened.items[::2], opened.items[1::2], strict=True):
        if key.kind in ("map", "list"):
            log.error(file, key.line, "a key can't be a list or a block", "write a plain name before the colon")
        elif key.text in entries:
            first = entries[key.text][0].line
            log.error(file, key.line, f'"{key.text}" stands twice in one block', f"keep one of the two: the first is in line {first}")
        else:
            # A block begins on the line of its name: that is where a person looks for what it lacks.
            placed = value if value.kind in ("text", "number", "flag") else dataclasses.replace(value, line=key.line)
            entries[key.text] = (key, placed)
    return Node("map", file, opened.line, entries=tuple(entries.values()), size=size)
