"""The text of a condition, taken apart token by token: a small, typed part of CEL and nothing beside it.

CEL is dynamically typed where one lets it be: lists of mixed types, maps, `dyn()`, member access. None of that is needed
to say when a rule holds, so all of it is refused here, before CEL sees it. `tag("…")`, `health("…")`, `schedule("…")` and
`inventory("…")` become typed variables.
Source: CEL language definition, "Syntax" and "Lexis".
"""

import re
from collections.abc import Callable
from typing import Literal, NoReturn

from holdfast.terms import Word

Kind = Literal["tag", "health", "schedule", "inventory"]
SOURCES: tuple[Kind, ...] = ("tag", "health", "schedule", "inventory")
FUNCTIONS = ("abs", "min", "max")
WORDS = ("true", "false", "in", "proposed", "present")

# Bounds that keep arithmetic finite: (10^15)^(8+1) is far below the largest double, so no NaN can arise inside.
NUMBER_MAX = 1e15
NUMBER_MIN = 1e-15  # of a divisor
PRODUCTS_MAX = 8  # `*` and `/` in one condition
TEXT_MAX = 2000  # characters
DEPTH_MAX = 32  # nested brackets

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+|//[^\n]*)
      | (?P<prefixed>[rRbB]{1,2}["'])
      | (?P<triple>\"{3}|'{3})
      | (?P<string>"(?:[^"\\\r\n]|\\["'\\])*"|'(?:[^'\\\r\n]|\\["'\\])*')
      | (?P<number>(?:[0-9]+\.[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
      | (?P<integer>0[xX][0-9a-fA-F]+[uU]?|[0-9]+[uU]?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<op>&&|\|\||==|!=|<=|>=|[!<>+\-*/?:()\[\],])""",
    re.VERBOSE,
)


class Flaw(Exception):
    """What is wrong with a condition, and what would be right."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure


class Token(Word):
    kind: str
    text: str


class Input(Word):
    """One thing that a condition reads: `kind` says where, `name` which."""

    kind: Kind
    name: str


class Condition(Word):
    """A condition taken apart: `tokens` with every input replaced by an Input token's variable."""

    source: str
    tokens: tuple[Token, ...]
    inputs: tuple[Input, ...]
    uses_proposed: bool
    uses_present: bool


def unquote(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal[1:-1])


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def tokens(source: str) -> list[Token]:
    """The tokens without spaces and comments. Raises Flaw for anything outside the part of CEL that is used here."""
    if len(source) > TEXT_MAX:
        raise Flaw(f"the condition has {len(source)} characters", f"keep it below {TEXT_MAX}, or split the rule")
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            _refuse_character(source[at])
        kind, text = str(match.lastgroup), match.group()
        if kind == "prefixed" or kind == "triple" or (kind == "string" and source[match.end() : match.end() + 1] == text[0]):
            raise Flaw("raw, bytes and triple-quoted strings are not part of conditions", 'write a plain "…" string')
        if kind == "integer" or (kind == "number" and source[match.end() : match.end() + 1] in ("u", "U")):
            whole = text.rstrip("uU")
            raise Flaw(f"{text} is an integer, and conditions compute with real numbers", f"write {whole}.0")
        if kind == "number":
            _bounded(text)
        if kind != "space":
            found.append(Token(kind=kind, text=text))
        at = match.end()
    return found


def _refuse_character(character: str) -> NoReturn:
    if character in "\"'":
        raise Flaw("a string does not end, or has an escape other than \\\\, \\\" and \\'", "close the quotes on the same line")
    what = f"{character!r} is not part of conditions"
    raise Flaw(what, "use && || ! == != < <= > >= + - * / ?: in […], real numbers and plain strings")


def _bounded(text: str) -> None:
    if abs(float(text)) > NUMBER_MAX:
        raise Flaw(f"{text} is beyond {NUMBER_MAX:g}", "write a number that a plant value can reach")


def take_apart(source: str, variable: Callable[[Input], str]) -> Condition:
    """The condition with its inputs replaced by `variable(input)`. Raises Flaw."""
    raw = tokens(source)
    if not raw:
        raise Flaw("the condition is empty", "write true, or leave `when` out")
    out: list[Token] = []
    inputs: dict[Input, None] = {}
    depth = products = at = 0
    while at < len(raw):
        token = raw[at]
        following = raw[at + 1].text if at + 1 < len(raw) else ""
        if token.kind == "name" and token.text in SOURCES:
            found = _input(raw, at)
            inputs[found] = None
            out.append(Token(kind="variable", text=variable(found)))
            at += 4
            continue
        if token.kind == "name":
            _known(token.text, following)
        depth += (token.text in "([" and token.kind == "op") - (token.text in ")]" and token.kind == "op")
        if depth > DEPTH_MAX:
            raise Flaw(f"brackets are nested deeper than {DEPTH_MAX}", "split the rule")
        products += token.kind == "op" and token.text in "*/"
        if products > PRODUCTS_MAX:
            raise Flaw(f"more than {PRODUCTS_MAX} products in one condition", "split the rule")
        if token.kind == "op" and token.text == "/":
            _divisor(raw[at + 1] if at + 1 < len(raw) else None)
        if token.text == "[" and (at == 0 or raw[at - 1].text != "in"):
            raise Flaw("a list anywhere but after `in`", "write x in [a, b], or x == a || x == b")
        out.append(token)
        at += 1
    names = {token.text for token in out if token.kind == "name"}
    return Condition(
        source=source, tokens=tuple(out), inputs=tuple(inputs), uses_proposed="proposed" in names, uses_present="present" in names
    )


def _known(name: str, following: str) -> None:
    if name in FUNCTIONS and following == "(":
        return
    if name in WORDS and following != "(":
        return
    kind = "function" if following == "(" else "name"
    cure = "conditions know tag(…), health(…), schedule(…), inventory(…), abs, min, max, proposed, present, true, false and in"
    raise Flaw(f"unknown {kind} {name!r}", cure)


def _input(raw: list[Token], at: int) -> Input:
    kind: Kind = next(k for k in SOURCES if k == raw[at].text)
    shape = [token.kind if token.kind == "string" else token.text for token in raw[at + 1 : at + 4]]
    if shape != ["(", "string", ")"]:
        raise Flaw(f"{kind} takes one name in quotes, written out", f'write {kind}("…")')
    return Input(kind=kind, name=unquote(raw[at + 2].text))


def _divisor(token: Token | None) -> None:
    # A quotient by something that may be 0 is an infinity or NaN, and NaN passes `!(x < a || x > b)`.
    if token is None or token.kind != "number" or abs(float(token.text)) < NUMBER_MIN:
        raise Flaw("a division by something other than a number that is not 0", "multiply both sides out, or divide by a written number")
