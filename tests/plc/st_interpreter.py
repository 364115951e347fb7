"""A small interpreter of the subset of IEC 61131-3 Structured Text that HF_Loop.st uses.

One FUNCTION_BLOCK with VAR sections; assignment and IF; BOOL, INT, DINT and LREAL; OR, AND, NOT, comparisons, the four
operations, unary minus; LIMIT, MIN, MAX. Anything else is an error, never a guess.
"""

import re
from collections.abc import Callable
from typing import Any

Value = float | int | bool
Node = tuple[Any, ...]
TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?(?:[Ee][+-]?\d+)?)|([A-Za-z_]\w*)|(:=|<=|>=|<>|[-+*/()<>=;:,]))")
TYPES: dict[str, Callable[[Any], Value]] = {"BOOL": bool, "INT": int, "DINT": int, "LREAL": float}
FUNCTIONS: dict[str, tuple[int, Callable[..., Value]]] = {
    "LIMIT": (3, lambda low, value, high: min(max(value, low), high)),
    "MIN": (2, min),
    "MAX": (2, max),
}


def tokens(text: str) -> list[str]:
    text = re.sub(r"\(\*.*?\*\)", " ", text, flags=re.S)
    found: list[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise SyntaxError(f"HF subset: can't read {text[at : at + 20]!r}")
        found.append(match.group(0).strip())
        at = match.end()
    return found


class Parser:
    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.at = 0
        self.types: dict[str, str] = {}
        self.start: dict[str, Value] = {}
        self.sections: dict[str, str] = {}

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if wanted and token != wanted:
            raise SyntaxError(f"expected {wanted!r}, found {token!r}")
        self.at += 1
        return token

    def block(self) -> list[Node]:
        self.take("FUNCTION_BLOCK")
        self.take()
        while self.peek().startswith("VAR"):
            self.declarations()
        body = self.statements({"END_FUNCTION_BLOCK"})
        self.take("END_FUNCTION_BLOCK")
        if self.peek():
            raise SyntaxError(f"text after the block: {self.peek()!r}")
        return body

    def declarations(self) -> None:
        section = self.take()
        while self.peek() != "END_VAR":
            name = self.take()
            self.take(":")
            kind = self.take()
            value: Value = 0
            if self.peek() == ":=":
                self.take()
                value = evaluate(self.expression(), {})
            self.take(";")
            self.types[name], self.start[name], self.sections[name] = kind, TYPES[kind](value), section
        self.take("END_VAR")

    def statements(self, ends: set[str]) -> list[Node]:
        body: list[Node] = []
        while self.peek() not in ends:
            body.append(self.branch() if self.peek() == "IF" else self.assignment())
        return body

    def assignment(self) -> Node:
        name = self.take()
        if name not in self.types:
            raise SyntaxError(f"{name} is not declared")
        self.take(":=")
        value = self.expression()
        self.take(";")
        return ("set", name, value)

    def branch(self) -> Node:
        arms: list[tuple[Node, list[Node]]] = []
        otherwise: list[Node] = []
        self.take("IF")
        while True:
            test = self.expression()
            self.take("THEN")
            arms.append((test, self.statements({"ELSIF", "ELSE", "END_IF"})))
            end = self.take()
            if end == "ELSE":
                otherwise = self.statements({"END_IF"})
                self.take("END_IF")
            if end != "ELSIF":
                break
        self.take(";")
        return ("if", arms, otherwise)

    # Precedence of IEC 61131-3:2013 table 71, lowest first.
    def expression(self, level: int = 0) -> Node:
        ladder = (("OR",), ("AND",), ("=", "<>"), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/"))
        if level == len(ladder):
            return self.unary()
        node = self.expression(level + 1)
        while self.peek() in ladder[level]:
            node = (self.take(), node, self.expression(level + 1))
        return node

    def unary(self) -> Node:
        token = self.take()
        if token == "NOT" or token == "-":
            return (token, self.unary())
        if token == "(":
            node = self.expression()
            self.take(")")
            return node
        if token in ("TRUE", "FALSE"):
            return ("value", token == "TRUE")
        if token[0].isdigit():
            return ("value", float(token) if "." in token else int(token))
        if self.peek() == "(":
            return self.call(token)
        if token not in self.types:
            raise SyntaxError(f"{token} is not declared")
        return ("name", token)

    def call(self, name: str) -> Node:
        arguments: list[Node] = []
        self.take("(")
        while self.peek() != ")":
            arguments.append(self.expression())
            if self.peek() == ",":
                self.take()
        self.take(")")
        count, function = FUNCTIONS[name]
        if len(arguments) != count:
            raise SyntaxError(f"{name} takes {count} arguments")
        return ("call", function, arguments)


BINARY: dict[str, Callable[[Any, Any], Value]] = {
    "OR": lambda a, b: a or b,
    "AND": lambda a, b: a and b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


def evaluate(node: Node, values: dict[str, Value]) -> Value:
    kind = node[0]
    if kind == "value":
        return node[1]
    if kind == "name":
        return values[node[1]]
    if kind == "call":
        return node[1](*(evaluate(argument, values) for argument in node[2]))
    if len(node) == 2:
        inner = evaluate(node[1], values)
        return -inner if kind == "-" else not inner
    left, right = evaluate(node[1], values), evaluate(node[2], values)
    if kind in ("AND", "OR") and not (isinstance(left, bool) and isinstance(right, bool)):
        raise TypeError(f"{kind} of what is no BOOL")
    return BINARY[kind](left, right)


class StructuredText:
    """One instance of the block, run from its text."""

    def __init__(self, text: str) -> None:
        parser = Parser(text)
        self.body = parser.block()
        self.types = parser.types
        self.sections = parser.sections
        self.values = dict(parser.start)

    def scan(self) -> None:
        self._run(self.body)

    def set(self, name: str, value: Value) -> None:
        if self.sections[name] not in ("VAR_INPUT", "VAR_IN_OUT"):
            raise KeyError(f"{name} is no input")
        self.values[name] = TYPES[self.types[name]](value)

    def _run(self, body: list[Node]) -> None:
        for node in body:
            if node[0] == "set":
                value = evaluate(node[2], self.values)
                if (self.types[node[1]] == "BOOL") is not isinstance(value, bool):
                    raise TypeError(f"{node[1]}: {self.types[node[1]]} := {value!r}")
                self.values[node[1]] = value
            else:
                for test, arm in node[1]:
                    if evaluate(test, self.values) is True:
                        self._run(arm)
                        break
                else:
                    self._run(node[2])
