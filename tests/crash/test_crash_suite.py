"""The crash suite in small: a hundred kills, no write twice, none unrecorded, no approval lost; and the oracle can say no."""

import hashlib
import json
from pathlib import Path

import apsw
import pytest

from holdfast.evals.crash.judge import judge
from holdfast.evals.suites import Options, suite
from holdfast.terms import canonical

KILLS = 120  # more than there are places


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_hundred_kills_at_every_place_and_a_cut_at_every_frame_lose_nothing() -> None:
    found = suite("eval", "crash")(Options(n=KILLS, seed=11))
    figures = found.figures
    assert found.pass_, figures
    assert figures["kills"] == KILLS
    # Each is tried once; on a busy machine some are missed. The 3,000 of the published figure must reach all.
    assert figures["failpoints_reached"] >= 0.85 * figures["failpoints"], figures["failpoints_not_reached"]
    assert figures["writes"] > KILLS / 10
    assert figures["approvals"] > 5
    assert figures["commits_without_failpoint"] == 0
    wal = figures["wal"]
    assert wal["cuts"] == 3 * wal["frames"] > 300
    assert wal["records"][0] == 0 < wal["records"][1]
    assert wal["acknowledged"] > 20
    assert wal["others"] == 7


def _home(folder: Path, *records: tuple[str, object], moves: tuple[tuple[str, float], ...] = ()) -> None:
    (folder / "gate").mkdir(parents=True)
    db = apsw.Connection(str(folder / "gate" / "state.db"))
    db.execute("CREATE TABLE leaf(seq INTEGER PRIMARY KEY, bytes BLOB); CREATE TABLE job(proposal TEXT, state TEXT)")
    db.execute("CREATE TABLE moves(tag TEXT, after REAL, ours INTEGER, shadow INTEGER)")
    for kind, body in records:
        db.execute("INSERT INTO leaf(bytes) VALUES(?)", (canonical({"kind": kind, "body": body}),))
    for tag, after in moves:
        db.execute("INSERT INTO moves VALUES(?, ?, 1, 0)", (tag, after))
    db.close()


def _got(folder: Path, *words: tuple[str, int, bool]) -> None:
    lines = [json.dumps({"tag": tag, "word": word, "known": known, "fault": ""}) for tag, word, known in words]
    (folder / "device.log").write_text("\n".join(lines))


A = "stand/a_sp"
DECISION = ("decision", {"proposal": {"id": "p1", "action": {"kind": "write"}}})
INTENT = ("intent", {"proposal": "p1", "steps": [{"tag": A, "former": 20.0, "wanted": 21.0}]})
MOVED = ((A, 21.0),)


def test_the_oracle_finds_nothing_in_a_write_that_was_decided_intended_and_sent_once(tmp_path: Path) -> None:
    _home(tmp_path, DECISION, INTENT, moves=MOVED)
    _got(tmp_path, (A, 2100, True))
    found = judge(tmp_path, {})
    assert (found.writes, found.faults) == (1, ())


def test_the_oracle_finds_a_write_that_was_sent_twice(tmp_path: Path) -> None:
    _home(tmp_path, DECISION, INTENT, moves=MOVED)
    _got(tmp_path, (A, 2100, True), (A, 2100, True))
    assert judge(tmp_path, {}).duplicate_writes == 1


def test_the_oracle_finds_a_write_that_was_not_intended_before_it_was_sent(tmp_path: Path) -> None:
    _home(tmp_path, DECISION, INTENT, moves=MOVED)
    _got(tmp_path, (A, 2100, False), (A, 2200, True))
    assert judge(tmp_path, {}).unrecorded_writes == 2


def test_the_oracle_finds_an_intent_that_nobody_decided_and_a_budget_that_was_refunded(tmp_path: Path) -> None:
    _home(tmp_path, INTENT)
    found = judge(tmp_path, {})
    assert (found.unrecorded_writes, found.refunded) == (1, 1)


@pytest.mark.parametrize(
    ("records", "lost"),
    [((), 1), ((("approval", {"proposal": "p1", "yes": True}),), 1), ((("approval", {"proposal": "p1", "yes": True}), INTENT), 0)],
)
def test_the_oracle_finds_an_approval_without_a_record_or_an_end(
    tmp_path: Path, records: tuple[tuple[str, object], ...], lost: int
) -> None:
    _home(tmp_path, DECISION, *records, moves=MOVED)
    assert judge(tmp_path, {"signed": ("p1",)}).lost_approvals == lost


@pytest.mark.parametrize(("shown", "decidable"), [(21.0, 1), (20.0, 1), (25.0, 0)])
def test_the_oracle_finds_a_doubt_that_the_read_back_could_have_ended(tmp_path: Path, shown: float, decidable: int) -> None:
    outcome = {"proposal": "p1", "outcome": {"result": "indeterminate", "readback": [{"tag": A, "value": shown}]}}
    _home(tmp_path, DECISION, INTENT, ("reconciling", {"proposal": "p1"}), ("outcome", outcome), moves=MOVED)
    found = judge(tmp_path, {})
    assert (found.indeterminate, found.decidable) == (1, decidable)


def test_the_oracle_finds_what_somebody_was_told_and_the_record_does_not_have(tmp_path: Path) -> None:
    _home(tmp_path, ("finding", {"finding": {"id": "f1"}}), ("stop", {"scope": "*"}))
    told = {"found": ("f1", "f2"), "activated": ("d",), "stopped": ("", ""), "revived": ("autonomy",)}
    assert judge(tmp_path, told).lost_answers == 4


def test_the_oracle_finds_an_order_that_was_delivered_twice_and_one_that_never_was(tmp_path: Path) -> None:
    delivered = [("delivery", {"key": key, "result": "delivered"}) for key in ("k1", "k2")]
    _home(tmp_path, *delivered)
    (tmp_path / "gate" / "outbox").mkdir()
    (tmp_path / "gate" / "outbox" / "logbook.jsonl").write_text('{"key":"k1"}\n{"key":"k1"}\n{"ke')
    found = judge(tmp_path, {})
    assert (found.duplicate_writes, found.lost_answers) == (1, 1)


def _learned(folder: Path, *states: bytes, in_force: str) -> None:
    db = apsw.Connection(str(folder / "gate" / "state.db"))
    db.execute("CREATE TABLE learned_state(digest TEXT); CREATE TABLE learned_in_force(name TEXT, digest TEXT)")
    (folder / "gate" / "learned").mkdir()
    for state in states:
        of = hashlib.sha256(state).hexdigest()
        db.execute("INSERT INTO learned_state VALUES(?)", (of,))
        (folder / "gate" / "learned" / of).write_bytes(state)
    db.execute("INSERT INTO learned_in_force VALUES('watch', ?)", (in_force,))
    db.close()


ONE, TWO = (hashlib.sha256(state).hexdigest() for state in (b"one", b"two"))
OFFERED = tuple(("learned.offered", {"digest": of}) for of in (ONE, TWO))
IN_FORCE = tuple(("learned", {"name": "watch", "digest": of, "how": how}) for of, how in ((TWO, "first"), (ONE, "put_back")))


def test_the_oracle_finds_nothing_in_states_that_are_kept_recorded_and_in_force(tmp_path: Path) -> None:
    _home(tmp_path, *OFFERED, *IN_FORCE)
    _learned(tmp_path, b"one", b"two", in_force=ONE)
    assert judge(tmp_path, {"kept": (ONE, TWO), "restored": (ONE,)}).faults == ()


def test_the_oracle_finds_a_learned_state_that_is_torn_unrecorded_or_in_force_without_a_record(tmp_path: Path) -> None:
    _home(tmp_path, *OFFERED[1:], *IN_FORCE[:1], ("relearn", {}))
    _learned(tmp_path, b"one", b"two", in_force=ONE)
    (tmp_path / "gate" / "learned" / TWO).write_bytes(b"tw")
    found = judge(tmp_path, {"kept": (ONE, TWO), "restored": (ONE,), "relearning": ("r1", "r2")})
    assert sorted(line.replace(ONE, "ONE").replace(TWO, "TWO") for line in found.faults) == [
        "learned state ONE of watch: in force without its record",
        "learned state ONE: put back, not recorded",
        "learned state ONE: taken, not recorded",
        "learned state TWO: a row names it, its file is not what it was",
        "relearning 2 times, 1 records",
    ]


def test_the_oracle_finds_a_call_that_was_not_refused(tmp_path: Path) -> None:
    _home(tmp_path, ("decision", {"proposal": {"id": "p1", "action": {"kind": "call"}}}))
    assert judge(tmp_path, {}).unrecorded_writes == 1
