"""A time limit around asyncua's waiting: what meets the end of the time is a timeout, what is cancelled from outside is cancelled."""

import asyncio

import pytest
from wait_for2 import CancelledWithResultError, wait_for

from holdfast.gate.connectors.opcua.limit import at_most


async def answers_when_cancelled() -> str:
    """As an answer that comes in the moment in which the time is over."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return "an answer"
    return "never"


async def test_an_answer_that_meets_the_end_of_the_time_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with at_most(0.01):
            await wait_for(answers_when_cancelled(), 30)
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_without_it_the_task_would_pass_for_cancelled() -> None:
    """What is guarded against: if this fails, asyncua's waiting has changed, and `at_most` may go."""
    with pytest.raises(CancelledWithResultError):
        async with asyncio.timeout(0.01):
            await wait_for(answers_when_cancelled(), 30)


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def limited() -> None:
        async with at_most(30):
            await wait_for(answers_when_cancelled(), 30)

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_limit_further_out_is_a_timeout_too() -> None:
    """As where the gate gives a connector's read its own time."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), at_most(30):
            await wait_for(answers_when_cancelled(), 30)


async def test_what_is_in_time_passes_and_what_fails_fails_as_itself() -> None:
    async with at_most(30):
        assert await wait_for(asyncio.sleep(0, "in time"), 30) == "in time"
    with pytest.raises(ZeroDivisionError):
        async with at_most(30):
            raise ZeroDivisionError
