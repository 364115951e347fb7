"""The recipe of the micro-model `registers`: a tagger of register maps and requests, from worlds made at random."""

from pathlib import Path

from holdfast.training import Progress, Trained
from holdfast.training.registers_worlds import KINDS, LABELS, make
from holdfast.training.tagger import Recipe, train_tagger

STEPS = 9000  # some 20 minutes on one thread of a small machine
CARD = {
    "for": "marking names, addresses, types, scales, units, access and phrases of convention in a few lines of a register map, and "
    "name and value in a request, in Chinese or English; a second opinion beside rules, which grounding and agreement must confirm",
    "made_from": "holdfast.training.registers_worlds: maps and requests made at random; no device's map and no recorded text",
    "tried_on": "worlds of another seed; whole answers with rules and gate: `holdfast eval registers`",
    "not_tried_on": "maps of more than a few dozen lines, scanned pages, languages other than Chinese and English, hardware",
    "licence": "Apache-2.0",
}


def recipe(seed: int, out: Path, progress: Progress) -> Trained:
    """Raises TrainingError where PyTorch or onnx is not there."""
    wanted = Recipe(name="registers", labels=LABELS, classes=KINDS, make=make, steps=STEPS, texts=16, width=96, card=CARD)
    return train_tagger(wanted, seed=seed, out=out, progress=progress)
