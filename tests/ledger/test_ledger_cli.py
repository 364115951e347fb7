"""The record's commands: exit codes, JSON and words that a script and an auditor rely on."""

import json
import random
from pathlib import Path

import apsw
import pytest
import typer
from typer.testing import CliRunner

from holdfast.cli import ledger, people
from holdfast.clock import VirtualClock
from holdfast.gate.ledger.checkpoint import Checkpoints, make_key, parse, read_public, signed_by
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.merkle import included, leaf_hash
from holdfast.gate.ledger.store import FILE, State


def holdfast(*arguments: object, stdin: str = "") -> tuple[int, str]:
    app = typer.Typer()
    ledger.register(app)
    people.register(app)
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "gate"
    make_key(folder, "mill", random.Random(1).randbytes)
    state = State(folder, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(1_700_000_000_000_000_000))
    for i in range(300):
        log.append("finding" if i % 100 == 0 else "tick", {"i": i, "text": "\x1b[31mred"})
    Checkpoints.of(state, log).sign(0)
    log.append("tick", {"i": 300})
    state.close()
    return folder


def test_verify_exits_0_for_a_whole_ledger(home: Path):
    code, out = holdfast("ledger", "verify", home, "--key", home / "ledger.pub", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["verified"], told["records"], told["signed"], told["first_bad"]) == (True, 301, 300, None)


def test_verify_exits_1_and_names_the_record(home: Path):
    db = apsw.Connection(str(home / FILE))
    db.execute("UPDATE leaf SET bytes = CAST(replace(CAST(bytes AS TEXT), ':122,', ':123,') AS BLOB) WHERE seq = 123")
    db.close()
    code, out = holdfast("ledger", "verify", home / FILE, "--key", home / "ledger.pub", "--json")
    assert (code, json.loads(out)["verified"], json.loads(out)["first_bad"]) == (1, False, 123)
    code, out = holdfast("ledger", "verify", home / FILE, "--key", home / "ledger.pub")
    assert code == 1
    assert "first bad record: 123" in out


def test_verify_exits_1_for_what_is_no_ledger_and_2_for_what_is_not_there(home: Path, tmp_path: Path):
    (tmp_path / "diary").write_text("Dear diary")
    assert holdfast("ledger", "verify", tmp_path / "diary", "--key", home / "ledger.pub")[0] == 1
    assert holdfast("ledger", "verify", tmp_path / "none", "--key", home / "ledger.pub")[0] == 2
    assert holdfast("ledger", "verify", home, "--key", tmp_path / "diary")[0] == 2
    assert holdfast("ledger", "verify", home, "--key", tmp_path / "none", "--json")[0] == 2


def test_show_tells_records_of_a_kind_and_no_escape_reaches_the_terminal(home: Path):
    code, out = holdfast("ledger", "show", home, "--kind", "finding", "--json")
    assert (code, [r["seq"] for r in json.loads(out)["records"]]) == (0, [1, 101, 201])
    code, out = holdfast("ledger", "show", home, "--after", "298", "--limit", "2")
    assert code == 0
    assert "2023-11-14 22:13:20.000" in out
    assert "\x1b" not in out
    assert "299" in out
    assert "301" not in out


def test_prove_gives_what_anyone_can_check_with_the_key_alone(home: Path):
    code, out = holdfast("ledger", "prove", home, 123, "--json")
    told = json.loads(out)
    assert code == 0
    checkpoint = parse(told["checkpoint"])
    assert signed_by(checkpoint, read_public(home / "ledger.pub"))
    path = [bytes.fromhex(h) for h in told["path"]]
    assert included(told["index"], told["size"], leaf_hash(told["leaf"].encode()), path, checkpoint.root)
    assert holdfast("ledger", "prove", home, 301)[0] == 1  # not signed yet
    assert holdfast("ledger", "prove", home, 999)[0] == 2


def test_a_second_key_is_not_made(home: Path):
    before = (home / "ledger.pub").read_text()
    assert holdfast("ledger", "key", "--home", home, "--site", "mill")[0] == 2
    assert (home / "ledger.pub").read_text() == before
    assert (home / "ledger.key").stat().st_mode & 0o777 == 0o400
    (home / "ledger.pub").unlink()  # as a crash between the two files leaves it
    assert holdfast("ledger", "key", "--home", home, "--site", "mill")[0] == 0
    assert (home / "ledger.pub").read_text() == before


def test_people_are_added_listed_and_removed(tmp_path: Path):
    home = tmp_path / "gate"
    typed = "brass kettle orchard\n"
    assert holdfast("people", "add", "ann", "--role", "operator", "--role", "engineer", "--home", home, stdin=typed)[0] == 0
    (tmp_path / "password").write_text("another good password\n")
    added = ("people", "add", "bob", "--role", "operator", "--home", home, "--password-file", tmp_path / "password", "--json")
    code, out = holdfast(*added)
    assert (code, json.loads(out)["name"]) == (0, "bob")
    assert holdfast(*added)[0] == 2  # the name is taken
    assert holdfast("people", "remove", "bob", "--home", home)[0] == 0
    code, out = holdfast("people", "list", "--home", home, "--json")
    assert [(p["name"], p["roles"]) for p in json.loads(out)["people"]] == [("ann", ["engineer", "operator"])]


def test_people_can_not_be_changed_beside_a_running_gate(tmp_path: Path):
    add = ("people", "add", "ann", "--role", "operator", "--home", tmp_path)
    state = State(tmp_path / "gate", durable=False, reserve_bytes=0)
    assert holdfast(*add, stdin="brass kettle orchard\n")[0] == 2
    assert holdfast("people", "list", "--home", tmp_path)[0] == 0
    state.close()
    assert holdfast(*add, stdin="brass kettle orchard\n")[0] == 0
    assert holdfast("people", "list", "--home", tmp_path)[0] == 0
    assert holdfast("people", "list", "--home", tmp_path / "nowhere")[0] == 2
    assert not (tmp_path / "nowhere").exists()
