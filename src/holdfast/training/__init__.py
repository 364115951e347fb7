"""Micro-models from generators: `train(name, seed=…, out=…)` makes a shipped model anew, the same bytes from the same seed.

Each recipe is one file with `recipe(seed, out, progress) -> Trained`. PyTorch is needed here and nowhere else (extra `train`).
"""

import importlib
from collections.abc import Callable
from pathlib import Path

from holdfast.terms import Word

RECIPES = ("registers", "requests")
Progress = Callable[[float, str], None]  # (share done 0..1, what is being done)


class TrainingError(Exception):
    """The model can't be trained. The text says what to do."""


class Trained(Word):
    """What a training left in `out`: `model.onnx` and `card.json`."""

    name: str
    model: Path
    card: Path
    bytes: int
    sha256: str
    seed: int
    figures: tuple[tuple[str, float], ...] = ()  # measured on worlds of another seed; names with their units


def train(name: str, *, seed: int, out: Path, progress: Progress) -> Trained:
    """Train a micro-model into the folder `out`, which is made. Raises TrainingError."""
    if name not in RECIPES:
        raise TrainingError(f"no micro-model {name!r}; there are: {', '.join(RECIPES)}")
    try:
        module = importlib.import_module(f"holdfast.training.{name}")
    except ModuleNotFoundError as error:
        raise TrainingError(f"{name}: {error.name} is not there; install the extra: holdfast[train]") from error
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{out}: {error.strerror}; name a folder that can be made") from error
    recipe: Callable[[int, Path, Progress], Trained] = module.recipe
    return recipe(seed, out, progress)
