"""Turns: never more at once than there are, in order, and none is lost when those who wait give up."""

import asyncio
from random import Random

import pytest

from holdfast.gate.connectors.turns import WAITING_MAX, Crowded, Turns


def soon_s(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def free(turns: Turns) -> int:
    """How many turns can be had at once."""
    taken = 0
    while turns.take():
        taken += 1
    for _ in range(taken):
        turns.give()
    return taken


async def test_a_turn_that_is_given_back_goes_to_who_waits_longest() -> None:
    turns = Turns(1)
    assert turns.take()
    order: list[int] = []

    async def wanted(n: int) -> None:
        await turns.wait(soon_s(5.0))
        order.append(n)
        turns.give()

    waiting = [asyncio.create_task(wanted(n)) for n in range(3)]
    await asyncio.sleep(0)
    assert not turns.take()
    turns.give()
    assert not turns.take(), "it is promised already"
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    assert free(turns) == 1


async def test_who_waits_in_vain_is_told_and_leaves_no_place_taken() -> None:
    turns = Turns(1)
    assert turns.take()
    with pytest.raises(Crowded, match="not answered in time"):
        await turns.wait(soon_s(0.01))
    turns.give()
    assert free(turns) == 1


async def test_a_turn_that_comes_as_its_waiter_is_cancelled_goes_on_to_the_next() -> None:
    turns = Turns(1)
    assert turns.take()
    first, second = (asyncio.create_task(turns.wait(soon_s(5.0))) for _ in range(2))
    await asyncio.sleep(0)
    turns.give()
    first.cancel()
    await second
    assert first.cancelled() or (await asyncio.gather(first, return_exceptions=True))
    turns.give()
    assert free(turns) == 1


async def test_too_many_who_wait_are_refused_at_once() -> None:
    turns = Turns(1)
    assert turns.take()
    waiting = [asyncio.create_task(turns.wait(soon_s(5.0))) for _ in range(WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Crowded, match="wait already"):
        await turns.wait(soon_s(5.0))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    turns.give()
    assert free(turns) == 1


@pytest.mark.parametrize("at_once", [1, 3])
async def test_whatever_is_cancelled_or_late_there_are_never_more_and_never_fewer_turns(at_once: int) -> None:
    turns, random = Turns(at_once), Random(at_once)
    busy = most = 0

    async def one() -> None:
        nonlocal busy, most
        if not turns.take():
            try:
                await turns.wait(soon_s(random.choice((0.0, 0.002, 1.0))))
            except Crowded:
                return
        busy += 1
        most = max(most, busy)
        try:
            await asyncio.sleep(random.choice((0.0, 0.001)))
        finally:
            busy -= 1
            turns.give()

    for _ in range(30):
        tasks = [asyncio.create_task(one()) for _ in range(20)]
        for task in random.sample(tasks, 6):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert most == at_once
    assert free(turns) == at_once
