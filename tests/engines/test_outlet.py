"""The way from a cell to a model server: to that address alone, with a key that no agent holds."""

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random

import aiohttp
import pytest
from model_server import CHAT, ModelServer, closes, hangs, serving

from holdfast.agent.models.serving.opened import open_engine
from holdfast.agent.models.serving.probe import probe
from holdfast.clock import RealClock
from holdfast.ports import EngineFault, Turn
from holdfast.run.isolate import Cell, available, runtime
from holdfast.run.outlet import addresses_of
from holdfast.run.supervise import Child, Home, python, start, start_outlet
from holdfast.site.endpoints import socket_name
from holdfast.site.load import load
from holdfast.site.model import Endpoint

SITE = """holdfast: 1
site: {name: s, language: en, timezone: UTC}
connections:
  plc: {type: modbus, host: 127.0.0.1}
equipment:
  pump:
    tags: {vibration: {on: plc, address: "40001:uint16", unit: mm/s}}
models:
"""
TURNS = (Turn(role="user", text="?"),)


def site_file(folder: Path, *servers: ModelServer, timeout: str = "20s") -> Path:
    lines = [
        f"  模型-{n}: {{engine: openai, url: '{one.url}', model: m, dialect: {one.dialect}, clearance: site, skills: [ask], "
        f"languages: [en], key: file:llm.key, timeout: {timeout}}}\n"
        for n, one in enumerate(servers)
    ]
    (folder / "llm.key").write_text("k-9\n")
    (folder / "site.yaml").write_text(SITE + "".join(lines), encoding="utf-8")
    return folder / "site.yaml"


@contextlib.asynccontextmanager
async def running(folder: Path, site: Path) -> AsyncGenerator[Child]:
    home = Home(path=folder)
    home.link.parent.mkdir(exist_ok=True)
    child = await start_outlet(home, site)
    try:
        yield child
    finally:
        await child.end()


def at(folder: Path, endpoint: Endpoint) -> str:
    return str(folder / "link" / socket_name(endpoint.name))


@pytest.mark.parametrize("dialect", CHAT)
async def test_a_request_goes_through_with_the_key_of_the_server(dialect: str, tmp_path: Path) -> None:

    async with serving(ModelServer(dialect)) as server:
        path = site_file(tmp_path, server)
        (end,) = load(path).site.models
        async with running(tmp_path, path) as child:
            assert child.first == {"endpoints": ["模型-0"]}
            assert stat.S_IMODE(os.stat(at(tmp_path, end)).st_mode) == 0o660
            engine = open_engine(end, Path("/nowhere"), socket=at(tmp_path, end))
            found = await probe(engine, Random(1), RealClock(), deadline_s=5.0)
            await engine.close()
    assert (found.schema, found.code) == ("enforced", "")
    assert {head["Authorization"] for head in server.heads} == {"Bearer k-9"}


async def test_no_other_path_method_or_address_is_reached(tmp_path: Path) -> None:
    async with serving(ModelServer("vllm")) as server, serving(ModelServer("vllm")) as other:
        path = site_file(tmp_path, server)
        (end,) = load(path).site.models
        async with running(tmp_path, path), aiohttp.ClientSession(connector=aiohttp.UnixConnector(at(tmp_path, end))) as session:
            for method, url in (
                ("GET", "http://x/v1/models"),
                ("POST", "http://x/v1/load_lora_adapter"),
                ("DELETE", "http://x/v1/chat/completions"),
                ("POST", "http://x/v1/chat/completions?to=other"),
                ("POST", f"{other.url}/../v1/chat/completions/"),
            ):
                async with session.request(method, url, json={}) as response:
                    assert response.status == 404, (method, url)
            # Whatever host the request names, it goes where the socket leads.
            async with session.post(f"{other.url}/chat/completions", json={"model": "m"}) as response:
                assert response.status == 200
    assert (len(server.bodies), len(other.bodies)) == (1, 0)


@pytest.mark.parametrize(("then", "status"), [(closes, "502"), (hangs, "504")])
async def test_a_server_that_breaks_or_hangs_is_told_with_its_status(tmp_path: Path, then: object, status: str) -> None:
    async with serving(ModelServer("vllm")) as server:
        path = site_file(tmp_path, server, timeout="100ms")
        (end,) = load(path).site.models
        server.then = then  # type: ignore[assignment]
        async with running(tmp_path, path):
            engine = open_engine(end, tmp_path, socket=at(tmp_path, end))
            with pytest.raises(EngineFault) as fault:
                await engine.generate(TURNS, schema=None, max_tokens=4, deadline_s=10.0)
            await engine.close()
    assert (fault.value.code, fault.value.facts["status"], fault.value.busy) == ("engine.broken", status, True)


async def test_a_key_that_can_not_be_read_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    server = ModelServer("vllm")
    server.port = 9
    path = site_file(tmp_path, server)
    (tmp_path / "llm.key").unlink()
    process = await asyncio.create_subprocess_exec(
        *python("holdfast.run.outlet", "--site", path, "--sockets", tmp_path), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 20.0)
    assert process.returncode == 2
    assert b"llm.key" in errors


def test_its_lock_holds_just_the_endpoints_addresses(tmp_path: Path) -> None:
    one, two = ModelServer("vllm"), ModelServer("ollama")
    one.port, two.port = 8000, 11434
    assert [(a.host, a.port) for a in addresses_of(load(site_file(tmp_path, one, two)).site)] == [("127.0.0.1", 8000), ("127.0.0.1", 11434)]


INSIDE = """
import json, socket, sys
told = {}
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[2])), 1).close()
    told["direct"] = "reached"
except OSError as error:
    told["direct"] = type(error).__name__
with socket.socket(socket.AF_UNIX) as way:
    way.settimeout(5)
    way.connect(sys.argv[1])
    way.sendall(b"GET /health HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    told["through"] = way.makefile("rb").readline().decode().strip()
try:
    told["key"] = open(sys.argv[3]).read()
except OSError as error:
    told["key"] = type(error).__name__
print(json.dumps(told), flush=True)
"""


async def test_from_a_cell_the_server_is_reached_by_its_socket_and_by_nothing_else(tmp_path: Path) -> None:
    if why := available():
        pytest.skip(f"no cells here: {why}")
    async with serving(ModelServer("vllm")) as server:
        path = site_file(tmp_path, server)
        (end,) = load(path).site.models
        async with running(tmp_path, path):
            own = tmp_path / "own"
            own.mkdir()
            (own / "inside.py").write_text(INSIDE)
            cell = Cell(own=own, sees=(*runtime(), tmp_path / "link"))
            argv = [sys.executable, "-I", str(own / "inside.py"), at(tmp_path, end), str(server.port), str(tmp_path / "llm.key")]
            child = await start("inside", cell.command(argv), env={"PATH": os.defpath}, log=tmp_path / "inside.log", asked=False)
            told = dict(child.first)
            await child.end()
    assert told["direct"] != "reached"
    assert told["through"] == "HTTP/1.1 200 OK"
    assert told["key"] == "FileNotFoundError"


def test_the_unit_and_the_rules_reach_single_addresses_and_start_what_is_there() -> None:
    deploy = Path(__file__).parents[2] / "deploy"
    unit = (deploy / "holdfast-outlet.service").read_text()
    assert "-m holdfast.run.outlet --site " in unit
    assert "--sockets " in unit
    assert "IPAddressDeny=any\nIPAddressAllow=10.1.4.30/32\n" in unit
    for line in ("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "InaccessiblePaths=/var/lib/holdfast/gate"):
        assert f"{line}\n" in unit
    rules = (deploy / "holdfast-outlet.nft").read_text()
    chain = [line.strip() for line in rules[rules.index("chain egress") :].splitlines()[1:] if line.strip(" }\t")]
    assert chain[1] == 'meta skuid != "holdfast-outlet" accept'
    assert [line for line in chain if line.endswith("accept")][1:] == ["ip daddr . tcp dport @models accept", "ct state established accept"]
    assert rules.count("{") == rules.count("}")
    assert "flush ruleset" not in rules
