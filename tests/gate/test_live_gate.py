"""The gate as the process it is: nothing of a model in it, clear words when it can't start, and patience with servers that come late."""

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import httpx
import pytest

from holdfast.gate.ledger.store import State
from holdfast.run.supervise import Home, StartError, enrol, start_gate
from holdfast.sim.modbus_server import ModbusServer

FORBIDDEN = (
    "onnxruntime", "torch", "tokenizers", "openai", "pydantic_ai", "sklearn", "scipy", "llguidance", "anthropic", "mcp", "jsonschema",
    "holdfast.agent", "holdfast.console", "holdfast.sim", "holdfast.evals", "holdfast.training",
)  # fmt: skip
SITE = """
holdfast: 1
site: {{name: lonely, language: en, timezone: UTC}}
connections:
  cooling: {{type: modbus, host: 127.0.0.1, port: {port}, unit_id: 1}}
equipment:
  stand:
    tags:
      flow: {{on: cooling, address: "40001:uint16", unit: L/min, every: 200ms}}
agents: {{ann-agent: {{autonomy: ask, diagnoser: rank}}}}
policy: policy.yaml
"""


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        yield Home(path=Path(folder))


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def written(home: Home, port: int) -> Path:
    path = home.path / "site.yaml"
    path.write_text(SITE.format(port=port))
    (home.path / "policy.yaml").write_text("revision: 1\nrules: []\n")
    return path


@contextlib.asynccontextmanager
async def running(home: Home, port: int) -> AsyncGenerator[int]:
    child = await start_gate(home, written(home, port), env=os.environ)
    try:
        yield child.process.pid
    finally:
        await child.end()


async def status(home: Home) -> dict[str, object]:
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(home.people)), base_url="http://gate") as http:
        return (await http.get("/v1/status")).json()


async def records_until(home: Home, state: str, count: int = 1) -> list[dict[str, object]]:
    """Follow the stream of records until a connection has been in `state` so often."""
    found: list[dict[str, object]] = []
    async with (
        asyncio.timeout(20),
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(home.people)), base_url="http://gate", timeout=20.0) as http,
        http.stream("GET", "/v1/events?after=0") as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                record = json.loads(line[6:])
                if record["kind"] == "connection" and record["body"]["state"] == state:
                    found.append(record["body"])
                    if len(found) >= count:
                        break
    return found


async def test_the_live_gate_has_mapped_no_model_library(home: Home) -> None:
    async with running(home, free_port()) as pid:
        await records_until(home, "lost")
        maps = Path(f"/proc/{pid}/maps").read_text()
    assert "apsw" in maps  # the check can see what it looks for
    # With slashes: numpy's own BLAS is called scipy_openblas.
    assert not re.search(r"onnxruntime|libtorch|/(torch|tokenizers|llguidance|scipy|sklearn)/", maps)


def test_a_gate_with_every_connector_has_no_module_of_models_or_agents(tmp_path: Path) -> None:
    script = """
import asyncio, json, sys
from pathlib import Path
from holdfast.clock import RealClock
from holdfast.gate import process
from holdfast.gate.connectors import modbus, opcua, replay
from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.people import people_app
from holdfast.site.load import load
site = load(Path(sys.argv[1])).site
connectors = process.connectors_of(site, Path(sys.argv[1]).parent, RealClock(), Path(sys.argv[2]))
gate, agents = process.open_gate(site, Path(sys.argv[2]), RealClock(), connectors)
agents_app(gate, agents), people_app(gate)
gate.start(clock="real")
asyncio.run(gate.advance())
print(json.dumps(sorted(sys.modules)))
"""
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(port=1))
    (tmp_path / "policy.yaml").write_text("revision: 1\nrules: []\n")
    ran = subprocess.run(
        [sys.executable, "-I", "-c", script, path, tmp_path / "gate"], capture_output=True, text=True, check=True, timeout=60
    )
    modules = json.loads(ran.stdout)
    assert "holdfast.gate.connectors.opcua.connector" in modules
    assert [m for m in modules if any(m == name or m.startswith(name + ".") for name in FORBIDDEN)] == []


async def test_two_gates_in_one_home_are_refused_with_a_cure(home: Home) -> None:
    async with running(home, free_port()):
        with pytest.raises(StartError, match=r"runs a gate here\. End that process first"):
            await start_gate(home, home.path / "site.yaml", env=os.environ)
        assert await status(home)  # the first goes on
    with contextlib.closing(State(home.gate)):
        pass  # and has let go of its folder


async def test_a_gate_that_can_not_start_says_why(home: Home) -> None:
    path = written(home, free_port())
    path.write_text(path.read_text().replace("L/min", "bananas"))
    with pytest.raises(StartError, match="bananas") as caught:
        await start_gate(home, path, env=os.environ)
    assert "Traceback" not in str(caught.value)


async def test_an_absent_server_is_said_its_tags_are_bad_and_it_is_found_when_it_comes(home: Home) -> None:
    port = free_port()
    async with running(home, port):
        (lost,) = await records_until(home, "lost")
        assert str(port) in str(lost["why"])
        server = ModbusServer(1, lambda: [7] * 100, lambda address, words: False)
        server.port = port
        await server.start()
        await records_until(home, "connected")
        await server.stop()
        assert len(await records_until(home, "lost", 2)) == 2


async def test_a_socket_path_that_is_too_long_is_said(home: Home) -> None:
    long = Home(path=home.path / ("h" * 120))
    long.path.mkdir()
    with pytest.raises(StartError, match=r"shorter --home"):
        await start_gate(long, written(home, 1), env=os.environ)


async def test_every_agent_gets_a_token_of_its_own_that_only_its_owner_reads(home: Home) -> None:
    enrol(home, ["a", "b"])
    tokens = [home.agent(n) / "token" for n in ("a", "b")]
    assert [t.stat().st_mode & 0o777 for t in tokens] == [0o400, 0o400]
    assert tokens[0].read_text() != tokens[1].read_text()
    before = tokens[0].read_text()
    enrol(home, ["a", "b"])
    assert tokens[0].read_text() == before
