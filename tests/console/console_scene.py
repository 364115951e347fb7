"""A plant, a gate and a console as real processes, for tests that look at pages with a real browser."""

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from holdfast.clock import RealClock
from holdfast.gate.history.store import History
from holdfast.gate.identity.people import People
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.link.http import HttpLink
from holdfast.run.desk import Desk
from holdfast.run.mill import mill_site, past, site_file
from holdfast.run.supervise import Home, enrol, python

AGENT = "mill-agent"
PEOPLE = {"li.wei": ("operator",), "zhang.min": ("operator", "process-engineer"), "chen.jie": ("administrator",), "wu.hao": ("auditor",)}
PASSWORD = "cold-rolled-4-strips"
READY_S = 30.0
CHEAP = Cost(passes=1, memory_kib=8, lanes=1)  # of a password: what it costs in earnest is not these tests' business
T = TypeVar("T")


class Scene:
    """`site_edit` changes the demo's site file and policy before anything starts; `people` are added, all with PASSWORD.
    `with_past`: an hour of history is there already."""

    def __init__(
        self,
        folder: Path,
        *,
        scenario: str = "normal",
        people: Mapping[str, Sequence[str]] = PEOPLE,
        site_edit: Callable[[str], str] = lambda text: text,
        policy_edit: Callable[[str], str] = lambda text: text,
        language: str = "en",
        with_past: bool = False,
    ) -> None:
        self.home = Home(path=folder / "home")
        self.site = folder / "site"
        self.language = language
        self._scenario = scenario
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self.site.mkdir(parents=True)
        (self.site / "site.yaml").write_text(site_edit(site_file().read_text()))
        (self.site / "policy.yaml").write_text(policy_edit(site_file().with_name("policy.yaml").read_text()))
        self.home.gate.mkdir(parents=True, mode=0o700)
        enrol(self.home, [AGENT])
        state = State(self.home.gate)
        with contextlib.closing(state):
            known = People(state, Log(state, RealClock()), RealClock(), os.urandom, cost=CHEAP)
            for name, roles in people.items():
                known.add(name, list(roles), PASSWORD)
        if with_past:
            with contextlib.closing(History(self.home.gate / "history.db", durable=False)) as history:
                for frame in past(mill_site().site, 1, time.time_ns()):
                    history.append(frame)
        self.address = ""
        self._environ = dict(os.environ)

    def start(self) -> "Scene":
        """All three; the console, which needs neither, comes up beside the others."""
        self._launch_console()
        plant = self._spawn("plant", "holdfast.sim.serve", "--scenario", self._scenario, "--home", self.site, stdin=subprocess.PIPE)
        self._environ |= {"HOLDFAST_MILL_URL": str(plant["mill_url"]), "HOLDFAST_COOLING_PORT": str(plant["cooling_port"])}
        self.start_gate()
        self.address = str(self._ready("console")["address"])
        return self

    def start_asking(self) -> "Scene":
        """Everything, with the tension's loop in the hands of who writes to it, and a person asked about each write."""
        self.start()
        self.plant("mode tension external")
        self.desk(lambda desk: desk.autonomy("*", "ask", "li.wei", PASSWORD))
        ready(self)
        return self

    def start_gate(self) -> None:
        self._spawn("gate", "holdfast.gate", "--site", self.site / "site.yaml", "--home", self.home.path)

    def start_console(self, listen: str = "127.0.0.1:0") -> None:
        self._launch_console(listen)
        self.address = str(self._ready("console")["address"])

    def _launch_console(self, listen: str = "127.0.0.1:0") -> None:
        self._launch("console", "holdfast.console.process", "--gate", self.home.people, "--listen", listen, "--language", self.language)

    def end(self, name: str = "") -> None:
        """One process, or all of them, in the order that a plant would lose them last."""
        for one in [name] if name else ["console", "gate", "plant"]:
            process = self._processes.pop(one, None)
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def plant(self, line: str) -> Mapping[str, Any]:
        """A line to the plant's panel (see sim.serve), and its answer."""
        process = self._processes["plant"]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def desk(self, what: Callable[[Desk], Awaitable[T]]) -> T:
        """What the command line would ask of the gate."""

        async def ask() -> T:
            desk = Desk(self.home.path)
            try:
                return await what(desk)
            finally:
                await desk.close()

        return _apart(ask)

    def agent(self, what: Callable[[HttpLink], Awaitable[T]]) -> T:
        """What an agent would say, over the link with its own token."""

        async def ask() -> T:
            link = HttpLink(f"unix:{self.home.link}", (self.home.agent(AGENT) / "token").read_text())
            try:
                return await what(link)
            finally:
                await link.close()

        return _apart(ask)

    def until(self, so: Callable[[], T | None], *, within_s: float = READY_S) -> T:
        """Ask again until it is so: for what another process does in its own time."""
        deadline = time.monotonic() + within_s
        while not (found := so()):
            assert time.monotonic() < deadline, "it did not become so in time"
            time.sleep(0.05)
        return found

    def log(self, name: str) -> str:
        return (self.home.path / "logs" / f"{name}.log").read_text(errors="replace")

    def _spawn(self, name: str, module: str, *arguments: str | Path, stdin: int = subprocess.DEVNULL) -> Mapping[str, Any]:
        """A process and the line that it prints when it is ready."""
        self._launch(name, module, *arguments, stdin=stdin)
        return self._ready(name)

    def _launch(self, name: str, module: str, *arguments: str | Path, stdin: int = subprocess.DEVNULL) -> None:
        log = self.home.path / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            process = subprocess.Popen(
                python(module, *arguments), env=self._environ, stdin=stdin, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._processes[name] = process

    def _ready(self, name: str) -> Mapping[str, Any]:
        process = self._processes[name]
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{name} did not start: {self.log(name)}"
        return json.loads(line)


def _apart(what: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """In a thread with a loop of its own: the browser's driver has one running in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(what())).result()


def fresh_id(what: str) -> str:
    return f"{what}-{secrets.token_hex(4)}"


def ready(scene: Scene) -> None:
    """New values have come from every connection."""

    def rows() -> Mapping[str, int]:
        return scene.desk(lambda desk: desk.status())["rows"]

    before = rows()
    scene.until(lambda: all(now > before[table] + 3 for table, now in rows().items()))
