"""The imported records in the home: one JSON file, a source replaced whole, so that an import twice is an import once."""

import json
from pathlib import Path
from typing import Any, cast

from holdfast.agent.knowledge.logs.record import Entry
from holdfast.agent.knowledge.replaced import replace
from holdfast.terms import Word, canonical

NAME = "maintenance.json"
FORM = 1
BYTES_MAX = 500_000_000


class StoreError(Exception):
    """The file can't be used; the text says what to do."""


class Source(Word):
    """One imported file."""

    name: str
    sha256: str
    entries: tuple[Entry, ...]


def load(path: Path) -> tuple[Source, ...]:
    """() where nothing was imported yet. Raises StoreError."""
    cure = "import the logs again with `holdfast logs import FILE`"
    try:
        if path.stat().st_size > BYTES_MAX:
            raise StoreError(f"{path}: larger than {BYTES_MAX} bytes; delete it and {cure}")
        raw = cast("dict[str, Any]", json.loads(path.read_bytes()))
        if raw["form"] != FORM:
            raise StoreError(f"{path}: written in form {raw['form']}, this version reads {FORM}; delete it and {cure}")
        return tuple(Source(name=s["name"], sha256=s["sha256"], entries=tuple(map(_entry, s["entries"]))) for s in raw["sources"])
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; {cure}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: no imported records ({type(error).__name__}: {error}); delete it and {cure}") from error


def keep(path: Path, source: Source) -> None:
    """In place of a source of the same name. Raises OSError, StoreError."""
    sources = (*(one for one in load(path) if one.name != source.name), source)
    replace(path, canonical({"form": FORM, "sources": sources}))


def _entry(raw: dict[str, Any]) -> Entry:
    parts, standards = (tuple(str(one) for one in raw.pop(name)) for name in ("parts", "standards"))
    return Entry(parts=parts, standards=standards, **raw)
