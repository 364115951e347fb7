"""The verifier file alone, in an interpreter that has nothing but the standard library, says what Holdfast says."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
import typer
from typer.testing import CliRunner

from holdfast.cli import ledger
from holdfast.clock import VirtualClock
from holdfast.gate.ledger.checkpoint import CHECKPOINTS, Checkpoints, PathWitness, make_key, read_public
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.merkle import leaf_hash
from holdfast.gate.ledger.store import FILE, State
from holdfast.gate.ledger.verify import read_notes, verify
from holdfast.terms import LABELS

VERIFIER = Path(__file__).parents[2] / "verifier" / "verify_holdfast_ledger.py"
LINES_MAX = 300


def alone(*arguments: object) -> tuple[int, dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(VERIFIER), *map(str, arguments), "--json"], capture_output=True, text=True, timeout=50, env={}
    )
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else {"said": ran.stderr}


def holdfast(*arguments: object, stdin: str = "") -> tuple[int, dict[str, Any]]:
    app = typer.Typer()
    ledger.register(app)
    result = CliRunner().invoke(app, ["ledger", *(str(a) for a in arguments), "--json"], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "gate"
    make_key(folder, "mill 2", random.Random(1).randbytes)
    state = State(folder, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(5))
    checkpoints = Checkpoints.of(state, log, (PathWitness(tmp_path / "worm"),))
    for i in range(600):
        log.append("tick", {"i": i, "text": "värde \n\x01", "x": i / 7, "big": 1e22}, label=LABELS[i % 4])
        if log.size % 100 == 0:
            checkpoints.sign(log.size)
    log.append("tick", {})
    state.close()
    return folder


def sql(text: str) -> Callable[[Path], None]:
    def change(home: Path) -> None:
        db = apsw.Connection(str(home / FILE))
        db.execute(text)
        db.close()

    return change


def made_anew(home: Path) -> None:
    db = apsw.Connection(str(home / FILE))
    (leaf,) = db.execute("SELECT bytes FROM leaf WHERE seq = 250").fetchone() or (b"",)
    changed = bytes(leaf).replace(b'"i":249', b'"i":999')  # type: ignore[arg-type]
    db.execute("UPDATE leaf SET bytes = ?, hash = ? WHERE seq = 250", (changed, leaf_hash(changed)))
    db.close()


def not_canonical(home: Path) -> None:
    db = apsw.Connection(str(home / FILE))
    (leaf,) = db.execute("SELECT bytes FROM leaf WHERE seq = 7").fetchone() or (b"",)
    changed = bytes(leaf).replace(b'"kind":"tick"', b'"kind": "tick"')  # type: ignore[arg-type]
    db.execute("UPDATE leaf SET bytes = ?, hash = ? WHERE seq = 7", (changed, leaf_hash(changed)))
    db.close()


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing": (lambda _: None, "ledger.whole"),
    "a byte": (sql("UPDATE leaf SET bytes = CAST(replace(CAST(bytes AS TEXT), ':122,', ':123,') AS BLOB) WHERE seq = 123"), "ledger.leaf"),
    "one dropped": (sql("DELETE FROM leaf WHERE seq = 41"), "ledger.gap"),
    "one dropped and the rest moved up": (
        sql("DELETE FROM leaf WHERE seq = 41; UPDATE leaf SET seq = seq - 1 WHERE seq > 41"),
        "ledger.order",
    ),
    "two exchanged": (
        sql("UPDATE leaf SET seq = -1 WHERE seq = 2; UPDATE leaf SET seq = 2 WHERE seq = 3; UPDATE leaf SET seq = 3 WHERE seq = -1"),
        "ledger.order",
    ),
    "one before the first": (sql("INSERT INTO leaf VALUES (-5, x'00', x'00')"), "ledger.gap"),
    "one far behind the last": (sql("INSERT INTO leaf VALUES (4611686018427387904, x'00', x'00')"), "ledger.gap"),
    "hashes made anew": (made_anew, "ledger.rewritten"),
    "white space": (not_canonical, "ledger.form"),
    "the end cut off": (sql("DELETE FROM leaf WHERE seq > 450"), "ledger.truncated"),
    "an inner hash": (sql("UPDATE node SET hash = zeroblob(32) WHERE idx = 1"), "ledger.node"),
    "a checkpoint's size": (sql("UPDATE checkpoint SET size = 299 WHERE size = 300"), "ledger.checkpoint"),
    "a checkpoint's text": (sql("UPDATE checkpoint SET note = replace(note, char(10) || '300', char(10) || '301')"), "ledger.checkpoint"),
    "no checkpoints": (lambda home: (sql("DELETE FROM checkpoint")(home), (home / CHECKPOINTS).unlink())[1], "ledger.unsigned"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_finds_what_holdfast_finds(home: Path, change: str) -> None:
    alter, code = CHANGES[change]
    alter(home)
    ours = verify(home, read_public(home / "ledger.pub"))
    rc, told = alone(home, "--key", home / "ledger.pub")
    assert (ours.ok, ours.code, rc) == (code == "ledger.whole", code, 0 if ours.ok else 1)
    between = None if ours.between is None else list(ours.between)
    theirs = (told["verified"], told["code"], told["first_bad"], told["between"], told["records"], told["signed"], told["root"])
    assert theirs == (ours.ok, ours.code, ours.first_bad, between, ours.records, ours.signed, ours.root)


def test_a_clean_truncation_is_found_with_the_witness(home: Path) -> None:
    sql("DELETE FROM leaf WHERE seq > 200; DELETE FROM checkpoint WHERE size > 200; DELETE FROM node")(home)
    (home / CHECKPOINTS).unlink()
    assert alone(home, "--key", home / "ledger.pub")[0] == 0  # nothing inside the file can tell
    rc, told = alone(home / FILE, "--key", home / "ledger.pub", "--witness", home.parent / "worm")
    assert (rc, told["code"], told["first_bad"]) == (1, "ledger.truncated", 201)


def test_it_is_short_and_imports_nothing_of_holdfast() -> None:
    text = VERIFIER.read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= LINES_MAX
    assert "import holdfast" not in text
    assert "from holdfast" not in text


def test_what_is_no_ledger_gets_a_no_and_what_is_not_there_a_2(home: Path, tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("Dear diary")
    assert alone(tmp_path / "diary", "--key", home / "ledger.pub")[0] == 1
    assert alone(tmp_path / "none", "--key", home / "ledger.pub")[0] == 2
    assert alone(home, "--key", tmp_path / "diary")[0] == 2
    whole = (home / FILE).read_bytes()
    for at in (100, 5_000, len(whole) // 2):
        (home / FILE).write_bytes(whole[:at])
        assert alone(home, "--key", home / "ledger.pub")[0] == 1


@pytest.mark.parametrize(("label", "shown"), [("public", 150), ("partner", 300), ("site", 450), ("restricted", 600)])
def test_an_export_hides_what_is_labelled_higher_and_still_verifies(home: Path, tmp_path: Path, label: str, shown: int) -> None:
    out = tmp_path / "export"
    code, made = holdfast("export", home, "--label", label, "--out", out)
    lines = out.read_bytes().splitlines()[1:]
    labels = {json.loads(line)["label"] for line in lines if line.startswith(b"{")}
    assert (code, made["size"], made["shown"], made["hidden"]) == (0, 600, shown, 600 - shown)
    assert labels == set(LABELS[: LABELS.index(label) + 1])  # type: ignore[arg-type]
    rc, told = alone(out, "--key", home / "ledger.pub")
    assert (rc, told["verified"], told["records"], told["root"]) == (0, True, 600, made["root"])
    assert holdfast("export", home, "--label", label, "--out", out)[0] == 2  # never overwritten


def test_an_altered_export_is_named(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "export"
    holdfast("export", home, "--label", "partner", "--out", out)
    lines = out.read_bytes().splitlines(keepends=True)

    def told(changed: list[bytes]) -> tuple[object, ...]:
        out.write_bytes(b"".join(changed))
        found = alone(out, "--key", home / "ledger.pub")[1]
        return found["code"], found["first_bad"], found["between"]

    altered = lines[5].replace(b'"i":4', b'"i":5')
    assert altered != lines[5]
    assert told([*lines[:5], altered, *lines[6:]]) == ("ledger.rewritten", None, [0, 600])
    assert told([*lines[:5], *lines[6:]])[0] in ("ledger.order", "ledger.truncated")
    assert told([*lines[:5], b"nothing\n", *lines[6:]]) == ("ledger.form", 5, None)
    assert told(lines[:400]) == ("ledger.truncated", 400, None)


def test_a_witness_signs_what_grew_and_refuses_what_was_cut_off_or_made_anew(home: Path, tmp_path: Path) -> None:
    keep = tmp_path / "witness"
    assert holdfast("witness", home, "--keep", keep)[0] == 2  # whose witness it is must be said once
    code, told = holdfast("witness", home, "--keep", keep, "--key", home / "ledger.pub")
    assert (code, told["seen"], told["former"]) == (0, 600, 0)

    def grow(folder: Path, text: str) -> None:
        state = State(folder, durable=False, reserve_bytes=0)
        log = Log(state, VirtualClock(6))
        for _ in range(300):
            log.append("tick", {"text": text})
        Checkpoints.of(state, log).sign(7)
        state.close()

    old = {p.name: p.read_bytes() for p in home.iterdir()}
    grow(home, "a")
    code, growth = holdfast("prove", home, "--from", 600)
    assert (code, growth["from"], growth["size"]) == (0, 600, 901)
    code, told = holdfast("witness", "-", "--keep", keep, stdin=json.dumps(growth))  # on another box
    assert (code, told["seen"], told["former"]) == (0, 901, 600)
    rc, _ = alone(home, "--key", home / "ledger.pub", "--witness", keep / "checkpoints", "--witness-key", keep / "witness.pub")
    assert rc == 0
    assert verify(home, read_public(home / "ledger.pub"), notes=read_notes(keep / "checkpoints")).ok

    for path in home.iterdir():  # an older copy is put back
        path.unlink()
    for name, data in old.items():
        (home / name).write_bytes(data)
    code, told = holdfast("witness", home, "--keep", keep)
    assert (code, told["code"]) == (1, "witness.behind")
    grow(home, "b")  # and grows otherwise
    code, told = holdfast("witness", home, "--keep", keep)
    assert (code, told["code"]) == (1, "witness.fork")
    grow(home, "b")
    code, told = holdfast("witness", home, "--keep", keep)
    assert (code, told["code"]) == (1, "witness.fork")
    forged = growth | {"checkpoint": growth["checkpoint"].replace("\n901\n", "\n999\n")}
    code, told = holdfast("witness", "-", "--keep", keep, stdin=json.dumps(forged))
    assert (code, told["code"]) == (1, "witness.gate")
    assert len(list(read_notes(keep / "checkpoints"))) == 2


def test_another_witness_is_not_taken_for_this_one(home: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        holdfast("witness", home, "--keep", tmp_path / name, "--key", home / "ledger.pub")
    notes = tmp_path / "one" / "checkpoints"
    assert alone(home, "--key", home / "ledger.pub", "--witness", notes, "--witness-key", tmp_path / "one" / "witness.pub")[0] == 0
    assert alone(home, "--key", home / "ledger.pub", "--witness", notes, "--witness-key", tmp_path / "two" / "witness.pub")[0] == 2
    other = make_key(tmp_path / "other", "mill 3", random.Random(2).randbytes)
    assert other.raw != read_public(home / "ledger.pub").raw
    assert holdfast("witness", home, "--keep", tmp_path / "one", "--key", tmp_path / "other" / "ledger.pub")[0] == 2
