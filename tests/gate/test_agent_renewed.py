"""An agent that runs when another configuration comes into force ends by itself, so that it is started anew with that."""

import asyncio
import dataclasses
import json
from random import Random

import pytest
from people_door import Served
from small_plant import PASSWORD

from holdfast.agent.process import serve
from holdfast.clock import RealClock
from holdfast.gate.identity.seal import opened
from holdfast.link import ANOTHER_CONFIGURATION
from holdfast.link.http import HttpLink
from holdfast.site.load import Loaded
from holdfast.terms import Frame, digest

PATIENCE_S = 10.0


def activated(served: Served) -> str:
    """Revision 2, in force while the gate runs; its digest."""
    site = served.gate.site
    new = dataclasses.replace(site, policy=dataclasses.replace(site.policy, revision=2))
    found = Loaded(site=new, digest=digest(new), file="site.yaml", policy_file="", modes_file="", files=(), warnings=())
    attempt = served.gate.people.begin("ann")
    key = served.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))
    served.gate.activation.propose(found, "site.yaml", {"site.yaml": ""}, "ann")
    assert served.gate.activation.activate(digest(new), "ann", key).adopted
    return digest(new)


class Looked(HttpLink):
    """Tells when the agent looks at the plant: it is on duty then."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__(address, token)
        self.at_plant = asyncio.Event()

    async def frames(self, table: str, after: int, *, wait_s: float = 0.0) -> Frame | None:
        self.at_plant.set()
        return await super().frames(table, after, wait_s=wait_s)


async def test_an_agent_ends_under_another_configuration_and_says_so(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    served.gate.activation.configurations.first(served.gate.site)
    link, stop = Looked(f"unix:{served.link}", served.agent_token), asyncio.Event()
    on_duty = asyncio.create_task(serve(link, RealClock(), name="ann-agent", folder=None, random=Random(1), stop=stop))
    try:
        await asyncio.wait_for(link.at_plant.wait(), PATIENCE_S)
        was = link.configuration
        await served.run(3)
        assert not on_duty.done()
        now = activated(served)
        await served.run(1)  # a row comes, so it need not wait for one
        assert await asyncio.wait_for(on_duty, PATIENCE_S) == ANOTHER_CONFIGURATION
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(on_duty, return_exceptions=True), PATIENCE_S)
        await link.close()
    told = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert told == {"agent": "ann-agent", "ends": "another configuration is in force", "was": was[:16], "is": now[:16]}


async def test_every_answer_at_the_agents_door_tells_the_configuration(served: Served) -> None:
    link = HttpLink(f"unix:{served.link}", served.agent_token)
    assert link.configuration == ""
    await link.alarms()
    assert link.configuration == served.gate.compiled.digest
    await link.frames(next(iter(served.gate.tables)), 10**9)  # nothing new: an empty answer
    assert link.configuration == served.gate.compiled.digest
    await link.close()
