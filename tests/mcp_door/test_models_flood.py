"""What agents say of the models that they run floods no record, and pushes nothing out that people did."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mill_door import DoorWorld

from holdfast.gate.ledger.store import StateError
from holdfast.site.modelroles import ModelRunning, ModelsTold


def told(n: int) -> ModelsTold:
    return ModelsTold(running=tuple(ModelRunning(role=f"r{i}", digest=f"{n % 2:064x}") for i in range(32)))


@pytest.fixture
def world() -> Iterator[DoorWorld]:
    folder = Path(tempfile.mkdtemp(prefix="hf"))
    made = DoorWorld(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


def test_an_agent_that_changes_its_mind_floods_no_record(world: DoorWorld) -> None:
    before = sum(1 for _ in world.gate.log.read(0))
    for n in range(20):  # one second of what one agent may post
        world.gate.models.told("copilot", told(n))
    assert sum(1 for _ in world.gate.log.read(0)) - before <= 64
    world.clock.advance(61)
    world.gate.models.told("copilot", told(20))
    assert sum(1 for _ in world.gate.log.read(0)) - before <= 96, "a minute later it is heard again"


def test_while_the_disk_refuses_no_agent_pushes_out_what_is_owed(world: DoorWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise StateError("state.full", "full")

    with monkeypatch.context() as patched:
        patched.setattr(world.gate.log, "append", full)
        world.gate.debts.owe("stop", {"scope": "*", "by": "li.wei"})
        for n in range(320):  # 13 s of what one agent may post
            try:
                world.gate.models.told("copilot", told(n))
            except StateError:
                break
    world.gate.debts.recovered()
    assert [r for r in world.gate.log.read(0) if r.kind == "stop"]
