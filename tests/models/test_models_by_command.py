"""From a stick to an agent at work: imported, promoted by a command at the running gate, loaded by an agent in its cell, put back."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packed import card, key_file, packed, trust  # pyright: ignore[reportMissingImports]

sys.path.insert(0, str(Path(__file__).parents[1] / "console"))

from console_scene import AGENT, PASSWORD, Scene  # pyright: ignore[reportMissingImports]

from holdfast.agent.models.bundles import archive
from holdfast.agent.models.bundles.bundle import open_bundle
from holdfast.run.supervise import Child, start_agent
from holdfast.site.load import load
from holdfast.site.modelcard import Evaluation, keys_in
from holdfast.site.modellayout import SHIPPED, read_layout

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
PATIENCE_S = 40.0


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "scene", people={"zhang.min": ("operator",), "wu.hao": ("auditor",)})
    try:
        yield made.start()
    finally:
        made.end()


def command(scene: Scene, *arguments: str, password: str = PASSWORD) -> tuple[int, Any]:
    told = subprocess.run(
        [*HOLDFAST, "models", *arguments, "--home", str(scene.home.path), "--json"],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return told.returncode, json.loads(told.stdout.splitlines()[-1])


def on_a_stick(tmp_path: Path, scene: Scene, key: Path, version: str, exact: float) -> Path:
    made = packed(tmp_path, key=key, of=card(exact=exact, skills=("reader",)), name="reader", version=version)
    stick = tmp_path / f"{version}.tar"
    archive.write(open_bundle(made.path, {}), stick)
    return stick


def running(scene: Scene) -> Any:
    told = scene.desk(lambda desk: desk.look("/v1/models", {}))
    return next((said for role in told["roles"] if role["role"] == "reader" for _, said in role["running"]), None)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_model_comes_from_a_stick_to_the_agent_and_goes_back(tmp_path: Path, scene: Scene) -> None:
    key = key_file(tmp_path)
    sticks = [on_a_stick(tmp_path, scene, key, version, exact) for version, exact in (("1", 0.9), ("2", 0.95), ("3", 0.8))]
    first, second, worse = (command(scene, "import", str(stick))[1]["digest"] for stick in sticks)
    code, told = command(scene, "promote", "reader", first, "--as", "zhang.min")
    assert (code, "unknown key" in told["error"]) == (1, True)
    trust(scene.home.path, key)
    assert command(scene, "promote", "reader", first, "--as", "wu.hao")[0] == 1
    assert command(scene, "promote", "reader", first, "--as", "zhang.min", password="wrong")[0] == 1
    assert command(scene, "promote", "reader", first, "--as", "zhang.min")[0] == 0

    site = load(scene.site / "site.yaml")
    agents = asyncio.run(at_work(scene, site, second))
    assert agents == [first, second, first]
    assert command(scene, "promote", "reader", worse[:12], "--as", "zhang.min")[0] == 1


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_promoted_reader_of_register_maps_reads_for_the_command_and_a_damaged_one_does_not(tmp_path: Path, scene: Scene) -> None:
    """A file that is no tagger, promoted: the command must try it, not the release's own."""
    key = key_file(tmp_path)
    trust(scene.home.path, key)
    made = packed(tmp_path, key=key, of=replace(card(), evaluations=(*card().evaluations, *released())))
    of = command(scene, "import", str(made.path))[1]["digest"]
    assert reads(scene)[0] == 0
    assert command(scene, "promote", "registers", of, "--as", "zhang.min")[0] == 0
    code, told = reads(scene)
    assert (code, "can't be opened" in told["error"]) == (2, True)
    largest = max((scene.home.models / of / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(b"x")
    code, told = reads(scene)
    assert (code, "error" in told) in ((1, True), (2, True))


def released() -> tuple[Evaluation, ...]:
    """What the release's own model of that role was tried on: who follows it was tried on the same."""
    return read_layout(SHIPPED / "registers", keys_in(SHIPPED)).vouched.statement.card.evaluations


def reads(scene: Scene) -> tuple[int, Any]:
    lines = "Kite K1 meter, function 04, 0-based, low word first\nTotal energy | 20 | UINT32 | kWh | 0.01\n"
    told = subprocess.run(
        [*HOLDFAST, "registers", "read", "-", "read the total energy", "--home", str(scene.home.path), "--json"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return told.returncode, json.loads(told.stdout.splitlines()[-1])


async def at_work(scene: Scene, site: Any, second: str) -> list[str]:
    """What the agent's own process says that it runs: at first, after another promotion, and after that was put back."""
    fast = ("--epoch-ns", str(time.time_ns()), "--factor", "20")  # it looks every ten seconds of its clock
    child: Child = await start_agent(scene.home, scene.site / "site.yaml", site, AGENT, clock=fast)
    said: list[str] = []

    async def until_another() -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                told = await asyncio.to_thread(running, scene)
                if told and told["digest"] and (not said or told["digest"] != said[-1]):
                    said.append(str(told["digest"]))
                    return
                await asyncio.sleep(0.2)

    try:
        await until_another()
        assert (await asyncio.to_thread(command, scene, "promote", "reader", second, "--as", "zhang.min"))[0] == 0
        await until_another()
        assert (await asyncio.to_thread(command, scene, "rollback", "reader", "--as", "zhang.min"))[0] == 0
        await until_another()
    finally:
        await child.end()
    return said
