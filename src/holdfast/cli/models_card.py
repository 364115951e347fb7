"""A model's card from what a command was given: a file that training left, or the facts one by one; with the evaluations named."""

import hashlib
import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.site.modelcard import Card, Evaluation, Figure, Profile

EVALUATION_BYTES_MAX = 4 << 20
CARD_BYTES_MAX = 256 << 10
MICRO_MIB = 64  # that a micro-model needs, the runtime among it


class CardError(ValueError):
    """The facts make no card; the text says which and what to give instead."""


def card_in(path: Path) -> "Card":
    """A card as bundles have it, or the one that training leaves beside its model. Raises CardError."""
    from pydantic import TypeAdapter, ValidationError

    from holdfast.site.modelcard import Card

    told = _read(path, CARD_BYTES_MAX)
    try:
        plain: Any = jsonlib.loads(told)
    except ValueError:
        plain = None
    if isinstance(plain, dict) and "made_from" in plain:
        return _trained(plain)  # type: ignore[reportUnknownArgumentType]
    try:
        return TypeAdapter(Card).validate_json(told)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CardError(f"{path}: {place}: {first['msg']}; mend it there, or give the facts as options") from None


def _trained(told: dict[str, Any]) -> "Card":
    """What `holdfast models train` says of a micro-model: it runs here, so it may see everything; size and evaluations are added."""
    from holdfast.site.modelcard import Card, Profile

    made = f"{told['made_from']}; seed {told.get('seed')}, {told.get('steps')} steps"
    return Card(
        skills=(str(told.get("name", "")),),
        languages=("en", "zh"),
        clearance="restricted",
        licence=str(told.get("licence", "")),
        provenance=f"{made}; for {told.get('for', '')}",
        format="onnx",
        precision=str(told.get("precision", "int8")),
        parameters=int(told.get("parameters", 0)),
        memory_mib=int(told.get("memory_mib", MICRO_MIB)),
        profiles=(Profile(name="cpu-int8-tp1-pp1", state="supported"),),
        tried_on=str(told.get("tried_on", "")),
        not_tried_on=str(told.get("not_tried_on", "")),
    )


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
        suite, seed, figures = str(told["name"]), int(told["seed"]), dict(told["figures"])
        data = sorted(str(one["sha256"]) for one in told["data"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CardError(f"{path}: its last line is not what `holdfast eval NAME --json` prints ({type(error).__name__})") from error
    # Of several files the digest of their digests: figures are compared where all of it was the same.
    sha256 = data[0] if len(data) == 1 else hashlib.sha256("\n".join(data).encode()).hexdigest()
    if not data or not all(SHA256.fullmatch(one) for one in data):
        raise CardError(f"{path}: the evaluation names no data set by SHA-256, so nothing can be compared with it")
    kept = tuple(_figure(path, figures, name, "higher" if name in higher else "lower") for name in (*higher, *lower))
    if not kept:
        raise CardError(f"{path}: name the figures that must never get worse with --higher and --lower; there are: {', '.join(figures)}")
    return Evaluation(suite=suite, data=sha256, seed=seed, figures=kept)


def _figure(path: Path, figures: dict[str, Any], name: str, better: str) -> "Figure":
    from holdfast.site.modelcard import Figure

    value: Any = figures
    for part in name.split("."):  # a figure within another is named with a point between
        value = value.get(part) if isinstance(value, dict) else None  # type: ignore[reportUnknownMemberType]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CardError(f"{path}: no figure {name!r} that is a number; there are: {', '.join(figures)}")
    return Figure(name=name, value=float(value), better=better)  # type: ignore[arg-type]


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise CardError(f"{path}: {error.strerror}; name a file that can be read") from error
