"""From a stick to an answer: an encoder promoted at the running gate, manuals embedded, a Chinese question answered in English."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from encoders import bundle, encoder_card  # pyright: ignore[reportMissingImports]
from packed import key_file, trust  # pyright: ignore[reportMissingImports]

sys.path.insert(0, str(Path(__file__).parents[1] / "console"))

from console_scene import PASSWORD, Scene  # pyright: ignore[reportMissingImports]

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
PATIENCE_S = 40.0
MANUAL = "# 4 Housings\n\nThe temperature of the bearing housing must stay below 70 °C.\n\n# 5 Oil\n\nRinse the strainer once a week.\n"
QUESTION = "轴承座的温度"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "scene", people={"zhang.min": ("operator",)})
    try:
        yield made.start()
    finally:
        made.end()


def command(scene: Scene, *arguments: str) -> tuple[int, Any]:
    told = subprocess.run(
        [*HOLDFAST, *arguments, "--home", str(scene.home.path), "--json"],
        input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    return told.returncode, json.loads(told.stdout.splitlines()[-1])


def searched(scene: Scene) -> tuple[str, str, list[str]]:
    _, told = command(scene, "manuals", "search", QUESTION)
    return told["ranked_by"], told["why"], [hit["ref"] for hit in told["hits"]]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_manuals_are_found_by_meaning_from_promotion_to_rollback(tmp_path: Path, scene: Scene) -> None:
    key = key_file(tmp_path)
    trust(scene.home.path, key)
    file = tmp_path / "mill.md"
    file.write_text(MANUAL, encoding="utf-8")
    code, told = command(scene, "manuals", "add", str(file))
    assert (code, "embedded" in told) == (0, False)
    assert searched(scene) == ("words", "", [])
    code, told = command(scene, "manuals", "embed")
    assert (code, told["code"]) == (1, "manuals.embed_none")

    # Promotion asks a figure of whatever suite its maker chose: none of ours is for embeddings.
    bare = bundle(tmp_path / "0", key, seed=9, of=replace(encoder_card(), evaluations=()), similar_min=0.5)
    of = command(scene, "models", "import", str(bare.layout.folder))[1]["digest"]
    code, told = command(scene, "models", "promote", "embeddings", of, "--as", "zhang.min")
    assert (code, "embeddings" in told["error"]) == (1, True)
    first, second = (
        command(scene, "models", "import", str(bundle(tmp_path / str(n), key, seed=n, similar_min=0.5).layout.folder))[1]["digest"]
        for n in (1, 2)
    )
    assert command(scene, "models", "promote", "embeddings", first, "--as", "zhang.min")[0] == 0
    assert searched(scene) == ("words", "", [])
    code, told = command(scene, "manuals", "embed")
    assert (code, told["embedded"], told["already"], told["digest"]) == (0, 4, 0, first)
    assert told["took_s"] > 0
    assert searched(scene) == ("words+vectors", "", ["mill.md#p1.2"])

    # What is added later is embedded at once, and nothing twice.
    file.with_name("two.md").write_text(MANUAL, encoding="utf-8")
    assert command(scene, "manuals", "add", str(file.with_name("two.md")))[1]["embedded"]["embedded"] == 4
    assert command(scene, "manuals", "embed")[1]["embedded"] == 0

    # Another model: the vectors are not its, until they are made. Back again: they are still there.
    assert command(scene, "models", "promote", "embeddings", second, "--as", "zhang.min")[0] == 0
    assert searched(scene) == ("words", "manuals.other_model", [])
    assert command(scene, "manuals", "embed")[1]["embedded"] == 8
    assert searched(scene)[0] == "words+vectors"
    assert command(scene, "models", "rollback", "embeddings", "--as", "zhang.min")[0] == 0
    assert searched(scene) == ("words+vectors", "", ["mill.md#p1.2", "two.md#p1.2"])

    # A damaged model: words alone, and why.
    largest = max((scene.home.models / first / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(b"\x08other")
    assert searched(scene) == ("words", "manuals.model_gone", [])
    code, told = command(scene, "manuals", "embed")
    assert (code, told["code"]) == (2, "manuals.model_gone")
    scene.end()
    assert searched(scene) == ("words", "manuals.embed_gate", [])
    code, told = command(scene, "manuals", "embed")
    assert (code, told["code"]) == (1, "manuals.embed_gate")
