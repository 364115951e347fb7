"""A gate at its two doors, for every test of what is said there."""

from collections.abc import AsyncIterator

import pytest_asyncio
from people_door import Served, serving


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as world:
        yield world
