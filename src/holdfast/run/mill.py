"""The demo mill as the runtime meets it: its site file, its servers' connectors in process, and its recorded past."""

import dataclasses
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from holdfast.clock import Clock
from holdfast.run.inprocess import InProcess
from holdfast.sim.mill.plant import Mill
from holdfast.site.load import Loaded, load
from holdfast.site.model import Site
from holdfast.site.tables import tables
from holdfast.terms import SECOND_NS, Autonomy, Frame, TagTable

PAST_ROWS = 3600  # an hour of the plant's own quiet running, from which the agent learns
PAST_BLOCK_ROWS = 600


def site_file() -> Path:
    return Path(str(resources.files("holdfast.sim.mill") / "site.yaml"))


def mill_site(autonomy: Autonomy | None = None) -> Loaded:
    """The demo's configuration; `autonomy` is a ceiling for the whole plant."""
    loaded = load(site_file())
    if autonomy is None:
        return loaded
    return dataclasses.replace(loaded, site=dataclasses.replace(loaded.site, autonomy=autonomy))


class SteppedMill:
    """The mill in this process, as run.lockstep steps it."""

    def __init__(self, mill: Mill) -> None:
        self.mill = mill

    async def step(self, dt_s: float) -> None:
        self.mill.step(dt_s)


def in_process(mill: Mill, site: Site, clock: Clock) -> dict[str, InProcess]:
    """A connector for each connection of the site file, straight into the plant."""
    return {c.name: InProcess(mill, c.name, clock, registers=c.type == "modbus") for c in site.connections}


def past(site: Site, seed: int, until_ns: int, rows: int = PAST_ROWS) -> Iterator[Frame]:
    """What a historian would have kept of the same plant's quiet hour before until_ns, in blocks."""
    for table in tables(site):
        yield from _past(table, Mill.quiet(seed), table.connection, until_ns, rows)


def _past(table: TagTable, mill: Mill, server: str, until_ns: int, rows: int) -> Iterator[Frame]:
    columns = [(server, tag.address) for tag in table.tags]
    period_ns = round(table.period_s * SECOND_NS)
    for start in range(0, rows, PAST_BLOCK_ROWS):
        count = min(PAST_BLOCK_ROWS, rows - start)
        values = np.empty((count, len(columns)))
        for i in range(count):
            mill.step(table.period_s)
            values[i] = [mill.read(*column)[0] for column in columns]
        times = until_ns + (np.arange(start + 1, start + count + 1, dtype=np.int64) - rows) * period_ns
        yield Frame(
            table=table.id,
            seq=start,
            received_ns=times,
            source_ns=np.repeat(times[:, None], len(columns), axis=1),
            values=values,
            status=np.zeros((count, len(columns)), np.uint32),
        )
