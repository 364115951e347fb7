"""What every page of the console asks of the record's and the state's files is found by an index: none of it reads a long table whole."""

import re
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
import pytest_asyncio
from people_door import Served, looking
from small_plant import ASKING, PASSWORD, T, site

from holdfast.clock import VirtualClock
from holdfast.evals.bench.pages import PAGES
from holdfast.evals.bench.records import YEAR_S, write_year
from holdfast.gate.ledger.index import RecordIndex
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State

RECORDS = 2_000
# What grows with the years. `w` in a plan is the rows of a bounded walk, which are counted, not searched.
LONG = ("leaf", "node", "entry", "block", "post", "term", "incident", "checkpoint", "record.leaf", "l", "o", "e")


@pytest.fixture
def asked() -> Iterator[set[str]]:
    """Every query of this process from now on."""
    found: set[str] = set()

    def told(_: Any, sql: str, __: Any) -> bool:
        found.add(sql)
        return True

    def hook(db: apsw.Connection) -> None:
        db.exec_trace = told

    apsw.connection_hooks.append(hook)
    yield found
    apsw.connection_hooks.remove(hook)


@pytest_asyncio.fixture
async def served(asked: set[str]) -> AsyncIterator[Served]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:  # a socket's path is short
        with closing(State(Path(folder), durable=False, reserve_bytes=0)) as state:
            Log(state, VirtualClock(0))
            write_year(state, RECORDS, seed=3, from_ns=time.time_ns() - YEAR_S * 10**9)
        with closing(RecordIndex(Path(folder))) as index:
            while index.step():
                pass
        world = Served(Path(folder), site(rules=ASKING))
        world.gate.people.add("ann", ["operator", "administrator"], PASSWORD)
        world.open_doors()
        await world.run(3)
        world.propose(103.0)
        asked.clear()
        yield world
        await world.close_doors()
        world.gate.close()


async def test_no_page_reads_a_long_table_whole(served: Served, asked: set[str]) -> None:
    digest = served.gate.compiled.digest
    names = {
        "card": "p1", "alarm": "none", "incident": "f-9", "old": "f-1", "proposal": "p-1", "middle": str(RECORDS // 2), "day": "2026-01-01",
        "digest": digest, "former": digest,
    }  # fmt: skip
    opened = 0
    async with looking(served, "ann") as http:
        for page in PAGES:
            if page.startswith("/policy"):
                continue  # a gate made in a test adopts no configuration, and what they ask does not grow with the record
            answer = await http.get(page.format(**names).replace("stand-4/tension", T))
            assert answer.status_code < 500, page
            opened += answer.status_code in (200, 303)
    assert opened > len(PAGES) - 16  # the mill's own names are not there
    queries = {sql for sql in asked if re.match(r"\s*(SELECT|WITH)\b", sql)}
    assert any("FROM post" in sql for sql in queries)
    with closing(RecordIndex(served.folder)) as index:
        slow = {sql: steps for sql in queries if (steps := scans(index, sql))}
    assert not slow


def scans(index: RecordIndex, sql: str) -> list[str]:
    """The steps of its plan that go through a long table from end to end."""
    plan = [str(detail) for *_, detail in index.db.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()]
    return [step for step in plan if (told := re.match(r"SCAN (\S+)(?! USING COVERING INDEX)", step)) and told[1] in LONG]


def test_a_query_that_reads_all_of_it_is_noticed(tmp_path: Path) -> None:
    with closing(State(tmp_path, durable=False, reserve_bytes=0)) as state:
        Log(state, VirtualClock(0))
        with closing(RecordIndex(tmp_path)) as index:
            assert scans(index, "SELECT bytes FROM record.leaf WHERE hash = ?") == ["SCAN record.leaf"]
            assert scans(index, "SELECT seq FROM post WHERE seq = ?")
            assert not scans(index, "SELECT bytes FROM leaf WHERE seq = ?")
