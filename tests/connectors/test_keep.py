"""The supervisor of one connection: what it does where there is nothing to read."""

import asyncio
from random import Random

import pytest

from holdfast.clock import RealClock
from holdfast.gate.connectors.keep import keep
from holdfast.gate.connectors.modbus import Modbus


async def test_a_connection_that_no_tag_is_read_over_is_not_opened_and_ends_nothing() -> None:
    told: list[str] = []
    nowhere = Modbus(name="spare", host="127.0.0.1", port=9, timeout_s=0.1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await keep(
                nowhere,
                [],
                clock=RealClock(),
                random=Random(1),
                ingest=lambda frame: None,
                lost=told.append,
                found=lambda: told.append("found"),
            )
    assert told == []
