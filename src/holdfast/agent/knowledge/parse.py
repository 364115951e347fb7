"""Reads one YAML text of knowledge and collects every problem with its line; nothing raises."""

from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from holdfast.site.model import Problem
from holdfast.terms import Word

BYTES_MAX = 1_000_000  # of one file


class Text(Word):
    """The same words in both languages."""

    en: str
    zh: str

    def of(self, language: Literal["en", "zh"]) -> str:
        return self.zh if language == "zh" else self.en


class Parser:
    """Reads one YAML text and collects every problem with its line; nothing raises."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def wrong(self, line: int, what: str, cure: str, severity: Literal["error", "warning"] = "error") -> None:
        self.problems.append(Problem(file=self.file, line=line, what=what, cure=cure, severity=severity))

    def load(self, text: str) -> Any:
        if len(text.encode()) > BYTES_MAX:
            self.wrong(1, f"the file is larger than {BYTES_MAX} bytes", "split it into several files")
            return None
        try:
            return YAML(typ="rt", pure=True).load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = 1 if mark is None else int(mark.line) + 1
            self.wrong(line, f"this is not YAML: {error.problem or error.context}", "mend the line; keys may stand only once")
        except YAMLError as error:
            self.wrong(1, f"this is not YAML: {error}", "mend the file")
        return None

    def mapping(self, node: Any, where: str, line: int, known: tuple[str, ...]) -> CommentedMap | None:
        if not isinstance(node, CommentedMap):
            self.wrong(line, f"{where} must be a mapping", f"write the keys {', '.join(known)}")
            return None
        for key in node:
            if key not in known:
                self.wrong(line_of(node, str(key)), f"{where} has no key '{key}'", f"the keys are {', '.join(known)}")
        return node

    def items(self, node: CommentedMap, key: str, where: str, *, needed: bool = True) -> list[tuple[Any, int]]:
        found = node.get(key)
        if found is None and not needed:
            return []
        if not isinstance(found, CommentedSeq) or not found:
            self.wrong(line_of(node, key), f"{where}: '{key}' must be a list with at least one item", f"write '{key}: [...]'")
            return []
        return [(item, int(found.lc.item(i)[0]) + 1) for i, item in enumerate(found)]

    def string(self, node: CommentedMap, key: str, where: str) -> str:
        value = node.get(key)
        if not isinstance(value, str) or not value.strip():
            self.wrong(line_of(node, key), f"{where}: '{key}' must be text", f"write '{key}: ...'")
            return ""
        return str(value).strip()

    def number(self, node: CommentedMap, key: str, where: str, default: float, low: float, high: float) -> float:
        value = node.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= float(value) <= high:
            self.wrong(line_of(node, key), f"{where}: '{key}' is {value!r}", f"write a number from {low:g} to {high:g}")
            return default
        return float(value)

    def flag(self, node: CommentedMap, key: str, where: str) -> bool:
        value = node.get(key, False)
        if not isinstance(value, bool):
            self.wrong(line_of(node, key), f"{where}: '{key}' is {value!r}", "write true or false")
            return False
        return value

    def choice(self, node: CommentedMap, key: str, where: str, of: tuple[str, ...]) -> str:
        value = node.get(key)
        if value not in of:
            self.wrong(line_of(node, key), f"{where}: '{key}' is {value!r}", f"write one of {', '.join(of)}")
            return of[0]
        return str(value)

    def text(self, node: Any, where: str, line: int) -> Text:
        pair = self.mapping(node, where, line, ("en", "zh"))
        if pair is None:
            return Text(en="", zh="")
        return Text(en=self.string(pair, "en", where), zh=self.string(pair, "zh", where))


def line_of(node: CommentedMap, key: str) -> int:
    """1-based line of a key, or of the mapping where the key is missing."""
    try:
        return int(node.lc.key(key)[0]) + 1
    except (KeyError, AttributeError, TypeError):
        return int(node.lc.line) + 1
