"""Where problems are gathered, so that all of them are told at once; and the nearest name to a misspelt one."""

import difflib
from collections.abc import Iterable

from holdfast.site.model import Problem

PROBLEMS_MAX = 500  # nobody reads more; a file that is another format altogether would yield one a line


class Log:
    """Problems in the order found, each told once."""

    def __init__(self) -> None:
        self._problems: dict[tuple[str, int, str], Problem] = {}

    def error(self, file: str, line: int, what: str, cure: str) -> None:
        self.add(Problem(file=file, line=line, what=what, cure=cure))

    def warn(self, file: str, line: int, what: str, cure: str) -> None:
        self.add(Problem(file=file, line=line, what=what, cure=cure, severity="warning"))

    def add(self, problem: Problem) -> None:
        if len(self._problems) < PROBLEMS_MAX:
            self._problems.setdefault((problem.file, problem.line, problem.what), problem)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.all() if p.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.all() if p.severity == "warning")

    def all(self) -> tuple[Problem, ...]:
        """By file and line, the first file first."""
        files = list(dict.fromkeys(p.file for p in self._problems.values()))
        return tuple(sorted(self._problems.values(), key=lambda p: (files.index(p.file), p.line)))


def nearest(wrong: str, right: Iterable[str], otherwise: str) -> str:
    """`did you mean "x"?` where a known name is near, else `otherwise`."""
    known = list(right)
    folded = {k.casefold(): k for k in known}
    swapped = [k for k in folded if sorted(k) == sorted(wrong.casefold())]  # difflib finds `vp` far from `pv`
    found = swapped or difflib.get_close_matches(wrong.casefold(), list(folded), n=1, cutoff=0.6)
    return f'did you mean "{folded[found[0]]}"?' if found else otherwise


def one_of(names: Iterable[str], limit: int = 12) -> str:
    """`one of a, b, c`, cut after `limit` names."""
    listed = list(names)
    if not listed:
        return "there is none yet"
    return "one of " + ", ".join(listed[:limit]) + (f" … ({len(listed)} in all)" if len(listed) > limit else "")
