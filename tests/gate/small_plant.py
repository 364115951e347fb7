"""A plant of two loops with the PLC's block, a connector to it that can be told to fail, and a gate over both, stepped by hand."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.store import StateError
from holdfast.gate.process import open_gate
from holdfast.ports import ConnectionLost
from holdfast.sim.loop_block import EXTERNAL, LoopBlock
from holdfast.site.model import (
    AgentSpec,
    AlarmLimits,
    Connection,
    Envelope,
    Equals,
    Equipment,
    Loop,
    Policy,
    Range,
    Rate,
    Readback,
    RestsOn,
    Rule,
    Site,
    Writes,
)
from holdfast.terms import SECOND_NS, Decision, Frame, Proposal, Record, Sample, Sent, Tag, TagTable, Write

START_NS = 1_700_000_000 * SECOND_NS
CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
PASSWORD = "brass kettle orchard"
T, F = "stand/tension", "stand/flow"
MODES = ((0, "manual"), (1, "auto"), (2, "external"))
PARTS = ("sp", "sp_now", "pv", "mode", "permit", "heartbeat")


def _tags(loop: str) -> tuple[Tag, ...]:
    def tag(part: str, **more: Any) -> Tag:
        return Tag(name=f"{loop}.{part}", connection="plc", address=f"{loop}.{part}", unit="kN", **more)

    return (
        tag("sp", writable=True),
        tag("sp_now"),
        tag("pv"),
        tag("mode", type="state", states=MODES),
        tag("permit", type="bool"),
        tag("heartbeat", type="integer", writable=True),
    )


def envelope(loop: str, **changes: Any) -> Envelope:
    found = Envelope(
        tag=f"{loop}.sp",
        equipment="stand",
        autonomy="act",
        enable=Equals(tag=f"{loop}.permit", value=1.0),
        range=Range(by="", rows=(("", (80.0, 120.0)),)),
        step=5.0,
        rate=Rate(max=20.0, per_s=600.0),
        writes=Writes(max=6, per_s=3600.0),
        dwell_s=0.0,
        rests_on=RestsOn(tags=(f"{loop}.pv",), newer_than_s=3.0, moves_within_s=None),
        readback=Readback(tag=f"{loop}.sp_now", within=0.05, after_s=1.0),
        requires=(Equals(tag=f"{loop}.mode", value=2.0),),
        yield_s=600.0,
    )
    return dataclasses.replace(found, **changes)


def site(*, tension: Mapping[str, Any] | None = None, rules: tuple[Rule, ...] | None = None, **changes: Any) -> Site:
    permit = Rule(id="all", effect="permit", agents=("*",), tags=("*",), actions=("write", "notify"))
    found = Site(
        name="small",
        language="en",
        timezone="UTC",
        connections=(Connection(name="plc", type="test", writes=True),),
        equipment=(Equipment(name="stand"), Equipment(name="furnace")),
        tags=(*_tags(T), *_tags(F)),
        loops=tuple(Loop(name=at, equipment="stand", **{part: f"{at}.{part}" for part in PARTS}) for at in (T, F)),
        envelopes=(envelope(T, **(tension or {})), envelope(F)),
        alarms=(AlarmLimits(tag=f"{T}.pv", hi=130.0, delay_s=0.0),),
        agents=(AgentSpec(name="ann-agent", autonomy="act"), AgentSpec(name="other", autonomy="act")),
        policy=Policy(revision=1, rules=rules or (permit,)),
    )
    return dataclasses.replace(found, **changes)


ASKING = (Rule(id="ask", effect="ask", agents=("*",), tags=("*",), approvals=("operator",)),)


class Plc:
    """The connector and the device behind it. `answers` are given to the next writes in order; "lost": unknown, nothing arrives."""

    def __init__(self, clock: VirtualClock, rate_per_s: float = 100.0) -> None:
        self.clock = clock
        self.blocks = {at: LoopBlock(sp_op=100.0, sp_min=0.0, sp_max=200.0, sp_rate_per_s=rate_per_s, mode=EXTERNAL) for at in (T, F)}
        for block in self.blocks.values():
            block.ext_permit = True
            block.scan(1.0)
        self.pv = {T: 100.0, F: 100.0}
        self.up = True
        self.answers: list[str] = []
        self.written: list[tuple[str, float]] = []
        self.beats = 0
        self.on_read: Callable[[], object] = lambda: None
        self.on_write: Callable[[str, float], object] = lambda tag, value: None
        self.bad: set[str] = set()

    def value(self, address: str) -> float:
        at, _, part = address.rpartition(".")
        block = self.blocks[at]
        match part:
            case "sp":
                return block.sp_ext
            case "sp_now":
                return block.sp_active
            case "pv":
                return self.pv[at]
            case "mode":
                return float(block.mode)
            case "permit":
                return float(block.ext_permit)
            case _:
                return float(block.ext_hb)

    def scan(self, dt_s: float) -> None:
        for block in self.blocks.values():
            block.scan(dt_s)

    def row(self, table: TagTable) -> Frame:
        now = self.clock.now_ns()
        status = [0x80310000 if t.name in self.bad else 0 for t in table.tags]
        return Frame(
            table=table.id,
            seq=0,
            received_ns=np.array([now], np.int64),
            source_ns=np.full((1, len(table.tags)), now, np.int64),
            values=np.array([[self.value(t.address) for t in table.tags]]),
            status=np.array([status], np.uint32),
        )

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        for tag in ():
            yield tag

    async def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        yield self.row(table)

    def health(self) -> Mapping[str, float]:
        return {}

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        answer = self.on_read()
        if answer is not None and hasattr(answer, "__await__"):
            await answer  # type: ignore[misc]
        if not self.up:
            raise ConnectionLost("the plc is away")
        now = self.clock.now_ns()
        return [
            Sample(tag=t.name, value=self.value(t.address), status=0x80310000 if t.name in self.bad else 0, source_ns=now) for t in tags
        ]

    def wire_value(self, tag: Tag, value: float) -> float:
        return value

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        at, _, part = tag.address.rpartition(".")
        if part == "heartbeat":
            self.beats += 1
            self.blocks[at].ext_hb = int(value)
            return "acked"
        self.written.append((tag.name, value))
        answer = self.on_write(tag.name, value)
        if answer is not None and hasattr(answer, "__await__"):
            await answer  # type: ignore[misc]
        said = self.answers.pop(0) if self.answers else "acked"
        if said not in ("lost", "rejected"):
            self.blocks[at].sp_ext = value
        return "unknown" if said == "lost" else said  # type: ignore[return-value]


class World:
    """Plant, gate and clock in one hand. `again` is a new gate over the same folder, as after a restart."""

    def __init__(self, folder: Path, of: Site | None = None, *, rate_per_s: float = 100.0, durable: bool = False) -> None:
        self.folder = folder
        self.site = of or site()
        self.durable = durable
        self.clock = VirtualClock(START_NS)
        self.plc = Plc(self.clock, rate_per_s)
        self.gate, self.agents = self._open()

    def _open(self) -> tuple[Gatekeeper, Agents]:
        return open_gate(self.site, self.folder, self.clock, {"plc": self.plc}, durable=self.durable, cost=CHEAP, boot="test")

    async def dies_in_the_write(self, wanted: float, *, landed: bool = False) -> None:
        """The gate ends between the request and its answer; five seconds later it is there again."""

        def ends(tag: str, value: float) -> None:
            if landed:
                self.plc.blocks[T].sp_ext = value
            raise asyncio.CancelledError

        self.plc.on_write = ends
        self.propose(wanted)
        with pytest.raises(asyncio.CancelledError):
            await self.run(1)
        self.plc.on_write = lambda tag, value: None
        self.again(after_s=5.0)

    def again(self, *, after_s: float = 0.0) -> None:
        self.gate.close()
        self.clock.advance(after_s)
        self.gate, self.agents = self._open()

    async def run(self, seconds: int = 1, *, agent: bool = True) -> None:
        for _ in range(seconds):
            self.plc.scan(1.0)
            self.clock.advance(1.0)
            self.see()
            if agent:
                self.gate.watchdog.heard()
            await self.gate.advance()

    def see(self) -> None:
        for table in self.gate.tables.values():
            self.gate.ingest(self.plc.row(table))

    def records(self, kind: str) -> list[Any]:
        found: list[Record] = []
        while page := self.gate.log.read(found[-1].seq if found else 0):
            found += page
        return [json.loads(json.dumps(r.body)) for r in found if r.kind == kind]

    def propose(self, value: float, *, id: str = "p1", tag: str = f"{T}.sp", author: str = "ann-agent", valid_s: float = 300.0) -> Decision:
        return self.gate.propose(author, proposal((tag, value), id=id, valid_s=valid_s))

    def state(self, id: str = "p1") -> str:
        found = self.gate.progress(id)
        return found.state if found else "none"

    def failed(self, decision: Decision) -> set[str]:
        return {r.code for r in decision.reasons if not r.passed}

    def sign(self, id: str = "p1", *, person: str = "ann", yes: bool = True) -> str:
        attempt = self.gate.people.begin(person)
        from holdfast.gate.identity.seal import opened

        key = self.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))
        return self.gate.acts.sign(id, person, "", key, yes=yes, reason="fine").state

    def fill_disk(self) -> None:
        """From now on the state file can't grow; filled to the brim."""
        db = self.gate._state.db
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (pages,) = next(iter(db.execute("PRAGMA page_count")))
        db.execute(f"PRAGMA max_page_count={pages}").fetchall()
        for size in (400, 40, 0):  # use up the room inside the pages there are, down to the smallest record
            for _ in range(200):
                try:
                    with self.gate._state.transaction():
                        self.gate.log.append("j", {"x": "x" * size} if size else {})
                except StateError:
                    break

    def free_disk(self) -> None:
        self.gate._state.db.execute("PRAGMA max_page_count=1000000").fetchall()


def proposal(*sets: tuple[str, float], id: str = "p1", valid_s: float = 300.0, **more: Any) -> Proposal:
    return Proposal(id=id, incident="i", action=Write(sets=sets), reason="because", valid_s=valid_s, **more)
