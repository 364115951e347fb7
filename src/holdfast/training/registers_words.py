"""What the made-up register maps are put together from: names, notations and phrases, as plain lists.

Nothing here is a device's: subjects and quantities are combined at random, and a share of the names is made of syllables that mean
nothing, so that a tagger learns where a name stands and not which names there are.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

_READ: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def listed(name: str) -> Sequence[str]:
    return cast("list[str]", _READ[name])


def by_kind(name: str) -> Mapping[str, Sequence[str]]:
    """Ways to write a thing, by what it is."""
    return cast("dict[str, list[str]]", _READ[name])
