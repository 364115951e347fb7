"""An agent of another maker at the door: the same tools, its own identity, the gate's word on everything it asks for."""

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mill_door import SECRET, DoorWorld, client

from holdfast.agent.mcp.patience import BODY_BYTES_MAX
from holdfast.agent.mcp.visitors import BURST, VERIFIED_S
from holdfast.agent.tools.named import named
from holdfast.terms import Cause, Diagnosis, Evidence, Finding

LOOKING = {"read_tags", "history", "limits", "moves", "incidents", "incident", "alarms", "context", "search_manuals", "standards"}
TENSION = "stand-4/tension.sp"


@pytest_asyncio.fixture
async def world() -> AsyncIterator[tuple[DoorWorld, str]]:
    folder = Path(tempfile.mkdtemp(prefix="hf"))  # a socket's path is short
    made = DoorWorld(folder)
    try:
        async with asyncio.TaskGroup() as group, made.open(group) as address:
            yield made, address
    finally:
        made.close()
        shutil.rmtree(folder)


def text_of(result: Any) -> str:
    (content,) = result.content
    return content.text


def proposal(value: float) -> dict[str, Any]:
    return {"kind": "write", "sets": [{"tag": TENSION, "value": value}], "reason": "less tension damps chatter"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_finds_the_tools_and_reads_a_tag_with_its_citation(world: tuple[DoorWorld, str], mode: str) -> None:
    made, address = world
    await made.run(5)
    async with client(address, made.tokens["copilot"], mode) as agent:
        listed = {tool.name: tool for tool in (await agent.list_tools()).tools}
        assert {*LOOKING, "propose"} <= set(listed)
        assert {name for name, tool in listed.items() if tool.annotations is not None and not tool.annotations.read_only_hint} == {
            "propose"
        }
        found = json.loads(text_of(await agent.call_tool("read_tags", {"tags": ["stand-4/vibration"]})))
    (value,) = found["found"]["values"]
    assert (value["tag"], value["quality"]) == ("stand-4/vibration", "good")
    assert 0.1 < value["value"] < 5.0
    assert found["citations"][0]["ref"] == "stand-4/vibration"


async def test_what_it_proposes_is_decided_by_the_gate_under_its_own_name(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    await made.run(5)
    async with client(address, made.tokens["copilot"]) as agent:
        found = json.loads(text_of(await agent.call_tool("propose", proposal(500.0))))["found"]
    assert found["verdict"] == "refuse"
    (record,) = made.records("decision")
    assert record["decision"]["author"] == "copilot"
    assert record["proposal"]["action"]["sets"] == [[TENSION, 500.0]]


async def test_arguments_that_are_none_are_told_to_the_agent_and_reach_nobody(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    async with client(address, made.tokens["copilot"]) as agent:
        for wrong in ({**proposal(1.0), "sets": [{"tag": TENSION, "value": "NaN"}]}, {"author": "mill-agent", **proposal(100.0)}, {}):
            answer = await agent.call_tool("propose", wrong)
            assert answer.is_error
            assert "propose" in text_of(answer)
        assert "There is no tool shell" in text_of(await agent.call_tool("shell", {"command": "ls"}))
    assert made.records("decision") == []


async def test_a_tag_above_its_clearance_is_not_there_for_an_agent(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    await made.run(5)
    for name, sees in (("copilot", "stand-4/vibration"), ("visitor", "")):
        async with client(address, made.tokens[name]) as agent:
            everything = text_of(await agent.call_tool("read_tags", {"equipment": "stand-4"}))
            assert SECRET not in everything
            assert sees in everything
            asked = await agent.call_tool("read_tags", {"tags": [SECRET]})
            assert asked.is_error


async def test_what_other_agents_wrote_of_a_tag_above_its_clearance_does_not_leave_by_the_door(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    await made.run(5)
    now_ns = made.clock.now_ns()
    seen = Finding(
        id="f1", incident="i1", detector="d@1", onset_ns=now_ns, found_ns=now_ns, confidence=0.9, score=2.0,
        shares=(("stand-4/vibration", 1.0),),
    )  # fmt: skip
    evidence = Evidence(kind="history", ref=f"{SECRET}@1..2", quote="rose to 12.7 MN")
    cause = Cause(mode="none of these", probability=1.0, supporting=(evidence,), opposing=())
    made.gate.find("mill-agent", seen)
    made.gate.diagnose("mill-agent", Diagnosis(id="d1", incident="i1", at_ns=now_ns, causes=(cause,)))
    async with client(address, made.tokens["copilot"]) as agent:
        assert "f1" not in text_of(await agent.call_tool("incidents", {}))
        told = text_of(await agent.call_tool("incident", {}))
        assert SECRET not in told
        assert "12.7" not in told
        for uri in ("holdfast://incidents/f1", "holdfast://incidents/i1"):
            with contextlib.suppress(MCPError):
                assert SECRET not in str(await agent.read_resource(uri))


def test_a_name_within_a_longer_one_is_no_name() -> None:
    for text in ('"stand-4/force"', "stand-4/force@1..2", "(stand-4/force).", "stand-4/force.", "机架stand-4/force升高"):
        assert named(("stand-4/force",), text)
    for text in ("stand-4/force.sp", "stand-4/forces", "stand-4/force_ref", "my/stand-4/force", ""):
        assert not named(("stand-4/force",), text)


async def test_an_unknown_or_revoked_token_is_refused(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    async with httpx2.AsyncClient() as http:
        for token in ("", "Bearer", "Bearer nobodys", f"Basic {made.tokens['copilot']}", "Bearer " + "x" * 600):
            assert (await http.post(address, headers={"authorization": token}, json={})).status_code == 401
    async with client(address, made.tokens["copilot"]) as agent:
        await agent.call_tool("alarms", {})
    made.agents.revoke("copilot")
    made.clock.advance(VERIFIED_S + 1)
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {made.tokens['copilot']}"}) as http:
        assert (await http.post(address, json={})).status_code == 401


async def test_a_page_that_was_tricked_and_a_message_that_is_too_large_are_refused(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    kind = {"authorization": f"Bearer {made.tokens['copilot']}", "content-type": "application/json", "accept": "application/json"}
    async with httpx2.AsyncClient(headers=kind) as http:
        assert (await http.post(address, headers={"host": "evil.example"}, json={})).status_code == 421
        assert (await http.post(address, headers={"origin": "http://evil.example"}, json={})).status_code == 403
        assert (await http.post(address, content=b" " * (BODY_BYTES_MAX + 1))).status_code == 413


async def test_who_asks_too_often_is_told_to_wait_and_may_ask_again_then(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    async with client(address, made.tokens["copilot"]) as agent:
        answers = [await agent.call_tool("alarms", {}) for _ in range(round(BURST) + 2)]
        assert [answer.is_error for answer in answers].count(True) == 2
        assert "More than 10 calls a second" in text_of(answers[-1])
        made.clock.advance(1.0)
        assert not (await agent.call_tool("alarms", {})).is_error


async def test_tags_and_incidents_are_resources(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    await made.run(5)
    async with client(address, made.tokens["copilot"]) as agent:
        assert [str(one.uri) for one in (await agent.list_resources()).resources] == [
            "holdfast://tags", "holdfast://incidents", "holdfast://alarms",
        ]  # fmt: skip
        read = await agent.read_resource("holdfast://tags/stand-4%2Fvibration")
        (content,) = read.contents
        assert json.loads(getattr(content, "text", ""))["found"]["values"][0]["tag"] == "stand-4/vibration"
        with pytest.raises(MCPError, match="There is nothing at holdfast://secrets"):
            await agent.read_resource("holdfast://secrets")


async def test_over_standard_input_it_is_the_agent_whose_token_the_home_has(world: tuple[DoorWorld, str]) -> None:
    made, _ = world
    command = StdioServerParameters(
        command=sys.executable,
        args=["-I", "-c", "from holdfast.cli.main import main; main()", "mcp", "--home", str(made.home), "--agent", "copilot"],
    )
    async with Client(stdio_client(command)) as agent:
        assert "propose" in {tool.name for tool in (await agent.list_tools()).tools}
        limits = json.loads(text_of(await agent.call_tool("limits", {"tag": TENSION})))["found"]
        assert limits["envelope"]["tag"] == TENSION
        await agent.call_tool("propose", proposal(500.0))
    (record,) = made.records("decision")
    assert record["decision"]["author"] == "copilot"


async def test_without_a_gate_it_says_so_at_once(tmp_path: Path) -> None:
    (tmp_path / "agents" / "copilot").mkdir(parents=True)
    (tmp_path / "agents" / "copilot" / "token").write_text("t")
    for more, said in (
        (("--agent", "copilot"), "is `holdfast run` up?"),
        (("--agent", "nobody"), "make one with `holdfast agents add nobody"),
        ((), "say who comes"),
        (("--listen", "0.0.0.0:0"), "tokens would cross the network in clear"),
        (("--listen", "here"), "is no HOST:PORT"),
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", "from holdfast.cli.main import main; main()", "mcp", "--home", str(tmp_path), *more,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode == 2
        assert said in " ".join(out.decode().split())


async def test_over_http_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", "from holdfast.cli.main import main; main()", "mcp", "--home", str(tmp_path), "--listen", "127.0.0.1:0",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = (await asyncio.wait_for(process.stdout.readline(), 20.0)).decode()
        assert said.startswith("MCP door: http://127.0.0.1:")
        async with httpx2.AsyncClient(timeout=10.0) as http:
            assert (await http.post(said.split()[-1], json={})).status_code == 401
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 10.0)
