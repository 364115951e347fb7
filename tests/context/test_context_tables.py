"""Context is what is fresh: from tags, CSV and SQLite; what is old, bad, ambiguous or unreadable is missing, and is named."""

import os
from pathlib import Path

import apsw
import pytest
from known_plant import START_NS, Knowing, failed

from holdfast.terms import SECOND_NS

HEALTH = "{h: {kind: health, source: {type: csv, file: h.csv}, newer_than: 1h}}"
PLAN = "{plan: {kind: schedule, source: {type: csv, file: plan.csv}, newer_than: 12h}}"
BELOW = 'health("stand/bearing") < 0.7'


async def test_a_condition_on_health_permits_below_its_limit_and_not_above(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, HEALTH, BELOW, files={"h.csv": "name,value\nstand/bearing,0.65\nother,0.1\n"})
    await plant.later()
    assert plant.note().verdict == "permit"
    plant.write("h.csv", "name,value\nstand/bearing,0.75\n")
    assert await plant.later(10) == {"health:stand/bearing": 0.75}
    assert failed(plant.note()) == {"policy.none": ""}


async def test_context_that_was_never_read_is_missing_and_refuses(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, HEALTH, BELOW)
    await plant.later()
    assert failed(plant.note()) == {"policy.missing": "missing"}
    assert plant.flaws() == [("h.csv", "context.unread")]


async def test_a_file_that_goes_away_takes_its_values_with_it_at_once(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, HEALTH, files={"h.csv": "name,value\na,0.5\n"})
    assert await plant.later() == {"health:a": 0.5}
    (tmp_path / "h.csv").unlink()
    assert await plant.later(10) == {}
    assert [r["usable"] for r in plant.records("context")] == [True, False]


async def test_a_file_older_than_its_bound_is_missing_though_it_can_be_read(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, HEALTH)
    plant.write("h.csv", "name,value\na,0.5\n", age_s=3590)
    assert await plant.later() == {"health:a": 0.5}
    assert await plant.later(10) == {"health:a": 0.5}  # at its limit it still passes
    assert await plant.later(1) == {}


async def test_nobody_looking_for_three_periods_makes_context_missing(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, HEALTH, files={"h.csv": "name,value\na,0.5\n"})
    await plant.later()
    plant.clock.advance(30)
    assert len(plant.gate.context.facts(plant.clock.now_ns())) == 1
    plant.clock.advance(0.001)
    assert plant.gate.context.facts(plant.clock.now_ns()) == ()


async def test_a_fact_carries_the_time_at_which_it_was_last_seen_said(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, HEALTH, files={"h.csv": "name,value\na,0.5\n"})
    await plant.later()
    plant.clock.advance(7)
    assert plant.gate.context.facts(plant.clock.now_ns()) == (("health:a", 0.5, START_NS),)
    await plant.later(3)  # unchanged, and seen to be
    assert plant.gate.context.facts(plant.clock.now_ns()) == (("health:a", 0.5, START_NS + 10 * SECOND_NS),)


async def test_a_row_has_its_own_time_and_the_newest_of_a_name_counts(tmp_path: Path) -> None:
    rows = "name,value,at\na,0.9,2026-03-01 07:30\na,0.4,2026-03-01 07:59\nold,0.1,2026/3/1 6:59\nahead,0.1,2026-03-01T00:01:00Z\n"
    plant = Knowing(tmp_path, HEALTH, files={"h.csv": rows})
    assert await plant.later() == {"health:a": 0.4}


@pytest.mark.parametrize(
    ("rows", "facts", "flaw"),
    [
        ("name,value\na,0.5\nb,nan\n", {"health:a": 0.5}, ("h.csv:3", "context.number")),
        ("name,value\na,0.5\nb,1e16\n", {"health:a": 0.5}, ("h.csv:3", "context.number")),
        ("name,value\na,0.5\na,zwei\n", {}, ("h.csv:3", "context.number")),
        ("name,value\na,0.5\na,0.6\n", {}, ("h.csv:3", "context.twice")),
        ("name,value\na,0.5\n,0.6\n", {}, ("h.csv:3", "context.text")),
        ("name,value\na,0.5\nb\n", {}, ("h.csv:3", "context.column")),
        ("name,value,at\na,0.5,\n", {}, ("h.csv:2", "context.time")),
        ("name,value,at\na,0.5,8 Uhr\n", {}, ("h.csv:2", "context.time")),
        ("name,value\na,0.6", {}, ("h.csv:2", "context.cut")),
        ("name,wert\na,0.6\n", {}, ("h.csv:2", "context.column")),
        ("", {}, ("h.csv", "context.empty")),
        ('name,value\n"a,0.6\n', {}, ("h.csv:2", "context.csv")),
        ("name,name\na,0.6\n", {}, ("h.csv:1", "context.header")),
    ],
)
async def test_a_bad_row_is_named_and_takes_what_it_may_have_been_about(
    tmp_path: Path, rows: str, facts: dict[str, float], flaw: tuple[str, str]
) -> None:
    plant = Knowing(tmp_path, HEALTH, files={"h.csv": rows})
    assert await plant.later() == facts
    assert plant.flaws() == [flaw]


async def test_two_tables_that_give_one_name_give_none(tmp_path: Path) -> None:
    both = HEALTH[:-1] + ", g: {kind: health, source: {type: csv, file: g.csv}, newer_than: 1h}}"
    plant = Knowing(tmp_path, both, files={"h.csv": "name,value\na,0.5\n", "g.csv": "name,value\na,0.5\nb,1\n"})
    assert await plant.later() == {"health:b": 1.0}


async def test_columns_can_be_called_otherwise_in_gb18030_with_semicolons(tmp_path: Path) -> None:
    named = "{h: {kind: inventory, source: {type: csv, file: h.csv}, columns: {name: 物料, value: 数量}, newer_than: 1h}}"
    plant = Knowing(tmp_path, named)
    plant.write("h.csv", "物料;数量\n轧制油;12.5\n".encode("gb18030"))
    assert await plant.later() == {"inventory:轧制油": 12.5}


# ---- schedule --------------------------------------------------------------------------------------------------------


async def test_the_schedule_says_what_runs_now_and_next_in_the_plants_own_time(tmp_path: Path) -> None:
    rows = (
        "from,to,kind,product\n2026/3/1 6:00,2026/3/1 8:00,changeover,\n"
        "2026-03-01 08:00,2026-03-01 09:00,production,DC01\n2026-03-01 10:00,2026-03-01 12:00,maintenance,\n"
    )
    plant = Knowing(tmp_path, PLAN, 'schedule("current.kind") == "production"', files={"plan.csv": rows})
    assert await plant.later() == {
        "schedule:current.kind": "production",
        "schedule:current.product": "DC01",
        "schedule:next.kind": "maintenance",
    }
    assert plant.note().verdict == "permit"
    assert await plant.later(3600) == {"schedule:next.kind": "maintenance"}  # the end is no part of a slot
    assert failed(plant.note()) == {"policy.missing": "missing"}
    assert await plant.later(3600) == {"schedule:current.kind": "maintenance"}
    assert failed(plant.note()) == {"policy.none": ""}


@pytest.mark.parametrize(
    ("row", "flaw"),
    [
        ("2026-03-01 08:30,2026-03-01 10:00,maintenance", ("", "context.overlap")),
        ("2026-03-01 10:00,2026-03-01 09:30,maintenance", ("plan.csv:3", "context.span")),
        ("2026-03-01 10:00,2026-02-30 11:00,maintenance", ("plan.csv:3", "context.time")),
    ],
)
async def test_a_bad_slot_or_two_at_once_make_the_whole_schedule_missing(tmp_path: Path, row: str, flaw: tuple[str, str]) -> None:
    rows = f"from,to,kind\n2026-03-01 07:00,2026-03-01 09:00,production\n{row}\n"
    plant = Knowing(tmp_path, PLAN, files={"plan.csv": rows})
    assert await plant.later() == {}
    assert plant.flaws() == [flaw]


# ---- tags ------------------------------------------------------------------------------------------------------------


async def test_a_scaled_tag_is_a_machines_health_while_it_is_good_and_fresh(tmp_path: Path) -> None:
    source = "{type: tag, tag: stand/vibration, as: stand/bearing, scale: {raw: [2, 10], eng: [0, 1]}}"
    of_tag = f"{{h: {{kind: health, source: {source}, newer_than: 5s}}}}"
    plant = Knowing(tmp_path, of_tag, BELOW)
    plant.frame(6.0)
    assert await plant.later(5) == {"health:stand/bearing": 0.5}
    assert plant.note().verdict == "permit"
    assert await plant.later(0.001) == {}
    plant.frame(6.0, status=0x40000000)  # Uncertain is not Good
    assert await plant.later() == {}


async def test_a_state_tag_is_a_schedules_word_and_a_number_without_a_name_is_none(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, "{s: {kind: schedule, source: {type: tag, tag: stand/state, as: current.kind}, newer_than: 5s}}")
    plant.frame(6.0, 0.0)
    assert await plant.later() == {"schedule:current.kind": "maintenance"}
    plant.frame(6.0, 7.0)
    assert await plant.later() == {}


# ---- SQL -------------------------------------------------------------------------------------------------------------


def stock(folder: Path, query: str, rows: list[tuple[object, object]]) -> str:
    db = apsw.Connection(str(folder / "mes.db"))
    db.execute("CREATE TABLE IF NOT EXISTS stock(item, qty)")
    db.execute("DELETE FROM stock")
    db.executemany("INSERT INTO stock VALUES(?,?)", rows)
    db.close()
    return f"{{s: {{kind: inventory, source: {{type: sqlite, file: mes.db, query: '{query}', every: 5s}}, newer_than: 1h}}}}"


QUERY = "SELECT item AS name, qty AS value FROM stock"


async def test_a_query_is_asked_again_and_its_rows_are_fresh_as_of_the_asking(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, stock(tmp_path, QUERY, [("oil", 40), ("rolls", 3)]), 'inventory("oil") > 20.0')
    assert await plant.later() == {"inventory:oil": 40.0, "inventory:rolls": 3.0}
    assert plant.note().verdict == "permit"
    stock(tmp_path, QUERY, [("oil", 12)])
    assert await plant.later(5) == {"inventory:oil": 12.0}
    assert failed(plant.note()) == {"policy.none": ""}
    os.unlink(tmp_path / "mes.db")
    assert await plant.later(5) == {}


async def test_a_bad_row_of_a_query_is_named_by_its_number(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, stock(tmp_path, QUERY, [("oil", 40), ("rolls", None)]))
    assert await plant.later() == {"inventory:oil": 40.0}
    assert plant.flaws() == [("mes.db: row 2", "context.number")]


async def test_a_query_on_a_table_that_is_not_there_is_unread_and_writes_nothing(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, stock(tmp_path, "SELECT a AS name, b AS value FROM nowhere", []))
    before = (tmp_path / "mes.db").read_bytes()
    assert await plant.later() == {}
    assert plant.flaws() == [("mes.db", "context.unread")]
    assert (tmp_path / "mes.db").read_bytes() == before


async def test_without_its_driver_postgres_is_missing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    of = "{p: {kind: inventory, source: {type: postgres, host: 127.0.0.1, database: mes, user: r, query: SELECT 1}, newer_than: 1h}}"
    plant = Knowing(tmp_path, of)
    assert await plant.later() == {}
    assert plant.flaws() == [("p", "context.driver")]


# ---- agents ----------------------------------------------------------------------------------------------------------


async def test_agents_read_facts_lots_and_the_state_of_tables_but_no_source(tmp_path: Path) -> None:
    lots = "{l: {kind: lots, source: {type: csv, file: l.csv}, newer_than: 1h}}"
    rows = "lot,from,to,parents,supplier,supplier_lot\nC2,2026-03-01 07:00,,H1;H2,,\nH1,2026-02-27 01:00,2026-02-27 02:00,,Baosteel,B-7\n"
    plant = Knowing(tmp_path, lots, files={"l.csv": rows})
    await plant.later()
    told = plant.gate.context_now()
    assert [(lot.lot, lot.parents, lot.supplier_lot) for lot in told.lots] == [("H1", (), "B-7"), ("C2", ("H1", "H2"), "")]
    assert told.lots[1].to_ns is None
    assert [(t.name, t.usable) for t in told.tables] == [("l", True)]
    assert plant.gate.site_view().context == ()


async def test_agents_read_what_the_schedule_has_from_now_on_and_nothing_where_two_are_known(tmp_path: Path) -> None:
    one = "{kind: schedule, source: {type: csv, file: p.csv}, newer_than: 48h}"
    rows = (
        "from,to,kind,product\n2026-02-28 00:00,2026-02-28 01:00,production,A\n2026-02-28 01:00,2030-01-01 00:00,production,B\n"
        "2030-01-01 00:00,2030-01-02 00:00,maintenance,\n"
    )
    plant = Knowing(tmp_path, f"{{p: {one}}}", files={"p.csv": rows})
    await plant.later()
    assert [(slot.kind, slot.product) for slot in plant.gate.context_now().slots] == [("production", "B"), ("maintenance", "")]
    (tmp_path / "two").mkdir()
    plant = Knowing(tmp_path / "two", f"{{p: {one}, q: {one}}}", files={"p.csv": rows})
    await plant.later()
    assert plant.gate.context_now().slots == ()
