"""What failure modes are called: the names in the library's files, which are data; none of the agent's code is used for it."""

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any, cast

import yaml

FILES_MAX, BYTES_MAX = 200, 2_000_000


@functools.cache
def names() -> Mapping[str, tuple[str, str]]:
    """By id, in English and Chinese. A file that can't be read has no names: a report then calls its modes by their ids."""
    found: dict[str, tuple[str, str]] = {}
    folder = resources.files("holdfast").joinpath("agent", "knowledge", "modes")
    for file in sorted(folder.iterdir(), key=lambda f: f.name)[:FILES_MAX]:
        if file.name.endswith(".yaml"):
            try:
                loaded: Any = yaml.load(file.read_text(encoding="utf-8")[:BYTES_MAX], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
                modes = cast("list[dict[str, Any]]", loaded["modes"])
                found |= {str(mode["id"]): (str(mode["name"]["en"]), str(mode["name"]["zh"])) for mode in modes}
            except (OSError, yaml.YAMLError, KeyError, TypeError):
                continue
    return found
