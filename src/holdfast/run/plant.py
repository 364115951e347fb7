"""`holdfast run`: one site on the real clock, until it is told to end."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from holdfast.gate.identity.setup import code_in
from holdfast.gate.ledger.store import StateError
from holdfast.run.first import FILE, FirstRun, site_file
from holdfast.run.isolate import available
from holdfast.run.newsreel import tell
from holdfast.run.supervise import Child, Home, StartError, enrol, keep_agent, start_agent, start_console, start_gate, start_outlet
from holdfast.site.load import Loaded, load
from holdfast.site.model import SiteError
from holdfast.terms import Word


class Pages(Word):
    """Where the console listens, HOST:PORT, and its certificate and key; without them it is for this machine alone."""

    listen: str
    tls: tuple[Path, Path] | None = None

    def at(self, address: str) -> "Pages":
        """The same with the port of `address`, where any free one was asked for: a browser is there already."""
        host, _, port = self.listen.rpartition(":")
        return Pages(listen=f"{host}:{address.rpartition(':')[2]}", tls=self.tls) if port == "0" else self


async def run_site(site: Path, home: Path, said: Callable[[str], None], pages: Pages | None = None) -> int:
    """`pages`: None for no console. Exit code: 0 when ended by a signal, 1 when the gate ended by itself, 2 when it can't be started.

    Where there is no site file yet, and nothing in force, the pages make one first (`first.py`).
    """
    # Before anything is started: a signal that comes meanwhile must not leave a gate that nobody minds.
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    where = Home(path=home.absolute())
    first: FirstRun | None = None
    try:
        if pages is not None and (file := site_file(site, where)) is not None:
            first = FirstRun(file, where, os.urandom)
            if (address := await _made(first, pages, end, said)) is None:
                return 0
            pages = pages.at(address)
        site = site / FILE if site.is_dir() else site
        loaded = load(site)
        enrol(where, [agent.name for agent in loaded.site.agents if not agent.joins])
        gate = await start_gate(where, site.absolute(), env=os.environ)
    except (SiteError, StateError, StartError) as error:
        said(str(error))
        return 2
    except OSError as error:
        said(f"{where.path}: {error.strerror or error}. Give a folder that is yours to write with --home.")
        return 2
    finally:
        # The page that wrote the file is served until the gate runs: it says what comes, and then finds the console there.
        if first is not None:
            await first.close()
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


async def _made(first: FirstRun, pages: Pages, end: asyncio.Event, said: Callable[[str], None]) -> str | None:
    """The address of the pages that a site file was made with, or None where this was ended first. Raises StartError, OSError."""
    address = await first.open(pages.listen)
    said(f"there is no site file at {first.file} yet")
    said(f"make one in the browser: {address}    with the code: {first.shown_code()}    end: Ctrl-C")
    written, ended = asyncio.create_task(first.written.wait()), asyncio.create_task(end.wait())
    await asyncio.wait([written, ended], return_when=asyncio.FIRST_COMPLETED)
    for task in (written, ended):
        task.cancel()
    await asyncio.gather(written, ended, return_exceptions=True)
    said("ended" if end.is_set() else f"{first.file} is written")
    return None if end.is_set() else address


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

    tasks = [asyncio.create_task(keep_agent(lambda name=agent.name: make(name), said)) for agent in loaded.site.agents if not agent.joins]
    tasks.append(asyncio.create_task(tell(where.path, said)))
    if any(one.url for one in loaded.site.models):
        tasks.append(asyncio.create_task(keep_agent(lambda: start_outlet(where, site.absolute()), said)))
    ended, gone = asyncio.create_task(end.wait()), asyncio.create_task(gate.process.wait())
    await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
    code = 0 if ended.done() else 1
    if code:
        said(f"the gate ended; its last words are in {where.path / 'logs' / 'gate.log'}")
    for task in (ended, gone, *tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return code
