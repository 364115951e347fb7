"""Modbus TCP against pymodbus's server, and against a device that misbehaves on purpose."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from connectors.faulty_modbus import Faulty, message, well_behaved
from connectors.proxy import Proxy
from holdfast.clock import VirtualClock
from holdfast.gate.connectors.modbus import Modbus
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, Scale, Tag, TagTable
from holdfast.testing import check_reader, check_writer

UNIT = 7


def tag(address: str, **more: object) -> Tag:
    return Tag(name=f"cooling/{address}", connection="cooling", address=address, unit="1", **more)  # type: ignore[arg-type]


TEMP = tag("40021:int16", scale=Scale(raw=(0, 27648), eng=(0, 150)))
FLOW, LEVEL, PUMP, DOOR = tag("40030:float32"), tag("30001:uint16"), tag("00003:bool", type="bool"), tag("10001")
FIXED, NOWHERE = tag("40090:uint16"), tag("40081:int16")
TABLE = TagTable(id="cooling@0.05", connection="cooling", period_s=0.05, tags=(TEMP, FLOW, LEVEL, PUMP, DOOR))


class Device:
    """pymodbus's simulator on a free port, with the writes it got."""

    def __init__(self) -> None:
        device = SimDevice(
            id=UNIT,
            simdata=(
                [SimData(0, values=[False, False, True, False, False, False, False, False], datatype=DataType.BITS)],
                [SimData(0, values=[True] * 8, datatype=DataType.BITS)],
                [
                    SimData(0, count=20, values=0, datatype=DataType.REGISTERS),
                    SimData(20, values=13824, datatype=DataType.REGISTERS),
                    SimData(21, count=8, values=0, datatype=DataType.REGISTERS),
                    SimData(29, values=1.5, datatype=DataType.FLOAT32),
                    SimData(31, count=9, values=0, datatype=DataType.REGISTERS),
                    SimData(89, values=5, datatype=DataType.REGISTERS, readonly=True),
                ],
                [SimData(0, values=640, datatype=DataType.REGISTERS)],
            ),
        )
        self.written: list[tuple[int, int, list[int]]] = []  # function, address, registers
        self.server = ModbusTcpServer(device, address=("127.0.0.1", 0), trace_pdu=self._trace)
        self.port = 0

    def _trace(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        if not sending and pdu.function_code in (5, 6, 15, 16):
            self.written.append((pdu.function_code, pdu.address, list(pdu.registers)))
        return pdu

    async def __aenter__(self) -> "Device":
        await self.server.serve_forever(background=True)
        self.port = self.server.transport.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.shutdown()


@pytest.fixture
async def device() -> AsyncIterator[Device]:
    async with Device() as running:
        yield running


def client(port: int, **more: object) -> Modbus:
    return Modbus(**{"name": "cooling", "host": "127.0.0.1", "port": port, "unit_id": UNIT, "timeout_s": 0.5} | more)  # type: ignore[arg-type]


async def connected(port: int, **more: object) -> Modbus:
    made = client(port, **more)
    await made.connect()
    return made


async def test_the_reader_keeps_its_contract_when_the_connection_is_cut(device: Device) -> None:
    async with Proxy(device.port) as proxy:
        await check_reader(lambda: client(proxy.port), table=TABLE, bad=NOWHERE, lose=proxy.cut)


async def test_the_reader_keeps_its_contract_when_the_device_freezes(device: Device) -> None:
    async with Proxy(device.port) as proxy:
        cooling = await connected(proxy.port)
        frames = cooling.subscribe(TABLE)
        frame = await anext(frames)
        assert frame.values.tolist() == [[75.0, 1.5, 640.0, 1.0, 1.0]]
        await proxy.freeze()
        async with asyncio.timeout(3.0):
            async for frame in frames:  # noqa: B007 - the last one counts
                pass
        assert frame.status.tolist() == [[BAD_NO_COMMUNICATION] * 5]
        await cooling.close()


async def test_the_writer_keeps_its_contract(device: Device) -> None:
    async with Proxy(device.port) as proxy:
        await check_writer(
            lambda: client(proxy.port),
            tag=TEMP,
            value=60.004,
            requests=lambda: len(device.written),
            holds=lambda: device.written[-1][2][0] * 150 / 27648,
            too_large=200.0,
            refused=FIXED,
            mute=proxy.swallow,
        )
    assert device.written[0] == (6, 20, [11060])  # 60.004 * 27648 / 150 = 11059.94


async def test_values_of_more_registers_and_coils_take_one_request_each(device: Device) -> None:
    cooling = await connected(device.port)
    assert await cooling.write(FLOW, -2.25, timeout_s=1.0) == "acked"
    assert await cooling.write(PUMP, 0.0, timeout_s=1.0) == "acked"
    assert [w[:2] for w in device.written] == [(16, 29), (5, 2)]
    assert [s.value for s in await cooling.read([FLOW, PUMP])] == [-2.25, 0.0]
    assert await cooling.write(LEVEL, 1.0, timeout_s=1.0) == "rejected"
    await cooling.close()


async def test_a_table_is_read_with_one_request_an_area_and_a_bad_register_costs_no_neighbour(device: Device) -> None:
    cooling = await connected(device.port)
    await cooling.read(TABLE.tags)
    assert cooling.health()["requests"] == 4  # coils, discrete inputs, input registers, and holding registers 21 to 31
    samples = await cooling.read([TEMP, tag("40041:int16"), tag("40040:int16")])  # 40041 is not there
    assert [s.status for s in samples] == [0, BAD_NODE_ID_UNKNOWN, 0]
    await cooling.close()


async def test_it_reads_on_a_clock_that_is_stepped(device: Device) -> None:
    cooling = await connected(device.port, clock=VirtualClock(5))
    (sample,) = await cooling.read([TEMP])
    assert (sample.value, sample.source_ns) == (75.0, 5)
    await cooling.close()


async def test_an_absent_device_says_so(device: Device) -> None:
    async with Proxy(device.port) as proxy:
        port = proxy.port
    with pytest.raises(ConnectionLost, match=f"cooling: 127.0.0.1:{port} can't be reached .*check address, port"):
        await client(port).connect()


async def test_browsing_finds_nothing_as_modbus_has_no_list(device: Device) -> None:
    assert [t async for t in client(device.port).browse()] == []


async def test_a_write_without_an_answer_is_unknown_and_was_sent_once() -> None:
    async with Faulty(lambda t, u, pdu: None) as faulty:
        cooling = await connected(faulty.port)
        assert await cooling.write(TEMP, 60.0, timeout_s=0.1) == "unknown"
        assert faulty.writes == 1
        await cooling.close()


@pytest.mark.parametrize(
    ("code", "said"),
    [(1, "rejected"), (2, "rejected"), (3, "rejected"), (4, "unknown"), (5, "unknown"), (6, "rejected"), (10, "rejected"), (11, "unknown")],
)
async def test_an_exception_is_a_no_only_where_it_says_that_nothing_was_done(code: int, said: str) -> None:
    async with Faulty(lambda t, u, pdu: message(t, u, bytes((pdu[0] | 0x80, code)))) as faulty:
        cooling = await connected(faulty.port)
        assert await cooling.write(TEMP, 60.0, timeout_s=1.0) == said
        assert faulty.writes == 1
        await cooling.close()


async def test_a_connection_cut_in_the_middle_of_an_answer_leaves_a_write_unknown() -> None:
    async with Faulty(lambda t, u, pdu: message(t, u, pdu[:5])[:9], then_close=True) as faulty:
        cooling = await connected(faulty.port)
        assert await cooling.write(TEMP, 60.0, timeout_s=1.0) == "unknown"
        assert faulty.writes == 1
        assert await cooling.write(TEMP, 60.0, timeout_s=1.0) == "rejected", "on a lost connection nothing is sent"
        assert faulty.writes == 1
        await cooling.close()


async def test_an_answer_to_another_transaction_or_unit_answers_nothing() -> None:
    for wrong in (lambda t, u, pdu: message(t + 1, u, pdu[:5]), lambda t, u, pdu: message(t, u + 1, pdu[:5])):
        async with Faulty(wrong) as faulty:
            cooling = await connected(faulty.port)
            assert await cooling.write(TEMP, 60.0, timeout_s=0.1) == "unknown"
            assert cooling.health()["late_answers"] == 1
            await cooling.close()


async def test_a_late_answer_does_not_answer_the_next_request() -> None:
    held: list[bytes] = []

    def first_late(t: int, u: int, pdu: bytes) -> bytes | None:
        if pdu[0] == 6:
            held.append(message(t, u, pdu[:5]))
            return None
        # The late echo of the write arrives right before the answer to the read.
        return held.pop() + message(t, u, well_behaved(pdu))

    async with Faulty(first_late) as faulty:
        cooling = await connected(faulty.port)
        assert await cooling.write(tag("40001:uint16"), 9.0, timeout_s=0.1) == "unknown"
        (sample,) = await cooling.read([tag("40051:uint16")])
        assert sample.value == 50.0  # the device's registers hold their own offset
        assert cooling.health()["late_answers"] == 1
        await cooling.close()


async def test_an_echo_of_another_value_is_unknown() -> None:
    async with Faulty(lambda t, u, pdu: message(t, u, pdu[:3] + b"\x12\x34")) as faulty:
        cooling = await connected(faulty.port)
        assert await cooling.write(TEMP, 60.0, timeout_s=1.0) == "unknown"
        await cooling.close()


async def test_an_answer_of_another_length_is_bad_and_never_shifted() -> None:
    async with Faulty(lambda t, u, pdu: message(t, u, b"\x03\x02\x00\x05")) as faulty:
        cooling = await connected(faulty.port)
        samples = await cooling.read([tag("40001:uint16"), tag("40002:uint16")])
        assert all(s.status & 0x80000000 for s in samples)
        await cooling.close()


async def test_what_is_no_modbus_ends_the_connection() -> None:
    async with Faulty(lambda t, u, pdu: b"HTTP/1.1 400 Bad Request\r\n") as faulty:
        cooling = await connected(faulty.port)
        with pytest.raises(ConnectionLost, match="no Modbus TCP"):
            await cooling.read([TEMP])
        await cooling.close()


async def test_a_device_that_drops_the_line_between_polls_turns_bad_at_once() -> None:
    async with Faulty(lambda t, u, pdu: message(t, u, well_behaved(pdu))) as faulty:
        cooling = await connected(faulty.port)
        slow = TagTable(id="cooling@60", connection="cooling", period_s=60.0, tags=(tag("40001:uint16"),))
        frames = cooling.subscribe(slow)
        assert (await anext(frames)).values.tolist() == [[0.0]]
        waiting = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0)
        await faulty.__aexit__()
        async with asyncio.timeout(1.0):
            assert (await waiting).status.tolist() == [[BAD_NO_COMMUNICATION]]
            with pytest.raises(StopAsyncIteration):
                await anext(frames)
        await cooling.close()


async def test_pipelined_reads_give_the_same_values() -> None:
    async with Faulty(lambda t, u, pdu: message(t, u, well_behaved(pdu))) as faulty:
        far = [tag(f"{40000 + n}:uint16") for n in (1, 200, 400, 600)]
        for pipeline in (1, 4):
            cooling = await connected(faulty.port, pipeline=pipeline)
            assert [s.value for s in await cooling.read(far)] == [0.0, 199.0, 399.0, 599.0]
            await cooling.close()


async def test_tables_of_one_connection_count_their_own_ticks(device: Device) -> None:
    cooling = await connected(device.port)
    frames = cooling.subscribe(TABLE)
    seqs = [(await anext(frames)).seq for _ in range(3)]
    await asyncio.sleep(0.16)  # three periods that nobody took
    seqs.append((await anext(frames)).seq)
    assert seqs[:3] == [0, 1, 2]
    assert seqs[3] > 3, "missed ticks show as a gap"
    await cooling.close()
