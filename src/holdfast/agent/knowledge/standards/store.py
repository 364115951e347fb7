"""The imported table in the home: one JSON file, replaced whole, with the digest of the file that it came from."""

import json
from pathlib import Path
from typing import Any, cast

from holdfast.agent.knowledge.replaced import replace
from holdfast.agent.knowledge.standards.table import STATES, Standard
from holdfast.terms import Word, canonical

NAME = "standards.json"
FORM = 1
BYTES_MAX = 200_000_000


class StoreError(Exception):
    """No table, or one that can't be used; the text says what to do."""


class Stored(Word):
    """`sha256` is of the imported file; `imported` is the day (YYYY-MM-DD)."""

    sha256: str
    imported: str
    standards: tuple[Standard, ...]


def save(path: Path, stored: Stored) -> None:
    """Raises OSError."""
    replace(path, canonical({"form": FORM, "sha256": stored.sha256, "imported": stored.imported, "standards": stored.standards}))


def load(path: Path) -> Stored:
    """Raises StoreError."""
    cure = "import a table with `holdfast standards import TABLE.csv`"
    try:
        if path.stat().st_size > BYTES_MAX:
            raise StoreError(f"{path}: larger than {BYTES_MAX} bytes; {cure}")
        raw = cast("dict[str, Any]", json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise StoreError(f"{path}: no table of standards yet; {cure}") from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; {cure}") from error
    except ValueError as error:
        raise StoreError(f"{path}: not a table of standards ({error}); {cure}") from error
    try:
        if raw["form"] != FORM:
            raise StoreError(f"{path}: written in form {raw['form']}, this version reads {FORM}; {cure}")
        return Stored(sha256=raw["sha256"], imported=raw["imported"], standards=tuple(_standard(one) for one in raw["standards"]))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: not a table of standards ({type(error).__name__}: {error}); {cure}") from error


def _standard(raw: dict[str, Any]) -> Standard:
    if raw["state"] not in STATES:
        raise ValueError(f"state {raw['state']!r}")
    replaced_by, adopts, cites = (tuple(str(one) for one in raw.pop(name)) for name in ("replaced_by", "adopts", "cites"))
    return Standard(replaced_by=replaced_by, adopts=adopts, cites=cites, **raw)
