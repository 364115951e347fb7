"""SQL as tags: answers of real SQLite files, and how they are read."""

import asyncio
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.connectors.sql import Sql, answers
from holdfast.gate.connectors.sql.answers import BAD_CONFIGURATION_ERROR, BAD_NO_DATA, Answer, Layout
from holdfast.ports import ConnectionLost
from holdfast.site.model import Connection
from holdfast.site.plugged import open_connector
from holdfast.terms import BAD_DECODING_ERROR, BAD_NODE_ID_UNKNOWN, BAD_OUT_OF_SERVICE, SECOND_NS, Scale, Tag, TagTable
from holdfast.testing import check_reader

NOON_NS = 1_772_366_400_000_000_000  # date -u -d '2026-03-01 12:00:00' +%s
BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH = 0x803C_0000, 0x8074_0000
LATEST = "SELECT temp, flow, at FROM lab ORDER BY at DESC LIMIT 1"


def tag(address: str, **more: object) -> Tag:
    return Tag(name=f"lab/{address}", connection="lab", address=address, unit="1", **more)  # type: ignore[arg-type]


def table(*tags: Tag) -> TagTable:
    return TagTable(id="lab@0.05", connection="lab", period_s=0.05, tags=tags)


def database(folder: Path, *statements: str) -> Path:
    file = folder / "lab.db"
    db = apsw.Connection(str(file))
    for statement in statements:
        db.execute(statement)
    db.close()
    return file


def lab(file: Path, query: str, **more: object) -> Sql:
    return Sql(**{"name": "lab", "file": file, "query": query} | more)  # type: ignore[arg-type]


async def asked(sql: Sql, *tags: Tag) -> list[tuple[object, int]]:
    await sql.connect()
    try:
        return [(None if isinstance(s.value, float) and math.isnan(s.value) else s.value, s.status) for s in await sql.read(tags)]
    finally:
        await sql.close()


@pytest.mark.parametrize(
    ("query", "more"),
    [("SELECT 20.5 AS temp, 3 AS flow", {}), ("SELECT 'temp' AS name, 20.5 AS value UNION SELECT 'flow', 3", {"shape": "rows"})],
    ids=["columns", "rows"],
)
async def test_the_reader_keeps_its_contract_until_the_file_is_gone(tmp_path: Path, query: str, more: dict[str, object]) -> None:
    file = database(tmp_path, "CREATE TABLE lab(temp)")

    async def remove() -> None:
        file.unlink()

    await check_reader(lambda: lab(file, query, **more), table=table(tag("temp"), tag("flow")), bad=tag("ph"), lose=remove)


async def test_a_file_that_was_replaced_is_opened_anew_and_not_read_on(tmp_path: Path) -> None:
    sql = lab(database(tmp_path, "CREATE TABLE lab(temp)", "INSERT INTO lab VALUES (1)"), "SELECT temp FROM lab")
    await sql.connect()
    (tmp_path / "lab.db").rename(tmp_path / "old.db")
    database(tmp_path, "CREATE TABLE lab(temp)", "INSERT INTO lab VALUES (2)")
    with pytest.raises(ConnectionLost, match="was replaced by another file"):
        await sql.read([tag("temp")])
    assert await asked(sql, tag("temp")) == [(2.0, 0)]


async def test_what_is_written_meanwhile_is_read(tmp_path: Path) -> None:
    file = database(tmp_path, "PRAGMA journal_mode=WAL", "CREATE TABLE lab(temp)", "INSERT INTO lab VALUES (1)")
    writer = apsw.Connection(str(file))
    sql = lab(file, "SELECT temp FROM lab")
    await sql.connect()
    frames = sql.subscribe(table(tag("temp")))
    assert (await anext(frames)).values.tolist() == [[1.0]]
    writer.execute("UPDATE lab SET temp = 2")
    assert (await anext(frames)).values.tolist() == [[2.0]]
    await sql.close()
    writer.close()


async def test_values_that_are_none_are_bad_and_never_a_guess(tmp_path: Path) -> None:
    query = "SELECT NULL AS a, '3.5' AS b, x'00' AS c, 9e999 AS d, 'running' AS e, 'melting' AS f, 5 AS g"
    runs = {"type": "state", "states": ((0, "stopped"), (1, "running"))}
    tags = [tag("a"), tag("b"), tag("c"), tag("d"), tag("e", **runs), tag("f", **runs), tag("g", scale=Scale(raw=(0, 10), eng=(0, 1)))]
    assert await asked(lab(database(tmp_path), query), *tags) == [
        (None, BAD_NO_DATA), (None, BAD_TYPE_MISMATCH), (None, BAD_TYPE_MISMATCH), (None, BAD_OUT_OF_RANGE), (1.0, 0),
        (None, BAD_OUT_OF_RANGE), (0.5, 0),
    ]  # fmt: skip


async def test_an_answer_without_a_row_is_bad_in_every_column(tmp_path: Path) -> None:
    sql = lab(database(tmp_path, "CREATE TABLE lab(temp, at)"), "SELECT temp, at FROM lab", time="at", newer_than_s=60.0)
    assert await asked(sql, tag("temp"), tag("ph")) == [(None, BAD_NO_DATA), (None, BAD_NODE_ID_UNKNOWN)]


@pytest.mark.parametrize(
    ("query", "more", "cure"),
    [
        ("SELECT 1 AS a UNION SELECT 2", {}, "more than one row, .*let it give one, or write shape: rows"),
        ("SELECT a FROM absent", {}, "the query fails .*no such table: absent"),
        ("SELEKT 1", {}, "the query fails .*syntax error"),
        ("SELECT 1 AS a", {"shape": "rows"}, "no column 'name'; it has a"),
        ("SELECT 1 AS a", {"time": "at", "newer_than_s": 1.0}, "no column 'at'; it has a"),
        ("SELECT 'a' AS name, 1 AS value UNION SELECT 'b', 2", {"shape": "rows", "rows_max": 1}, "more than 1 rows"),
        ("SELECT 1 AS a, '2026-03-01 12:00' AS at", {"time": "at", "newer_than_s": 1.0}, "without an offset .*write timezone"),
        ("SELECT 1 AS a, 1772366400 AS at", {"time": "at", "newer_than_s": 1.0}, "holds numbers .*write time_unit"),
    ],
)
async def test_an_answer_that_can_not_be_used_is_told_of_at_connect(tmp_path: Path, query: str, more: dict[str, object], cure: str) -> None:
    sql = lab(database(tmp_path), query, **more)
    with pytest.raises(ConnectionLost, match=cure):
        await sql.connect()
    assert sql.health()["connected"] == 0.0


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO lab VALUES (2)",
        "DELETE FROM lab",
        "DROP TABLE lab",
        "UPDATE lab SET temp = 2 RETURNING temp",
        "PRAGMA journal_mode=DELETE",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'other.db'",
        "CREATE TEMP TABLE t(a)",
        "SELECT 1 AS temp; DELETE FROM lab",
        "SELECT 1 AS temp; SELECT 2 AS temp",
    ],
)
async def test_a_query_that_does_anything_but_read_is_refused_and_does_nothing(
    tmp_path: Path, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = database(tmp_path, "CREATE TABLE lab(temp)", "INSERT INTO lab VALUES (1)")
    before = file.read_bytes()
    with pytest.raises(ConnectionLost, match=r"only a SELECT is allowed|only one SELECT is allowed"):
        await lab(file, query).connect()
    assert file.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["lab.db"]


async def test_nothing_can_be_written(tmp_path: Path) -> None:
    sql = lab(database(tmp_path), "SELECT 1 AS temp")
    await sql.connect()
    assert await sql.write(tag("temp", writable=True), 1.0, timeout_s=1.0) == "rejected"
    with pytest.raises(ValueError, match="lab is a query, which can't be written; orders for a database go through the outbox"):
        sql.wire_value(tag("temp"), 1.0)
    await sql.close()


async def test_a_query_that_never_ends_is_ended(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS a FROM n"
    async with asyncio.timeout(2.0):
        with pytest.raises(ConnectionLost, match=r"was not done within 0\.2 s: make it faster, or write timeout_s"):
            await lab(database(tmp_path), endless, timeout_s=0.2).connect()


async def test_a_database_that_somebody_locks_is_waited_for_no_longer_than_told(tmp_path: Path) -> None:
    file = database(tmp_path, "CREATE TABLE lab(temp)", "INSERT INTO lab VALUES (1)")
    sql = lab(file, "SELECT temp FROM lab", timeout_s=0.2)
    await sql.connect()
    writer = apsw.Connection(str(file))
    writer.execute("BEGIN EXCLUSIVE")
    async with asyncio.timeout(2.0):
        with pytest.raises(ConnectionLost, match=r"the query fails .*locked"):
            await sql.read([tag("temp")])
    writer.execute("ROLLBACK")
    assert await asked(sql, tag("temp")) == [(1.0, 0)]
    writer.close()


async def test_a_row_that_nobody_renews_turns_bad(tmp_path: Path) -> None:
    file = database(tmp_path, "CREATE TABLE lab(temp, flow, at)", "INSERT INTO lab VALUES (1, 2, '2026-03-01T12:00:00Z')")
    clock = VirtualClock(NOON_NS + 60 * SECOND_NS)
    sql = lab(file, LATEST, time="at", newer_than_s=60.0, clock=clock)
    await sql.connect()
    (sample,) = await sql.read([tag("temp")])
    assert (sample.value, sample.status, sample.source_ns) == (1.0, 0, NOON_NS)
    clock.advance(1.0)
    (sample,) = await sql.read([tag("temp")])
    assert (sample.status, sample.source_ns) == (BAD_OUT_OF_SERVICE, NOON_NS)
    await sql.close()


async def test_browsing_shows_what_the_query_gives(tmp_path: Path) -> None:
    sql = lab(database(tmp_path), "SELECT 1 AS temp, 2 AS flow, '2026-03-01T12:00:00Z' AS at", time="at", newer_than_s=1.0)
    await sql.connect()
    assert [t.address async for t in sql.browse()] == ["temp", "flow"]
    await sql.close()


@pytest.mark.parametrize(
    ("wrong", "cure"),
    [
        ({}, "write `file` for SQLite, or `host`"),
        ({"file": "a.db", "host": "10.1.4.30"}, "write `file` for SQLite, or `host`"),
        ({"host": "10.1.4.30"}, "needs `database` and `user`"),
        ({"file": "a.db", "query": " "}, "the query is empty"),
        ({"file": "a.db", "time": "at"}, "`time` and `newer_than_s` go together"),
        ({"file": "a.db", "newer_than_s": 5.0}, "`time` and `newer_than_s` go together"),
        ({"file": "a.db", "timezone": "Asia/Wuxi"}, 'no time zone "Asia/Wuxi"'),
        ({"file": "a.db", "rows_max": 0}, "must be above 0"),
    ],
)
def test_options_that_do_not_make_sense_are_refused(wrong: dict[str, object], cure: str) -> None:
    with pytest.raises(ValueError, match=cure):
        Sql(**{"name": "lab", "query": "SELECT 1"} | wrong)  # type: ignore[arg-type]


def test_the_site_file_opens_it_with_its_file_and_password(tmp_path: Path) -> None:
    (tmp_path / "mes.password").write_text("secret\n")
    options = (("database", "mes"), ("host", "10.1.4.30"), ("password", "file:mes.password"), ("query", "SELECT 1"), ("user", "reader"))
    made = open_connector(Connection(name="lab", type="sql", options=options), tmp_path, clock=VirtualClock(0), state_dir=None)
    assert isinstance(made, Sql)
    assert (made.password, made.port) == ("secret", 5432)
    options = (("file", "file:lab.db"), ("query", "SELECT 1"))
    made = open_connector(Connection(name="lab", type="sql", options=options), tmp_path, clock=VirtualClock(0), state_dir=None)
    assert isinstance(made, Sql)
    assert Path(str(made.file)) == tmp_path / "lab.db"


# ---- answers, without a database -------------------------------------------------------------------------------------


def keys(rows: Iterable[Sequence[object]], zone: str = "", **more: object) -> dict[str, tuple[float | None, int]]:
    given = {"shape": "rows", "key": "k", "value": "v", "time": "t", "zone": answers.zone_of(zone), "time_unit": "", "newer_than_s": 60.0}
    layout = Layout(**given | more)  # type: ignore[arg-type]
    found = answers.cells(Answer(columns=("k", "v", "t"), rows=tuple(rows)), layout)
    read = {name: answers.said(tag(name), cell, layout, NOON_NS) for name, cell in found.items()}
    return {name: (None if math.isnan(value) else value, status) for name, (value, status, _) in read.items()}


NOON = "2026-03-01T12:00:00Z"


def test_of_two_rows_of_one_key_the_newer_counts_in_either_order() -> None:
    rows = [("a", 1, "2026-03-01T11:59:50Z"), ("a", 2, NOON)]
    assert keys(rows) == keys(rows[::-1]) == {"a": (2.0, 0)}


def test_two_rows_of_one_key_that_can_not_be_told_apart_are_bad() -> None:
    assert keys([("a", 1, NOON), ("a", 1, NOON), ("b", 5, NOON)]) == {"a": (None, BAD_CONFIGURATION_ERROR), "b": (5.0, 0)}
    assert keys([("a", 1, ""), ("a", 1, "")], time="")["a"] == (None, BAD_CONFIGURATION_ERROR)


def test_a_row_whose_time_can_not_be_read_takes_its_key_with_it() -> None:
    for broken in ("yesterday", "", None, True, "1969-01-01T00:00:00Z", "2500-01-01T00:00:00Z", float("nan")):
        unit = {"time_unit": "s"}
        assert keys([("a", 1, NOON), ("a", 2, broken), ("b", 3, NOON)], **unit) == {"a": (None, BAD_DECODING_ERROR), "b": (3.0, 0)}


def test_times_are_read_in_the_zone_or_unit_that_is_told() -> None:
    assert keys([("a", 1, "2026-03-01 20:00:00")], zone="Asia/Shanghai")["a"] == (1.0, 0)
    for unit, number in (("s", 1772366400), ("s", 1772366400.0), ("ms", 1772366400000), ("us", Decimal(NOON_NS // 1000)), ("ns", NOON_NS)):
        assert keys([("a", 1, number)], time_unit=unit)["a"] == (1.0, 0)


def test_a_time_in_the_hour_that_a_clock_change_repeats_is_bad() -> None:
    # Berlin, 2025-10-26: 02:30 came twice, at 00:30 and 01:30 UTC.
    assert keys([("a", 1, "2025-10-26 02:30:00")], zone="Europe/Berlin", newer_than_s=1e9)["a"] == (None, BAD_DECODING_ERROR)
    assert keys([("a", 1, "2025-10-26 03:30:00")], zone="Europe/Berlin", newer_than_s=1e9)["a"] == (1.0, 0)


def test_a_row_from_the_future_is_bad() -> None:
    assert keys([("a", 1, "2026-03-01T12:00:10Z"), ("b", 1, "2026-03-01T12:00:11Z")]) == {"a": (1.0, 0), "b": (None, BAD_OUT_OF_RANGE)}


def test_a_row_without_a_key_is_about_no_tag_and_numbers_are_keys_too() -> None:
    assert keys([(None, 1, NOON), (101, 2, NOON), ("a", Decimal("3.5"), NOON), ("b", 10**400, NOON)]) == {
        "101": (2.0, 0), "a": (3.5, 0), "b": (None, BAD_OUT_OF_RANGE),
    }  # fmt: skip
