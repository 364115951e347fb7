"""A model's card from what a command was given: a file that training left, or the facts one by one; with the evaluations named."""

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.site.modelcard import Card, Evaluation, Figure, Profile

EVALUATION_BYTES_MAX = 4 << 20
CARD_BYTES_MAX = 256 << 10


class CardError(ValueError):
    """The facts make no card; the text says which and what to give instead."""


def card_in(path: Path) -> "Card":
    """Raises CardError."""
    from pydantic import TypeAdapter, ValidationError

    from holdfast.site.modelcard import Card

    try:
        return TypeAdapter(Card).validate_json(_read(path, CARD_BYTES_MAX))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CardError(f"{path}: {place}: {first['msg']}; mend it there, or give the facts as options") from None


def profile_of(told: str) -> "Profile":
    """`cpu-int8-tp1-pp1=supported`. Raises CardError."""
    from holdfast.site.modelcard import PROFILE, Profile

    name, _, state = told.partition("=")
    if not PROFILE.fullmatch(name) or state not in ("supported", "experimental", "unsupported", "untested"):
        raise CardError(f"{told!r}: write BACKEND-PRECISION-tpN-ppN=STATE; states are supported, experimental, unsupported and untested")
    return Profile(name=name, state=state)  # type: ignore[arg-type]


def evaluation_in(path: Path, higher: list[str], lower: list[str]) -> "Evaluation":
    """What `holdfast eval NAME --json` printed: its last line. Only the figures that are named are kept. Raises CardError."""
    from holdfast.site.modelcard import SHA256, Evaluation

    lines = _read(path, EVALUATION_BYTES_MAX).decode(errors="replace").strip().splitlines()
    try:
        told: Any = jsonlib.loads(lines[-1])
        suite, seed, figures, data = str(told["name"]), int(told["seed"]), dict(told["figures"]), told["data"]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CardError(f"{path}: its last line is not what `holdfast eval NAME --json` prints ({type(error).__name__})") from error
    sha256 = str(data.get("sha256", "") if isinstance(data, dict) else data)  # type: ignore[reportUnknownArgumentType]
    if not SHA256.fullmatch(sha256):
        raise CardError(f"{path}: the evaluation names no data set by SHA-256, so nothing can be compared with it")
    kept = tuple(_figure(path, figures, name, "higher" if name in higher else "lower") for name in (*higher, *lower))
    if not kept:
        raise CardError(f"{path}: name the figures that must never get worse with --higher and --lower; there are: {', '.join(figures)}")
    return Evaluation(suite=suite, data=sha256, seed=seed, figures=kept)


def _figure(path: Path, figures: dict[str, Any], name: str, better: str) -> "Figure":
    from holdfast.site.modelcard import Figure

    value = figures.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CardError(f"{path}: no figure {name!r} that is a number; there are: {', '.join(figures)}")
    return Figure(name=name, value=float(value), better=better)  # type: ignore[arg-type]


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise CardError(f"{path}: {error.strerror}; name a file that can be read") from error
