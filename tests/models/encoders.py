"""Bundles of an encoder whose directions are known by construction: names of one thing in two languages are one direction."""

from dataclasses import replace
from pathlib import Path

from packed import card, keys  # pyright: ignore[reportMissingImports]

from holdfast.agent.models.bundles.bundle import Bundle, open_bundle, pack
from holdfast.evals.bench.manuals.encoder import write_encoder
from holdfast.site.modelcard import Card, Evaluation, Figure

CONCEPTS = (("轴承座", "bearing housing"), ("温度", "temperature"), ("压力", "pressure"), ("过滤器", "strainer"), ("清洗", "rinse"))
DIMS = 16


def files(folder: Path, *, seed: int = 1, **described: object) -> tuple[Path, Path, Path]:
    """Weights, tokenizer.json, embedding.json."""
    folder.mkdir(exist_ok=True)
    return write_encoder(folder, CONCEPTS, DIMS, seed, **described)


def encoder_card(**more: object) -> Card:
    figures = (Evaluation(suite="retrieval", data="cd" * 32, figures=(Figure(name="recall", value=0.9),)),)
    return replace(card(skills=("embeddings",)), evaluations=figures, **more)


def bundle(folder: Path, key: Path, *, seed: int = 1, of: Card | None = None, without: str = "", **described: object) -> Bundle:
    """`without`: a file that is left out. A file that lies in `folder` already, by that name, is packed as it is."""
    folder.mkdir(exist_ok=True)
    there = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    made = files(folder, seed=seed, **described)
    for path in made:
        if path.name in there:
            path.write_bytes(there[path.name])
    weights, *beside = made
    kept = tuple(path for path in beside if path.name != without)
    packed = pack(name="encoder", version=str(seed), weights=weights, card=of or encoder_card(), key=key, out=folder / "out", beside=kept)
    return open_bundle(packed.path, keys(key))
