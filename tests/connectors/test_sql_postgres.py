"""SQL as tags from a real PostgreSQL server, with faults in between."""

import asyncio
import os
import threading
from collections.abc import Iterator
from random import Random

import pytest

from connectors.postgres_server import Postgres, missing
from connectors.proxy import Proxy
from holdfast.clock import RealClock
from holdfast.gate.connectors.keep import keep
from holdfast.gate.connectors.sql import Sql
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NO_COMMUNICATION, Frame, Tag, TagTable
from holdfast.testing import check_reader

pytest.importorskip("psycopg", reason="the driver psycopg is not installed here")
if missing():
    pytest.skip(f"no PostgreSQL server: {missing()}", allow_module_level=True)


def tag(address: str, **more: object) -> Tag:
    return Tag(name=f"lab/{address}", connection="lab", address=address, unit="1", **more)  # type: ignore[arg-type]


TEMP, FLOW = tag("temp"), tag("flow")
TABLE = TagTable(id="lab@0.05", connection="lab", period_s=0.05, tags=(TEMP, FLOW))
LATEST = "SELECT temp, flow FROM lab"


@pytest.fixture(scope="module")
def running() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.end()


@pytest.fixture
def server(running: Postgres) -> Iterator[Postgres]:
    running.run("DROP TABLE IF EXISTS lab", "CREATE TABLE lab(temp numeric, flow real)", "INSERT INTO lab VALUES (20.5, 3)")
    yield running
    running.stop()
    running.start()


def lab(port: int, query: str = LATEST, **more: object) -> Sql:
    given = {"name": "lab", "host": "127.0.0.1", "port": port, "database": "postgres", "user": "mes", "query": query, "timeout_s": 1.0}
    return Sql(**given | more)  # type: ignore[arg-type]


async def connected(port: int, query: str = LATEST, **more: object) -> Sql:
    made = lab(port, query, **more)
    await made.connect()
    return made


async def test_the_reader_keeps_its_contract_when_the_server_goes(server: Postgres) -> None:
    async def stop() -> None:
        server.stop()

    await check_reader(lambda: lab(server.port), table=TABLE, bad=tag("ph"), lose=stop)


async def test_the_reader_keeps_its_contract_when_the_connection_is_cut(server: Postgres) -> None:
    rows = "SELECT 'temp' AS name, temp AS value FROM lab UNION SELECT 'flow', flow FROM lab"
    async with Proxy(server.port) as proxy:
        await check_reader(lambda: lab(proxy.port, rows, shape="rows"), table=TABLE, bad=tag("ph"), lose=proxy.cut)


async def test_values_are_what_the_columns_hold(server: Postgres) -> None:
    query = "SELECT temp, true AS runs, NULL::int AS none, 'x' AS text, 'NaN'::real AS nan, 100 % 7 AS rest FROM lab"
    sql = await connected(server.port, query)
    samples = await sql.read([tag(a) for a in ("temp", "runs", "none", "text", "nan", "rest")])
    assert [s.value for s in samples if not s.status] == [20.5, 1.0, 2.0]
    assert [bool(s.status & 0x80000000) for s in samples] == [False, False, True, True, True, False]
    await sql.close()


async def test_the_row_s_own_time_is_the_source_time(server: Postgres) -> None:
    sql = await connected(server.port, "SELECT 1 AS temp, now() - interval '5 s' AS at", time="at", newer_than_s=60.0)
    (sample,) = await sql.read([TEMP])
    assert sample.status == 0
    assert 4.0 < (RealClock().now_ns() - sample.source_ns) / 1e9 < 8.0
    await sql.close()
    sql = await connected(server.port, "SELECT 1 AS temp, now() - interval '61 s' AS at", time="at", newer_than_s=60.0)
    assert (await sql.read([TEMP]))[0].status & 0x80000000
    await sql.close()


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO lab VALUES (1, 1)",
        "DELETE FROM lab RETURNING temp",
        "WITH gone AS (DELETE FROM lab RETURNING temp) SELECT temp FROM gone",
        "SELECT 1 AS temp; DELETE FROM lab",
        "SELECT emptied() AS temp",
        "SELECT nextval('count') AS temp",
        "SELECT set_config('transaction_read_only', 'off', true) AS temp",
        "SET default_transaction_read_only = off",
    ],
)
async def test_a_query_that_does_anything_but_read_is_refused_and_does_nothing(server: Postgres, query: str) -> None:
    server.run(
        "CREATE OR REPLACE FUNCTION emptied() RETURNS int LANGUAGE sql AS 'DELETE FROM lab; SELECT 1'",
        "DROP SEQUENCE IF EXISTS count",
        "CREATE SEQUENCE count",
    )
    with pytest.raises(ConnectionLost, match="lab: the query fails"):
        await lab(server.port, query).connect()
    assert server.run("SELECT count(*) FROM lab") == [(1,)]
    assert server.run("SELECT is_called FROM count") == [(False,)]


async def test_a_slow_query_is_ended_by_the_server(server: Postgres) -> None:
    async with asyncio.timeout(2.0):
        with pytest.raises(ConnectionLost, match=r"was not done within 0\.3 s"):
            await lab(server.port, "SELECT pg_sleep(30) AS temp", timeout_s=0.3).connect()
    still = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()"
    assert server.run(still) == [(0,)]


async def test_a_frozen_server_turns_bad_within_the_time_limit_and_holds_nobody(server: Postgres) -> None:
    async with Proxy(server.port) as proxy:
        sql = await connected(proxy.port, timeout_s=0.3)
        frames = sql.subscribe(TABLE)
        frame = await anext(frames)
        assert frame.values.tolist() == [[20.5, 3.0]]
        await proxy.freeze()
        async with asyncio.timeout(3.0):
            async for frame in frames:  # noqa: B007 - the last one counts
                pass
            assert frame.status.tolist() == [[BAD_NO_COMMUNICATION] * 2]
            await sql.close()
        workers = [thread for thread in threading.enumerate() if thread.name.startswith("connector")]
        for worker in workers:
            worker.join(1.0)
        assert not [worker for worker in workers if worker.is_alive()]


async def test_more_rows_than_told_are_never_fetched(server: Postgres) -> None:
    many = "SELECT i AS name, j AS value FROM generate_series(1, 10000) AS i, generate_series(1, 10000) AS j"
    async with asyncio.timeout(20.0):
        with pytest.raises(ConnectionLost, match="gives more than 100 rows"):
            await lab(server.port, many, shape="rows", rows_max=100, timeout_s=10.0).connect()


async def test_after_a_restart_data_is_back_with_a_bad_row_and_a_gap_between(server: Postgres) -> None:
    frames: list[Frame] = []
    came, why = asyncio.Event(), list[str]()

    def ingest(frame: Frame) -> None:
        frames.append(frame)
        came.set()

    async def until(bad: bool) -> None:
        async with asyncio.timeout(5.0):
            while not frames or bool(frames[-1].status.all()) != bad:
                came.clear()
                await came.wait()

    sql = lab(server.port)
    task = asyncio.create_task(keep(sql, [TABLE], clock=RealClock(), random=Random(1), ingest=ingest, lost=why.append, found=lambda: None))
    await until(bad=False)
    server.stop()
    await until(bad=True)
    lost_at = len(frames)
    server.start()
    await until(bad=False)
    assert frames[lost_at].values.tolist() == [[20.5, 3.0]]
    assert frames[lost_at].seq > frames[lost_at - 1].seq + 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await sql.close()


async def test_a_server_that_goes_between_two_polls_turns_bad_within_a_second(server: Postgres) -> None:
    sql = await connected(server.port)
    frames = sql.subscribe(TagTable(id="lab@60", connection="lab", period_s=60.0, tags=(TEMP,)))
    assert (await anext(frames)).values.tolist() == [[20.5]]
    server.stop()
    async with asyncio.timeout(1.0):
        assert (await anext(frames)).status.tolist() == [[BAD_NO_COMMUNICATION]]
    await sql.close()


@pytest.mark.parametrize(
    ("more", "cure"),
    [({"database": "nowhere"}, 'database "nowhere" does not exist'), ({"user": "nobody"}, 'role "nobody" does not exist')],
)
async def test_what_the_server_refuses_is_told_with_what_to_check(server: Postgres, more: dict[str, object], cure: str) -> None:
    with pytest.raises(ConnectionLost, match=f"lab: 127.0.0.1:{server.port} can't be reached .*{cure}.*check address, database, account"):
        await lab(server.port, LATEST, **more).connect()


async def test_the_password_is_in_no_message(server: Postgres) -> None:
    with pytest.raises(ConnectionLost) as lost:
        await lab(server.port, "SELECT nothing", password="hunter2").connect()
    assert "hunter2" not in str(lost.value)


async def test_connecting_again_and_again_leaves_no_thread_and_no_socket_behind(server: Postgres) -> None:
    def left_behind() -> tuple[int, int]:
        for thread in threading.enumerate():
            if thread.name.startswith("connector"):
                thread.join(2.0)
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    sql = await connected(server.port)
    await sql.close()
    before = left_behind()
    for i in range(50):
        await sql.connect()
        if i % 2:  # lost, rather than closed
            assert sql._source is not None
            sql._source.abort("cut")
        await sql.close()
    assert left_behind() == before
