"""Patterns that every engine reads alike: a small part of regular expressions, refused where engines differ.

JSON Schema says ECMA-262; servers compile patterns with Rust's `regex`, with their own converters to a grammar, or not at all, and what
they do with `\\w`, lookahead or a missing anchor differs. Taken are literals, `.`, classes, groups, alternatives inside a group, and the
greedy quantifiers, between `^` and `$`. Repeats inside repeats are bounded, so that no text takes long to be matched.
"""

import re

REPEATS_MAX = 1000  # of one atom, through all groups around it
SPECIAL = frozenset("\\.[]{}()*+?^$|/-")
WIDE, WIDE_MAX = 100, 2  # quantifiers that repeat more often than WIDE, in one pattern: matching takes time to that power
DEPTH_MAX = 8
LENGTH_MAX = 500
MATCHED_MAX = 2000  # characters of a text that is matched; a longer one does not fit


class PatternFault(ValueError):
    """Why a pattern is not taken: `code` of `pattern.CODE` among the words."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def body_of(pattern: str) -> str:
    """What stands between `^` and `$`, checked: match it whole (`re.fullmatch`). Raises PatternFault."""
    if len(pattern) > LENGTH_MAX:
        raise PatternFault("long")
    if len(pattern) < 2 or pattern[0] != "^" or pattern[-1] != "$" or _escaped(pattern, len(pattern) - 1):
        raise PatternFault("anchors")
    body = pattern[1:-1]
    reader = _Reader(body)
    reader.sequence(0)
    if reader.at < len(body):
        raise PatternFault("alternatives" if body[reader.at] == "|" else "bracket")
    try:
        re.compile(body)
    except (re.error, OverflowError) as error:
        raise PatternFault("broken") from error
    return body


def _escaped(text: str, at: int) -> bool:
    before = 0
    while at - before > 0 and text[at - before - 1] == "\\":
        before += 1
    return before % 2 == 1


def _delimited(group: str) -> bool:
    """Whether each round of a group begins with a character that nothing else in it can match."""
    atoms = re.findall(r"\\.|\[\^?(?:\\.|[^\]\\])+\]|.", group.removeprefix("(").removeprefix("?:").removesuffix(")"), re.DOTALL)
    first, rest = atoms[0], atoms[1:]
    if len(first.removeprefix("\\")) != 1 or first in ".(" or "|" in rest or (rest and rest[0] in ("*", "+", "?", "{")):
        return False
    mark = first[-1]
    return not any(re.fullmatch(atom, mark) for atom in rest if atom not in ("(", ")", "*", "+", "?", "{", "}"))


class _Reader:
    """Walks over a pattern once. Each part tells how often its busiest atom can be repeated; None: without end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.wide = 0

    def sequence(self, depth: int) -> int | None:
        """Atoms up to `|`, `)` or the end."""
        if depth > DEPTH_MAX:
            raise PatternFault("deep")
        most: int | None = 1
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            began = self.at
            inside = self._atom(depth)
            repeats = self._repeated(inside, self.text[began : self.at])
            most = None if most is None or repeats is None else max(most, repeats)
        return most

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise PatternFault("broken")
        self.at += 1
        return self.text[self.at - 1]

    def _atom(self, depth: int) -> int | None:
        char = self._next()
        if char == "(":
            return self._group(depth)
        if char == "[":
            self._class()
        elif char == "\\":
            if self._next() not in SPECIAL:
                raise PatternFault("escape")
        elif char in "^$":
            raise PatternFault("anchors")
        elif char in "*+?{}]":
            raise PatternFault("broken")
        return 1

    def _group(self, depth: int) -> int | None:
        if self.text.startswith("?", self.at):
            if not self.text.startswith("?:", self.at):
                raise PatternFault("group")
            self.at += 2
        most = self.sequence(depth + 1)
        while self.at < len(self.text) and self.text[self.at] == "|":
            self.at += 1
            other = self.sequence(depth + 1)
            most = None if most is None or other is None else max(most, other)
        if self._next() != ")":
            raise PatternFault("bracket")
        return most

    def _class(self) -> None:
        """Plain members and ranges. Rust reads `[` and doubled `&`, `-`, `~` in a class as operators, so they are refused."""
        if self.text.startswith("^", self.at):
            self.at += 1
        members = 0
        while (char := self._next()) != "]" or not members:
            if char in "[]" or (char in "&-~" and self.text.startswith(char, self.at)):
                raise PatternFault("class")
            if char == "\\" and self._next() not in SPECIAL:
                raise PatternFault("escape")
            members += 1

    def _repeated(self, inside: int | None, atom: str) -> int | None:
        match = re.compile(r"[*+?]|\{(\d{1,6})(,?)(\d{0,6})\}").match(self.text, self.at)
        if match is None:
            return inside
        self.at = match.end()
        if self.at < len(self.text) and self.text[self.at] in "?+*{":
            raise PatternFault("greedy")
        endless = match[0] in "*+" or (match[2] == "," and not match[3])
        times = 1 if match[0] == "?" else int(match[3] or match[1] or 0)
        if endless and not match[1]:
            times = 1
        if endless and inside is None and _delimited(atom):
            return None  # (?:,[0-9]+)*: where a round begins is certain, so there is one way to match
        self.wide += int(endless or times > WIDE)
        if self.wide > WIDE_MAX or times > REPEATS_MAX or ((endless or times > 1) and inside is None):
            raise PatternFault("repeats")
        if (inside or 1) * times > REPEATS_MAX:
            raise PatternFault("repeats")
        return None if endless or inside is None else inside * max(times, 1)
