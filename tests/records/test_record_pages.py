"""Pages of the record by index: every filter gives what reading all of it would, and none reads all of it."""

import dataclasses
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.clock import VirtualClock
from holdfast.evals.bench.records import YEAR_S, queries, write_year
from holdfast.gate.ledger import index as room
from holdfast.gate.ledger import query as asking
from holdfast.gate.ledger.incidents import chain, known, listed
from holdfast.gate.ledger.index import BLOCK, RecordIndex
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.query import Page, Query, page, statements
from holdfast.gate.ledger.store import State
from holdfast.gate.ledger.tally import tally
from holdfast.terms import SECOND_NS

RECORDS = 6_000


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordIndex]:
    folder = tmp_path_factory.mktemp("year")
    state = State(folder, durable=False, reserve_bytes=0)
    Log(state, VirtualClock(0))
    write_year(state, RECORDS, seed=3)
    index = RecordIndex(folder)
    while index.step():
        pass
    yield index
    index.close()
    state.close()


@pytest.fixture(scope="module")
def everything(year: RecordIndex) -> list[dict[str, Any]]:
    return [json.loads(leaf) for (leaf,) in year.rows("SELECT bytes FROM record.leaf ORDER BY seq")]


def all_pages(index: RecordIndex, query: Query) -> list[int]:
    """By following `next` to the end."""
    found: list[int] = []
    for _ in range(1_000):
        got = page(index, query)
        found += [json.loads(leaf)["seq"] for leaf in got.leaves]
        if got.next is None:
            return found
        query = dataclasses.replace(query, **({"before": got.next} if query.order == "desc" else {"after": got.next}))
    raise AssertionError("the pages have no end")


def speaks_of(record: dict[str, Any], query: Query) -> bool:
    """As a person would tell from the record's text: any mention, in the generator's records, is one."""
    text = json.dumps(record["body"])
    mentions = all(f'"{value}"' in text for value in (query.person, query.agent, query.tag, query.proposal) if value)
    timed = (query.from_ns or 0) <= record["at_ns"] <= (query.to_ns if query.to_ns is not None else 2**63)
    numbered = query.after < record["seq"] < (query.before or 2**62)
    return mentions and timed and numbered and (not query.kinds or record["kind"] in query.kinds)


ASKED = {f"{name} at {place}": query for name, each in queries(RECORDS).items() for place, query in enumerate(each)}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("limit", [7, 100])
def test_a_query_finds_what_reading_all_of_it_finds(year: RecordIndex, everything: list[dict[str, Any]], name: str, limit: int) -> None:
    query = dataclasses.replace(ASKED[name], limit=limit)
    expected = [record["seq"] for record in everything if speaks_of(record, query)]
    assert all_pages(year, query) == (expected[::-1] if query.order == "desc" else expected)


def test_what_is_asked_for_is_there(year: RecordIndex) -> None:
    """Else the test above would compare nothing with nothing."""
    empty = {"rare kind", "agent and person", "before all time"}
    for name, each in queries(RECORDS).items():
        assert any(page(year, query).leaves for query in each) == (name not in empty), name


@pytest.mark.parametrize("probes", [3, 50])
def test_a_walk_that_finds_little_stops_and_goes_on_where_it_stopped(
    year: RecordIndex, everything: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, probes: int
) -> None:
    monkeypatch.setattr(asking, "PROBES_MAX", probes)
    for order in ("asc", "desc"):
        query = Query(agent="night-agent", tag="stand-1/force", kinds=("finding", "intent"), order=order)
        expected = [record["seq"] for record in everything if speaks_of(record, query)]
        assert len(expected) > 3
        assert all_pages(year, query) == (expected[::-1] if order == "desc" else expected)


@pytest.mark.parametrize("name", ASKED)
def test_no_query_scans_a_table(year: RecordIndex, name: str) -> None:
    for statement in statements(year, ASKED[name], (1, RECORDS)):
        plan = [detail for *_, detail in year.rows(f"EXPLAIN QUERY PLAN {statement.sql}", statement.bindings)]
        assert plan
        scans = [step for step in plan if step.startswith("SCAN") and step != "SCAN w"]  # w: the rows of the bounded walk itself
        assert not scans, plan
        assert not any("TEMP B-TREE" in step for step in plan), plan  # nothing is sorted: the lists are in order


def test_a_page_is_bounded_in_bytes_and_says_where_to_go_on(year: RecordIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAGE_BYTES_MAX", 1_000)
    first = page(year, Query(limit=100))
    assert 0 < len(first.leaves) < 100
    assert sum(map(len, first.leaves)) <= 1_000
    assert all_pages(year, Query(before=50)) == list(range(1, 50))


def test_more_kinds_than_are_read_at_once_are_refused(year: RecordIndex) -> None:
    with pytest.raises(ValueError, match="at most 16"):
        page(year, Query(kinds=tuple(map(str, range(17)))))


# ---- a gate's own ledger ---------------------------------------------------------------------------------------------


class Ledger:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(10**18)
        self.state = State(folder, durable=False, reserve_bytes=0)
        self.log = Log(self.state, self.clock)

    def found(self, query: Query) -> list[int]:
        index = RecordIndex(self.folder)
        while index.step():
            pass
        got: Page = page(index, query)
        index.close()
        return [json.loads(leaf)["seq"] for leaf in got.leaves]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.state.close()


def test_a_clock_that_was_set_back_hides_no_record(ledger: Ledger) -> None:
    for _ in range(BLOCK):
        ledger.log.append("a", {})
        ledger.clock.advance(1)
    late_ns = ledger.clock.now_ns()
    for number in range(2 * BLOCK):  # an hour back
        ledger.log.append("b", {}, at_ns=late_ns - 3600 * SECOND_NS + number)
    back = Query(from_ns=late_ns - 3600 * SECOND_NS, to_ns=late_ns - 3600 * SECOND_NS + 9, limit=1000)
    assert ledger.found(back) == list(range(BLOCK + 1, BLOCK + 11))
    assert ledger.found(dataclasses.replace(back, kinds=("b",), order="desc")) == list(range(BLOCK + 10, BLOCK, -1))


def test_the_index_follows_what_is_appended_and_a_rolled_back_ledger(ledger: Ledger, tmp_path: Path) -> None:
    ledger.log.append("a", {"person": "ann"})
    assert ledger.found(Query(person="ann")) == [1]
    assert (tmp_path / room.INDEX).stat().st_mode & 0o777 == 0o600
    ledger.log.append("a", {"person": "ann"})
    assert ledger.found(Query(person="ann")) == [1, 2]
    ledger.state.close()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    again = Ledger(tmp_path)  # another ledger in its place
    again.log.append("a", {"person": "bob"})
    again.log.append("a", {"person": "bob"})
    assert again.found(Query(person="ann")) == []
    assert again.found(Query(person="bob")) == [1, 2]
    again.state.close()


def test_a_damaged_index_is_made_anew(ledger: Ledger, tmp_path: Path) -> None:
    ledger.log.append("a", {"person": "ann"})
    (tmp_path / room.INDEX).write_bytes(b"no database at all, and longer than a page's head" * 100)
    assert ledger.found(Query(person="ann")) == [1]


def test_a_record_that_somebody_made_unreadable_stops_no_page(ledger: Ledger) -> None:
    for person in ("ann", "bob", "ann"):
        ledger.log.append("a", {"person": person})
    ledger.state.db.execute("UPDATE leaf SET bytes = CAST('{\"half' AS BLOB) WHERE seq = 2")
    assert ledger.found(Query(person="ann")) == [1, 3]


def test_who_is_named_anywhere_in_a_record_is_found(ledger: Ledger) -> None:
    log = ledger.log
    log.append("person", {"change": "added", "name": "ann", "by": "rosa"})
    log.append("resume", {"scope": "*", "by": "ann"})
    log.append("outcome", {"proposal": "p", "author": "mill-agent"})
    log.append(
        "decision", {"proposal": {"id": "p", "incident": "i", "action": {"sets": [["t", 1.0]]}}, "decision": {"author": "mill-agent"}}
    )
    log.append("taken", {"tag": "t"})
    assert ledger.found(Query(person="ann")) == [1, 2]
    assert ledger.found(Query(person="rosa")) == [1]
    assert ledger.found(Query(proposal="p")) == [3, 4]
    assert ledger.found(Query(agent="mill-agent", kinds=("outcome",))) == [3]
    assert ledger.found(Query(tag="t")) == [4, 5]


# ---- incidents -------------------------------------------------------------------------------------------------------


def test_incidents_come_newest_first_and_go_on_before_the_last(year: RecordIndex, everything: list[dict[str, Any]]) -> None:
    findings = [record for record in everything if record["kind"] == "finding"]
    first = listed(year, limit=5)
    assert [incident.id for incident in first] == [r["body"]["finding"]["id"] for r in findings[::-1][:5]]
    following = listed(year, limit=5, before=first[-1].seq)
    assert [incident.id for incident in following] == [r["body"]["finding"]["id"] for r in findings[::-1][5:10]]


def test_an_incident_is_its_whole_chain_with_the_alarms_of_its_tags_in_its_time(
    year: RecordIndex, everything: list[dict[str, Any]]
) -> None:
    rng = random.Random(5)
    for incident in rng.sample(listed(year, limit=30), 10):
        number = incident.id.removeprefix("f-")
        found = [json.loads(leaf) for leaf in chain(year, incident)]
        own = [record["seq"] for record in found if record["kind"] != "alarm"]
        expected = [r["seq"] for r in everything if any(f'"{word}-{number}"' in json.dumps(r["body"]) for word in ("incident", "p"))]
        assert own == expected
        around = [
            r["seq"] for r in everything
            if r["kind"] == "alarm" and r["body"]["tag"] in incident.tags
            and incident.at_ns - 600 * SECOND_NS <= r["at_ns"] <= incident.until_ns + 600 * SECOND_NS
        ]  # fmt: skip
        assert [record["seq"] for record in found if record["kind"] == "alarm"] == around
        assert (known(year, incident.id) or incident) == incident


def test_alarms_are_far_enough_apart_for_the_test_above_to_mean_something(everything: list[dict[str, Any]]) -> None:
    assert YEAR_S / RECORDS > 600


def finding(incident: str = "i", id: str = "f", tag: str = "stand/t") -> dict[str, Any]:
    return {"author": "a", "finding": {"id": id, "incident": incident, "detector": "d@1", "shares": [[tag, 1.0]]}}


def decided(verdict: str, *, would: bool = False, proposal: str = "p", author: str = "a") -> dict[str, Any]:
    wanted = {"id": proposal, "incident": "i", "action": {"sets": []}}
    return {"proposal": wanted, "decision": {"proposal": proposal, "author": author, "verdict": verdict, "would": would}}


STEPS: list[tuple[str, list[tuple[str, dict[str, Any]]]]] = [
    ("found", []),
    ("diagnosed", [("diagnosis", {"author": "a", "diagnosis": {"incident": "i"}})]),
    ("refused", [("decision", decided("refuse"))]),
    ("shadow", [("decision", decided("ask", would=True))]),
    ("asked", [("decision", decided("ask"))]),
    ("asked", [("decision", decided("ask")), ("diagnosis", {"author": "a", "diagnosis": {"incident": "i"}})]),
    ("refused", [("decision", decided("ask")), ("approval", {"proposal": "p", "yes": False})]),
    ("expired", [("decision", decided("ask")), ("expired", {"proposal": "p"})]),
    ("voided", [("decision", decided("ask")), ("voided", {"proposal": "p"})]),
    ("acting", [("decision", decided("permit")), ("intent", {"proposal": "p", "author": "a"})]),
    ("indeterminate", [("decision", decided("permit")), ("outcome", {"proposal": "p", "outcome": {"result": "indeterminate"}})]),
    ("failed", [("decision", decided("permit")), ("resolved", {"proposal": "p", "result": "failed"})]),
    ("resolved", [("decision", decided("permit")), ("effect", {"proposal": "p", "outcome": {"effect": "expected"}})]),
    ("wrong", [("decision", decided("permit")), ("effect", {"proposal": "p", "outcome": {"effect": "wrong"}})]),
    ("escalated", [("effect", {"proposal": "p", "outcome": {"effect": "wrong"}}), ("escalated", {"proposal": "p"})]),
    ("approved", [("decision", decided("refuse")), ("decision", decided("permit", proposal="q"))]),
    ("found", [("decision", decided("permit", author="another"))]),
]  # fmt: skip


@pytest.mark.parametrize(("state", "steps"), STEPS)
def test_an_incident_stands_where_its_newest_proposal_stands(ledger: Ledger, state: str, steps: list[tuple[str, dict[str, Any]]]) -> None:
    ledger.log.append("finding", finding())
    for kind, body in [("decision", decided("permit")), *steps] if state == "escalated" else steps:
        ledger.log.append(kind, body)
    assert ledger.found(Query())
    index = RecordIndex(ledger.folder)
    (found,) = listed(index, limit=10)
    index.close()
    assert (found.state, found.id, found.agent, found.tags, found.equipment) == (state, "f", "a", ("stand/t",), ("stand",))


def test_what_came_out_how_is_counted_as_reading_all_of_it_would(year: RecordIndex, everything: list[dict[str, Any]]) -> None:
    times = sorted(record["at_ns"] for record in everything)
    from_ns, to_ns = times[len(times) // 3], times[len(times) // 2]
    said = {"decision": ("decision", "verdict"), "outcome": ("outcome", "result"), "effect": ("outcome", "effect")}
    for first, last in ((from_ns, to_ns), (0, times[-1]), (from_ns, from_ns)):
        expected: dict[str, dict[str, int]] = {kind: {} for kind in said}
        for record in everything:
            if first <= record["at_ns"] <= last and record["kind"] in said:
                part, word = said[record["kind"]]
                answer = record["body"][part][word]
                expected[record["kind"]][answer] = expected[record["kind"]].get(answer, 0) + 1
        began = [seq for (seq,) in year.rows("SELECT seq FROM incident") if first <= everything[seq - 1]["at_ns"] <= last]
        assert tally(year, first, last) == {**expected, "incident": {"began": len(began)}}
    assert tally(year, 0, times[-1])["decision"].keys() == {"ask", "refuse", "permit"}


def test_a_time_after_all_of_it_counts_nothing(year: RecordIndex, everything: list[dict[str, Any]]) -> None:
    later = max(record["at_ns"] for record in everything) + SECOND_NS
    assert tally(year, later, later + SECOND_NS) == {"decision": {}, "outcome": {}, "effect": {}, "incident": {"began": 0}}
