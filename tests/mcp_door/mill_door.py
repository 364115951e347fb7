"""The demo mill's gate at its link, with two agents that come over MCP, and the door before it over HTTP."""

import contextlib
import dataclasses
import json
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from holdfast.agent.mcp.serve import PATH, config_of, http_app
from holdfast.agent.mcp.visitors import Visitors
from holdfast.clock import VirtualClock
from holdfast.gate.api.agents import agents_app
from holdfast.gate.identity.seal import Cost
from holdfast.gate.process import Doors, open_gate
from holdfast.link.http import HttpLink
from holdfast.run.inprocess import InProcess
from holdfast.run.lockstep import Lockstep
from holdfast.run.mill import SteppedMill, mill_site, past
from holdfast.sim.mill import EPOCH_NS
from holdfast.sim.mill.plant import Mill
from holdfast.site.model import AgentSpec, Site

CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
SECRET = "stand-4/force"  # a tag that is nobody's business but the plant's


def door_site() -> Site:
    site = mill_site().site
    more = (
        AgentSpec(name="copilot", autonomy="act", joins="mcp", clearance="site"),
        AgentSpec(name="visitor", autonomy="observe", joins="mcp", clearance="public"),
    )
    rules = tuple(dataclasses.replace(rule, agents=("*",)) for rule in site.policy.rules)
    tags = tuple(dataclasses.replace(tag, label="restricted" if tag.name == SECRET else tag.label) for tag in site.tags)
    policy = dataclasses.replace(site.policy, rules=rules)
    return dataclasses.replace(site, agents=(*site.agents, *more), policy=policy, tags=tags)


class DoorWorld:
    """`home` is what `holdfast mcp` is given."""

    def __init__(self, home: Path) -> None:
        self.home, self.site, self.clock = home, door_site(), VirtualClock(EPOCH_NS)
        plant = SteppedMill(Mill(1, "normal"), self.site)
        connectors = {c.name: InProcess(plant.mill, c.name, self.clock, registers=c.type == "modbus") for c in self.site.connections}
        self.gate, self.agents = open_gate(self.site, home / "gate", self.clock, connectors, durable=False, cost=CHEAP, boot="virtual")
        self.gate.remember(past(self.site, 1, EPOCH_NS))
        self.gate.start(clock="virtual")
        self.tokens = {name: self.agents.add(name) for name in ("copilot", "visitor")}
        for name, token in self.tokens.items():
            (home / "agents" / name).mkdir(parents=True)
            (home / "agents" / name / "token").write_text(token)
        self._driver = Lockstep(plant, self.gate, None, self.clock)

    async def run(self, seconds: int) -> None:
        for _ in range(seconds):
            await self._driver.tick()

    def records(self, kind: str) -> list[Any]:
        return [json.loads(json.dumps(r.body)) for r in self.gate.log.read(0) if r.kind == kind]

    @contextlib.asynccontextmanager
    async def open(self, group: Any) -> AsyncGenerator[str]:
        """The door over HTTP; its address."""
        doors = Doors({self.home / "link" / "link.sock": agents_app(self.gate, self.agents)})
        serving = group.create_task(doors.serve())
        visitors = Visitors(lambda token: HttpLink(f"unix:{self.home / 'link' / 'link.sock'}", token), self.clock, self.home)
        app = http_app(visitors, hosts=("127.0.0.1:*",), language="en")
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            bound.listen()  # from here on callers wait instead of being refused
            server = uvicorn.Server(config_of(app, "127.0.0.1", 0))
            ended = group.create_task(server.serve(sockets=[bound]))
            address = f"http://127.0.0.1:{bound.getsockname()[1]}{PATH}"
            async with httpx2.AsyncClient() as http:
                assert (await http.post(address)).status_code == 401
            try:
                yield address
            finally:
                server.should_exit = True
                await ended
                doors.close()
                await serving

    def close(self) -> None:
        self.gate.close()


@contextlib.asynccontextmanager
async def client(address: str, token: str, mode: str = "auto") -> AsyncGenerator[Client]:
    """The official client, as an agent of another maker would use it."""
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=20.0) as http,
        Client(streamable_http_client(address, http_client=http), mode=mode) as found,
    ):
        yield found
