"""A small character tagger from examples: marked texts in, an int8 ONNX file with its card out.

An example is a text, the spans in it that have a label, and the class of the whole where there are classes. Examples come
from a generator that is asked with a random source of its own, so that the same seed gives the same bytes.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from holdfast.agent.models.spans import Tagger, ids
from holdfast.terms import Word, plain
from holdfast.training import Progress, Trained
from holdfast.training.graph import written
from holdfast.training.network import IGNORED, Batch, Shape, fit

CHARACTERS_MAX = 900  # of one example in training; what lies beyond is cut
POOL = 8  # batches drawn at once and sorted by length, so that little is padding
NOTHING = "-"  # label 0


class Marking(Word):
    start: int
    end: int
    label: str


class Example(Word):
    text: str
    spans: tuple[Marking, ...]
    kind: str = ""


class Recipe(Word):
    """What to train. `make(random)` gives one example; `labels` and `classes` are all that it uses, without NOTHING."""

    name: str
    labels: tuple[str, ...]
    classes: tuple[str, ...] = ()
    make: Callable[[random.Random], Example]
    steps: int
    texts: int = 24  # a batch
    rate: float = 2e-3
    width: int = 96
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 1)
    judged: int = 400  # examples of another seed that the finished int8 model is tried on
    card: Mapping[str, str | tuple[str, ...]]  # what the model is for, what it was and was not tried on


def train_tagger(recipe: Recipe, *, seed: int, out: Path, progress: Progress) -> Trained:
    """Writes `model.onnx` and `card.json` into `out`. Raises TrainingError where PyTorch or onnx is not there."""
    labels = (NOTHING, *recipe.labels)
    shape = Shape(width=recipe.width, dilations=recipe.dilations, labels=len(labels), classes=len(recipe.classes))
    batches = _batches(recipe, labels, random.Random(seed))
    weights = fit(
        shape, batches, steps=recipe.steps, rate=recipe.rate, seed=seed, told=lambda share, loss: progress(share * 0.97, f"loss {loss:.4f}")
    )
    model = written(shape, weights, labels, recipe.classes)
    progress(0.98, "trying it")
    figures = judged(Tagger(model), [recipe.make(source) for source in (random.Random(seed + 1),) for _ in range(recipe.judged)])
    path, card = out / "model.onnx", out / "card.json"
    path.write_bytes(model)
    sha256 = hashlib.sha256(model).hexdigest()
    facts = {"name": recipe.name, "seed": seed, "steps": recipe.steps, "bytes": len(model), "sha256": sha256}
    told = facts | {"labels": list(recipe.labels), "classes": list(recipe.classes), "figures": dict(figures)} | plain(dict(recipe.card))
    card.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    progress(1.0, "done")
    return Trained(name=recipe.name, model=path, card=card, bytes=len(model), sha256=sha256, seed=seed, figures=figures)


def judged(tagger: Tagger, examples: Sequence[Example]) -> tuple[tuple[str, float], ...]:
    """Shares: spans found exactly, spans that are right, texts with all spans right, classes right."""
    found = wanted = right = whole = kinds = classed = 0
    for example in examples:
        marked = tagger.mark(example.text)
        got = {(s.start, s.end, s.label) for s in marked.spans}
        want = {(s.start, s.end, s.label) for s in example.spans}
        found, wanted, right, whole = found + len(got), wanted + len(want), right + len(got & want), whole + (got == want)
        classed += bool(example.kind)
        kinds += bool(example.kind) and marked.kind == example.kind
    figures = {"span_recall": right / max(wanted, 1), "span_precision": right / max(found, 1), "texts_exact": whole / max(len(examples), 1)}
    if classed:
        figures["classes_right"] = kinds / classed
    return tuple(figures.items())


def _batches(recipe: Recipe, labels: tuple[str, ...], source: random.Random) -> Iterator[Batch]:
    number = {label: i for i, label in enumerate(labels)}
    kinds = {kind: i for i, kind in enumerate(recipe.classes)}
    while True:  # as many as the steps take
        pool = sorted((recipe.make(source) for _ in range(recipe.texts * POOL)), key=lambda e: len(e.text))
        groups = [pool[at : at + recipe.texts] for at in range(0, len(pool), recipe.texts)]
        source.shuffle(groups)
        for group in groups:
            length = min(max(len(e.text) for e in group), CHARACTERS_MAX)
            numbers = np.zeros((len(group), length), np.int64)
            wanted = np.full((len(group), length), IGNORED, np.int64)
            for row, example in enumerate(group):
                text = example.text[:length]
                numbers[row, : len(text)] = ids(text)[0]
                wanted[row, : len(text)] = 0
                for span in example.spans:
                    wanted[row, span.start : min(span.end, length)] = number[span.label]
            of = np.array([kinds.get(e.kind, IGNORED) for e in group], np.int64)
            yield Batch(ids=numbers, labels=wanted, classes=of)
