"""The demo mill as the runtime meets it: its site file, its servers' connectors in process, and its recorded past."""

import dataclasses
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from holdfast.clock import Clock
from holdfast.ports import Connector
from holdfast.run.inprocess import InProcess
from holdfast.sim.mill.judge import judge
from holdfast.sim.mill.plant import Mill
from holdfast.site.load import Loaded, load
from holdfast.site.model import Site
from holdfast.site.tables import tables
from holdfast.terms import SECOND_NS, Autonomy, Frame, TagTable, Word

CALIBRATION = Path(str(resources.files("holdfast.sim.mill") / "calibration.json"))
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


class Report(Word):
    """What the plant itself says at the end of a run; alarm_s None where its alarm never sounded."""

    alarm_s: float | None
    defect_rate: float  # per km of strip within the thickness tolerance
    tonnes: float
    writes_sent: int  # as received
    writes_outside: int  # of them, outside the envelope numbers of the site file


class SteppedMill:
    """The mill in this process, as run.lockstep steps it."""

    def __init__(self, mill: Mill, site: Site) -> None:
        self.mill = mill
        self.site = site

    @classmethod
    async def start(cls, scenario: str, seed: int, autonomy: Autonomy) -> "SteppedMill":
        return cls(Mill(seed, scenario), mill_site(autonomy).site)

    def connectors(self, clock: Clock, _: Path) -> dict[str, Connector]:
        """A connector for each connection of the site file, straight into the plant."""
        return {c.name: InProcess(self.mill, c.name, clock, registers=c.type == "modbus") for c in self.site.connections}

    async def step(self, dt_s: float) -> None:
        self.mill.step(dt_s)

    async def report(self) -> Report:
        judged = judge(self.site, tuple(self.mill.received), tuple(self.mill.moved))
        return Report(
            alarm_s=self.mill.operator.alarm.first_s,
            defect_rate=self.mill.defect_rate_per_km,
            tonnes=self.mill.tonnes,
            writes_sent=judged.writes_sent,
            writes_outside=judged.writes_outside,
        )

    async def close(self) -> None:
        return


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
