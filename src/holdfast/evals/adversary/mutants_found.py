"""Every place of the gate where a verdict is decided, found in its source: none is left out because nobody thought of it.

A place is a comparison, a refusal (a failed or judged reason, a code of what is wrong, a ruling against, an error of an approval), a number
that the file's constants set, or a check of the guard's tuple.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from holdfast import gate
from holdfast.gate.guard import decide
from holdfast.terms import Word

ROOT = Path(gate.__file__).parent
FILES = (
    *(
        f"guard/{name}.py"
        for name in ("decide", "rules", "wellformed", "physics", "standing", "readings", "exact", "verdict", "case", "conditions", "binds")
    ),
    *(f"actuation/{name}.py" for name in ("saga", "effect", "wire", "moves", "watchdog", "stop", "hands")),
    "approval/inbox.py",
    "approval/standing.py",
)
# One number further or less far; and the other way about.
SHIFTED: dict[type[ast.cmpop], tuple[str, str]] = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">")}
TURNED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
CODED = ("flaw", "number", "objection")  # functions that say what is wrong by a code, "" for nothing
AGAINST = ("failed", "none")  # outcomes of a ruling
TEXT_MAX = 70


class Edit(Word):
    """A piece of a file's text, from `start` to `end` (characters), and what stands there instead.

    `within` is the function that it lies in, by its qualified name; "" for a constant: then `constant` is its name, and `new`
    what it is instead.
    """

    file: str
    start: int
    end: int
    new: str
    within: str
    constant: str = ""


class Mutant(Word):
    """The gate with one thing broken."""

    name: str
    edits: tuple[Edit, ...]


@cache
def source(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


@cache
def tree(file: str) -> ast.Module:
    return ast.parse(source(file))


@cache
def found() -> tuple[Mutant, ...]:
    """One mutant for each thing that can be broken at each place, in the order of the files."""
    made = (*_checks(), *(m for file in FILES for m in _of(file)))
    seen: Counter[str] = Counter()
    named: list[Mutant] = []
    for mutant in made:
        seen[mutant.name] += 1
        named.append(mutant if seen[mutant.name] == 1 else Mutant(name=f"{mutant.name} #{seen[mutant.name]}", edits=mutant.edits))
    return tuple(named)


def functions(file: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Functions of the module and methods of its classes; what is nested in them belongs to them."""
    for node in tree(file).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def _checks() -> Iterator[Mutant]:
    """Each check of the guard's tuple left out."""
    file, old = "guard/decide.py", "in checks:"
    for name, _ in (*decide.BEFORE_POLICY, *decide.AFTER_POLICY):
        at = source(file).index(old)
        new = f'in [c for c in checks if c[0] != "{name}"]:'
        yield Mutant(name=f"without {name}", edits=(Edit(file=file, start=at, end=at + len(old), new=new, within="_all_of"),))


def _of(file: str) -> Iterator[Mutant]:
    yield from _constants(file)
    for within, function in functions(file):
        inside: set[ast.AST] = set()
        for node in _walk(function):
            if isinstance(node, ast.Compare):
                yield from _comparison(file, within, node)
            elif isinstance(node, ast.Call) and node not in inside:
                yield from _refusal(file, within, node, inside)
            elif isinstance(node, ast.Return) and function.name in CODED:
                yield from _code(file, within, node)
            elif isinstance(node, ast.Raise) and file == "approval/inbox.py" and isinstance(node.exc, ast.Call):
                yield _mutant(file, within, node, "pass", f"{ast.unparse(node)} left out")


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Parents before children, in the order of the text; without the types' annotations."""
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in ("annotation", "returns", "decorator_list"):
                yield child
                yield from _walk(child)


def _comparison(file: str, within: str, node: ast.Compare) -> Iterator[Mutant]:
    left: ast.expr = node.left
    for op, right in zip(node.ops, node.comparators, strict=True):
        start, end = span(file, left)[1], span(file, right)[0]
        between = source(file)[start:end]
        for table in (SHIFTED, TURNED):
            if type(op) in table:
                old, new = table[type(op)]
                told = f"{_short(left)} {old} {_short(right)} as {new}"
                edit = Edit(file=file, start=start, end=end, new=between.replace(old, new, 1), within=within)
                yield Mutant(name=f"{file} {within}: {told}", edits=(edit,))
        left = right


def _refusal(file: str, within: str, node: ast.Call, inside: set[ast.AST]) -> Iterator[Mutant]:
    """A failed reason passes, a ruling against permits; reasons inside such a ruling are its text."""
    called = node.func.id if isinstance(node.func, ast.Name) else ""
    first = node.args[0] if node.args else None
    if called == "Ruling" and isinstance(first, ast.Constant) and first.value in AGAINST:
        inside.update(ast.walk(node))
        yield _mutant(file, within, node, 'Ruling("permit", (), ())', f"{_short(node)} permits")
    elif called == "judged" and not isinstance(node.args[2], ast.Constant):
        yield _mutant(file, within, node.args[2], "True", f"{_short(node.args[1])} passes")
    elif called == "failed" and within != "failed":
        text = ast.get_source_segment(source(file), node)
        yield _mutant(file, within, node, f'type({text})(code="mutant", passed=True)', f"{_short(first or node)} passes")


def _code(file: str, within: str, node: ast.Return) -> Iterator[Mutant]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant | ast.JoinedStr) and getattr(part, "value", None) != "" and _is_code(part):
            yield _mutant(file, within, part, '""', f"{_short(part)} is no fault")


def _is_code(part: ast.Constant | ast.JoinedStr) -> bool:
    return isinstance(part, ast.JoinedStr) or (isinstance(part.value, str) and part.value.islower() and not part.value.endswith("."))


def _constants(file: str) -> Iterator[Mutant]:
    """Numbers that the module sets by name: twice as much, and half."""
    for node in tree(file).body:
        for name, value in _assigned(node):
            if not name.isupper() or not all(isinstance(n, _NUMERIC) for n in ast.walk(value)) or _is_text(value):
                continue
            text = ast.unparse(value)
            for new, told in ((f"2 * ({text})", "twice"), (f"type({text})(({text}) / 2)", "half")):
                start, end = span(file, value)
                edit = Edit(file=file, start=start, end=end, new=new, within="", constant=name)
                yield Mutant(name=f"{file} {name} {told}", edits=(edit,))


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        yield from ((name.id, of) for name, of in zip(target.elts, value.elts, strict=True) if isinstance(name, ast.Name))


_NUMERIC = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Name, ast.Load)


def _is_text(value: ast.expr) -> bool:
    return any(isinstance(n, ast.Constant) and not isinstance(n.value, int | float) for n in ast.walk(value))


def _mutant(file: str, within: str, node: ast.stmt | ast.expr, new: str, told: str) -> Mutant:
    start, end = span(file, node)
    return Mutant(name=f"{file} {within}: {told}", edits=(Edit(file=file, start=start, end=end, new=new, within=within),))


@cache
def _lines(file: str) -> tuple[int, ...]:
    """Where each line begins, in bytes."""
    starts = [0]
    for line in source(file).encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return tuple(starts)


def span(file: str, node: ast.stmt | ast.expr) -> tuple[int, int]:
    """First character and the one after the last; the tree counts bytes."""
    starts, data = _lines(file), source(file).encode()
    first = starts[node.lineno - 1] + node.col_offset
    last = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
    return len(data[:first].decode()), len(data[:last].decode())


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
