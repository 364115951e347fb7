"""A long record: many cores find what one finds, and an independent implementation has the same root.

The full size by command: HOLDFAST_RECORDS=1000000 pytest tests/ledger/test_long_record.py --timeout 600
"""

import hashlib
import os
import random
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as their_verify_consistency
from pymerkle import verify_inclusion as their_verify_inclusion

from holdfast.clock import VirtualClock
from holdfast.gate.ledger import leaves
from holdfast.gate.ledger.checkpoint import Checkpoints, make_key, read_public
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import FILE, State
from holdfast.gate.ledger.verify import Verdict, verify

RECORDS = int(os.environ.get("HOLDFAST_RECORDS", "5000"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_key(tmp_path, "mill", random.Random(1).randbytes)
    state = State(tmp_path, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(5))
    for first in range(0, RECORDS, 1000):
        with state.transaction():
            for i in range(first, min(first + 1000, RECORDS)):
                log.append("tick", {"i": i, "all": [{"at_ns": i}, {"at_ns": i + 1}], "text": "värde"} if i % 7 == 0 else {"i": i / 7})
        Checkpoints.of(state, log).sign(log.size)
    state.close()
    return tmp_path


def both(home: Path, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    """The verdict, which must not depend on how many processes there are."""
    key = read_public(home / "ledger.pub")
    monkeypatch.setattr(leaves, "CORES_MIN_RECORDS", 1 << 62)
    alone = verify(home, key)
    monkeypatch.setattr(leaves, "CORES_MIN_RECORDS", 0)
    monkeypatch.setattr(leaves, "PIECE", 700)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert verify(home, key) == alone
    return alone


def test_an_independent_implementation_has_the_same_root_and_takes_our_proofs(home: Path) -> None:
    theirs = InmemoryTree(algorithm="sha256")
    with closing(apsw.Connection(str(home / FILE))) as db:
        for (leaf,) in db.execute("SELECT bytes FROM leaf ORDER BY seq"):
            theirs.append_entry(leaf)
    verdict = verify(home, read_public(home / "ledger.pub"))
    assert (verdict.ok, verdict.records, verdict.root) == (True, RECORDS, theirs.get_root().hex())
    state = State(home, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(5))
    for old in (1, RECORDS // 3, RECORDS - 1):
        assert log.root_at(old) == theirs.get_root(old)
        proof = theirs.prove_inclusion(old, RECORDS)
        their_verify_inclusion(hashlib.sha256(b"\x00" + (log.leaf(old) or b"")).digest(), log.root(), proof)
        their_verify_consistency(log.root_at(old), log.root(), theirs.prove_consistency(old, RECORDS))
    state.close()


def test_many_cores_say_what_one_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert both(home, monkeypatch).records == RECORDS


@pytest.mark.parametrize(
    ("sql", "code", "first_bad"),
    [
        ("UPDATE leaf SET bytes = zeroblob(3) WHERE seq IN (1500, 4000)", "ledger.leaf", 1500),
        ("DELETE FROM leaf WHERE seq IN (700, 701, 4000)", "ledger.gap", 700),
        ("DELETE FROM leaf WHERE seq BETWEEN 1300 AND 2200", "ledger.gap", 1300),
        ("DELETE FROM leaf WHERE seq > 4200", "ledger.truncated", 4201),
        ("INSERT INTO leaf VALUES (4611686018427387904, x'00', x'00')", "ledger.gap", RECORDS + 1),
    ],
)
def test_many_cores_name_the_first_fault(home: Path, monkeypatch: pytest.MonkeyPatch, sql: str, code: str, first_bad: int) -> None:
    with closing(apsw.Connection(str(home / FILE))) as db:
        db.execute(sql)
    verdict = both(home, monkeypatch)
    assert (verdict.code, verdict.first_bad) == (code, first_bad)


def test_two_leaves_that_complete_each_other_are_found(home: Path) -> None:
    """Joined by a comma these two are a list of two good records; each alone is nothing."""
    halves = (
        (1, b'{"at_ns":5,"body":{"x":[{"at_ns":1}'),
        (2, b'{"at_ns":1,"seq":2}]},"kind":"t","label":"site","seq":1},{"at_ns":5,"body":{},"kind":"t","label":"site","seq":2}'),
    )
    with closing(apsw.Connection(str(home / FILE))) as db:
        for seq, leaf in halves:
            db.execute("UPDATE leaf SET bytes = ?, hash = ? WHERE seq = ?", (leaf, hashlib.sha256(b"\x00" + leaf).digest(), seq))
        db.execute("DELETE FROM leaf WHERE seq > 2")
    verdict = verify(home, read_public(home / "ledger.pub"))
    assert (verdict.code, verdict.first_bad) == ("ledger.form", 1)
