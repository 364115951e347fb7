"""What a model's answer may rest on: the citations and the numbers of what the tools returned, and of the question itself.

Each call has a number, each of its citations one more: `2.1` is the first of the second call. A number in an answer must stand in what was
given, exactly or rounded to as many digits as are shown. Numbers in words ("three", 三) are not looked at.
"""

import re
from collections.abc import Iterable, Sequence

from holdfast.agent.tools.tool import Citation, Returned

NUMBER = re.compile(r"(?<![0-9.])[-+−]?[0-9]+(?:\.[0-9]+)?")
LISTED_MAX = 20
NUMBERS_MAX = 5000


class Given:
    """All that was given to the model in one run."""

    def __init__(self, question: str) -> None:
        self.citations: dict[str, Citation] = {}
        self.numbers: list[float] = list(_numbers(question))
        self._calls = 0

    def take(self, text: str, returned: Returned, chars_max: int) -> str:
        """The text of a call, cut to so many characters, with its citations named so that the answer can point to them."""
        self._calls += 1
        if len(text) > chars_max:
            text = f"{text[:chars_max]} … (cut)"
        if len(self.numbers) < NUMBERS_MAX:
            self.numbers += _numbers(text)
        for n, one in enumerate(returned.citations, start=1):
            if n < 100 and self._calls < 100:
                self.citations[f"{self._calls}.{n}"] = one
        return f"call {self._calls}; citation n of it is cited as {self._calls}.n\n{text}"

    def names(self) -> str:
        return ", ".join(list(self.citations)[:LISTED_MAX]) or "-"


def citations_of(named: Iterable[str], given: Given) -> tuple[Citation, ...]:
    return tuple(given.citations[name] for name in dict.fromkeys(named))


def numbers_not_in(text: str, given: Given) -> Sequence[str]:
    """The numbers of a text that stand nowhere in what was given."""
    return [shown for shown in NUMBER.findall(text) if not any(_same(shown, known) for known in given.numbers)]


def _same(shown: str, known: float) -> bool:
    digits = len(shown.partition(".")[2])
    # A sign is a matter of wording: "fell by 0.3" tells of -0.3.
    return abs(abs(float(shown.replace("−", "-"))) - abs(known)) <= 0.5 * 10.0**-digits + 1e-9


def _numbers(text: str) -> Iterable[float]:
    return [float(found.replace("−", "-")) for found in NUMBER.findall(text)[:NUMBERS_MAX]]
