"""Constructs the gate and runs it until told to end: connections, two doors, one pulse. No plant logic here."""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import uvicorn
import uvloop

from holdfast.clock import Clock, RealClock, ScaledClock
from holdfast.gate.actuation import failpoints
from holdfast.gate.actuation.parts import Parts
from holdfast.gate.actuation.setback import set_back
from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.people import people_app
from holdfast.gate.approval.inbox import Inbox, boot_id
from holdfast.gate.configuration import ConfigurationError, Configurations, Settled, settle
from holdfast.gate.connectors.keep import keep
from holdfast.gate.connectors.limits import ask_again
from holdfast.gate.egress import EgressOpen
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.history.store import History, HistoryError
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.people import Cost, People
from holdfast.gate.ledger.checkpoint import PRIVATE, PUBLIC, Checkpoints, KeyFileError, make_key
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State, StateError
from holdfast.gate.ledger.witness import kept_by_gate
from holdfast.plugins import PluginError
from holdfast.ports import Connector
from holdfast.site import plugged
from holdfast.site.model import Site, SiteError
from holdfast.site.secrets import SecretError
from holdfast.site.tables import tables
from holdfast.terms import SECOND_NS

PULSE_S_MAX = 0.2  # of the clock's seconds: how late a due time can be noticed
KEEP_S = 0.1  # of the wall clock: how much of what was seen a power cut may take from history (never from the record)
SEAL_S = 30.0  # of the wall clock: how often it is looked whether frames have waited long enough
FOLD_S = 1.0  # of the wall clock: how long what is on the disk may wait in the write-ahead log
FRAMES_UNKEPT_MAX = 2_000
SOCKET_MODE = 0o660
SOCKET_PATH_BYTES_MAX = 107  # unix(7): sun_path with its closing zero
CALLERS_MAX = 128  # connections at one door; more are told to come back
MESSAGES_PER_S = 20.0  # what one agent may post in the long run, unless the command line says otherwise
BURST_S = 3.0  # and of how many seconds at once


def open_gate(
    site: Site,
    folder: Path,
    clock: Clock,
    connectors: Mapping[str, Connector],
    *,
    durable: bool = True,
    cost: Cost | None = None,
    boot: str = "",
    site_folder: Path | None = None,
) -> tuple[Gatekeeper, Agents]:
    """A gate over its state folder; `site_folder` is where the site file lies, for what it names beside it.

    Raises StateError, SiteError, HistoryError, KeyFileError, SecretError, ValueError.
    """
    state = State(folder, durable=durable)
    log = Log(state, clock)
    if not ((folder / PRIVATE).exists() and (folder / PUBLIC).exists()):  # a first start can be killed between the two
        make_key(folder, site.name, secrets.token_bytes)
    people = People(state, log, clock, secrets.token_bytes, cost=cost)
    parts = Parts(
        site=site,
        clock=clock,
        state=state,
        log=log,
        people=people,
        inbox=Inbox(state, log, people, clock, boot=boot or boot_id()),
        connectors=connectors,
        history=History(folder / "history.db", durable=durable, tables=tables(site)),
        site_folder=site_folder,
    )
    gate = Gatekeeper(parts, Checkpoints.of(state, log, kept_by_gate(folder)))
    set_back(
        log=log,
        key=gate.checkpoints.key,
        inbox=gate.inbox,
        jobs=gate.jobs,
        moves=gate.moves,
        autonomy=gate.autonomy,
        bounds=gate.compiled.bounds,
        now_ns=clock.now_ns(),
    )
    return gate, Agents(state, log, secrets.token_bytes)


def in_force(file: Path, folder: Path, clock: Clock) -> Settled:
    """What the gate is to run: never what merely lies on the disk. Raises as `settle`, and StateError."""
    with contextlib.closing(State(folder)) as state:
        log = Log(state, clock)
        return settle(file, Configurations(state, log, People(state, log, clock, secrets.token_bytes), clock))


def connectors_of(site: Site, site_folder: Path, clock: Clock, state_dir: Path) -> dict[str, Connector]:
    """One connector a connection, its secrets resolved now and kept nowhere else. Raises PluginError, SecretError."""
    return {c.name: plugged.open_connector(c, site_folder, clock=clock, state_dir=state_dir) for c in site.connections}


class Doors:
    """Two servers on Unix sockets that we bind ourselves, so that their mode is ours and not the server's."""

    def __init__(self, apps: Mapping[Path, Any]) -> None:
        self._servers: list[tuple[uvicorn.Server, socket.socket, Path]] = []
        for path, app in apps.items():
            config = uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                proxy_headers=False,
                timeout_graceful_shutdown=1,
                limit_concurrency=CALLERS_MAX,
            )
            self._servers.append((_Server(config), _bind(path), path))

    async def serve(self) -> None:
        await asyncio.gather(*(server.serve(sockets=[sock]) for server, sock, _ in self._servers))

    def close(self) -> None:
        for server, _, path in self._servers:
            server.should_exit = True
            path.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):  # signals are the process's, not one server's
        yield


def _bind(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        raise OSError(f"{path}: longer than a socket's path can be ({SOCKET_PATH_BYTES_MAX} bytes); use a shorter --home")
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        bound.bind(str(path))
    finally:
        os.umask(before)
    bound.listen()  # from here on callers wait instead of being refused
    bound.setblocking(False)
    return bound


async def pulse(gate: Gatekeeper, wake: asyncio.Event) -> None:
    """Advance whenever something is due, a proposal came, or PULSE_S_MAX has passed."""
    while True:
        await gate.advance()
        due_ns = gate.saga.next_due_ns()
        wait_s = PULSE_S_MAX
        if due_ns is not None:
            wait_s = min(max((due_ns - gate.clock.monotonic_ns()) / SECOND_NS, 0.0), PULSE_S_MAX)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(gate.clock.real_s(wait_s), 0.001)):
                await wake.wait()
        wake.clear()


async def keep_history(gate: Gatekeeper) -> None:
    """Put frames on the disk every KEEP_S, many in one commit and none in a decision's way."""
    gate.intake.keep_every = FRAMES_UNKEPT_MAX
    while True:
        await asyncio.sleep(KEEP_S)
        await gate.intake.keep_beside()


async def seal_history(gate: Gatekeeper) -> None:
    """Make chunks of what was seen, every SEAL_S, in a thread that lets the gate's run first."""
    while True:
        await asyncio.sleep(SEAL_S)
        await gate.intake.seal_beside(gate.clock.now_ns())


async def fold_log(gate: Gatekeeper) -> None:
    """Keep the write-ahead log short every FOLD_S, so that no commit has to."""
    while True:
        await asyncio.sleep(FOLD_S)
        await asyncio.to_thread(gate.log.state.fold)


async def run(gate: Gatekeeper, agents: Agents, home: Path, *, clock_name: str, ready: str, messages_per_s: float) -> None:
    wake, end = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    gate.on_proposal = wake.set
    gate.start(clock=clock_name)
    link = agents_app(gate, agents, per_s=messages_per_s, burst=BURST_S * messages_per_s)
    doors = Doors({home / "link" / "link.sock": link, home / "gate" / "people.sock": people_app(gate, agents)})
    tasks = [asyncio.create_task(doors.serve()), asyncio.create_task(pulse(gate, wake)), asyncio.create_task(keep_history(gate))]
    tasks += [
        asyncio.create_task(seal_history(gate)),
        asyncio.create_task(fold_log(gate)),
        asyncio.create_task(gate.errands.run(gate.clock)),
    ]
    for connection in gate.site.connections:
        name = connection.name
        tables = [t for t in gate.tables.values() if t.connection == name]
        tasks.append(
            asyncio.create_task(
                keep(
                    gate.connectors[name],
                    tables,
                    clock=gate.clock,
                    random=Random(name),
                    ingest=gate.ingest,
                    lost=lambda why, name=name: (gate.lost(name, why), gate.parts.theirs.lost(name)),
                    found=lambda name=name: gate.found(name),
                    ask=(lambda name=name: gate.ask_limits(name)) if connection.writes else None,
                    alarms=(lambda told: gate.debts.owe_all(gate.parts.theirs.take(told), ()))
                    if connection.option("server_alarms")
                    else None,
                )
            )
        )
        if connection.writes:
            tasks.append(asyncio.create_task(ask_again(lambda name=name: gate.ask_limits(name), gate.clock)))
    # What was made up to here lives as long as the process: walking it again at each full collection would only hold up
    # a decision. Whoever started us may have put collections off until now.
    gc.freeze()
    gc.enable()
    sys.stdout.write(ready + "\n")
    sys.stdout.flush()
    ended = asyncio.create_task(end.wait())
    done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
    doors.close()
    for task in (*tasks, ended):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for connector in gate.connectors.values():
        await connector.close()
    gate.intake.keep()
    gate.debts.settle(now=True)
    with contextlib.suppress(StateError):  # a full disk must not hide why we end
        gate.checkpoint()
    for task in done - {ended}:
        await task  # a task that ended by itself failed: say why


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="holdfast-gate", description=__doc__)
    parser.add_argument("--site", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--epoch-ns", type=int)
    parser.add_argument("--factor", type=float, default=1.0, help="of the demo's clock")
    parser.add_argument("--messages-per-s", type=float, default=MESSAGES_PER_S, help="that one agent may post in the long run")
    parser.add_argument("--for-tests", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if why := failpoints.refusal(for_tests=given.for_tests):
        sys.stderr.write(f"{why}\n")
        sys.exit(2)
    clock: Clock = RealClock() if given.epoch_ns is None else ScaledClock(given.epoch_ns, given.factor)
    folder = given.home / "gate"
    try:
        settled = in_force(given.site, folder, clock)
        connectors = connectors_of(settled.active.site, given.site.parent, clock, folder)
        gate, agents = open_gate(settled.active.site, folder, clock, connectors, site_folder=given.site.parent)
        gate.on_disk, gate.site_file = settled.on_disk, given.site
        gate.errands.lock(settled.active.site, given.site.parent)
    except (
        SiteError,
        ConfigurationError,
        StateError,
        HistoryError,
        KeyFileError,
        PluginError,
        SecretError,
        EgressOpen,
        ValueError,
    ) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    clock_name = "real" if given.epoch_ns is None else f"real x {given.factor:g}"
    ready = json.dumps({"configuration": settled.active.digest})
    uvloop.run(run(gate, agents, given.home, clock_name=clock_name, ready=ready, messages_per_s=given.messages_per_s))


if __name__ == "__main__":
    main()
