"""The gate broken on purpose, one piece at a time: each must make the suite fail, or the suite would not notice its loss.

A mutant is an edit of the gate's source. Each function that it changes is compiled anew and its code put in the place of the
running one's, so that everybody who holds the function runs what it has become; a constant is given its other value wherever it
was imported. `mutants_found.py` finds the places, `mutants_listed.py` adds what has no place of its own, `mutants_exempt.py`
says which can't show on the wire and why.
"""

import contextlib
import importlib
import sys
import types
from collections.abc import Generator, Iterator
from typing import Any

from holdfast.evals.adversary.mutants_exempt import exempt
from holdfast.evals.adversary.mutants_found import Edit, Mutant, found, source
from holdfast.evals.adversary.mutants_listed import listed

__all__ = ["Mutant", "all_mutants", "broken", "judged_mutants"]

ROOM = "holdfast.gate."
DECORATED = ("__wrapped__", "__func__", "fget", "_make")  # where what decorates a function keeps it


def all_mutants() -> tuple[Mutant, ...]:
    return (*found(), *listed())


def judged_mutants() -> tuple[Mutant, ...]:
    """Those that the suite must notice."""
    return tuple(mutant for mutant in all_mutants() if not exempt(mutant.name))


@contextlib.contextmanager
def broken(mutant: Mutant) -> Generator[None]:
    """The running gate with the mutant's edits in place."""
    with contextlib.ExitStack() as undo:
        for file in dict.fromkeys(edit.file for edit in mutant.edits):
            edits = [edit for edit in mutant.edits if edit.file == file]
            module = module_of(file)
            code = compile(_edited(file, edits), module.__file__ or file, "exec")
            for within in {edit.within for edit in edits if edit.within}:
                function = _function(module, within)
                undo.callback(setattr, function, "__code__", function.__code__)
                function.__code__ = _code(code, within)
            for edit in edits:
                if edit.constant:
                    _set_constant(module, edit, undo)
        yield


def module_of(file: str) -> types.ModuleType:
    return importlib.import_module(ROOM + file.removesuffix(".py").replace("/", "."))


def _edited(file: str, edits: list[Edit]) -> str:
    text = source(file)
    for edit in sorted((e for e in edits if e.within), key=lambda e: e.start, reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def _function(module: types.ModuleType, within: str) -> types.FunctionType:
    """The function itself, without what decorates it."""
    owner: Any = module
    for name in within.split("."):
        owner = vars(owner)[name]
    while (inner := next((v for a in DECORATED if (v := getattr(owner, a, None)) is not None), None)) is not None:
        owner = inner
    if not isinstance(owner, types.FunctionType):
        raise TypeError(f"{module.__name__}: {within} is no function")
    return owner


def _code(code: types.CodeType, within: str) -> types.CodeType:
    return next(inner for inner in _codes(code) if inner.co_qualname == within)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield inner
            yield from _codes(inner)


def _set_constant(module: types.ModuleType, edit: Edit, undo: contextlib.ExitStack) -> None:
    old = vars(module)[edit.constant]
    new = eval(edit.new, vars(module))
    for holder in [m for name, m in tuple(sys.modules.items()) if name.startswith(ROOM) and vars(m).get(edit.constant) is old]:
        undo.callback(setattr, holder, edit.constant, old)
        setattr(holder, edit.constant, new)
