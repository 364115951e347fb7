"""The registry of suites and benchmarks: each is one file with `run(options) -> Figures`, found by its name.

`holdfast eval NAME` runs `holdfast.evals.NAME`, `holdfast bench NAME` runs `holdfast.evals.bench.NAME` (a `-` in a name
is a `_` in the file's).
"""

import hashlib
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from holdfast.terms import Word

Kind = Literal["eval", "bench"]
PACKAGES: Mapping[Kind, str] = {"eval": "holdfast.evals", "bench": "holdfast.evals.bench"}
NAME = re.compile(r"[a-z][a-z0-9-]*")


class SuiteError(Exception):
    """The suite can't run as it was asked to: no such suite, unreadable data. The text says what to do."""


def _say_nothing(share: float, what: str) -> None:
    """For who shows no progress."""


def _keep_nothing(case: str, answer: Any) -> None:
    """For who keeps no answers."""


class Options(Word):
    """What a run was asked for."""

    seed: int = 1
    n: int | None = None  # how many cases or rounds; None: the suite's own number, which its published figure is made with
    data: Path | None = None
    fit: Path | None = None  # what is learned from and limits are set on, where a suite tells that from `data`; None: the same
    classes: tuple[str, ...] = ()  # of cases, where a suite has several; (): all
    mutants: bool = False  # also break what is tested, piece by piece, to see the suite fail
    progress: Callable[[float, str], None] = _say_nothing  # (share done 0..1, what is being done)
    answer: Callable[[str, Any], None] = _keep_nothing  # (case id, answer): a line of --out FILE


class Figures(Word):
    """What a run found. `figures` must have a canonical form (terms.canonical); a thing that never happened is None."""

    name: str
    seed: int
    data: tuple[tuple[str, str], ...] = ()  # (path, sha256) of every file that was read
    figures: Mapping[str, Any]
    pass_: bool

    def plain(self) -> dict[str, Any]:
        """The contract of the last line with --json."""
        data = [{"path": path, "sha256": sha256} for path, sha256 in self.data]
        return {"name": self.name, "seed": self.seed, "data": data, "figures": dict(self.figures), "pass": self.pass_}


Run = Callable[[Options], Figures]


def suite(kind: Kind, name: str) -> Run:
    """The entry function of a suite. Raises SuiteError, with the names that there are."""
    module = f"{PACKAGES[kind]}.{name.replace('-', '_')}"
    if NAME.fullmatch(name) and importlib.util.find_spec(module) is not None:
        entry = getattr(importlib.import_module(module), "run", None)
        if entry is not None:
            return entry
    raise SuiteError(f"no {kind} {name!r}; there are: {', '.join(names(kind))}")


def names(kind: Kind) -> tuple[str, ...]:
    """All suites of a kind, sorted. Imports every file of the package."""
    package = importlib.import_module(PACKAGES[kind])
    found = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(name.replace("_", "-") for name in found if hasattr(importlib.import_module(f"{PACKAGES[kind]}.{name}"), "run"))


def hashed(paths: Iterable[Path]) -> tuple[tuple[str, str], ...]:
    """(path, sha256) for `Figures.data`. Raises SuiteError where a file can't be read."""
    found: list[tuple[str, str]] = []
    for path in paths:
        try:
            with path.open("rb") as file:
                found.append((str(path), hashlib.file_digest(file, "sha256").hexdigest()))
        except OSError as error:
            raise SuiteError(f"{path}: {error.strerror}; give the data's place with --data") from error
    return tuple(found)
