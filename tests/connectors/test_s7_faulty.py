"""S7 against a device that misbehaves on purpose."""

import asyncio
import struct

import pytest

from connectors.faulty_s7 import Answer, FaultyS7, message, read_of, value, written
from holdfast.gate.connectors.s7 import S7
from holdfast.gate.connectors.s7.connector import BAD_ACCESS_DENIED
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_DECODING_ERROR, Tag


def tag(address: str) -> Tag:
    return Tag(name=f"press/{address}", connection="press", address=address, unit="1")


FORCE, SPEED = tag("DB10.DBD4:REAL"), tag("MW10:INT")


async def connected(port: int, **more: object) -> S7:
    made = S7(**{"name": "press", "host": "127.0.0.1", "port": port, "timeout_s": 0.4} | more)  # type: ignore[arg-type]
    await made.connect()
    return made


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0xFF, "acked"), (0x01, "unknown"), (0x03, "rejected"), (0x05, "rejected"), (0x06, "rejected"), (0x07, "rejected"),
        (0x0A, "rejected"), (0x00, "unknown"), (0x42, "unknown"),
    ],
)  # fmt: skip
async def test_only_a_return_code_that_says_that_nothing_was_done_is_a_no(code: int, said: str) -> None:
    async with FaultyS7(lambda ref, pdu: written(ref, code)) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 1.0, timeout_s=1.0) == said
        assert faulty.writes == 1
        await press.close()


@pytest.mark.parametrize(("error", "said"), [(0x8104, "rejected"), (0x8703, "rejected"), (0x8402, "unknown"), (0x8503, "unknown")])
async def test_a_request_refused_as_a_whole(error: int, said: str) -> None:
    async with FaultyS7(lambda ref, pdu: message(ref, b"", b"", error)) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 1.0, timeout_s=1.0) == said
        assert faulty.writes == 1
        await press.close()


async def test_a_cpu_that_does_not_permit_put_get_denies_access_with_one_request_a_poll() -> None:
    async with FaultyS7(lambda ref, pdu: message(ref, b"", b"", 0x8104)) as faulty:
        press = await connected(faulty.port)
        samples = await press.read([FORCE, tag("DB10.DBD8:REAL"), SPEED])
        assert [s.status for s in samples] == [BAD_ACCESS_DENIED] * 3
        assert len(faulty.got) == 1
        await press.close()


async def test_a_protected_block_is_denied_alone() -> None:
    async with FaultyS7(lambda ref, pdu: read_of(ref, b"\x03\x00\x00\x00", value(b"\x00\x05"))) as faulty:
        press = await connected(faulty.port)
        assert [s.status for s in await press.read([FORCE, SPEED])] == [BAD_ACCESS_DENIED, 0]
        await press.close()


async def test_a_write_without_an_answer_is_unknown_and_was_sent_once() -> None:
    async with FaultyS7(lambda ref, pdu: None) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 60.0, timeout_s=0.1) == "unknown"
        await asyncio.sleep(0.5)
        assert faulty.writes == 1
        await press.close()


async def test_a_connection_cut_in_the_middle_of_an_answer_leaves_a_write_unknown() -> None:
    async with FaultyS7(lambda ref, pdu: written(ref, 0xFF)[:9], then_close=True) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 60.0, timeout_s=1.0) == "unknown"
        assert await press.write(FORCE, 60.0, timeout_s=1.0) == "rejected", "on a lost connection nothing is sent"
        assert faulty.writes == 1
        await press.close()


async def test_an_answer_to_another_request_answers_nothing() -> None:
    async with FaultyS7(lambda ref, pdu: written(bytes((ref[0] ^ 0x40, ref[1])), 0xFF)) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 60.0, timeout_s=0.1) == "unknown"
        assert press.health()["late_answers"] == 1
        await press.close()


async def test_an_answer_that_belongs_to_nobody_is_passed_over_for_one_s_own() -> None:
    def both(ref: bytes, pdu: bytes) -> Answer:
        return read_of(b"\x7f\xff", value(b"\x00\x63")) + read_of(ref, value(b"\x00\x05"))

    async with FaultyS7(both) as faulty:
        press = await connected(faulty.port)
        (sample,) = await press.read([SPEED])
        assert (sample.value, press.health()["late_answers"]) == (5.0, 1)
        await press.close()


async def test_answers_that_belong_to_nobody_end_the_connection_when_they_do_not_end() -> None:
    async with FaultyS7(lambda ref, pdu: written(b"\x7f\xff", 0xFF) * 9) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 60.0, timeout_s=1.0) == "unknown"
        assert (press.health()["connected"], faulty.writes) == (0.0, 1)
        await press.close()


async def test_a_write_that_is_never_answered_ends_the_connection_before_another_is_sent() -> None:
    async with FaultyS7(lambda ref, pdu: None) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 60.0, timeout_s=0.1) == "unknown"
        assert await press.write(SPEED, 60.0, timeout_s=5.0) == "rejected", "it waited for its turn until the connection was given up"
        assert (press.health()["connected"], faulty.writes) == (0.0, 1)
        await press.close()


async def test_an_answer_in_several_packets_is_read() -> None:
    def in_parts(ref: bytes, pdu: bytes) -> Answer:
        said = read_of(ref, value(b"\x00\x05"))[7:]
        parts = (said[:5], b"", said[5:17], said[17:])
        return b"".join(struct.pack(">BBHBBB", 3, 0, 7 + len(p), 2, 0xF0, 0x80 * (p is parts[-1])) + p for p in parts)

    async with FaultyS7(in_parts) as faulty:
        press = await connected(faulty.port)
        assert [s.value for s in await press.read([SPEED])] == [5.0]
        await press.close()


async def test_a_cpu_that_says_goodbye_in_the_protocol_s_words_leaves_a_write_unknown() -> None:
    async with FaultyS7(lambda ref, pdu: bytes.fromhex("0300000b06800000000001")) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 60.0, timeout_s=1.0) == "unknown"
        assert await press.write(FORCE, 60.0, timeout_s=1.0) == "rejected"
        assert faulty.writes == 1
        await press.close()


async def test_a_write_answered_with_a_read_is_unknown() -> None:
    async with FaultyS7(lambda ref, pdu: read_of(ref, value(b"\x01"))) as faulty:
        press = await connected(faulty.port)
        assert await press.write(FORCE, 1.0, timeout_s=1.0) == "unknown"
        await press.close()


@pytest.mark.parametrize(
    ("items", "bad"),
    [
        ((value(b"\x00\x05"), value(b"\x00\x00\x00\x00")), (True, True)),  # lengths swapped
        ((value(b"\x3f\x80\x00\x00"), value(b"\x00\x05")[:5]), (False, True)),  # the second cut
        ((value(b"\x3f\x80\x00\x00"), b"\xff\x04\xff\xff\x00\x05"), (False, True)),  # the second longer than it is
        ((b"\xff\x04\xff\xff", value(b"\x00\x05")), (True, True)),  # after a length that can't be, nothing is placed
    ],
)
async def test_bytes_of_another_length_are_bad_and_never_shifted(items: tuple[bytes, ...], bad: tuple[bool, ...]) -> None:
    async with FaultyS7(lambda ref, pdu: message(ref, b"\x04\x02", b"".join(items))) as faulty:
        press = await connected(faulty.port)
        samples = await press.read([FORCE, SPEED])
        assert [s.status for s in samples] == [BAD_DECODING_ERROR if is_bad else 0 for is_bad in bad]
        await press.close()


async def test_a_yes_with_something_behind_it_is_unknown() -> None:
    async with FaultyS7(lambda ref, pdu: written(ref, 0xFF)[:3] + b"\x1a" + written(ref, 0xFF)[4:] + b"\x00" * 4) as faulty:
        press = await connected(faulty.port)
        assert len(written(b"\x00\x01", 0xFF)) == 0x1A - 4
        assert await press.write(FORCE, 1.0, timeout_s=1.0) == "unknown"
        await press.close()


async def test_a_value_that_is_no_number_is_bad() -> None:
    async with FaultyS7(lambda ref, pdu: read_of(ref, value(struct.pack(">f", float("nan"))))) as faulty:
        press = await connected(faulty.port)
        (sample,) = await press.read([FORCE])
        assert sample.status & 0x80000000
        await press.close()


@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x03\x00\x00\x07\x02\xf0\x80", b"\x03\x00\x00\x0b\x02\xf0\x80\x32\x03\x00\x00"],
    ids=["another protocol", "an empty answer", "half a header"],
)
async def test_what_is_no_s7_ends_the_connection(garbage: bytes) -> None:
    async with FaultyS7(lambda ref, pdu: garbage) as faulty:
        press = await connected(faulty.port)
        with pytest.raises(ConnectionLost):
            await press.read([FORCE])
        assert press.health()["connected"] == 0.0
        await press.close()


async def test_a_device_that_sends_byte_by_byte_for_ever_holds_nobody() -> None:
    async with FaultyS7(lambda ref, pdu: None) as faulty:
        press = await connected(faulty.port)

        async def trickle() -> None:
            for byte in b"\x03\x00\x04\x00" + b"\x00" * 200:
                for writer in list(faulty._writers):
                    writer.write(bytes((byte,)))
                await asyncio.sleep(0.05)

        task = asyncio.create_task(trickle())
        async with asyncio.timeout(1.0):
            with pytest.raises(ConnectionLost, match=r"did not answer within 0\.4 s"):
                await press.read([FORCE])
            assert press.health()["connected"] == 0.0
            await press.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_cpu_that_grants_messages_too_short_for_anything_is_refused() -> None:
    async with FaultyS7(lambda ref, pdu: None, pdu_bytes=32) as faulty:
        with pytest.raises(ConnectionLost, match="grants messages of 32 bytes, which is too few"):
            await connected(faulty.port)


@pytest.mark.parametrize("wrong", [{"rack": 8}, {"slot": 32}, {"pdu_bytes": 100}, {"resource": "hmi"}, {"requests_per_s": -1}])
def test_options_that_no_cpu_has_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        S7(name="press", host="127.0.0.1", **wrong)  # type: ignore[arg-type]
