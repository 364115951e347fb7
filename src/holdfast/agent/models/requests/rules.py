"""The rules' words, from rules.toml: alternatives of regular expressions."""

import functools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

FILE = Path(__file__).parent / "rules.toml"


@functools.cache
def _tables() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def alternatives(table: str, name: str) -> str:
    """One expression that any of them matches."""
    return "|".join(_tables()[table][name])


def names(table: str) -> tuple[str, ...]:
    """In the file's order."""
    return tuple(_tables()[table])
