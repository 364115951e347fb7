"""`holdfast people` and `holdfast agents` beside a gate that runs, and without one."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from people_door import Served
from small_plant import ASKING, PASSWORD, site

from holdfast.gate.identity.setup import code_in

OTHER = "four other words here"


async def holdfast(*arguments: object, stdin: str = "") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from holdfast.cli.main import main; main()", *map(str, arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
    assert b"Traceback" not in said, said.decode()
    return process.returncode or 0, said.decode()


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        world = Served(Path(folder) / "gate", site(rules=ASKING))
        world.open_doors()
        yield world
        await world.close_doors()
        world.gate.close()


def names(served: Served) -> list[str]:
    return [person.name for person in served.gate.people.list()]


async def test_the_machines_owner_adds_people_until_there_is_an_administrator_who_then_must(served: Served) -> None:
    home = ("--home", served.folder.parent)
    code, said = await holdfast("people", "add", "ann", "--role", "operator", *home, stdin=f"{PASSWORD}\n")
    assert (code, "ann can answer as operator" in said) == (0, True), said
    code, said = await holdfast("status", *home)
    assert (code, code_in(served.folder) in said) == (0, True)
    assert (await holdfast("people", "add", "rosa", "--role", "administrator", *home, stdin=f"{PASSWORD}\n"))[0] == 0
    assert code_in(served.folder) == "" or not await asks(served, "/v1/setup")

    code, said = await holdfast("people", "add", "bob", "--role", "operator", *home, stdin=f"{OTHER}\n")
    assert (code, "--as NAME" in said) == (2, True), said
    code, said = await holdfast("people", "add", "bob", "--role", "operator", "--as", "ann", *home, stdin=f"{OTHER}\n{PASSWORD}\n")
    assert (code, "Only a person with the role administrator" in said) == (1, True), said
    assert names(served) == ["ann", "rosa"]
    code, said = await holdfast("people", "add", "bob", "--role", "operator", "--as", "rosa", *home, stdin=f"{OTHER}\n{PASSWORD}\n")
    assert (code, names(served)) == (0, ["ann", "bob", "rosa"]), said
    assert [r["by"] for r in served.records("person")] == ["", "", "rosa"]

    for command, more in (("roles", ("--role", "engineer")), ("disable", ()), ("enable", ()), ("remove", ())):
        code, said = await holdfast("people", command, "bob", *more, "--as", "rosa", *home, stdin=f"{PASSWORD}\n")
        assert code == 0, said
    assert names(served) == ["ann", "rosa"]


async def asks(served: Served, path: str) -> bool:
    return (await served.ask("GET", path)).body["open"]


async def test_an_agents_token_is_given_out_and_ended_while_the_gate_runs(served: Served) -> None:
    home = ("--home", served.folder.parent)
    code, said = await holdfast("agents", "add", "other", *home)
    token = served.folder.parent / "agents" / "other" / "token"
    assert (code, token.stat().st_mode & 0o777) == (0, 0o400), said
    assert served.agents.verify(token.read_text()) == "other"
    code, said = await holdfast("agents", "revoke", "other", *home)
    assert (code, token.exists(), served.agents.list()) == (0, False, ("ann-agent",)), said


async def test_without_a_gate_the_folder_is_changed_and_ones_own_password_by_oneself(served: Served) -> None:
    home = ("--home", served.folder.parent)
    served.gate.people.add("ann", ["operator"], PASSWORD)
    code, said = await holdfast("people", "password", "ann", "--as", "ann", *home, stdin=f"{OTHER}\n{PASSWORD}\n")
    assert code == 0, said
    await served.sign_in("ann", OTHER)
    await served.close_doors()
    served.gate.close()
    code, said = await holdfast("people", "remove", "ann", *home)
    assert code == 0, said
    assert "nobody yet" in (await holdfast("people", "list", *home))[1]
    served.gate, served.agents = served._open()
    served.open_doors()
