"""A server's own alarms through the live gate: shown at the people's door, recorded, and right again after the server was away."""

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.opcua import URI, NodePlant
from holdfast.run.supervise import Home, start_gate

pytestmark = pytest.mark.timeout(400)
SITE = """
holdfast: 1
site: {{name: mill, language: en, timezone: UTC}}
connections:
  mill: {{type: opcua, url: "{url}", security: none, namespace: "{uri}", server_alarms: true}}
equipment:
  stand-4:
    tags:
      tension: {{on: mill, address: Stand4.Tension.PV, unit: kN, every: 200ms}}
agents: {{ann-agent: {{autonomy: ask, diagnoser: rank}}}}
policy: policy.yaml
"""


@contextlib.asynccontextmanager
async def gate_beside(plant: NodePlant) -> AsyncGenerator[Home]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        home = Home(path=Path(folder))
        site = home.path / "site.yaml"
        site.write_text(SITE.format(url=plant.url, uri=URI))
        (home.path / "policy.yaml").write_text("revision: 1\nrules: []\n")
        child = await start_gate(home, site, env=os.environ)
        try:
            yield home
        finally:
            await child.end()


def door(home: Home) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(home.people)), base_url="http://gate", timeout=30.0)


async def shown(home: Home) -> dict[str, Any]:
    async with door(home) as http:
        return (await http.get("/v1/alarms")).json()["servers"][0]


async def records(home: Home) -> AsyncIterator[dict[str, Any]]:
    async with door(home) as http, http.stream("GET", "/v1/events?after=0") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


async def until(coming: AsyncIterator[dict[str, Any]], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        async for record in coming:
            if wanted(record):
                return record
    raise AssertionError("the records ended")


def alarm(record: dict[str, Any]) -> dict[str, Any]:
    return record["body"]["alarm"] if record["kind"] == "alarm.server" else {}


async def test_a_servers_alarms_are_shown_and_recorded_and_right_again_after_its_restart(tmp_path: Path) -> None:
    try:
        async with NodePlant(tmp_path / "pki") as plant:
            await plant.ask("alarm Hot on 800 bearing too hot")
            async with gate_beside(plant) as home:
                coming = records(home)
                before = await until(coming, lambda record: bool(alarm(record)))
                assert (alarm(before)["name"], alarm(before)["connection"], before["body"]["ended"]) == ("Hot", "mill", "")
                now = await shown(home)
                assert (now["connection"], now["known"], [a["message"] for a in now["alarms"]]) == ("mill", True, ["bearing too hot"])

                await plant.kill()
                await until(coming, lambda record: record["kind"] == "connection" and record["body"]["state"] == "lost")
                lost = await shown(home)
                assert (lost["known"], len(lost["alarms"])) == (False, 1)
                assert "last that was heard" in lost["why"]

                await plant.start()  # nothing is active in it now
                ended = await until(coming, lambda record: bool(alarm(record)))
                assert (alarm(ended)["name"], alarm(ended)["standing"], ended["body"]["ended"]) == ("Hot", False, "unheard")
                back = await shown(home)
                assert (back["known"], back["alarms"]) == (True, [])
    except NoPeer as absent:
        pytest.skip(f"no node-opcua here: {absent}")
