"""Killed at any moment and started again, the gate never sends a write twice, and knows afterwards what became of it."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Literal

import pytest
from small_plant import PASSWORD, T, World

from holdfast.gate.identity.seal import opened

SP = f"{T}.sp"
COMMITS_MAX = 12  # of one write's life; the last ones are past its end


def _live_and_die(folder: Path, commit: int, when: str) -> None:
    """One write in a process that kills itself right before or after its n-th commit since the proposal."""
    world = World(folder, durable=True)
    wire = (folder / "wire").open("ab", buffering=0)
    world.plc.on_write = lambda tag, value: wire.write(f"{tag} {value}\n".encode())
    asyncio.run(world.run(3))
    count = 0

    def die() -> None:
        nonlocal count
        count += 1
        if count == commit:
            os.kill(os.getpid(), signal.SIGKILL)

    def before() -> bool:
        die()
        return False

    def after(*_: object) -> int:
        die()
        return 0

    db = world.gate._state.db
    if when == "before":
        db.set_commit_hook(before)
    else:
        db.set_wal_hook(after)
    world.propose(103.0)
    asyncio.run(world.run(6))


def _sent(folder: Path) -> list[str]:
    return (folder / "wire").read_text().splitlines()


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_commit_nothing_is_sent_twice(tmp_path: Path, when: str) -> None:
    seen: set[str] = set()
    killed = 0
    for commit in range(1, COMMITS_MAX + 1):
        folder = tmp_path / f"{commit}"
        child = os.fork()
        if child == 0:
            try:
                _live_and_die(folder, commit, when)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        sent = _sent(folder)
        world = World(folder, durable=True)
        world.clock.advance(60.0)
        if sent:
            world.plc.blocks[T].sp_ext = 103.0  # it did arrive
        again: list[str] = []
        world.plc.on_write = lambda tag, value: again.append(f"{tag} {value}")  # noqa: B023
        asyncio.run(world.run(30))
        assert again == [], f"commit {commit}"
        assert len(sent) <= 1
        state = world.state()
        seen.add(state)
        if sent:
            assert state in ("done", "indeterminate"), f"commit {commit}: {state}"
        else:
            assert state in ("none", "voided", "indeterminate"), f"commit {commit}: {state}"
        world.gate.close()
    assert killed >= 4
    assert {"voided", "done"} <= seen


@pytest.mark.parametrize("landed", [True, False])
async def test_killed_during_the_write_it_is_read_and_never_sent_again(tmp_path: Path, landed: bool) -> None:
    world = World(tmp_path)
    await world.run(3)
    await world.dies_in_the_write(103.0, landed=landed)
    assert world.state() == "sent"
    assert [r["code"] for r in world.records("reconciling")] == ["saga.restarted"]
    await world.run(30)
    assert world.state() == ("done" if landed else "indeterminate")
    assert len(world.plc.written) == 1


@pytest.mark.parametrize("answer", ["failed", "verified"])
async def test_what_a_person_resolves_after_a_restart_may_have_been_put_back_meanwhile_so_the_loop_is_theirs(
    tmp_path: Path, answer: Literal["failed", "verified"]
) -> None:
    world = World(tmp_path)
    world.gate.people.add("ann", ["operator"], PASSWORD)
    await world.run(3)
    await world.dies_in_the_write(103.0)
    await world.run(30)
    assert world.state() == "indeterminate"
    attempt = world.gate.people.begin("ann")
    key = opened(attempt.seal, PASSWORD)
    assert key is not None
    world.gate.acts.resolve("p1", "ann", world.gate.people.finish(attempt, key), result=answer, reason="looked")
    assert "yield.operator" in world.failed(world.propose(101.0, id="p2"))


async def test_what_was_asked_or_approved_lapses_with_a_restart(tmp_path: Path) -> None:
    from small_plant import ASKING, site

    world = World(tmp_path, site(rules=ASKING))
    world.gate.people.add("ann", ["operator"], PASSWORD)
    await world.run(3)
    world.propose(103.0)
    world.sign()
    world.again()
    await world.run(5)
    assert (world.state(), world.plc.written) == ("voided", [])


async def test_budgets_survive_a_restart(tmp_path: Path) -> None:
    from small_plant import site

    from holdfast.site.model import Writes

    world = World(tmp_path, site(tension={"writes": Writes(max=1, per_s=3600.0)}))
    await world.run(3)
    world.propose(103.0)
    await world.run(5)
    world.again(after_s=100_000.0)
    await world.run(3)
    assert world.failed(world.propose(101.0, id="p2")) == {"envelope.writes.over"}


async def test_a_stop_survives_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.gate.acts.press_stop("*", "somebody")
    world.again()
    await world.run(3)
    assert world.failed(world.propose(103.0)) == {"stop.pressed"}


async def test_a_rollback_elsewhere_forgets_nothing_of_a_write_on_its_way(tmp_path: Path) -> None:
    world = World(tmp_path, rate_per_s=0.5)
    await world.run(3)
    world.propose(103.0)
    await world.run(2)
    assert world.state() == "sent"
    with pytest.raises(RuntimeError), world.gate._state.transaction():
        raise RuntimeError("somebody else's")
    assert world.state() == "sent"
    await world.run(10)
    assert (world.state(), len(world.plc.written)) == ("done", 1)
