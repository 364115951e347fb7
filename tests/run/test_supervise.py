"""An agent that dies is started again, ever more slowly, until it lives for a while."""

import asyncio
import sys
from pathlib import Path

import pytest

from holdfast.run.supervise import RENEWED_S, RESTART_S_MAX, STEADY_S, Child, StartError, keep_agent, start
from holdfast.terms import SECOND_NS


class Patience:
    """A clock on which waiting takes no time; it ends the test after so many waits."""

    def __init__(self, waits_max: int) -> None:
        self.waits: list[float] = []
        self.now = 0
        self._max = waits_max

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == self._max:
            raise asyncio.CancelledError

    def real_s(self, seconds: float) -> float:
        return seconds


async def kept(tmp_path: Path, clock: Patience, *, lives_s: tuple[float, ...] = (), fails: bool = False) -> list[str]:
    said: list[str] = []
    lives = list(lives_s)

    async def make() -> Child:
        if fails:
            raise StartError("agent ann did not start")
        clock.now += round((lives.pop(0) if lives else 0.0) * SECOND_NS)
        return await start("agent ann", [sys.executable, "-I", "-c", "raise SystemExit(3)"], env={}, log=tmp_path / "log", speaks=False)

    # The child's life is on the fake clock: it passes while it is made.
    with pytest.raises(asyncio.CancelledError):
        await keep_agent(make, said.append, clock=clock)
    return said


async def test_who_dies_at_once_is_started_again_more_and_more_slowly(tmp_path: Path) -> None:
    clock = Patience(4)
    said = await kept(tmp_path, clock)
    assert clock.waits == [1.0, 2.0, 4.0, 8.0]
    assert said[0] == "agent ann ended with 3; started again in 1 s"


async def test_waiting_has_a_limit(tmp_path: Path) -> None:
    clock = Patience(9)
    await kept(tmp_path, clock, fails=True)
    assert clock.waits[-2:] == [RESTART_S_MAX, RESTART_S_MAX]


async def test_who_lived_for_a_while_is_started_again_soon(tmp_path: Path) -> None:
    clock = Patience(4)
    await kept(tmp_path, clock, lives_s=(0.0, 0.0, STEADY_S + 1.0, 0.0))
    assert clock.waits == [1.0, 2.0, 1.0, 2.0]


async def test_who_ends_because_the_configuration_is_another_one_is_started_again_soon_unless_it_does_so_at_once(tmp_path: Path) -> None:
    clock = Patience(5)
    said = await kept(tmp_path, clock, lives_s=(0.0, 0.0, RENEWED_S + 1.0, RENEWED_S + 1.0, 0.0))
    assert clock.waits == [1.0, 2.0, 1.0, 1.0, 2.0]
    assert said[2] == "agent ann ended, for another configuration is in force; started again in 1 s"


async def test_what_a_process_said_before_it_died_is_told(tmp_path: Path) -> None:
    script = "import sys; sys.stderr.write('the port 4840 is in use\\n'); raise SystemExit(2)"
    with pytest.raises(StartError, match="the port 4840 is in use"):
        await start("the gate", [sys.executable, "-I", "-c", script], env={}, log=tmp_path / "log")


async def test_a_child_that_does_not_want_to_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.run.supervise.END_TIMEOUT_S", 0.1)
    script = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); signal.pause()"
    child = await start("stubborn", [sys.executable, "-I", "-c", script], env={}, log=tmp_path / "log")
    await child.end()
    await child.end()
    assert child.process.returncode == -9


async def test_who_is_killed_takes_along_whom_it_started(tmp_path: Path) -> None:
    """As a cell's outer process must, even where it dies before it could tell the inner one."""
    starts = "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('{}', flush=True); inner.wait()"
    child = await start(
        "a cell", [sys.executable, "-I", "-c", f"import subprocess, sys; {starts}"], env={}, log=tmp_path / "log", asked=False
    )
    await child.end()
    assert child.process.stdout is not None
    async with asyncio.timeout(5):
        assert await child.process.stdout.read() == b"", "the inner one holds the pipe as long as it lives"
