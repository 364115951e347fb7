"""`holdfast run`: one site on the real clock, until it is told to end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.gate.ledger.store import StateError
from holdfast.run.desk import Desk, DeskError
from holdfast.run.isolate import available
from holdfast.run.supervise import Child, Home, StartError, enrol, keep_agent, start_agent, start_gate
from holdfast.site.load import Loaded, load
from holdfast.site.model import SiteError
from holdfast.terms import Record

LISTEN_AGAIN_S = 1.0  # after the stream of records broke
SHOWN_CHARS_MAX = 200  # of one text in a line


async def run_site(site: Path, home: Path, said: Callable[[str], None]) -> int:
    """Exit code: 0 when ended by a signal, 1 when the gate ended by itself, 2 when it can't be started."""
    # Before anything is started: a signal that comes meanwhile must not leave a gate that nobody minds.
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    where = Home(path=home.absolute())
    try:
        loaded = load(site)
        enrol(where, [agent.name for agent in loaded.site.agents])
        gate = await start_gate(where, site.absolute(), env=os.environ)
    except (SiteError, StateError, StartError) as error:
        said(str(error))
        return 2
    except OSError as error:
        said(f"{where.path}: {error.strerror or error}. Give a folder that is yours to write with --home.")
        return 2
    try:
        _greet(loaded, where, home, said)
        return await _until_ended(site, where, loaded, gate, end, said)
    finally:
        await gate.end()
        said("ended")


def _greet(loaded: Loaded, where: Home, home: Path, said: Callable[[str], None]) -> None:
    for warning in loaded.warnings:
        said(f"warning: {warning}")
    why = available()
    names = ", ".join(agent.name for agent in loaded.site.agents) or "none"
    said(f"{loaded.site.name}: configuration {loaded.digest[:12]}, home {where.path}")
    said(f"agents: {names}; {'NOT ISOLATED: ' + why if why else 'each in a cell of its own'}")
    said(f"look: holdfast status --home {home}    stop all writes: holdfast stop --home {home}    end: Ctrl-C")


async def _until_ended(site: Path, where: Home, loaded: Loaded, gate: Child, end: asyncio.Event, said: Callable[[str], None]) -> int:
    async def make(name: str) -> Child:
        return await start_agent(where, site.absolute(), loaded, name)

    tasks = [asyncio.create_task(keep_agent(lambda name=agent.name: make(name), said)) for agent in loaded.site.agents]
    tasks.append(asyncio.create_task(_tell(where, said)))
    ended, gone = asyncio.create_task(end.wait()), asyncio.create_task(gate.process.wait())
    await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
    code = 0 if ended.done() else 1
    if code:
        said(f"the gate ended; its last words are in {where.path / 'logs' / 'gate.log'}")
    for task in (ended, gone, *tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return code


async def _tell(where: Home, said: Callable[[str], None]) -> None:
    """Say what a person at the terminal must know, as it goes on record. Until cancelled."""
    desk, after = Desk(where.path), None
    try:
        while True:
            with contextlib.suppress(DeskError):
                if after is None:  # from this run's start record on: earlier runs' news are old
                    after = await _start_of_run(desk)
                async for record in desk.events(after):
                    after = record.seq
                    if line := worth_saying(record):
                        said(line)
            await asyncio.sleep(LISTEN_AGAIN_S)
    finally:
        await desk.close()


async def _start_of_run(desk: Desk) -> int:
    """The number of this run's `start` record, among the newest few."""
    newest = int((await desk.status())["records"])
    recent = await desk.records(max(newest - 100, 0), 100)
    return max((int(r["seq"]) for r in recent if r["kind"] == "start"), default=newest)


def worth_saying(record: Record) -> str:
    """One line of a record for the terminal; "" for what is not news."""
    body: Any = record.body
    match record.kind:
        case "connection" if body["state"] == "lost":
            return f"{body['connection']}: NO CONNECTION ({_short(body['why'])}); its tags are Bad; trying again until it is back"
        case "connection":
            return f"{body['connection']}: connected"
        case "alarm":
            return f"ALARM {body['tag']} {body['limit']} {'active' if body['active'] else 'returned'}"
        case "ask":
            return f"{body['proposal']} waits for: {', '.join(body['roles'])} (holdfast approvals show {body['proposal']})"
        case "outcome":
            outcome = body["outcome"]
            return f"{outcome['proposal']}: {outcome['result']}"
        case "stop":
            return f"STOPPED: {'the whole plant' if body['scope'] == '*' else body['scope']}, by {_short(body['by'])}; nothing is written"
        case "resume":
            return f"resumed: {'the whole plant' if body['scope'] == '*' else body['scope']}, by {body['by']}"
        case "fault":
            return f"FAULT {body['code']}: nothing can be recorded, so nothing is decided or written; free the disk or look at it"
        case "configuration.unused":
            return f"NOT USED: {_short(body['what'])}"
        case "recovered":
            return "the disk takes records again; all that was owed is on record"
        case _:
            return ""


def _short(text: object) -> str:
    """What came from a server or a person, on one line and without control characters."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:SHOWN_CHARS_MAX])
