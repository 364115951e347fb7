"""The training room: bad names are told, and the same seed gives the same bytes where PyTorch is there."""

import importlib.util
import json
import random
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from holdfast import training
from holdfast.cli import models
from holdfast.training import Trained, TrainingError, train
from holdfast.training.tagger import Example, Marking, Recipe, train_tagger

TORCH = importlib.util.find_spec("torch") is not None and importlib.util.find_spec("onnx") is not None
without_torch = pytest.mark.skipif(TORCH, reason="PyTorch is here: nothing to complain of")
with_torch = pytest.mark.skipif(not TORCH, reason="needs the extra train (PyTorch and onnx)")


def _quiet(share: float, what: str) -> None:
    assert 0 <= share <= 1


def _make(source: random.Random) -> Example:
    word, number = source.choice(("alpha", "beta")), str(source.randrange(10_000))
    text = f"{word} = {number} // x"
    start = len(word) + 3
    return Example(
        text=text,
        spans=(Marking(start=0, end=len(word), label="name"), Marking(start=start, end=start + len(number), label="number")),
        kind=word,
    )


TOY = Recipe(
    name="toy", labels=("name", "number"), classes=("alpha", "beta"), make=_make, steps=240, texts=8, width=32, card={"for": "a test"}
)


def test_an_unknown_model_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there are: registers, requests"):
        train("poems", seed=1, out=tmp_path, progress=_quiet)


@without_torch
def test_without_pytorch_the_error_names_the_extra(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"holdfast\[train\]"):
        train_tagger(TOY, seed=1, out=tmp_path, progress=_quiet)


def test_the_command_tells_what_it_made_and_how_long_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(name: str, *, seed: int, out: Path, progress: training.Progress) -> Trained:
        progress(1.0, "done")
        figures = (("span_recall", 0.5),)
        return Trained(name=name, model=out / "model.onnx", card=out / "card.json", bytes=7, sha256="ab", seed=seed, figures=figures)

    monkeypatch.setattr(training, "train", made)
    command = typer.Typer()
    models.register(command)
    told = CliRunner().invoke(command, ["models", "train", "requests", "--out", str(tmp_path), "--seed", "3", "--json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert (answer["model"], answer["seed"], answer["figures"]) == (str(tmp_path / "model.onnx"), 3, {"span_recall": 0.5})
    assert answer["took_s"] >= 0


@with_torch
@pytest.mark.filterwarnings("default")
def test_the_same_seed_gives_the_same_bytes_and_a_tagger_that_learned(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, two = (train_tagger(TOY, seed=5, out=folder, progress=_quiet) for folder in folders)
    assert one.sha256 == two.sha256
    assert dict(one.figures)["span_recall"] > 0.9
