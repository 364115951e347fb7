"""The one door to CEL: a condition becomes a program that is True, False or an Unclear, and nothing else.

cel-expr-python gives errors back as values whose `.value()` is truthy, takes NaN, and coerces bool and int to double.
So: the type of a program must be BOOL when it is loaded, the type of a result must be BOOL when it is evaluated, the
value must be `True` itself, and every value that goes in has been checked for its declared type before.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn

from cel_expr_python import cel

from holdfast.gate.guard.conditions import Condition, Flaw, Input, Token, unquote
from holdfast.terms import Word

ValueType = Literal["double", "bool", "string"]
Value = float | bool | str

_TYPES = {"double": cel.Type.DOUBLE, "bool": cel.Type.BOOL, "string": cel.Type.STRING}
_BOOL = cel.Type.BOOL


class Unclear(Exception):
    """A condition gave neither true nor false."""


class Variable(Word):
    """A typed input. `states` are the names that a state tag can have; empty for all else."""

    name: str
    input: Input
    type: ValueType
    states: tuple[str, ...] = ()


def _function(name: str, count: int, impl: Callable[..., float]) -> Any:
    double = cel.Type.DOUBLE
    return cel.FunctionDecl(name, [cel.Overload(f"{name}_double", return_type=double, parameters=[double] * count, impl=impl)])


class Values:
    """What programs of one language see: made once for a step of a decision, used by all its rules."""

    def __init__(self, activation: Any) -> None:
        self.activation = activation


class Program:
    """A compiled condition."""

    def __init__(self, expression: Any, text: str) -> None:
        self._expression = expression
        self.text = text

    def holds(self, values: Values) -> bool:
        """Raises Unclear for everything that is neither true nor false."""
        try:
            result = self._expression.eval(values.activation)
            kind, value = result.type(), result.value()
        except Exception as error:
            raise Unclear(_first_line(error)) from error
        if kind != _BOOL or (value is not True and value is not False):
            raise Unclear(str(value).splitlines()[0][:200] if str(value) else str(kind))
        return value is True


class Together:
    """Several programs evaluated at once, as one list: a fifth of the cost of one by one.

    A list with an error in it is an error and no list, so nothing is lost: then each is asked alone, and says why.
    """

    def __init__(self, expression: Any, count: int) -> None:
        self._expression = expression
        self._count = count

    def hold(self, values: Values) -> tuple[bool, ...] | None:
        """Which hold, in order; None for everything that is not exactly so many truth values."""
        try:
            found = self._expression.eval(values.activation).plain_value()
        except Exception:  # noqa: BLE001  each alone says why
            return None
        if type(found) is not list or len(found) != self._count:
            return None
        for value in found:
            if value is not True and value is not False:
                return None
        return tuple(found)


class Language:
    """CEL with exactly the variables of one site."""

    def __init__(self, variables: Mapping[Input, Variable]) -> None:
        self._variables = variables
        declared = {v.name: _TYPES[v.type] for v in variables.values()}
        declared |= {"proposed": cel.Type.DOUBLE, "present": cel.Type.DOUBLE}
        functions = [_function("abs", 1, math.fabs), _function("min", 2, min), _function("max", 2, max)]
        self._env = cel.NewEnv(variables=declared, functions=functions)

    def compile(self, condition: Condition) -> Program:
        """Raises Flaw for what is not a condition: wrong types, DYN, no BOOL, a state that the tag doesn't have."""
        by_name = {v.name: v for v in self._variables.values()}
        self._states(condition.tokens, by_name)
        for start, end in _lists(condition.tokens):
            kind = self._typed(condition.tokens[start:end], by_name).return_type().name()
            if "DYN" in kind:
                raise Flaw("a list that is empty or mixes types", "list values of one type only")
        expression = self._typed(condition.tokens, by_name)
        kind = expression.return_type()
        if kind != _BOOL:
            raise Flaw(f"the condition is a {kind.name()}, not true or false", "compare it with something")
        return Program(expression, " ".join(token.text for token in condition.tokens))

    def together(self, programs: Sequence[Program]) -> Together | None:
        """None where they are too few to be worth it, or more than CEL takes at once."""
        if len(programs) < 2:
            return None
        try:
            return Together(self._env.compile(f"[ {' , '.join(f'( {p.text} )' for p in programs)} ]"), len(programs))
        except Exception:  # noqa: BLE001  each alone was compiled already
            return None

    def values(self, values: dict[str, Value]) -> Values:
        return Values(self._env.Activation(data=values))

    def _typed(self, tokens: tuple[Token, ...], by_name: Mapping[str, Variable]) -> Any:
        try:
            return self._env.compile(" ".join(token.text for token in tokens))
        except Exception as error:  # noqa: BLE001  CEL's errors are plain RuntimeErrors; whatever it is, it is no condition
            _explain(error, by_name)

    def _states(self, tokens: tuple[Token, ...], by_name: Mapping[str, Variable]) -> None:
        # `tag("line/grade") == "DC0l"` can never hold: a typing slip that would make a rule silently never apply.
        for at, token in enumerate(tokens):
            variable = by_name.get(token.text) if token.kind == "variable" else None
            if variable is None or not variable.states:
                continue
            for text in _compared(tokens, at):
                if text not in variable.states:
                    known = ", ".join(variable.states)
                    raise Flaw(f"{variable.input.name} has no state {text!r}", f"its states are: {known}")


def _compared(tokens: tuple[Token, ...], at: int) -> list[str]:
    """The strings that the variable at `at` is compared with."""
    found: list[str] = []
    for operator, other in ((at + 1, at + 2), (at - 1, at - 2)):
        if 0 <= other < len(tokens) and tokens[operator].text in ("==", "!=") and tokens[other].kind == "string":
            found.append(unquote(tokens[other].text))
    if at + 2 < len(tokens) and tokens[at + 1].text == "in" and tokens[at + 2].text == "[":
        for token in tokens[at + 3 :]:
            if token.text == "]":
                break
            if token.kind == "string":
                found.append(unquote(token.text))
    return found


def _lists(tokens: tuple[Token, ...]) -> list[tuple[int, int]]:
    """The (start, end) of every bracketed list. Brackets that don't match are left to CEL's parser."""
    found: list[tuple[int, int]] = []
    open_at: list[int] = []
    for at, token in enumerate(tokens):
        if token.kind == "op" and token.text == "[":
            open_at.append(at)
        elif token.kind == "op" and token.text == "]" and open_at:
            found.append((open_at.pop(), at + 1))
    return found


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _explain(error: Exception, by_name: Mapping[str, Variable]) -> NoReturn:
    text = _first_line(error)
    text = text.removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ")
    text = text.split(": ", 1)[1] if text.startswith("<input>") and ": " in text else text
    for name in sorted(by_name, key=len, reverse=True):
        text = text.replace(name, f'{by_name[name].input.kind}("{by_name[name].input.name}")')
    raise Flaw(text, "compare real numbers with real numbers (1.0), states with names in quotes, and combine with && || !") from error
