"""MQTT against a real mosquitto: the contract, faults, and writes that never come twice or late."""

import asyncio
import contextlib
import gc
import math
import shutil
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from connectors.mosquitto import AS_US, Broker, Pump, client, connected, flood, needs_mosquitto, pump, running, until
from holdfast.clock import RealClock
from holdfast.gate.connectors.keep import keep
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_DECODING_ERROR, BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA, GOOD, Frame, Scale, Tag, TagTable
from holdfast.testing import check_reader, check_writer

pytestmark = needs_mosquitto
UNCERTAIN_LAST_USABLE = 0x4090_0000


def tag(address: str, **more: object) -> Tag:
    return Tag(name=f"plant/{address}", connection="broker", address=address, unit="1", **more)  # type: ignore[arg-type]


SPEED = tag("plant/pump/speed -> plant/pump/set")
TEMP, FLOW = tag("plant/oven#temperature.zones[1]"), tag("plant/flow", scale=Scale(raw=(0, 1000), eng=(0, 50)))
NOWHERE = tag("plant/nowhere")
TABLE = TagTable(id="broker@0.05", connection="broker", period_s=0.05, tags=(TEMP, FLOW))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def device(broker: Broker) -> AsyncIterator[Pump]:
    async with pump(broker) as there:
        yield there


@contextlib.asynccontextmanager
async def speaking(broker: Broker, every_s: float = 0.02) -> AsyncGenerator[None]:
    """A plant that says two values again and again."""

    begun, enough = asyncio.Event(), asyncio.Event()

    async def speak() -> None:
        async with broker.client() as mouth:
            while not enough.is_set():  # asyncio.wait_for, inside publish, may swallow a cancellation
                await mouth.publish("plant/oven", b'{"temperature": {"zones": [20.5, 640.25]}}')
                await mouth.publish("plant/flow", b"200")
                begun.set()
                await asyncio.sleep(every_s)

    task = asyncio.create_task(speak())
    try:
        async with asyncio.timeout(10):
            await begun.wait()
        yield
    finally:
        enough.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("protocol", ["mqtt5", "mqtt311"])
async def test_the_contract_of_readers_is_kept(broker: Broker, protocol: str) -> None:
    async with speaking(broker):
        await check_reader(lambda: client(broker.port, protocol=protocol), table=TABLE, bad=NOWHERE, lose=broker.kill)


@pytest.mark.parametrize(("protocol", "qos"), [("mqtt5", 0), ("mqtt5", 1), ("mqtt311", 0)])
async def test_the_contract_of_writers_is_kept(broker: Broker, device: Pump, protocol: str, qos: int) -> None:
    async def mute() -> None:
        device.deaf = True

    await check_writer(
        lambda: client(broker.port, protocol=protocol, write_qos=qos),
        tag=SPEED,
        value=12.5,
        requests=lambda: len(device.commands),
        holds=lambda: device.speed,
        mute=mute,
    )
    assert device.commands == [(b"12.5", qos, False)] * 2


async def test_values_come_from_plain_numbers_and_from_json(broker: Broker) -> None:
    async with connected(broker.port) as connector, speaking(broker):
        samples = await connector.read((TEMP, FLOW))
    assert [(s.value, s.status) for s in samples] == [(640.25, GOOD), (10.0, GOOD)]


async def test_payloads_that_are_no_numbers_degrade_their_tag_alone(broker: Broker) -> None:
    broken = (b"\xff\xfe\x00", b" ", b"1_000", b"nan", b"[1]", b"1e999", b"x" * 100)
    tags = (
        TEMP,
        FLOW,
        *(tag(f"plant/broken/{i}") for i in range(len(broken))),
        tag("plant/cut#a"),
        tag("plant/nan#a"),
        tag("plant/text#a"),
    )
    async with connected(broker.port) as connector, broker.client() as mouth, speaking(broker):
        for i, data in enumerate(broken):
            await mouth.publish(f"plant/broken/{i}", data, retain=True)
        for topic, data in (("cut", b'{"a": 1'), ("nan", b'{"a": NaN}'), ("text", b'{"a": "12"}')):
            await mouth.publish(f"plant/{topic}", data, retain=True)
        samples = await connector.read(tags)
    assert [s.status for s in samples[:2]] == [GOOD, GOOD]
    statuses = [s.status for s in samples[2:]]
    out_of_range, mismatch = 0x803C_0000, 0x8074_0000
    assert statuses == [
        BAD_DECODING_ERROR, BAD_DECODING_ERROR, BAD_DECODING_ERROR, BAD_DECODING_ERROR, BAD_DECODING_ERROR, out_of_range,
        BAD_DECODING_ERROR, BAD_DECODING_ERROR, BAD_DECODING_ERROR, mismatch,
    ]  # fmt: skip


async def test_one_garbage_message_in_ten_leaves_the_other_tags_good(broker: Broker) -> None:
    frames = 0
    async with connected(broker.port) as connector, broker.client() as mouth, speaking(broker):
        noisy = tag("plant/noisy")
        table = TagTable(id="t", connection="broker", period_s=0.02, tags=(*TABLE.tags, noisy))
        seen: set[int] = set()
        await connector.read(table.tags)
        async for frame in connector.subscribe(table):
            await mouth.publish("plant/noisy", b"\x00garbage" if frames % 10 == 9 else b"7.5")
            seen.add(int(frame.status[0, 2]))
            assert frame.status[0, :2].tolist() == [GOOD, GOOD]
            assert math.isnan(frame.values[0, 2]) or frame.values[0, 2] == 7.5
            frames += 1
            if frames == 60:
                break
    assert {GOOD, BAD_DECODING_ERROR} <= seen


async def test_a_retained_message_is_used_and_marked_as_of_unknown_age(broker: Broker) -> None:
    async with broker.client() as mouth:
        await mouth.publish("plant/flow", b"100", retain=True)
        async with connected(broker.port) as connector:
            before = (await connector.read((FLOW,)))[0]
            await mouth.publish("plant/flow", b"100", retain=True)
            after = await until(connector, FLOW, lambda sample: sample.status == GOOD)
    assert (before.value, before.status) == (5.0, UNCERTAIN_LAST_USABLE)
    assert after.value == 5.0


async def test_a_retained_message_with_a_time_of_its_own_is_as_old_as_it_says(broker: Broker) -> None:
    young, old = tag("plant/young#v"), tag("plant/old#v")
    now_ms = RealClock().now_ns() // 1_000_000
    async with broker.client() as mouth:
        await mouth.publish("plant/young", f'{{"v": 1, "at": {now_ms}}}', retain=True)
        await mouth.publish("plant/old", f'{{"v": 2, "at": {now_ms - 120_000}}}', retain=True)
        await mouth.publish("plant/timeless", b'{"v": 3}', retain=True)
        async with connected(broker.port, time="at", time_unit="ms", stale_s=60.0) as connector:
            samples = await connector.read((young, old, tag("plant/timeless#v")))
    assert [s.status for s in samples] == [GOOD, UNCERTAIN_LAST_USABLE, BAD_DECODING_ERROR]
    assert [s.source_ns // 1_000_000 for s in samples[:2]] == [now_ms, now_ms - 120_000]


async def test_a_topic_that_fell_silent_turns_uncertain(broker: Broker) -> None:
    async with connected(broker.port, stale_s=0.2) as connector, broker.client() as mouth:
        frames = connector.subscribe(TagTable(id="t", connection="broker", period_s=0.05, tags=(FLOW,)))
        await anext(frames)
        await mouth.publish("plant/flow", b"300")
        seen = [int((await anext(frames)).status[0, 0]) for _ in range(12)]
        await frames.aclose()  # type: ignore[attr-defined]
    assert seen[0] in (GOOD, BAD_WAITING_FOR_INITIAL_DATA)
    assert GOOD in seen
    assert seen[-1] == UNCERTAIN_LAST_USABLE


async def test_a_broker_that_freezes_is_noticed_and_the_last_row_is_bad(broker: Broker) -> None:
    async with connected(broker.port, timeout_s=1.0) as connector, speaking(broker):
        frames = connector.subscribe(TABLE)
        first = await anext(frames)
        assert first.status.tolist() == [[GOOD, GOOD]]
        broker.freeze()
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        last = first
        async for frame in frames:
            last = frame
        took_s = loop.time() - since_s
        assert last.status.tolist() == [[BAD_NO_COMMUNICATION] * 2]
        assert took_s < 5.0  # timeout_s is 1
        with pytest.raises(ConnectionLost, match="did not answer within"):
            await connector.connect()
        broker.thaw()
        await connector.connect()
        async with asyncio.timeout(5):
            again = await anext(connector.subscribe(TABLE))
        assert again.status.tolist() == [[GOOD, GOOD]]
        assert again.seq > last.seq


@pytest.mark.slow
async def test_the_gate_has_its_data_back_within_five_seconds_of_a_freeze_of_six(broker: Broker) -> None:
    await _outage(broker, down=broker.freeze, up=broker.thaw, lasts_s=6.0)


async def test_the_gate_has_its_data_back_within_five_seconds_of_a_killed_broker(broker: Broker) -> None:
    await _outage(broker, down=broker.kill, up=broker.start, lasts_s=0.5)


async def _outage(broker: Broker, *, down: Callable[[], object], up: Callable[[], object], lasts_s: float) -> None:
    frames: list[Frame] = []
    good, bad = asyncio.Event(), asyncio.Event()

    def ingest(frame: Frame) -> None:
        frames.append(frame)
        statuses = frame.status[0].tolist()
        if statuses == [GOOD, GOOD]:
            good.set()
        elif BAD_NO_COMMUNICATION in statuses:
            bad.set()

    connector = client(broker.port, timeout_s=3.0)
    keeping = asyncio.create_task(
        keep(connector, (TABLE,), clock=RealClock(), random=Random(3), ingest=ingest, lost=lambda _: None, found=lambda: None)
    )
    try:
        async with speaking(broker):
            async with asyncio.timeout(10):
                await good.wait()
            await _do(down)
            async with asyncio.timeout(10):
                await asyncio.gather(bad.wait(), asyncio.sleep(lasts_s))
            await _do(up)
            good.clear()
        async with speaking(broker), asyncio.timeout(5):
            await good.wait()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await connector.close()
    seqs = [frame.seq for frame in frames]
    assert seqs == sorted(set(seqs))
    assert max(b - a for a, b in pairwise(seqs)) > 1  # the outage is a gap


async def _do(what: Callable[[], object]) -> None:
    done = what()
    if isinstance(done, Awaitable):
        await done


async def test_a_write_without_a_connection_is_refused_and_nothing_arrives_later(tmp_path: Path) -> None:
    async with running(tmp_path) as broker:
        connector = client(broker.port, write_qos=1)
        await connector.connect()
        await connector.read((SPEED,))
        await broker.kill()
        async with asyncio.timeout(5):
            async for _ in connector.subscribe(TABLE):
                pass
        assert await connector.write(SPEED, 3.0, timeout_s=0.2) == "rejected"
        await broker.start()
        async with pump(broker) as device:
            await connector.connect()
            await connector.read((SPEED,))
            assert await connector.write(SPEED, 4.0, timeout_s=5.0) == "acked"
            assert [payload for payload, _, _ in device.commands] == [b"4.0"]
        await connector.close()


async def test_a_write_that_the_broker_swallows_in_a_freeze_is_unknown_and_arrives_at_most_once(broker: Broker, device: Pump) -> None:
    async with connected(broker.port) as connector:
        await connector.read((SPEED,))
        broker.freeze()
        assert await connector.write(SPEED, 5.0, timeout_s=0.2) == "unknown"
        await connector.close()
        broker.thaw()
        async with asyncio.timeout(5):
            await device.got.wait()
        await connector.connect()
        await connector.read((SPEED,))
        assert await connector.write(SPEED, 6.0, timeout_s=5.0) == "acked"
    assert [payload for payload, _, _ in device.commands] == [b"5.0", b"6.0"]


async def test_the_brokers_word_is_not_the_devices(broker: Broker, device: Pump) -> None:
    device.deaf = True
    async with connected(broker.port, write_qos=1) as connector:
        assert await connector.write(SPEED, 5.0, timeout_s=0.3) == "unknown"
    assert len(device.commands) == 1


async def test_a_write_that_nobody_listens_to_is_rejected_where_the_broker_says_so(broker: Broker) -> None:
    async with connected(broker.port, write_qos=1) as connector:
        assert await connector.write(SPEED, 5.0, timeout_s=5.0) == "rejected"


async def test_a_write_that_the_broker_forbids_is_rejected(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic read #\n")
    async with running(tmp_path, f"acl_file {rules}", *AS_US) as broker, connected(broker.port, write_qos=1) as connector:
        assert await connector.write(SPEED, 5.0, timeout_s=5.0) == "rejected"


async def test_a_tag_without_a_command_topic_can_not_be_written(broker: Broker) -> None:
    async with connected(broker.port) as connector:
        with pytest.raises(ValueError, match="names no topic for commands"):
            connector.wire_value(FLOW, 1.0)
        assert await connector.write(FLOW, 1.0, timeout_s=1.0) == "rejected"


async def test_a_wrong_password_is_told_and_a_right_one_gets_in(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    tool = shutil.which("mosquitto_passwd")
    assert tool is not None
    made = await asyncio.create_subprocess_exec(tool, "-b", str(passwords), "gate", "right", stderr=asyncio.subprocess.DEVNULL)
    await made.wait()
    async with running(tmp_path, "allow_anonymous false", f"password_file {passwords}", *AS_US) as broker:
        for protocol in ("mqtt5", "mqtt311"):
            wrong = client(broker.port, login="gate:wrong", protocol=protocol)
            with pytest.raises(ConnectionLost, match=r"(?i)not authori.ed.*check `login`"):
                await wrong.connect()
            await wrong.close()
            async with connected(broker.port, login="gate:right", protocol=protocol) as right:
                assert right.health()["connected"] == 1.0


async def test_a_payload_above_the_limit_is_let_pass_and_only_its_tag_is_bad(broker: Broker) -> None:
    large = tag("plant/large")
    for qos in (0, 1):
        async with connected(broker.port, payload_bytes_max=70_000, qos=qos) as connector, broker.client() as mouth:
            await connector.read((large, FLOW))
            await mouth.publish("plant/large", bytes(1_000_000), qos=1)
            await mouth.publish("plant/flow", b"200", qos=1)
            await until(connector, FLOW, lambda sample: sample.status == GOOD)
            samples = await connector.read((large, FLOW))
            assert [s.status for s in samples] == [0x8008_0000, GOOD]
            assert connector.health()["too_large"] == 1.0


async def test_a_flood_of_messages_leaves_memory_flat(broker: Broker) -> None:
    data = b'{"temperature": {"zones": [1, 2]}, "rest": "' + b"x" * 2_000 + b'"}'
    async with connected(broker.port) as connector:
        frames = connector.subscribe(TABLE)
        await anext(frames)
        await flood(broker.port, "plant/oven", data, 500)
        await anext(frames)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(10):
                heard = connector.health()["messages"]
                await flood(broker.port, "plant/oven", data, 500)
                async with asyncio.timeout(5):
                    while connector.health()["messages"] - heard < 400:  # the broker may drop what it has no room for
                        await anext(frames)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await frames.aclose()  # type: ignore[attr-defined]
    assert after - before < 2_000_000  # ten million bytes went by


async def test_browsing_finds_topics_and_numbers_inside_json(broker: Broker) -> None:
    async with broker.client() as mouth:
        for topic, data in (
            ("a/n", b"1.5"),
            ("a/b", b"true"),
            ("a/j", b'{"t": {"x.y": 3}, "l": [1, "no"], "on": false}'),
            ("a/text", b"hello"),
        ):
            await mouth.publish(topic, data, retain=True)
        async with connected(broker.port, browse_s=0.3) as connector:
            found = {(t.address, t.type) async for t in connector.browse("a")}
            assert found == {
                ("a/n", "float"), ("a/b", "bool"), ('a/j#t["x.y"]', "float"), ("a/j#l[0]", "float"), ("a/j#on", "bool"),
            }  # fmt: skip
            samples = await connector.read([tag(address) for address, _ in sorted(found)])
    assert not [s.tag for s in samples if s.status & 0x8000_0000]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"security": "tls"}, "needs the certificate"),
        ({"security": "ssl"}, "is not offered"),
        ({"client_cert": "a.pem"}, "go together"),
        ({"qos": 2}, "are 0 or 1"),
        ({"time": "a..b"}, "is no path"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        client(1883, **options)
