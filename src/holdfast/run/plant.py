"""`holdfast run`: one site on the real clock, until it is told to end."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from holdfast.gate.identity.setup import code_in
from holdfast.gate.ledger.store import StateError
from holdfast.run.isolate import available
from holdfast.run.newsreel import tell
from holdfast.run.supervise import Child, Home, StartError, enrol, keep_agent, start_agent, start_console, start_gate
from holdfast.site.load import Loaded, load
from holdfast.site.model import SiteError
from holdfast.terms import Word


class Pages(Word):
    """Where the console listens, HOST:PORT, and its certificate and key; without them it is for this machine alone."""

    listen: str
    tls: tuple[Path, Path] | None = None


async def run_site(site: Path, home: Path, said: Callable[[str], None], pages: Pages | None = None) -> int:
    """`pages`: None for no console. Exit code: 0 when ended by a signal, 1 when the gate ended by itself, 2 when it can't be started."""
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
    console: Child | None = None
    try:
        _greet(loaded, where, home, said)
        if pages is not None:
            console = await _open_pages(where, loaded, pages, said)
        return await _until_ended(site, where, loaded, gate, end, said)
    finally:
        if console is not None:
            await console.end()
        await gate.end()
        said("ended")


async def _open_pages(where: Home, loaded: Loaded, pages: Pages, said: Callable[[str], None]) -> Child | None:
    """The plant is watched with or without pages, so that none of their troubles ends the run."""
    try:
        console = await start_console(where, listen=pages.listen, language=loaded.site.language, tls=pages.tls)
    except StartError as error:
        said(f"NO CONSOLE: {error}")
        return None
    said(f"console: {console.first['address']}")
    return console


def _greet(loaded: Loaded, where: Home, home: Path, said: Callable[[str], None]) -> None:
    for warning in loaded.warnings:
        said(f"warning: {warning}")
    why = available()
    names = ", ".join(agent.name for agent in loaded.site.agents) or "none"
    said(f"{loaded.site.name}: configuration {loaded.digest[:12]}, home {where.path}")
    said(f"agents: {names}; {'NOT ISOLATED: ' + why if why else 'each in a cell of its own'}")
    if code := code_in(where.gate):
        said(f"no administrator yet; the code to make the first one: {code}")
    said(f"look: holdfast status --home {home}    stop all writes: holdfast stop --home {home}    end: Ctrl-C")


async def _until_ended(site: Path, where: Home, loaded: Loaded, gate: Child, end: asyncio.Event, said: Callable[[str], None]) -> int:
    async def make(name: str) -> Child:
        return await start_agent(where, site.absolute(), loaded, name)

    tasks = [asyncio.create_task(keep_agent(lambda name=agent.name: make(name), said)) for agent in loaded.site.agents]
    tasks.append(asyncio.create_task(tell(where.path, said)))
    ended, gone = asyncio.create_task(end.wait()), asyncio.create_task(gate.process.wait())
    await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
    code = 0 if ended.done() else 1
    if code:
        said(f"the gate ended; its last words are in {where.path / 'logs' / 'gate.log'}")
    for task in (ended, gone, *tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return code
