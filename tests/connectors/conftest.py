"""One node-opcua server for all tests that leave it running: it takes seconds to start."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.opcua import NodePlant


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node_plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodePlant]:
    """10,000 items that stand still, Stand4's points, alarms and method. Its tests run on the session's loop."""
    plant = NodePlant(tmp_path_factory.mktemp("node") / "pki", items=10_000)
    try:
        await plant.start()
    except NoPeer as absent:
        pytest.skip(f"no node-opcua here: {absent}")
    yield plant
    await plant.kill()
