"""The recipe of the micro-model `requests`: what kind of task a request is, from requests made at random."""

from pathlib import Path

from holdfast.training import Progress, Trained
from holdfast.training.requests_worlds import KINDS, LABELS, make
from holdfast.training.tagger import Recipe, train_tagger

STEPS = 4000
CARD = {
    "for": "telling what kind of task an operator's request is, in Chinese or English, unsafe and outside among the kinds; a second "
    "opinion beside rules: it can veto an act and let a look through, and never makes an act",
    "made_from": "holdfast.training.requests_worlds: requests made at random; no plant's and no recorded text",
    "tried_on": "requests of another seed; requests written by hand beside the rules: `holdfast eval requests`",
    "not_tried_on": "speech that was written down, languages other than Chinese and English, the requests of a real control room",
    "licence": "Apache-2.0",
}


def recipe(seed: int, out: Path, progress: Progress) -> Trained:
    """Raises TrainingError where PyTorch or onnx is not there."""
    wanted = Recipe(name="requests", labels=LABELS, classes=KINDS, make=make, steps=STEPS, texts=48, width=64, card=CARD)
    return train_tagger(wanted, seed=seed, out=out, progress=progress)
