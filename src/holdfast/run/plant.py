"""`holdfast run`: one site on the real clock, until it is told to end."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from holdfast.gate.ledger.store import StateError
from holdfast.run.isolate import available
from holdfast.run.supervise import Child, Home, StartError, enrol, keep_agent, start_agent, start_gate
from holdfast.site.load import load
from holdfast.site.model import SiteError


async def run_site(site: Path, home: Path, said: Callable[[str], None]) -> int:
    """Exit code: 0 when ended by a signal, 1 when the gate ended by itself, 2 when it can't be started."""
    try:
        loaded = load(site)
        where = Home(path=home.absolute())
        enrol(where, [agent.name for agent in loaded.site.agents])
        gate = await start_gate(where, site.absolute(), env=os.environ)
    except (SiteError, StateError, StartError) as error:
        said(str(error))
        return 2
    for warning in loaded.warnings:
        said(f"warning: {warning}")
    why = available()
    said(f"{loaded.site.name}: configuration {loaded.digest[:12]}, home {where.path}")
    said(f"agents: {'NOT ISOLATED: ' + why if why else 'each in a cell of its own'}")
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)

    async def make(name: str) -> Child:
        return await start_agent(where, site.absolute(), loaded, name)

    tasks = [asyncio.create_task(keep_agent(lambda name=agent.name: make(name), said)) for agent in loaded.site.agents]
    ended, gone = asyncio.create_task(end.wait()), asyncio.create_task(gate.process.wait())
    await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
    code = 0 if ended.done() else 1
    if code:
        said(f"the gate ended; its last words are in {where.path / 'logs' / 'gate.log'}")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    ended.cancel()
    gone.cancel()
    await gate.end()
    return code
