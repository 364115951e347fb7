"""The door with a crowd before it: who says nothing, or holds a request open, keeps nobody else out."""

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from mill_door import DoorWorld

from holdfast.agent.mcp import patience
from holdfast.agent.mcp.patience import AT_ONCE_MAX, OF_ONE_MAX

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "alarms", "arguments": {}}}
KIND = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


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


async def called(made: DoorWorld, address: str, agent: str) -> httpx2.Response:
    async with httpx2.AsyncClient(headers={**KIND, "authorization": f"Bearer {made.tokens[agent]}"}, timeout=10.0) as http:
        return await http.post(address, json=CALL)


async def connected(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", urlsplit(address).port)


def begun(made: DoorWorld, address: str, agent: str) -> bytes:
    """A request of which the last byte never comes."""
    head = {"host": urlsplit(address).netloc, "authorization": f"Bearer {made.tokens[agent]}", **KIND, "content-length": "100"}
    return b"POST /mcp HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\n{"


async def test_strangers_who_only_hold_connections_open_keep_no_agent_out(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    strangers = [await connected(address) for _ in range(AT_ONCE_MAX + 6)]
    try:
        assert (await called(made, address, "copilot")).status_code == 200
    finally:
        for _, writer in strangers:
            writer.close()


async def test_a_connection_on_which_no_whole_head_comes_is_closed(world: tuple[DoorWorld, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.05)
    _, address = world
    for said in (b"", b"POST /mcp HTTP/1.1\r\nhost: "):
        reader, writer = await connected(address)
        writer.write(said)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5.0) == b""
        writer.close()


async def test_one_agent_with_many_requests_open_keeps_no_other_out(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    slow = [await connected(address) for _ in range(OF_ONE_MAX + 1)]
    for _, writer in slow:
        writer.write(begun(made, address, "visitor"))
    told = [asyncio.ensure_future(reader.readline()) for reader, _ in slow]
    try:
        done, _ = await asyncio.wait(told, timeout=5.0, return_when=asyncio.FIRST_COMPLETED)
        assert [b" 429 " in one.result() for one in done] == [True]
        assert (await called(made, address, "visitor")).status_code == 429
        assert (await called(made, address, "copilot")).status_code == 200
    finally:
        for _, writer in slow:
            writer.close()
        await asyncio.gather(*told, return_exceptions=True)


async def test_a_message_that_does_not_come_whole_is_given_up(world: tuple[DoorWorld, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "BODY_S", 0.05)
    made, address = world
    reader, writer = await connected(address)
    writer.write(begun(made, address, "copilot"))
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5.0)
    writer.close()


async def test_no_stream_is_held_open_for_an_agent(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    async with httpx2.AsyncClient(headers={**KIND, "authorization": f"Bearer {made.tokens['copilot']}"}, timeout=5.0) as http:
        for method in ("GET", "DELETE"):
            assert (await http.request(method, address)).status_code == 405


async def test_a_token_with_signs_that_no_token_has_is_refused_and_nothing_breaks(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    for token in (b"x\x01y", b"x\xe9y", b"a b", b"x" * 600):
        reader, writer = await connected(address)
        writer.write(b"POST /mcp HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " + token + b"\r\ncontent-length: 0\r\n\r\n")
        assert b" 401 " in await asyncio.wait_for(reader.readline(), 5.0)
        writer.close()
    assert (await called(made, address, "copilot")).status_code == 200


async def test_two_agents_at_once_are_each_answered_as_themselves(world: tuple[DoorWorld, str]) -> None:
    made, address = world
    await made.run(3)
    wanted = {**CALL, "params": {"name": "read_tags", "arguments": {"tags": ["stand-4/vibration"]}}}

    async def seen(agent: str) -> bool:
        async with httpx2.AsyncClient(headers={**KIND, "authorization": f"Bearer {made.tokens[agent]}"}, timeout=10.0) as http:
            return not json.loads((await http.post(address, json=wanted)).text)["result"]["isError"]

    order = ["copilot", "visitor"] * 3
    assert await asyncio.gather(*(seen(agent) for agent in order)) == [agent == "copilot" for agent in order]
