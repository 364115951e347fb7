"""Which values a condition lets through, exactly, as far as it is made of simple comparisons; what is not is marked opaque.

A region is an "or" of clauses; a clause is an "and" of intervals of numbers and sets of states. An opaque clause also asks for
something that isn't understood here, so it lets through at most what its intervals say. Comparisons are of doubles, so ends are
exact: nothing is rounded.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.gate.guard.conditions import SOURCES, Token, tokens, unquote
from holdfast.gate.guard.exact import shown
from holdfast.site.model import Site

CLAUSES_MAX = 64  # of one condition; one with more is opaque
DEPTH_MAX = 40
_OPPOSITE = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of numbers; `low_in` and `high_in` say whether the ends belong to it."""

    low: float = -math.inf
    high: float = math.inf
    low_in: bool = False
    high_in: bool = False

    def __and__(self, other: "Span") -> "Span":
        low, low_in = max((self.low, not self.low_in), (other.low, not other.low_in))
        high, high_in = min((self.high, self.high_in), (other.high, other.high_in))
        return Span(low, high, not low_in, high_in)

    @property
    def empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and not (self.low_in and self.high_in))

    def within(self, other: "Span") -> bool:
        low = (self.low, not self.low_in) >= (other.low, not other.low_in)
        return self.empty or (low and (self.high, self.high_in) <= (other.high, other.high_in))

    def __str__(self) -> str:
        left = "(−∞" if self.low == -math.inf else f"{'[' if self.low_in else '('}{shown(self.low)}"
        right = "∞)" if self.high == math.inf else f"{shown(self.high)}{']' if self.high_in else ')'}"
        return f"{left}, {right}"


@dataclass(frozen=True, slots=True)
class Clause:
    """All of it must hold. By input, as it is written: `proposed`, `tag("line/speed")`."""

    spans: Mapping[str, Span] = field(default_factory=dict[str, Span])
    states: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    opaque: bool = False

    def __and__(self, other: "Clause") -> "Clause":
        spans, states = dict(self.spans), dict(self.states)
        for name, span in other.spans.items():
            spans[name] = spans.get(name, Span()) & span
        for name, values in other.states.items():
            states[name] = states[name] & values if name in states else values
        return Clause(spans, states, self.opaque or other.opaque)

    @property
    def empty(self) -> bool:
        return any(span.empty for span in self.spans.values()) or any(not values for values in self.states.values())

    def within(self, other: "Clause") -> bool:
        """Certainly: everything that this lets through, the other does too."""
        if other.opaque:
            return False
        spans = all(self.spans.get(name, Span()).within(span) for name, span in other.spans.items())
        return spans and all(name in self.states and self.states[name] <= values for name, values in other.states.items())


Region = tuple[Clause, ...]
ALL: Region = (Clause(),)
OPAQUE: Region = (Clause(opaque=True),)


def universe(site: Site) -> Mapping[str, frozenset[str]]:
    """The values that each state and switch of the site can have, by its text in conditions."""
    found: dict[str, frozenset[str]] = {}
    for tag in site.tags:
        if tag.type == "state":
            found[f'tag("{tag.name}")'] = frozenset(name for _, name in tag.states)
        elif tag.type == "bool":
            found[f'tag("{tag.name}")'] = frozenset(("true", "false"))
    return found


def region(condition: str, known: Mapping[str, frozenset[str]]) -> Region:
    """What a condition lets through; () is nothing. `known`: see `universe`. Raises Flaw for text that is no condition."""
    return _or(tokens(condition), known, 0)


def within(inner: Region, outer: Region) -> bool:
    """Certainly: all that `inner` lets through, `outer` does too. False where that can't be told."""
    return all(any(clause.within(other) for other in outer) for clause in inner)


def exact(of: Region) -> bool:
    return not any(clause.opaque for clause in of)


def _simple(clauses: list[Clause]) -> Region:
    found = tuple(clause for clause in clauses if not clause.empty)
    return found if len(found) <= CLAUSES_MAX else OPAQUE


def _or(of: list[Token], known: Mapping[str, frozenset[str]], depth: int) -> Region:
    if depth > DEPTH_MAX or any(t.text in "?:" and t.kind == "op" for t in _top(of)):
        return OPAQUE
    return _simple([clause for part in _split(of, "||") for clause in _and(part, known, depth)])


def _and(of: list[Token], known: Mapping[str, frozenset[str]], depth: int) -> Region:
    found: Region = ALL
    for part in _split(of, "&&"):
        found = _simple([a & b for a in found for b in _unary(part, known, depth)])
    return found


def _unary(of: list[Token], known: Mapping[str, frozenset[str]], depth: int) -> Region:
    if _enclosed(of):
        return _or(of[1:-1], known, depth + 1)
    if of and of[0].text == "!":
        inner = of[1:]
        while _enclosed(inner):
            inner = inner[1:-1]
        if _enclosed(of[1:]) or _variable(of[1:]):
            return _atom(inner, known, negated=True)
        return OPAQUE
    return _atom(of, known, negated=False)


def _atom(of: list[Token], known: Mapping[str, frozenset[str]], *, negated: bool) -> Region:
    texts = [t.text for t in of]
    if texts in (["true"], ["false"]):
        return ALL if (texts == ["true"]) != negated else ()
    name = _variable(of)
    if name:
        return _state(name, "true", "!=" if negated else "==", known)
    at = [i for i, t in enumerate(of) if t.kind == "op" and t.text in _OPPOSITE]
    if len(at) != 1 or len(_top(of)) == 0:
        return OPAQUE
    left, right, operator = of[: at[0]], of[at[0] + 1 :], texts[at[0]]
    if not _variable(left):
        left, right, operator = right, left, _MIRRORED[operator]
    name = _variable(left)
    operator = _OPPOSITE[operator] if negated else operator
    number, text = _number(right), _constant(right)
    if name and number is not None:
        return _compared(name, operator, number)
    if name and text is not None and operator in ("==", "!="):
        return _state(name, text, operator, known)
    return OPAQUE


def _compared(name: str, operator: str, number: float) -> Region:
    spans = {
        "<": (Span(high=number),),
        "<=": (Span(high=number, high_in=True),),
        ">": (Span(low=number),),
        ">=": (Span(low=number, low_in=True),),
        "==": (Span(number, number, True, True),),
        "!=": (Span(high=number), Span(low=number)),
    }
    return tuple(Clause(spans={name: span}) for span in spans[operator])


def _state(name: str, value: str, operator: str, known: Mapping[str, frozenset[str]]) -> Region:
    if operator == "==":
        return (Clause(states={name: frozenset((value,))}),)
    return (Clause(states={name: known[name] - {value}}),) if name in known else OPAQUE


def _variable(of: list[Token]) -> str:
    """The input that these tokens are, "" if they are something else."""
    if len(of) == 1 and of[0].text in ("proposed", "present"):
        return of[0].text
    if len(of) == 4 and of[0].text in SOURCES and of[1].text == "(" and of[2].kind == "string" and of[3].text == ")":
        return f'{of[0].text}("{unquote(of[2].text)}")'
    return ""


def _number(of: list[Token]) -> float | None:
    if len(of) == 2 and of[0].text == "-" and of[1].kind == "number":
        return -float(of[1].text)
    return float(of[0].text) if len(of) == 1 and of[0].kind == "number" else None


def _constant(of: list[Token]) -> str | None:
    if len(of) != 1:
        return None
    return unquote(of[0].text) if of[0].kind == "string" else of[0].text if of[0].text in ("true", "false") else None


def _top(of: list[Token]) -> list[Token]:
    """The tokens outside all brackets."""
    found: list[Token] = []
    depth = 0
    for token in of:
        depth -= token.kind == "op" and token.text in ")]"
        if depth == 0:
            found.append(token)
        depth += token.kind == "op" and token.text in "(["
    return found


def _split(of: list[Token], operator: str) -> list[list[Token]]:
    found: list[list[Token]] = [[]]
    depth = 0
    for token in of:
        depth += (token.kind == "op" and token.text in "([") - (token.kind == "op" and token.text in ")]")
        if depth == 0 and token.kind == "op" and token.text == operator:
            found.append([])
        else:
            found[-1].append(token)
    return found


def _enclosed(of: list[Token]) -> bool:
    """Whether one pair of round brackets encloses all of it."""
    return len(of) > 2 and of[0].text == "(" and of[-1].text == ")" and len(_top(of)) == 2
