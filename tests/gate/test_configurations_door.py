"""Configurations at the people's door: reviewed from their files, proposed, signed into force, and gone back from."""

import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import typer
from litestar.testing import AsyncTestClient
from small_plant import CHEAP, PASSWORD, START_NS, Plc
from typer.testing import CliRunner

from holdfast.cli import policy
from holdfast.clock import VirtualClock
from holdfast.gate.actuation.proposed import collected, refusal, spread
from holdfast.gate.api.people import people_app
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.process import Doors, open_gate
from holdfast.run.mill import site_file
from holdfast.site.load import load

LOADED = load(site_file())
MAIN, FILES = collected(LOADED)
BY_ANN = {"person": "ann", "password": PASSWORD}


def newer(more: Mapping[str, str] | None = None, revision: int = 2) -> dict[str, str]:
    """The mill's files with a rule more, or with other files."""
    forbid = '  - {id: nobody, effect: forbid, agents: ["*"], tags: ["*"], when: "proposed > 110.0"}\n'
    policy = FILES["policy.yaml"].replace("revision: 1", f"revision: {revision}") + forbid
    return {**FILES, "policy.yaml": policy, **(more or {})}


class Door:
    def __init__(self, folder: Path) -> None:
        clock = VirtualClock(START_NS)
        connectors = {c.name: Plc(clock) for c in LOADED.site.connections}  # nothing is read or written here
        self.gate: Gatekeeper
        self.gate, _ = open_gate(LOADED.site, folder, clock, connectors, durable=False, cost=CHEAP, boot="test")
        self.gate.people.add("ann", ["operator"], PASSWORD)
        self.gate.activation.configurations.first(LOADED.site)
        self.gate.site_file = site_file()
        self.app = people_app(self.gate)

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        async with AsyncTestClient(self.app) as http:
            answer = await http.request(method, f"/v1/configurations{path}", json=body)
        return answer.status_code, answer.json()


@pytest_asyncio.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    made = Door(tmp_path)
    yield made
    made.gate.close()


async def test_a_configuration_is_proposed_signed_into_force_and_gone_back_from(door: Door) -> None:
    status, standing = await door.ask("POST", "/propose", {**BY_ANN, "main": MAIN, "files": newer()})
    assert (status, standing["revision"], standing["adopted"], standing["missing"]) == (200, 2, False, ["operator"])
    of = standing["digest"]
    status, listed = await door.ask("GET", "")
    assert [c["standing"]["digest"] for c in listed["proposed"]] == [of]
    status, standing = await door.ask("POST", "/activate", {**BY_ANN, "digest": of})
    assert (status, standing["adopted"], standing["signed"]) == (200, True, [["operator", "ann"]])
    assert door.gate.compiled.digest == of
    assert "is not what is in force" in door.gate.on_disk
    status, one = await door.ask("GET", f"/{of}")
    assert (one["active"], one["main"], one["files"]) == (True, MAIN, newer())
    status, standing = await door.ask("POST", "/rollback", BY_ANN)
    assert (status, standing["digest"], door.gate.on_disk) == (200, LOADED.digest, "")
    status, listed = await door.ask("GET", "")
    assert [(r["how"], r["revision"], r["active"]) for r in listed["in_force"]] == [
        ("rollback", 1, True),
        ("activate", 2, False),
        ("first start", 1, False),
    ]


async def test_a_review_says_what_check_test_and_diff_say(door: Door) -> None:
    status, found = await door.ask("POST", "/review", {"main": MAIN, "files": newer()})
    assert (status, found["restart"], found["widens"]) == (200, [], 0)
    assert "rule 'nobody'" in [c["of"] for c in found["changes"]]
    case = "cases:\n  - {name: nothing, agent: mill-agent}\n"
    status, found = await door.ask("POST", "/review", {"main": MAIN, "files": newer({"policy.cases.yaml": case})})
    assert status == 200
    assert found["problems"][0]["file"].startswith("policy.cases.yaml")  # the case lacks what it needs: said, not raised


async def test_a_review_that_is_kept_follows_what_is_in_force_and_what_was_laid_anew(door: Door) -> None:
    _, standing = await door.ask("POST", "/propose", {**BY_ANN, "main": MAIN, "files": newer()})
    of = {"digest": standing["digest"]}
    first, second = [(await door.ask("POST", "/review", of))[1] for _ in range(2)]
    assert first == second
    assert first["changes"]
    cases = newer({"policy.cases.yaml": "cases:\n  - {name: nothing, agent: mill-agent}\n"})
    assert (await door.ask("POST", "/propose", {**BY_ANN, "main": MAIN, "files": cases}))[0] == 200
    assert (await door.ask("POST", "/review", of))[1] != first
    assert (await door.ask("POST", "/activate", {**BY_ANN, **of}))[1]["adopted"]
    assert (await door.ask("POST", "/review", of))[1]["changes"] == []


async def test_a_review_of_a_wrong_file_names_its_line_and_no_place_of_ours(door: Door) -> None:
    wrong = newer({"site.yaml": FILES["site.yaml"].replace("timezone", "timezome", 1)})
    status, found = await door.ask("POST", "/review", {"main": MAIN, "files": wrong})
    assert status == 200
    assert [p["file"] for p in found["problems"] if "timezome" in p["what"]] == ["site.yaml"]
    assert all("holdfast-review" not in str(p) for p in found["problems"])


async def test_what_needs_a_restart_is_said_in_the_review_and_refused_when_proposed(door: Door) -> None:
    moved = newer({"site.yaml": FILES["site.yaml"].replace("Asia/Shanghai", "Europe/Oslo", 1)})
    status, found = await door.ask("POST", "/review", {"main": MAIN, "files": moved})
    assert found["restart"] == ["timezone"]
    status, told = await door.ask("POST", "/propose", {**BY_ANN, "main": MAIN, "files": moved})
    assert status == 409
    assert "timezone" in told["error"]


async def test_a_replay_decides_the_record_again(door: Door) -> None:
    _, standing = await door.ask("POST", "/propose", {**BY_ANN, "main": MAIN, "files": newer()})
    status, found = await door.ask("GET", f"/{standing['digest']}/replay?days=7")
    assert (status, found) == (200, {"changed": [], "decisions": 0, "refuse_to_permit": 0, "whole": True})
    assert (await door.ask("GET", f"/{standing['digest']}/replay?days=0"))[0] == 400
    assert (await door.ask("GET", "/0000/replay?days=1"))[0] == 404


async def test_nothing_moves_without_the_right_password_and_digest(door: Door) -> None:
    wrong = {"person": "ann", "password": "not it at all"}
    assert (await door.ask("POST", "/propose", {**wrong, "main": MAIN, "files": newer()}))[0] == 403
    assert (await door.ask("POST", "/activate", {**BY_ANN, "digest": LOADED.digest}))[0] == 409
    _, standing = await door.ask("POST", "/propose", {**BY_ANN, "main": MAIN, "files": newer()})
    assert (await door.ask("POST", "/activate", {**wrong, "digest": standing["digest"]}))[0] == 403
    assert (await door.ask("POST", "/rollback", BY_ANN))[0] == 409
    assert (await door.ask("POST", "/propose", {**BY_ANN, "main": MAIN, "files": FILES}))[0] == 409  # in force already
    assert door.gate.compiled.digest == LOADED.digest


async def told(*arguments: str) -> tuple[int, Any]:
    app = typer.Typer()
    policy.register(app)
    found = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
    assert found.stdout, (found.output, found.exception)
    return found.exit_code, json.loads(found.stdout)


async def test_the_command_takes_effect_on_the_running_gate_and_on_the_folder_once_it_ended() -> None:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:  # a socket's path is short
        home, site = Path(folder) / "h", Path(folder) / "site"
        spread(site, newer())
        secret = Path(folder) / "password"
        secret.write_text(f"{PASSWORD}\n")
        by = ("--as", "ann", "--home", str(home), "--password-file", str(secret))
        door = Door(home / "gate")
        doors = Doors({home / "gate" / "people.sock": door.app})
        serving = asyncio.create_task(doors.serve())
        code, found = await told("policy", "activate", str(site / MAIN), *by)
        assert (code, found["standing"]["adopted"], door.gate.compiled.digest) == (0, True, load(site / MAIN).digest)
        code, found = await told("policy", "activate", str(site / MAIN), *by)
        assert code == 1
        assert "in force already" in found["error"]
        code, found = await told("policy", "rollback", *by)
        assert (code, door.gate.compiled.digest) == (0, LOADED.digest)
        doors.close()
        await serving
        door.gate.close()
        spread(site, newer(revision=3))
        code, found = await told("policy", "activate", str(site / MAIN), *by)
        assert (code, found["standing"]["revision"], found["standing"]["adopted"]) == (0, 3, True)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/../b", "", ".", "a\\b", "x" * 201, "a\x00b"])
def test_a_file_stays_inside_its_folder(name: str) -> None:
    assert refusal("s.yaml", {"s.yaml": "", name: ""})


def test_a_tag_list_in_gb18030_travels_byte_for_byte(tmp_path: Path) -> None:
    spread(tmp_path, {"a/list.csv": "base64:" + base64.b64encode("张力".encode("gb18030")).decode()})
    assert (tmp_path / "a/list.csv").read_bytes() == "张力".encode("gb18030")
