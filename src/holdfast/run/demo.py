"""The interactive demo: real processes, real protocols, a real clock times a stated factor, and a story in nine chapters."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from holdfast.clock import RealClock, ScaledClock
from holdfast.gate.history.store import History
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.checkpoint import PUBLIC, read_public
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.gate.ledger.verify import Verdict, verify
from holdfast.link.http import HttpLink
from holdfast.run.desk import Desk, DeskError, Vote
from holdfast.run.headless import kept_rates
from holdfast.run.isolate import available
from holdfast.run.mill import past
from holdfast.run.narrate import Narrator
from holdfast.run.papers import lay_out
from holdfast.run.supervise import Child, Home, enrol, start_agent, start_console, start_gate
from holdfast.run.wired import addresses, start_plant, tell
from holdfast.site.load import Loaded, load
from holdfast.terms import Proposal, Record, Write

AGENT = "mill-agent"
OPERATOR, ENGINEER, PASSWORD = "li.wei", "zhang.min", "rolling-4-strips"
PEOPLE = {OPERATOR: ["operator"], ENGINEER: ["process-engineer", "administrator"]}
ANSWER_S = 30.0  # real seconds in which whoever looks may sign before the demo does
WAIT_S = 60.0  # real seconds that one chapter may take
LEAD_IN_S = 20.0  # plant seconds before the agent is asked anything


class Stage:
    """The processes of one demo and what they have said so far."""

    def __init__(self, home: Home, console: Console, scenario: str, seed: int, factor: float) -> None:
        self.home = home
        self.console = console
        self.scenario, self.seed, self.factor = scenario, seed, factor
        self.epoch_ns = time.time_ns()
        self.clock = ScaledClock(self.epoch_ns, factor)
        self.records: list[Record] = []
        self.desk = Desk(home.path)
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.plant: Child | None = None
        self.gate: Child | None = None
        self.agent: Child | None = None
        self.pages: Child | None = None

    async def raise_curtain(self, autonomy: str, *, with_agent: bool) -> Loaded:
        """Plant, then gate, then agent; each in a process of its own."""
        clock = ("--epoch-ns", str(self.epoch_ns), "--factor", str(self.factor))
        self.plant, site_path = await start_plant(self.scenario, self.seed, self.home.path, *clock)
        env = {**os.environ, **addresses(self.plant)}
        loaded = load(site_path)
        self._prepare(loaded)
        self.gate = await start_gate(self.home, site_path, env=env, clock=clock)
        self.narrator = Narrator(self.console, loaded.site, self.epoch_ns)
        self._tasks.append(asyncio.create_task(self._listen()))
        await self.desk.autonomy("*", autonomy, OPERATOR, PASSWORD)
        self.pages = await start_console(self.home, listen="127.0.0.1:0", language=loaded.site.language)
        if with_agent:
            await self.start_agent(site_path, loaded)
        return loaded

    async def start_agent(self, site_path: Path, loaded: Loaded) -> None:
        clock = ("--epoch-ns", str(self.epoch_ns), "--factor", str(self.factor))
        self.agent = await start_agent(self.home, site_path, loaded, AGENT, clock=clock)

    def _prepare(self, loaded: Loaded) -> None:
        """What a plant would have already: people with a password, an agent with a token, papers, an hour of history."""
        self.home.gate.mkdir(parents=True, exist_ok=True, mode=0o700)
        enrol(self.home, [AGENT])
        state = State(self.home.gate)
        try:
            people = People(state, Log(state, RealClock()), RealClock(), os.urandom)
            for name, roles in PEOPLE.items():
                if people.get(name) is None:
                    people.add(name, roles, PASSWORD)
        finally:
            state.close()
        lay_out(self.home.path, self.clock.now_ns())
        history = History(self.home.gate / "history.db", durable=False)
        for frame in past(loaded.site, self.seed, self.clock.now_ns()):
            history.append(frame)
        history.close()

    async def _listen(self) -> None:
        async for record in self.desk.events():
            self.records.append(record)
            self.narrator.record(record)
            self._news.set()

    async def seen(self, what: Callable[[Record], bool], *, after: int = 0, within_s: float = WAIT_S) -> Record | None:
        """The first record from `after` on that is so; None when there is none within real seconds."""
        deadline = time.monotonic() + within_s
        start = after
        while True:
            for record in self.records[start:]:
                if what(record):
                    return record
            start = len(self.records)
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                return None

    async def tell_plant(self, line: str) -> Mapping[str, Any]:
        """A line to the plant's panel, and its answer."""
        assert self.plant is not None  # noqa: S101
        return await tell(self.plant, line)

    async def fall(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.desk.close()
        for child in (self.pages, self.agent, self.gate, self.plant):
            if child is not None:
                await child.end()

    def verdict(self) -> Verdict:
        return verify(self.home.gate / "state.db", read_public(self.home.gate / PUBLIC))


def _is(kind: str, **wanted: object) -> Callable[[Record], bool]:
    def so(record: Record) -> bool:
        body: Any = record.body
        return record.kind == kind and all(body.get("decision", body).get(k) == v for k, v in wanted.items())

    return so


async def story(stage: Stage, autonomy: str, *, for_s: float | None, with_agent: bool) -> None:
    """Nine chapters. One that does not happen in its time is said to have been left out."""
    say = stage.console.print
    why = available()
    say(f"[bold]Holdfast demo[/bold]: scenario {stage.scenario}, seed {stage.seed}, [bold]time × {stage.factor:g}[/bold]")
    say(f"home {stage.home.path}; agent {'[bold red]NOT ISOLATED[/]: ' + why if why else 'in a cell: no network, no view of the gate'}")
    stepwise = with_agent and autonomy == "ask"
    loaded = await stage.raise_curtain("shadow" if stepwise else autonomy, with_agent=with_agent)
    assert stage.pages is not None  # noqa: S101
    say(f"look and sign: [bold]{stage.pages.first['address']}[/bold] as {OPERATOR} (operator) or {ENGINEER} (engineer, administrator),")
    say(f"               password {PASSWORD}")
    narrator = stage.narrator
    narrator.chapter("1  the line runs; the agent has learned its last quiet hour")
    await _show_values(stage, loaded)
    rates = kept_rates()
    say(
        f"   false episodes per plant hour (95 %), on {rates.hours:g} normal hours kept for this: alarms {rates.alarms:.3f}"
        f" ({rates.alarms_interval[0]:.3f}–{rates.alarms_interval[1]:.3f}), detector {rates.detector:.3f}"
        f" ({rates.detector_interval[0]:.3f}–{rates.detector_interval[1]:.3f})"
    )
    if not with_agent or not stepwise:
        await stage.clock.sleep(for_s or 3000.0)
        return
    narrator.chapter("2  something begins to go wrong, long before the plant's own alarm")
    if await stage.seen(_is("finding")) is None:
        say("no finding in this scenario within a minute")
        return
    narrator.chapter("3  why, with evidence; and in shadow: decided fully, nothing sent")
    await stage.seen(_is("decision", would=True))
    narrator.chapter("4  a person lets it ask: signed, written, read back, judged by its effect")
    mark = len(stage.records)
    await stage.desk.autonomy("*", "ask", OPERATOR, PASSWORD)
    if (asked := await stage.seen(_is("ask"), after=mark)) is not None:
        body: Any = asked.body
        await _sign(stage, str(body["proposal"]), mark)
        await stage.seen(_is("effect"), after=mark)
    await _show_values(stage, loaded)
    narrator.chapter("5  the operator moves the tension himself: the operator wins")
    mark = len(stage.records)
    await stage.tell_plant("operator tension 98.5")
    await stage.seen(_is("taken"), after=mark)
    await stage.clock.sleep(30.0)
    await stage.tell_plant("mode tension external")
    narrator.chapter("6  the agent's token asks for 135 kN: refused, with every reason")
    mark = len(stage.records)
    link = HttpLink(f"unix:{stage.home.link}", (stage.home.agent(AGENT) / "token").read_text())
    wild = Write(sets=(("stand-4/tension.sp", 135.0),))
    await link.propose(Proposal(id="wild-1", incident="none", action=wild, reason="trust me, this is urgent"))
    await link.close()
    await stage.seen(_is("decision", verdict="refuse"), after=mark)
    narrator.chapter("7  the agent is killed: no heartbeat, and the PLC's block holds")
    await _kill_agent(stage)
    await _end(stage)
    if stage.console.is_terminal:
        await _stay(stage, loaded, stage.home.path / "site" / "site.yaml")


async def _sign(stage: Stage, proposal: str, mark: int) -> None:
    """Whoever looks at the pages may answer; where nobody does, or nobody can be looking, the demo's operator does."""
    if stage.console.is_terminal:
        stage.console.print(f"   it waits {ANSWER_S:.0f} s for your signature in the console; then {OPERATOR} signs")
        if await stage.seen(_is("approval", proposal=proposal), after=mark, within_s=ANSWER_S) is not None:
            return
    with contextlib.suppress(DeskError):  # somebody else was quicker
        await stage.desk.vote(Vote(proposal=proposal, person=OPERATOR, password=PASSWORD, yes=True, reason="flow is right"))


async def _show_values(stage: Stage, loaded: Loaded) -> None:
    report = await stage.tell_plant("report")
    stage.narrator.line(
        stage.clock.now_ns(),
        "plant",
        f"{report['tonnes']:.1f} t rolled, {report['defect_rate']:.2f} defects/km, {_received(report)}",
        "dim",
    )


async def _kill_agent(stage: Stage) -> None:
    assert stage.agent is not None  # noqa: S101
    before = await stage.tell_plant("report")
    stage.agent.kill()
    await stage.agent.process.wait()
    await stage.clock.sleep(25.0)
    beating = await stage.tell_plant("report")
    await stage.clock.sleep(10.0)
    after = await stage.tell_plant("report")
    held = after["heartbeats"] == beating["heartbeats"]
    stage.narrator.line(
        stage.clock.now_ns(),
        "PLC",
        f"heartbeats {before['heartbeats']} … {beating['heartbeats']}, {after['heartbeats']}: "
        + ("stopped; the block holds its setpoint, the operator's own tracks it" if held else "still coming"),
        "bold cyan" if held else "bold red",
    )


async def _end(stage: Stage) -> None:
    """The record is looked at while the gate writes it, and a thief's edit is tried on a copy."""
    report = await stage.tell_plant("report")
    narrator, say = stage.narrator, stage.console.print
    narrator.chapter("8  the record verifies from its file and the public key alone")
    good = stage.verdict()
    say(f"   {good.records} records, root {good.root[:16]}…: {'verified' if good.ok else good.detail}")
    say(f"   counted by the plant itself: {_received(report)}")
    narrator.chapter("9  one byte of one record is edited on a copy of the disk")
    copy = stage.home.path / "tampered.db"
    seq = _edit_one_byte(stage.home.gate / "state.db", copy)
    bad = verify(copy, read_public(stage.home.gate / PUBLIC))
    say(f"   record {seq} edited → {'NOT FOUND' if bad.ok else f'found: {bad.detail}'}")
    say(f"\nrepeat it: holdfast ledger verify {stage.home.gate / 'state.db'} --key {stage.home.gate / PUBLIC}")


async def _stay(stage: Stage, loaded: Loaded, site_path: Path) -> None:
    """For whoever looks: the agent comes back, and all goes on until Ctrl-C."""
    assert stage.pages is not None  # noqa: S101
    await stage.start_agent(site_path, loaded)
    stage.console.print(f"\nThe line runs on, and the console with it: [bold]{stage.pages.first['address']}[/bold]. Ctrl-C ends the demo.")
    await asyncio.Event().wait()


def _received(report: Mapping[str, Any]) -> str:
    sent = report["writes_sent"]
    return f"{sent} write{'' if sent == 1 else 's'} received, {report['writes_outside']} outside the envelopes"


def _edit_one_byte(path: Path, copy: Path) -> int:
    """Change one digit of the record in the middle of a copy, as a thief with a database tool would. Returns its number."""
    import apsw

    copy.unlink(missing_ok=True)
    db, whole = apsw.Connection(str(copy)), apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    with db.backup("main", whole, "main") as backup:
        backup.step()
    whole.close()
    rows = db.execute("SELECT seq, bytes FROM leaf WHERE instr(bytes, CAST('\"decision\"' AS BLOB)) > 0 ORDER BY seq").fetchall()
    seq, leaf = rows[len(rows) // 2]
    changed = bytearray(bytes(leaf))  # type: ignore[arg-type]
    place = next(i for i in range(len(changed) - 1, 0, -1) if chr(changed[i]).isdigit())
    changed[place] = ord("1") if changed[place] != ord("1") else ord("2")
    db.execute("UPDATE leaf SET bytes=? WHERE seq=?", (bytes(changed), seq))
    db.close()
    return int(str(seq))
