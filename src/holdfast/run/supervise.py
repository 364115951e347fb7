"""Starts the gate and the agents, keeps the agents running, and ends all of them together."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.agent.knowledge.logs.store import NAME as MAINTENANCE
from holdfast.agent.knowledge.manuals.index import NAME as MANUALS
from holdfast.agent.knowledge.standards.store import NAME as STANDARDS
from holdfast.clock import Clock, RealClock
from holdfast.gate.identity.agents import Agents
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.link import ANOTHER_CONFIGURATION
from holdfast.run.isolate import Cell, available, runtime
from holdfast.site.load import Loaded
from holdfast.site.modellayout import MODELS
from holdfast.site.secrets import is_reference, path_of
from holdfast.terms import SECOND_NS, Word

READY_TIMEOUT_S = 30.0
END_TIMEOUT_S = 5.0
RESTART_S_MIN, RESTART_S_MAX = 1.0, 60.0
STEADY_S = 300.0  # who lived so long did not die of how it starts
RENEWED_S = 10.0  # an agent that lived so long and says that the configuration is another one is believed
LINE_BYTES_MAX = 1 << 16
PAPERS = (MANUALS, MAINTENANCE, STANDARDS)  # in the home; those that are there at an agent's start are seen in its cell, to read


class StartError(Exception):
    """A process did not come up; the text says which and what it said."""


class Home(Word):
    """Where everything that a run keeps goes."""

    path: Path

    @property
    def gate(self) -> Path:
        return self.path / "gate"

    @property
    def link(self) -> Path:
        return self.path / "link" / "link.sock"

    @property
    def people(self) -> Path:
        return self.path / "gate" / "people.sock"

    @property
    def models(self) -> Path:
        return self.path / MODELS

    def agent(self, name: str) -> Path:
        return self.path / "agents" / name


def enrol(home: Home, names: Sequence[str]) -> None:
    """Give each agent that has none a token of its own. Raises StateError."""
    state = State(home.gate)
    try:
        agents = Agents(state, Log(state, RealClock()), os.urandom)
        for name in names:
            folder = home.agent(name)
            token = folder / "token"
            if name in agents.list() and token.exists():
                continue
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if name in agents.list():
                agents.revoke(name)
            token.unlink(missing_ok=True)
            with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
                file.write(agents.add(name))
    finally:
        state.close()


def cell_of(home: Home, site_path: Path, loaded: Loaded, name: str) -> Cell:
    """What an agent of this run sees: the runtime, the link, the models and its own folder. The gate's folder, the other agents' and
    every secret that the site file names are hidden even where somebody keeps them within the runtime."""
    secrets = {
        path_of(str(value), site_path.parent)
        for named in (*loaded.site.connections, *loaded.site.context, *loaded.site.outbox)
        for _, value in named.options
        if is_reference(value) and str(value).startswith("file:")
    } | {path_of(one.key, site_path.parent) for one in loaded.site.models if one.key.startswith("file:")}
    engines = [(site_path.parent / str(one.option("folder"))).absolute() for one in loaded.site.models if one.option("folder")]
    papers = tuple(path for name in PAPERS if (path := home.path.absolute() / name).is_file())
    others = [folder for folder in sorted((home.path / "agents").iterdir()) if folder.name != name]
    return Cell(
        sees=(*runtime(), home.link.parent.absolute(), *papers, *(path for path in (home.models.absolute(), *engines) if path.is_dir())),
        folders=(home.gate.absolute(), *(folder.absolute() for folder in others)),
        files=tuple(sorted(path for path in secrets if path.exists() and not path.is_relative_to(home.gate.absolute()))),
        own=home.agent(name).absolute(),
    )


class Child:
    """One process with the line that it printed when it was ready."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, first: Mapping[str, Any], *, asked: bool = True) -> None:
        self.name = name
        self.process = process
        self.first = first
        self._asked = asked

    async def end(self) -> None:
        """Ask, unless it can't hear, then make it end. Safe to call twice."""
        if self.process.returncode is None and not self._asked:
            self.kill()
            await self.process.wait()
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), END_TIMEOUT_S)
            except TimeoutError:
                self.kill()
                await self.process.wait()

    def kill(self) -> None:
        """With all that it started: a cell's outer process that dies as it forks takes the inner one with it only in this way."""
        if self.process.returncode is None:
            _kill(self.process)


def _kill(process: asyncio.subprocess.Process) -> None:
    """Its whole session, which `start` made for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def start(
    name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path, stdin: int | None = None, speaks: bool = True, asked: bool = True
) -> Child:
    """Start a process and, if it `speaks`, wait for its first line, a JSON object. Its stderr goes to `log`. Raises StartError.

    `asked`: it ends in order on SIGTERM; one that is not is killed at once.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL if stdin is None else stdin,
            stdout=asyncio.subprocess.PIPE if speaks else errors,
            stderr=errors,
            limit=LINE_BYTES_MAX,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends the others in order
        )
    if not speaks:
        return Child(name, process, {}, asked=asked)
    assert process.stdout is not None  # noqa: S101
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT_S)
        return Child(name, process, json.loads(line), asked=asked)
    except (TimeoutError, ValueError):
        _kill(process)
        await process.wait()
        said = log.read_text(errors="replace").strip().splitlines()[-8:]
        raise StartError(f"{name} did not start:\n  " + "\n  ".join(said or ["it said nothing"])) from None


def python(module: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-I", "-m", module, *map(str, arguments)]


async def start_gate(home: Home, site_path: Path, *, env: Mapping[str, str], clock: Sequence[str] = ()) -> Child:
    return await start(
        "the gate",
        python("holdfast.gate", "--site", site_path, "--home", home.path, *clock),
        env=env,
        log=home.path / "logs" / "gate.log",
    )


async def start_agent(home: Home, site_path: Path, loaded: Loaded, name: str, *, clock: Sequence[str] = ()) -> Child:
    """In a cell where the machine allows; exec'd with an empty environment and no descriptor of ours."""
    argv = python(
        "holdfast.agent.process", "--link", f"unix:{home.link.absolute()}", "--token-file", home.agent(name).absolute() / "token",
        "--name", name, "--models", home.path.absolute(), "--papers", home.path.absolute(), *clock,
    )  # fmt: skip
    home.models.mkdir(exist_ok=True)  # before the cell is built: what is put there later is seen in it
    cell = not available()
    if cell:
        argv = cell_of(home, site_path, loaded, name).command(argv)
    # A cell's outer process does not hear SIGTERM (unshare --fork), and an agent keeps nothing that needs an end in order.
    env = {"PATH": os.defpath, "LANG": "C.UTF-8", "TMPDIR": str(home.agent(name).absolute())}
    return await start(f"agent {name}", argv, env=env, log=home.path / "logs" / f"agent-{name}.log", speaks=False, asked=not cell)


async def start_console(home: Home, *, listen: str, language: str, tls: tuple[Path, Path] | None = None) -> Child:
    """The pages for people; its first line has their `address`. With an empty environment and no descriptor of ours. Raises StartError."""
    secured = () if tls is None else ("--tls-certificate", tls[0].absolute(), "--tls-key", tls[1].absolute())
    return await start(
        "the console",
        python("holdfast.console.process", "--gate", home.people.absolute(), "--listen", listen, "--language", language, *secured),
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        log=home.path / "logs" / "console.log",
    )


async def start_outlet(home: Home, site_path: Path) -> Child:
    """The way from agents' cells to the site's model servers; it holds their keys. Raises StartError."""
    argv = python("holdfast.run.outlet", "--site", site_path, "--sockets", home.link.parent.absolute())
    return await start("the way to model servers", argv, env=os.environ, log=home.path / "logs" / "outlet.log")


async def keep_agent(make: Callable[[], Any], said: Callable[[str], None], *, clock: Clock | None = None) -> None:
    """Run an agent for ever, restarting it with back-off, which one that lived for a while begins anew. Until cancelled."""
    clock = clock or RealClock()
    wait_s = RESTART_S_MIN
    child: Child | None = None
    try:
        while True:
            since_ns = clock.monotonic_ns()
            try:
                child = await make()
                assert child is not None  # noqa: S101
                code = await child.process.wait()
                lived_s = (clock.monotonic_ns() - since_ns) / SECOND_NS
                renewed = code == ANOTHER_CONFIGURATION and lived_s > RENEWED_S
                if renewed or lived_s > STEADY_S:
                    wait_s = RESTART_S_MIN
                why = "ended, for another configuration is in force" if renewed else f"ended with {code}"
                said(f"{child.name} {why}; started again in {wait_s:.0f} s")
            except StartError as error:
                said(str(error))
            await clock.sleep(wait_s)
            wait_s = min(wait_s * 2, RESTART_S_MAX)
    finally:
        if child is not None:
            await child.end()
