"""S7 against Snap7's own server in C++, with faults in between."""

import asyncio
import os
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest

from connectors.proxy import Proxy
from holdfast.clock import RealClock, VirtualClock
from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.snap7 import Plc, program
from holdfast.gate.connectors.keep import keep
from holdfast.gate.connectors.s7 import S7
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, Frame, Scale, Tag, TagTable
from holdfast.testing import check_reader, check_writer

try:
    program()
except NoPeer as unavailable:
    pytest.skip(f"no Snap7 server: {unavailable}", allow_module_level=True)


def tag(address: str, **more: object) -> Tag:
    return Tag(name=f"press/{address}", connection="press", address=address, unit="1", **more)  # type: ignore[arg-type]


FORCE, SPEED = tag("DB10.DBD4:REAL"), tag("DB10.DBW20:INT", scale=Scale(raw=(0, 27648), eng=(0, 150)))
RUNS, LEVEL, DOOR = tag("DB1.DBX0.3", type="bool"), tag("MW10:WORD"), tag("E0.7")
NOWHERE, SHORT = tag("DB77.DBW0:INT"), tag("DB1.DBD62:REAL")  # DB1 ends with byte 63
TABLE = TagTable(id="press@0.05", connection="press", period_s=0.05, tags=(FORCE, SPEED, RUNS, LEVEL, DOOR))


@pytest.fixture
def plc() -> Iterator[Plc]:
    with Plc() as running:
        running.put_real(10, 4, 1.5)
        running.put("DB", 10, 20, struct.pack(">h", 13824))
        running.put("DB", 1, 0, b"\x08")
        running.put("M", 0, 10, struct.pack(">H", 640))
        running.put("I", 0, 0, b"\x80")
        yield running


def client(port: int, **more: object) -> S7:
    return S7(**{"name": "press", "host": "127.0.0.1", "port": port, "timeout_s": 0.5} | more)  # type: ignore[arg-type]


async def connected(port: int, **more: object) -> S7:
    made = client(port, **more)
    await made.connect()
    return made


async def test_the_reader_keeps_its_contract_when_the_cpu_goes(plc: Plc) -> None:
    async def kill() -> None:
        plc.kill()

    await check_reader(lambda: client(plc.port), table=TABLE, bad=NOWHERE, lose=kill)


async def test_the_reader_keeps_its_contract_when_the_connection_is_cut(plc: Plc) -> None:
    async with Proxy(plc.port) as proxy:
        await check_reader(lambda: client(proxy.port), table=TABLE, bad=SHORT, lose=proxy.cut)


@pytest.mark.parametrize(
    ("what", "asked", "large", "at"),
    [(FORCE, 60.004, 3.5e38, (10, 4, ">f")), (SPEED, 60.004, 200.0, (10, 20, ">h")), (tag("DB10.DBD40:LREAL"), 0.1, None, (10, 40, ">d"))],
    ids=["REAL", "INT, scaled", "LREAL"],
)
async def test_the_writer_keeps_its_contract(plc: Plc, what: Tag, asked: float, large: float | None, at: tuple[int, int, str]) -> None:
    db, start, form = at

    def holds() -> float:
        (raw,) = struct.unpack(form, plc.get("DB", db, start, struct.calcsize(form)))
        return float(raw) if what.scale is None else raw * 150 / 27648

    async with Proxy(plc.port) as proxy:
        await check_writer(
            lambda: client(proxy.port),
            tag=what, value=asked, requests=plc.writes, holds=holds, too_large=large, refused=SHORT, mute=proxy.swallow,
        )  # fmt: skip


async def test_values_are_what_the_bytes_say(plc: Plc) -> None:
    press = await connected(plc.port)
    assert [s.value for s in await press.read(TABLE.tags)] == [1.5, 75.0, 1.0, 640.0, 1.0]
    await press.close()


async def test_a_bit_is_written_as_a_bit_and_its_neighbours_are_neither_read_nor_written(plc: Plc) -> None:
    plc.put("DB", 1, 0, b"\xa5")
    press = await connected(plc.port)
    reads = plc.reads()
    assert await press.write(RUNS, 1.0, timeout_s=1.0) == "acked"
    assert plc.get("DB", 1, 0, 1) == b"\xad"
    assert await press.write(tag("DB1.DBX0.0", type="bool"), 0.0, timeout_s=1.0) == "acked"
    assert plc.get("DB", 1, 0, 1) == b"\xac"
    assert (plc.reads(), plc.writes()) == (reads, 2)
    await press.close()


@pytest.mark.parametrize(
    ("address", "value", "area", "start", "data"),
    [
        ("DB10.DBB0", 200.0, "DB", 0, "c8"),
        ("DB10.DBB1:SINT", -2.0, "DB", 1, "fe"),
        ("DB10.DBW2:WORD", 65534.0, "DB", 2, "fffe"),
        ("DB10.DBW2:INT", -300.0, "DB", 2, "fed4"),
        ("DB10.DBD4:DINT", -65536.0, "DB", 4, "ffff0000"),
        ("DB10.DBD4:UDINT", 4294967295.0, "DB", 4, "ffffffff"),
        ("DB10.DBD8:LINT", -2.0, "DB", 8, "fffffffffffffffe"),
        ("MD20:REAL", -0.75, "M", 20, "bf400000"),
        ("AW2:INT", 258.0, "Q", 2, "0102"),
    ],
)
async def test_each_type_is_written_with_one_request_and_read_back(
    plc: Plc, address: str, value: float, area: str, start: int, data: str
) -> None:
    press = await connected(plc.port)
    assert await press.write(tag(address), value, timeout_s=1.0) == "acked"
    assert plc.get(area, 10 if area == "DB" else 0, start, len(data) // 2).hex() == data
    assert [s.value for s in await press.read([tag(address)])] == [value]
    assert plc.writes() == 1
    await press.close()


async def test_an_input_can_not_be_written(plc: Plc) -> None:
    press = await connected(plc.port)
    assert await press.write(tag("IW2:INT"), 1.0, timeout_s=1.0) == "rejected"
    assert plc.writes() == 0
    with pytest.raises(ValueError, match="is an input, which the CPU overwrites every cycle"):
        press.wire_value(tag("IW2:INT"), 1.0)
    await press.close()


async def test_a_refused_write_is_rejected_and_was_sent_once(plc: Plc) -> None:
    press = await connected(plc.port)
    assert [await press.write(t, 1.0, timeout_s=1.0) for t in (SHORT, NOWHERE)] == ["rejected", "rejected"]
    assert plc.writes() == 2
    await press.close()


async def test_a_table_is_read_with_one_request_of_several_stretches(plc: Plc) -> None:
    press = await connected(plc.port)
    before = press.health()["requests"]
    await press.read(TABLE.tags)
    assert press.health()["requests"] == before + 1
    assert plc.reads() == 4  # DB1, DB10 with the gap in it, flags, inputs
    await press.close()


@pytest.mark.parametrize(("granted", "requests"), [(240, 19), (960, 5)])
async def test_long_tables_take_as_many_requests_as_the_cpu_s_messages_ask_for(granted: int, requests: int) -> None:
    with Plc(pdu_bytes=granted) as plc:
        for i in range(1000):
            plc.put_real(10, 4 * i, float(i))
        press = await connected(plc.port)
        assert press.health()["pdu_bytes"] == granted
        before = press.health()["requests"]
        samples = await press.read([tag(f"DB10.DBD{4 * i}:REAL") for i in range(1000)])
        assert [s.value for s in samples] == [float(i) for i in range(1000)]
        # 1000 values of 4 bytes: 55 fit 240 - 18 bytes, 235 fit 960 - 18.
        assert press.health()["requests"] == before + requests
        await press.close()


async def test_a_bad_address_costs_no_neighbour_and_after_the_first_time_no_request(plc: Plc) -> None:
    press = await connected(plc.port)
    tags = [tag(f"DB1.DBW{2 * i}:INT") for i in range(36)]  # bytes 0 to 71 of 64
    for _ in range(2):
        samples = await press.read(tags)
        assert [s.status for s in samples] == [0] * 32 + [BAD_NODE_ID_UNKNOWN] * 4
    before = press.health()["requests"]
    await press.read(tags)
    assert press.health()["requests"] == before + 1
    await press.close()


async def test_what_is_no_address_is_bad_alone(plc: Plc) -> None:
    press = await connected(plc.port)
    samples = await press.read([tag("40021:int16"), FORCE])
    assert [bool(s.status & 0x80000000) for s in samples] == [True, False]
    assert samples[1].value == 1.5
    await press.close()


async def test_it_reads_on_a_clock_that_is_stepped(plc: Plc) -> None:
    press = await connected(plc.port, clock=VirtualClock(5))
    (sample,) = await press.read([FORCE])
    assert (sample.value, sample.source_ns) == (1.5, 5)
    await press.close()


async def test_tables_and_writes_of_one_connection_do_not_get_each_other_s_answers(plc: Plc) -> None:
    for i in range(100):
        plc.put("DB", 10, 100 + 2 * i, struct.pack(">h", i))
    press = await connected(plc.port, timeout_s=10.0)

    async def reads(i: int) -> bool:
        (sample,) = await press.read([tag(f"DB10.DBW{100 + 2 * i}:INT")])
        return sample.value == i

    async def writes(i: int) -> bool:
        return await press.write(tag(f"MW{2 * i}:INT"), float(i), timeout_s=10.0) == "acked"

    done = await asyncio.gather(*(f(i) for i in range(30) for f in (reads, writes)))
    assert all(done)
    assert plc.writes() == 30
    assert struct.unpack(">30h", plc.get("M", 0, 0, 60)) == tuple(range(30))
    await press.close()


async def test_a_write_to_a_frozen_cpu_is_unknown_and_one_that_had_to_wait_behind_it_was_never_sent(plc: Plc) -> None:
    press = await connected(plc.port, timeout_s=10.0)
    plc.freeze()
    said = await asyncio.gather(*(press.write(tag(f"MW{2 * i}:INT"), 7.0, timeout_s=0.2) for i in range(3)))
    assert said == ["unknown", "rejected", "rejected"]
    plc.thaw()
    (sample,) = await press.read([FORCE])  # the late answer was taken off the line, and answers nothing else
    assert sample.value == 1.5
    assert plc.writes() == 1
    await press.close()


async def test_a_cancelled_write_that_had_not_begun_is_not_sent(plc: Plc) -> None:
    press = await connected(plc.port, timeout_s=10.0)
    plc.freeze()
    first, second = (asyncio.create_task(press.write(tag(f"MW{2 * i}:INT"), 7.0, timeout_s=10.0)) for i in range(2))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    plc.thaw()
    assert await first == "acked"
    await press.read([FORCE])
    assert plc.writes() == 1
    await press.close()


async def test_a_cpu_that_closes_the_connection_between_polls_turns_bad_within_a_second(plc: Plc) -> None:
    async with Proxy(plc.port) as proxy:
        press = await connected(proxy.port)
        slow = TagTable(id="press@60", connection="press", period_s=60.0, tags=(FORCE,))
        frames = press.subscribe(slow)
        assert (await anext(frames)).values.tolist() == [[1.5]]
        await proxy.cut()
        async with asyncio.timeout(1.0):
            assert (await anext(frames)).status.tolist() == [[BAD_NO_COMMUNICATION]]
            with pytest.raises(StopAsyncIteration):
                await anext(frames)
        assert await press.write(FORCE, 1.0, timeout_s=1.0) == "rejected", "on a lost connection nothing is sent"
        assert plc.writes() == 0
        await press.close()


class Kept:
    """A connection under the gate's own care, and what came of it."""

    def __init__(self, press: S7) -> None:
        self.frames: list[Frame] = []
        self._came = asyncio.Event()
        self._task = asyncio.create_task(
            keep(
                press, [TABLE], clock=RealClock(), random=Random(1), ingest=self._ingest,
                lost=lambda why: None, found=lambda: None,
            )
        )  # fmt: skip

    def _ingest(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._came.set()

    async def until(self, bad: bool, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not self.frames or bool(self.frames[-1].status.all()) != bad:
                self._came.clear()
                await self._came.wait()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
async def kept(plc: Plc) -> AsyncIterator[Kept]:
    press = client(plc.port)
    made = Kept(press)
    await made.until(bad=False, within_s=2.0)
    yield made
    await made.end()
    await press.close()


async def test_after_a_kill_and_a_restart_data_is_back_with_a_bad_row_and_a_gap_between(plc: Plc, kept: Kept) -> None:
    plc.kill()
    await kept.until(bad=True, within_s=2.0)
    lost_at = len(kept.frames)
    plc.start()
    await kept.until(bad=False, within_s=5.0)
    assert kept.frames[lost_at].values.tolist() == [[0.0] * 5], "the new server's own values, not the old ones"
    assert kept.frames[lost_at].seq > kept.frames[lost_at - 1].seq + 1


async def test_after_six_seconds_frozen_data_is_back_within_five(plc: Plc, kept: Kept) -> None:
    plc.freeze()
    await kept.until(bad=True, within_s=2.0)
    await asyncio.sleep(6.0)
    assert bool(kept.frames[-1].status.all()), "nothing is Good while it is frozen"
    plc.thaw()
    await kept.until(bad=False, within_s=5.0)
    assert kept.frames[-1].values.tolist() == [[1.5, 75.0, 1.0, 640.0, 1.0]]


def left_behind() -> tuple[int, int]:
    """Sockets and threads that are there once the workers have gone home."""
    for thread in threading.enumerate():
        if thread.name.startswith("connector"):
            thread.join(2.0)
    return len(os.listdir("/proc/self/fd")), threading.active_count()


async def test_connecting_again_and_again_leaves_no_thread_and_no_socket_behind(plc: Plc) -> None:
    press = await connected(plc.port)
    await press.close()
    before = left_behind()
    for i in range(200):
        await press.connect()
        await press.read([FORCE])
        if i % 2:  # lost, rather than closed
            assert press._link is not None
            press._link.abort("cut")
        await press.close()
    assert left_behind() == before


async def test_a_cpu_with_no_connection_free_says_so() -> None:
    with Plc(clients_max=1) as plc:
        first = await connected(plc.port)
        with pytest.raises(ConnectionLost, match=r"can't be reached .*and that the CPU has a connection free"):
            await client(plc.port).connect()
        await first.close()


async def test_an_absent_cpu_says_what_to_check(plc: Plc) -> None:
    plc.kill()
    with pytest.raises(ConnectionLost, match=f"press: 127.0.0.1:{plc.port} can't be reached .*rack 0 and slot 1"):
        await client(plc.port).connect()


async def test_browsing_finds_nothing_as_put_get_knows_no_symbols(plc: Plc) -> None:
    assert [t async for t in client(plc.port).browse()] == []
