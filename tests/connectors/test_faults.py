"""The judge of `eval faults` on rows made by hand, and a few of its scenes on real servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np
import pytest
import pytest_asyncio

from holdfast.evals.faults import cycles, scenes
from holdfast.evals.faults.scenes import Fault, Kind, judged
from holdfast.evals.faults.watch import Watch
from holdfast.evals.peers.kept import NoPeer
from holdfast.terms import Frame


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def frame(seq: int, *values: float, status: int = 0) -> Frame:
    width = len(values)
    return Frame(
        table="t",
        seq=seq,
        received_ns=np.zeros(1, np.int64),
        source_ns=np.zeros((1, width), np.int64),
        values=np.array([values]),
        status=np.full((1, width), status, np.uint32),
    )


def watched(rows: list[tuple[float, int, float, int]], down_s: float | None = None) -> Watch:
    """Rows of (seconds, seq, value, status); what is true is 7. The period is 1 s, the limit on silence 3 s."""
    clock = Clock()
    watch = Watch(lambda values: values == 7.0, 1.0, 3.0, clock)
    watch.down_s = down_s
    for at_s, seq, value, status in rows:
        clock.now_s = at_s
        watch.ingest(frame(seq, value, status=status))
    return watch


BAD = 0x80310000


def test_an_outage_that_is_told_passes() -> None:
    watch = watched([(0, 0, 7, 0), (1, 1, float("nan"), BAD), (6, 6, 7, 0), (7, 7, 7, 0)])
    assert (watch.wrong, watch.stale, watch.silent_gaps, watch.gaps, watch.bad_rows) == (0, 0, 0, 1, 1)
    assert judged(watch, 4.9, "kill")["pass"]
    assert not judged(watch, 5.1, "kill")["pass"], "back too late"
    assert not judged(watch, None, "kill")["pass"], "never back"


def test_a_good_value_that_the_device_can_not_have_held_is_wrong() -> None:
    watch = watched([(0, 0, 7, 0), (1, 1, 8, 0), (2, 2, float("nan"), BAD)])
    assert watch.wrong == 1
    assert not judged(watch, 1.0, "kill")["pass"]


def test_a_good_row_long_after_the_device_went_is_stale() -> None:
    assert watched([(0, 0, 7, 0), (2.9, 3, 7, 0)], down_s=0.0).stale == 0
    watch = watched([(0, 0, 7, 0), (3.1, 3, 7, 0), (4, 4, float("nan"), BAD)], down_s=0.0)
    assert watch.stale == 1
    assert not judged(watch, 1.0, "kill")["pass"]


def test_periods_that_passed_without_a_row_and_without_a_gap_in_seq_are_silent_gaps() -> None:
    rows = [(float(n), n, 7.0, 0) for n in range(5)] + [(n + 3.0, n, 7.0, 0) for n in range(5, 12)]
    assert watched(rows).silent_gaps == 3
    late_once = [(float(n), n, 7.0, 0) for n in range(5)] + [(5.9, 5, 7.0, 0)] + [(float(n), n, 7.0, 0) for n in range(6, 12)]
    assert watched(late_once).silent_gaps == 0


def test_a_loss_that_is_told_before_its_period_does_not_make_the_others_late() -> None:
    rows = [(n + 0.1, n, 7.0, 0) for n in range(5)] + [(4.2, 5, float("nan"), BAD)] + [(n + 0.3, n, 7.0, 0) for n in range(8, 14)]
    assert watched(rows).silent_gaps == 0


async def test_late_rows_are_given_time_and_a_silent_gap_stays_one() -> None:
    async def after(watch: Watch, offset_s: float, ticks: range) -> int:
        now = watch._now_s
        assert isinstance(now, Clock)
        waiting = asyncio.create_task(watch.in_time(0.2))
        for n in ticks:
            await asyncio.sleep(0)
            now.now_s = n + offset_s
            watch.ingest(frame(n, 7.0))
        await waiting
        return watch.silent_gaps

    late = [(float(n), n, 7.0, 0) for n in range(5)] + [(n + 1.5, n, 7.0, 0) for n in range(5, 10)]
    assert watched(late).silent_gaps == 1
    assert await after(watched(late), 0.2, range(10, 12)) == 0, "a busy machine"
    assert await after(watched(late), 1.2, range(10, 20)) == 1, "a period that nobody told of"


def test_a_seq_that_does_not_rise_is_wrong() -> None:
    assert watched([(0, 5, 7, 0), (1, 5, 7, 0)]).wrong == 1


def test_a_loss_that_left_no_bad_row_was_not_told() -> None:
    watch = watched([(0, 0, 7, 0), (1, 1, 7, 0)])
    assert not judged(watch, 1.0, "tear")["pass"]
    assert judged(watch, 1.0, "certificate refused")["pass"], "there was nothing to lose yet"


OF_ITS_OWN = ("kill", "other namespace order", "certificate refused")  # faults after which the server is another one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[Kind], Awaitable[scenes.Server]]]:
    """One of each kind for the faults that leave it running, started when first asked for."""
    running: dict[Kind, scenes.Server] = {}

    async def of(kind: Kind) -> scenes.Server:
        if kind not in running:
            server = scenes.server_of(kind, tmp_path_factory.mktemp(kind))
            await server.start()
            running[kind] = server
        return running[kind]

    yield of
    for server in running.values():
        await server.kill()


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("modbus", "kill"),
        ("modbus", "tear"),
        ("modbus", "lose requests"),
        ("s7", "kill"),
        ("s7", "tear"),
        ("s7", "lose requests"),
        ("opcua", "freeze"),
        ("opcua", "tear"),
        ("opcua", "other namespace order"),
        ("opcua", "certificate refused"),
    ],
)
async def test_after_a_fault_data_are_back_in_time_and_nothing_was_wrong_or_silent(
    kind: Kind, fault: Fault, servers: Callable[[Kind], Awaitable[scenes.Server]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "LOSE_S", 6.0)  # some sixty requests, of which six are lost
    try:
        found = await scenes.scene(kind, fault, 1, None if fault in OF_ITS_OWN else await servers(kind))
    except NoPeer as absent:
        pytest.skip(f"no peer here: {absent}")
    assert found["pass"], found


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", ["modbus", "s7", "opcua"])
async def test_torn_connections_leave_no_descriptor_and_no_task_behind(
    kind: Kind, servers: Callable[[Kind], Awaitable[scenes.Server]]
) -> None:
    try:
        found = await cycles.cycled(kind, 1, 5, await servers(kind))
    except NoPeer as absent:
        pytest.skip(f"no peer here: {absent}")
    assert (found["descriptors_more"], found["tasks_more"]) == (0, 0), found
    assert (found["wrong_values"], found["silent_gaps"], found["cycles"]) == (0, 0, 5), found
