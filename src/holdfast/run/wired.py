"""The demo mill behind its real servers, in lockstep: a process of its own that steps when told and then shows its values."""

import asyncio
import dataclasses
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.clock import Clock
from holdfast.ports import Connector
from holdfast.run.mill import Report, site_file
from holdfast.run.supervise import Child, python, start
from holdfast.site.load import load
from holdfast.site.model import Site
from holdfast.site.plugged import open_connector
from holdfast.terms import Autonomy

ANSWER_TIMEOUT_S = 30.0


async def start_plant(scenario: str, seed: int, home: Path, *arguments: str) -> tuple[Child, Path]:
    """The plant's process, and the site file beside the certificate and login that it made. Raises StartError."""
    folder = home / "site"
    folder.mkdir(parents=True, exist_ok=True)
    for file in (site_file(), site_file().with_name("policy.yaml")):
        shutil.copy(file, folder / file.name)
    child = await start(
        "the plant",
        python("holdfast.sim.serve", "--scenario", scenario, "--seed", str(seed), "--home", folder, *arguments),
        env=os.environ,
        log=home / "logs" / "plant.log",
        stdin=asyncio.subprocess.PIPE,
    )
    return child, folder / "site.yaml"


def addresses(child: Child) -> dict[str, str]:
    """The environment that the demo's site file refers to."""
    return {"HOLDFAST_MILL_URL": str(child.first["mill_url"]), "HOLDFAST_COOLING_PORT": str(child.first["cooling_port"])}


async def tell(child: Child, line: str) -> Mapping[str, Any]:
    """A line to the plant's panel, and its answer."""
    assert child.process.stdin is not None  # noqa: S101
    assert child.process.stdout is not None  # noqa: S101
    child.process.stdin.write(line.encode() + b"\n")
    await child.process.stdin.drain()
    return json.loads(await asyncio.wait_for(child.process.stdout.readline(), ANSWER_TIMEOUT_S))


class WiredMill:
    """As run.mill.SteppedMill, with OPC UA and Modbus between."""

    def __init__(self, child: Child, site: Site, folder: Path) -> None:
        self.site = site
        self._child = child
        self._folder = folder
        self._environ = {**os.environ, **addresses(child)}

    @classmethod
    async def start(cls, scenario: str, seed: int, home: Path, autonomy: Autonomy) -> "WiredMill":
        child, site_path = await start_plant(scenario, seed, home, "--lockstep")
        site = load(site_path).site
        # A budget of requests a wall-clock second would only slow a run whose seconds are not the wall's.
        connections = tuple(
            dataclasses.replace(c, options=tuple(o for o in c.options if o[0] != "requests_per_s")) for c in site.connections
        )
        return cls(child, dataclasses.replace(site, autonomy=autonomy, connections=connections), site_path.parent)

    def connectors(self, clock: Clock, state_dir: Path) -> dict[str, Connector]:
        return {
            c.name: open_connector(c, self._folder, clock=clock, state_dir=state_dir, environ=self._environ) for c in self.site.connections
        }

    async def step(self, dt_s: float) -> None:
        await tell(self._child, f"step {dt_s}")

    async def report(self) -> Report:
        found = await tell(self._child, "report")
        return Report(
            alarm_s=found["alarm_s"],
            defect_rate=found["defect_rate"],
            tonnes=found["tonnes"],
            writes_sent=found["writes_sent"],
            writes_outside=found["writes_outside"],
        )

    async def close(self) -> None:
        await self._child.end()
