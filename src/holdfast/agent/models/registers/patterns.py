"""The wordings of `patterns.toml`, compiled once: any of a group's alternatives, in any letter case."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast


@lru_cache(maxsize=1)
def _read() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__ or "").joinpath("patterns.toml").read_text(encoding="utf-8"))


def listed(name: str) -> Sequence[str]:
    """A list that stands alone."""
    return cast("list[str]", _read()[name])


def grouped(name: str) -> Mapping[str, Sequence[str]]:
    """Lists by what they tell."""
    return cast("dict[str, list[str]]", _read()[name])


def pattern(group: str, name: str) -> re.Pattern[str]:
    """Any of the alternatives. Letters and digits are ASCII's, so that a boundary between Chinese and Latin counts."""
    return re.compile("|".join(grouped(group)[name]), re.IGNORECASE | re.ASCII)


def any_of(name: str) -> re.Pattern[str]:
    return re.compile("|".join(listed(name)), re.IGNORECASE)
