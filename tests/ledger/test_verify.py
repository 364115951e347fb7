"""Whoever changes the record is found, and the record named."""

import base64
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.ledger.checkpoint import CHECKPOINTS, Checkpoints, PathWitness, PublicKey, make_key, read_public
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.merkle import included, leaf_hash
from holdfast.gate.ledger.store import FILE, State
from holdfast.gate.ledger.verify import read_notes, verify

RECORDS, EVERY = 600, 100


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A closed ledger of 600 records with a checkpoint at each hundred, and a witness outside."""
    folder = tmp_path / "gate"
    make_key(folder, "mill 2", random.Random(1).randbytes)
    state = State(folder, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(5))
    checkpoints = Checkpoints.of(state, log, (PathWitness(tmp_path / "witness"),))
    for i in range(RECORDS):
        log.append("tick", {"i": i, "text": "värde"})
        if log.size % EVERY == 0:
            checkpoints.sign(log.size)
    state.close()
    return folder


@pytest.fixture
def key(home: Path) -> PublicKey:
    return read_public(home / "ledger.pub")


def edit(home: Path, sql: str, bindings: tuple[object, ...] = ()) -> None:
    db = apsw.Connection(str(home / FILE))
    db.execute(sql, bindings)  # type: ignore[arg-type]
    db.close()


def leaf(home: Path, seq: int) -> bytes:
    db = apsw.Connection(str(home / FILE))
    row = db.execute("SELECT bytes FROM leaf WHERE seq = ?", (seq,)).fetchone()
    db.close()
    assert row
    return bytes(row[0])


def test_an_untouched_ledger_verifies(home: Path, key: PublicKey):
    verdict = verify(home, key)
    assert (verdict.ok, verdict.records, verdict.signed, verdict.first_bad) == (True, 600, 600, None)
    assert verify(home / FILE, key) == verdict


def test_every_changed_byte_of_a_leaf_is_found_and_named(home: Path, key: PublicKey):
    good = leaf(home, 7)
    for at in range(len(good)):
        edit(home, "UPDATE leaf SET bytes = ? WHERE seq = 7", (good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :],))
        verdict = verify(home, key)
        assert (verdict.ok, verdict.code, verdict.first_bad) == (False, "ledger.leaf", 7), at
    edit(home, "UPDATE leaf SET bytes = ? WHERE seq = 7", (good,))
    assert verify(home, key).ok


def test_a_dropped_record_is_named(home: Path, key: PublicKey):
    edit(home, "DELETE FROM leaf WHERE seq = 41")
    verdict = verify(home, key)
    assert (verdict.ok, verdict.code, verdict.first_bad) == (False, "ledger.gap", 41)


def test_a_dropped_record_whose_successors_moved_up_is_named(home: Path, key: PublicKey):
    edit(home, "DELETE FROM leaf WHERE seq = 41; UPDATE leaf SET seq = seq - 1 WHERE seq > 41")
    verdict = verify(home, key)
    assert (verdict.ok, verdict.code, verdict.first_bad) == (False, "ledger.order", 41)


def test_two_exchanged_records_are_named(home: Path, key: PublicKey):
    edit(home, "UPDATE leaf SET seq = -1 WHERE seq = 20; UPDATE leaf SET seq = 20 WHERE seq = 30; UPDATE leaf SET seq = 30 WHERE seq = -1")
    verdict = verify(home, key)
    assert (verdict.ok, verdict.code, verdict.first_bad) == (False, "ledger.order", 20)


def test_hashes_made_anew_are_placed_between_two_checkpoints(home: Path, key: PublicKey):
    changed = leaf(home, 250).replace(b'"i":249', b'"i":999')
    edit(home, "UPDATE leaf SET bytes = ?, hash = ? WHERE seq = 250", (changed, leaf_hash(changed)))
    verdict = verify(home, key)
    assert (verdict.ok, verdict.code, verdict.between) == (False, "ledger.rewritten", (200, 300))


def test_a_ledger_rewritten_from_the_start_is_found_without_its_checkpoints_row(home: Path, key: PublicKey):
    changed = leaf(home, 250).replace(b'"i":249', b'"i":999')
    edit(home, "UPDATE leaf SET bytes = ?, hash = ? WHERE seq = 250", (changed, leaf_hash(changed)))
    edit(home, "DELETE FROM checkpoint WHERE size > 200")
    assert verify(home, key).between == (200, 300)  # the file beside still knows
    (home / CHECKPOINTS).unlink()
    assert verify(home, key, notes=read_notes(home.parent / "witness")).between == (200, 300)
    edit(home, "DELETE FROM checkpoint")
    assert verify(home, key).code == "ledger.unsigned"


@pytest.mark.parametrize(
    "swap", [(b'"kind":"tick"', b'"kind": "tick"'), (b'"i":6', b'"i":6.0'), (b'{"at_ns":5,', b'{"at_ns":5,"at_ns":5,')]
)
def test_a_leaf_that_is_not_canonical_is_named(home: Path, key: PublicKey, swap: tuple[bytes, bytes]):
    changed = leaf(home, 7).replace(*swap)
    edit(home, "UPDATE leaf SET bytes = ?, hash = ? WHERE seq = 7", (changed, leaf_hash(changed)))
    verdict = verify(home, key)
    assert (verdict.code, verdict.first_bad) in [("ledger.form", 7), ("ledger.rewritten", None)]
    if b".0" not in changed:
        assert verdict.code == "ledger.form"


def test_cut_off_records_are_found(home: Path, key: PublicKey):
    edit(home, "DELETE FROM leaf WHERE seq > 450")
    verdict = verify(home, key)
    assert (verdict.ok, verdict.code, verdict.first_bad) == (False, "ledger.truncated", 451)


def test_a_clean_truncation_is_found_by_the_witness_alone(home: Path, key: PublicKey):
    edit(home, "DELETE FROM leaf WHERE seq > 200; DELETE FROM checkpoint WHERE size > 200; DELETE FROM node")
    (home / CHECKPOINTS).unlink()
    assert verify(home, key).ok  # nothing inside the file can tell
    verdict = verify(home, key, notes=read_notes(home.parent / "witness"))
    assert (verdict.ok, verdict.code, verdict.first_bad) == (False, "ledger.truncated", 201)


def test_an_edited_checkpoint_is_named(home: Path, key: PublicKey):
    edit(home, "UPDATE checkpoint SET note = replace(note, char(10) || '300' || char(10), char(10) || '301' || char(10)) WHERE size = 300")
    verdict = verify(home, key)
    assert (verdict.ok, verdict.code) == (False, "ledger.checkpoint")
    assert "300" in verdict.detail


def test_another_gates_key_does_not_verify(home: Path, key: PublicKey, tmp_path: Path):
    other = make_key(tmp_path / "other", "mill 3", random.Random(2).randbytes)
    assert verify(home, other).code == "ledger.key"
    assert verify(home, PublicKey(name=key.name, raw=other.raw)).code == "ledger.checkpoint"


def test_a_changed_inner_hash_is_found(home: Path, key: PublicKey):
    edit(home, "UPDATE node SET hash = zeroblob(32) WHERE idx = 1")
    verdict = verify(home, key)
    assert (verdict.ok, verdict.code) == (False, "ledger.node")
    assert "257 to 512" in verdict.detail


def test_a_damaged_file_is_reported_wherever_it_is_cut_or_overwritten(home: Path, key: PublicKey):
    whole = (home / FILE).read_bytes()
    rng = random.Random(3)
    for _ in range(25):
        at = rng.randrange(1, len(whole))
        (home / FILE).write_bytes(whole[:at])
        assert not verify(home, key).ok, at
    for _ in range(25):
        at = rng.randrange(0, len(whole) - 512)
        (home / FILE).write_bytes(whole[:at] + rng.randbytes(512) + whole[at + 512 :])
        verify(home, key)  # it may hit free space; what counts is that nothing is raised
    for foreign in (b"", b"hello", rng.randbytes(8192)):
        (home / FILE).write_bytes(foreign)
        verdict = verify(home, key)
        assert (verdict.ok, verdict.first_bad) == (False, 1)
    (home / FILE).unlink()
    assert verify(home, key).code == "state.missing"


def test_a_running_gate_can_be_verified_and_leaves_nothing_behind_when_closed(home: Path, key: PublicKey):
    state = State(home, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(9))
    log.append("tick", {})
    verdict = verify(home, key)
    assert (verdict.ok, verdict.records, verdict.signed) == (True, 601, 600)
    state.close()
    before = sorted(p.name for p in home.iterdir())
    assert verify(home, key).records == 601
    assert sorted(p.name for p in home.iterdir()) == before


def test_a_killed_gate_leaves_a_ledger_that_verifies(tmp_path: Path):
    script = """
import os, random, sys
from pathlib import Path
from holdfast.clock import VirtualClock
from holdfast.gate.ledger.checkpoint import Checkpoints, make_key
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
folder = Path(sys.argv[1])
make_key(folder, "m", random.Random(1).randbytes)
state = State(folder)
log = Log(state, VirtualClock(1))
for i in range(40): log.append("tick", {"i": i})
Checkpoints.of(state, log).sign(1)
with state.transaction():
    for i in range(300): log.append("half", {"i": i})
    print("in", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdin
    assert process.stdout.readline() == b"in\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    key = read_public(tmp_path / "ledger.pub")
    verdict = verify(tmp_path, key)
    assert (verdict.ok, verdict.records, verdict.signed) == (True, 40, 40)
    state = State(tmp_path)
    log = Log(state, VirtualClock(2))
    assert log.append("again", {}) == 41
    state.close()
    assert verify(tmp_path, key).records == 41


def test_a_stored_proof_verifies_under_the_signed_root(home: Path):
    state = State(home, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(9))
    last = Checkpoints.of(state, log).last()
    assert last
    assert last.origin == "holdfast/mill%202"
    assert base64.b64encode(last.root).decode() in last.note
    for seq in (1, 256, 257, 599, 600):
        assert included(seq - 1, last.size, leaf_hash(log.leaf(seq) or b""), log.prove_inclusion(seq, last.size), last.root)
    state.close()
