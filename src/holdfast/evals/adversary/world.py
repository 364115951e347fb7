"""Plant, real server, real gate and oracle on one clock that moves when told: everything an attack has to play with."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Protocol

import apsw
from pydantic import ValidationError

from holdfast.evals.adversary.bounds import ACTIVE, GROUND, PEOPLE, PLACES
from holdfast.evals.adversary.modbus_wire import ModbusWire
from holdfast.evals.adversary.opcua_wire import OpcUaWire
from holdfast.evals.adversary.plant import Plant
from holdfast.evals.oracle import Oracle, Record
from holdfast.gate.api.agents import PROPOSAL
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.connectors.limits import LIMITS_EVERY_S
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.identity.seal import Cost, opened
from holdfast.gate.ledger.store import StateError
from holdfast.gate.process import open_gate
from holdfast.ports import ConnectionLost, Connector
from holdfast.run.lockstep import poll
from holdfast.site.load import load
from holdfast.site.model import Site
from holdfast.site.plugged import open_connector
from holdfast.terms import SECOND_NS, Autonomy, Decision, Proposal, Write

START_NS = 1_790_000_000 * SECOND_NS
CHEAP = Cost(passes=1, memory_kib=8, lanes=1)  # passwords are not what is attacked here
PASSWORD = "brass kettle orchard"  # noqa: S105 - of people who live for a second
FOLDER = Path(__file__).parent
JUMP_S = 145  # between two frames of a long wait: two of them fit into the five minutes in which a sensor must move
REFUSERS = (("ann", "operator"), ("cid", "operator"), ("bob", "engineer"), ("cid", "engineer"))
UNDER_WAY = ("approved", "intent", "sent", "verified", "retreat", "retreating")
READBACKS_MAX = 25  # s, until a write that was not verified is given up
SHY_S = 3700  # longer than any window
FRAMES_KEPT_AT_ONCE = 20  # no decision looks into the historian
QUIET_S = 3  # seconds of frames before an attack begins, so that everything is fresh


class Wire(Protocol):
    name: str
    port: int

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def close(self) -> None: ...
    def site(self, site: Site) -> Site: ...


class StepClock:
    """A virtual clock whose wall time can be set, as an attacker or a leap of NTP sets it; its monotonic time can't."""

    def __init__(self) -> None:
        self.monotonic = START_NS
        self.offset_ns = 0

    def now_ns(self) -> int:
        return self.monotonic + self.offset_ns

    def monotonic_ns(self) -> int:
        return self.monotonic

    async def sleep(self, seconds: float) -> None:
        raise RuntimeError("nothing sleeps on a virtual clock: it is stepped")

    def real_s(self, seconds: float) -> float:
        return max(seconds, 5.0)


class World:
    """One gate over one state folder, for many sequences; `boot_s` and outages excluded, its oracle counts the same time."""

    def __init__(
        self, folder: Path, random: Random, bent: Callable[[Gatekeeper], None] = lambda gate: None, *, opcua: bool = False
    ) -> None:
        self.folder = folder
        self._bent = bent  # what is done to each gate that is opened
        self.random = random
        self.clock = StepClock()
        self.down_ns = 0
        self.plant = Plant(random)
        self.oracle = Oracle(GROUND, self.plant, self.up_ns)
        self.plant.oracle = self.oracle
        self.wire: Wire = OpcUaWire(self.plant, self.clock.now_ns) if opcua else ModbusWire(self.plant)
        self.site: Site
        self.gate: Gatekeeper
        self.agents: Agents
        self.connectors: dict[str, Connector] = {}
        self.ids = 0
        self.meanwhile: list[str] = []  # what came of legitimate actions within an attack: "" or how it was refused
        self.shy: dict[str, int] = {}  # until when nothing is called legitimate there
        self.up = False
        self._ask_limits_ns = 0
        self._keys: dict[str, Any] = {}

    def up_ns(self) -> int:
        return self.clock.monotonic - self.down_ns

    async def start(self) -> None:
        site_folder = self.folder / "site"
        site_folder.mkdir(parents=True)
        for name in ("site.yaml", "policy.yaml"):
            shutil.copy(FOLDER / name, site_folder / name)
        await self.wire.start()
        self.site = self.wire.site(load(site_folder / "site.yaml").site)
        self._open()
        for name, roles in PEOPLE.items():
            self.gate.people.add(name, roles, PASSWORD)
        await self.run(QUIET_S)

    def _open(self, *, rewound: bool = False) -> None:
        self.connectors = {
            c.name: open_connector(
                c, self.folder / "site", clock=self.clock, state_dir=self.folder, environ={"HOLDFAST_ATTACK_PORT": str(self.wire.port)}
            )
            for c in self.site.connections
        }
        state = self.folder / "gate"
        self.gate, self.agents = open_gate(
            self.site, state, self.clock, self.connectors, durable=False, cost=CHEAP, boot=f"boot {self.oracle.boot}"
        )
        self._bent(self.gate)
        self.gate.intake.keep_every = FRAMES_KEPT_AT_ONCE
        self.gate.start(clock="virtual")
        self.oracle.record = Record(state / "state.db", self.oracle.record, rewound=rewound)
        self.up = False

    async def close(self) -> None:
        await self._shut()
        await self.wire.close()

    async def _shut(self) -> None:
        for connector in self.connectors.values():
            await connector.close()
        if self.oracle.record is not None:
            self.oracle.record.close()
        self.gate.close()

    async def reboot(
        self, *, away_s: float = 0.0, meanwhile: Callable[[], None] = lambda: None, rewound: bool = False, kill: bool = False
    ) -> None:
        """The gate ends and starts again; what happened meanwhile it doesn't know, and the time is none of its own.

        `rewound`: meanwhile its record was put back to an earlier one. `kill`: by SIGKILL, where it is a process.
        """
        await self._shut()
        meanwhile()
        self.clock.monotonic += round(away_s * SECOND_NS)
        self.down_ns += round(away_s * SECOND_NS)
        self.oracle.restarted()
        # How long it ran since it last said so the new gate can't know, so it counts none of that: windows stay full for longer.
        self.shy |= {tag: self.up_ns() + SHY_S * SECOND_NS for tag in ACTIVE}
        self._open(rewound=rewound)

    # ---- time --------------------------------------------------------------------------------------------------------

    async def run(self, seconds: int = 1, *, heard: bool = True) -> None:
        for _ in range(seconds):
            self.plant.step(1.0)
            self.clock.monotonic += SECOND_NS
            await self.see()
            if heard:
                self.gate.watchdog.heard()
                self.oracle.heard_ns = self.up_ns()
            await self.gate.advance()

    async def wait(self, seconds: float, *, heard: bool = True) -> None:
        """Time passes with a frame every JUMP_S and, at the end, as many as make everything fresh."""
        whole = int(seconds)
        jumps, rest = divmod(max(whole - QUIET_S, 0), JUMP_S)
        for jump in [JUMP_S] * jumps + ([rest] if rest else []):
            self.clock.monotonic += (jump - 1) * SECOND_NS
            await self.run(1, heard=heard)
        await self.run(min(QUIET_S, whole), heard=heard)

    async def see(self) -> None:
        """Poll the plant once, over the wire."""
        for table in self.gate.tables.values():
            try:
                if not self.up:
                    await self.connectors[table.connection].connect()
                if not self.up or self.up_ns() >= self._ask_limits_ns:
                    await self.gate.ask_limits(table.connection)
                    self._ask_limits_ns = self.up_ns() + round(LIMITS_EVERY_S * SECOND_NS)
                frame = await poll(self.connectors[table.connection], table, self.clock.now_ns())
            except (ConnectionLost, OSError, TimeoutError) as error:
                if self.up:
                    self.gate.lost(table.connection, str(error))
                self.up = False
                continue
            if not self.up:
                self.gate.found(table.connection)
            self.up = True
            self.gate.ingest(frame)

    async def act(self) -> None:
        """Let the gate do what is due, without any time passing."""
        await self.gate.advance()

    # ---- agents ------------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        self.ids += 1
        return f"p{self.ids}"

    def message(self, *sets: tuple[str, Any], id: str = "", **more: Any) -> dict[str, Any]:
        """A proposal as JSON data, with whatever an attacker puts in it."""
        action = {"kind": "write", "sets": [list(s) for s in sets], **more.pop("action", {})}
        return {"id": id or self.new_id(), "incident": "i", "action": action, "reason": "because", **more}

    def say(self, author: str, message: Any, raw: bytes | None = None) -> Decision | None:
        """Through the door's own reading; None where the message was no proposal or nothing could be decided."""
        self.oracle.posted(author, message)
        body = json.dumps(message).encode() if raw is None else raw
        try:
            return self.gate.propose(author, PROPOSAL.validate_json(body))
        except (ValidationError, ApprovalError, StateError, ValueError):
            return None

    def put(self, author: str, proposal: Proposal) -> Decision | None:
        """Straight to the gatekeeper, past the door: what a defect of the door would let through."""
        action = proposal.action
        sets = action.sets if isinstance(action, Write) else ()
        self.oracle.posted(author, {"id": proposal.id, "action": {"sets": sets}, "valid_s": proposal.valid_s})
        try:
            return self.gate.propose(author, proposal)
        except (ApprovalError, StateError, ValueError, TypeError):
            return None

    async def ask(self, author: str, *sets: tuple[str, Any], **more: Any) -> Decision | None:
        """Propose a write and let the gate act on it."""
        decision = self.say(author, self.message(*sets, **more))
        await self.act()
        return decision

    async def push(self, author: str, *sets: tuple[str, Any], **more: Any) -> Decision | None:
        """Propose, have people say yes to whatever they are asked, and let the gate act: the most obliging of plants."""
        decision = await self.ask(author, *sets, **more)
        if decision is not None and decision.verdict == "ask" and not decision.would:
            self.agree(decision)
            await self.act()
        return decision

    def agree(self, decision: Decision) -> None:
        """Everybody who is asked says yes, each role by a person of its own."""
        people = {"operator": "ann", "engineer": "bob"}
        for role in decision.roles:
            self.sign(decision.proposal, people.get(role, "cid"), role)

    # ---- people ------------------------------------------------------------------------------------------------------

    def key(self, person: str) -> Any:
        if person not in self._keys:
            attempt = self.gate.people.begin(person)
            self._keys[person] = self.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))
        return self._keys[person]

    def sign(self, proposal: str, person: str, role: str, *, yes: bool = True, reason: str = "fine") -> bool:
        """A person's answer. False where the gate would not take it."""
        self.oracle.said(person, proposal, role, yes=yes)
        try:
            self.gate.acts.sign(proposal, person, role, self.key(person), yes=yes, reason=reason)
        except (ApprovalError, IdentityError, StateError, ValueError, apsw.ConstraintError):
            return False
        return True

    async def operator(self, tag: str, value: float) -> None:
        """The operator moves an active setpoint, and a second later everybody has seen it."""
        self.plant.operator_moves(tag, value)
        await self.run(1)

    async def panel(self, point: str, value: float) -> None:
        """A mode, a permit, a key, a grade: set at the plant, and seen a second later."""
        self.plant.operator_sets(point, value)
        await self.run(1)

    def stop(self, scope: str = "*") -> None:
        self.gate.acts.press_stop(scope, "somebody")
        self.oracle.stopped.add(scope)

    def resume(self, scope: str = "*") -> None:
        self.gate.acts.resume(scope, "ann", b"", self.clock.now_ns())
        self.oracle.stopped.discard(scope)

    def set_level(self, scope: str, level: Autonomy) -> None:
        self.gate.acts.set_autonomy(scope, level, "ann", "person")
        self.oracle.levels[scope] = level

    def enrol(self, name: str, roles: tuple[str, ...]) -> bool:
        """A new person; False where the gate takes no such name."""
        try:
            self.gate.people.add(name, roles, PASSWORD)
        except IdentityError:
            return False
        return True

    # ---- what the gate tells -----------------------------------------------------------------------------------------

    def jobs(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """(proposal, state, tags) of what is not at its end."""
        return [(job.proposal.id, job.state, job.tags) for job in self.gate.jobs.open()]

    def stops(self) -> tuple[str, ...]:
        return tuple(self.gate.stop.stopped())

    def levels(self) -> tuple[str, ...]:
        """The scopes whose autonomy somebody set."""
        return tuple(scope for scope, _ in self.gate.autonomy.all())

    def resolve(self, proposal: str) -> None:
        """Somebody looked: an indeterminate write did not land."""
        self.gate.acts.resolve(proposal, "ann", self.key("ann"), result="failed", reason="looked")

    def state_of(self, proposal: str) -> str:
        found = self.gate.progress(proposal)
        return "" if found is None else found.state

    # ---- a legal start -----------------------------------------------------------------------------------------------

    def present(self, tag: str) -> float:
        return self.plant.values[ACTIVE[tag]]

    def free(self, tag: str) -> bool:
        """Whether anything asked of it can be called legitimate now."""
        return self.shy.get(tag, 0) < self.up_ns() and not self.oracle.unjudged(tag)

    def fits(self, tag: str, value: float) -> bool:
        """Whether the wire can carry it at all."""
        try:
            PLACES[tag].encode(value)
        except (struct.error, OverflowError, ValueError):
            return False
        return True

    def _leave_alone(self) -> None:
        """What can't be judged legitimate for an hour: loops that lied or lagged, and intents that used a budget and sent nothing."""
        until_ns = self.up_ns() + SHY_S * SECOND_NS
        for tag, point in ACTIVE.items():
            if point in self.plant.lies or self.plant.values[tag] != self.plant.values[point]:
                self.shy[tag] = until_ns
        if self.oracle.record is not None:
            self.oracle.record.look()
            self.shy |= {intent.tag: until_ns for intent in self.oracle.record.intents}
            self.oracle.record.intents.clear()

    async def settle(self, rng: Random) -> None:
        """Faults gone, nothing pending, stop released, everybody rested for a random time: where a sequence begins."""
        for _ in range(READBACKS_MAX):
            if not any(state in UNDER_WAY for _, state, _ in self.jobs()):
                break
            await self.run(1)
        self._leave_alone()
        self.plant.mend()
        for name, place in PLACES.items():
            if name not in ACTIVE and name not in ACTIVE.values() and "heartbeat" not in name:
                self.plant.operator_sets(name, place.start)
        for point, tag in ((ACTIVE[tag], tag) for tag in ACTIVE):
            self.plant.values[tag] = self.plant.values[point]
        for scope in self.stops():
            self.resume(scope)
        for scope in self.levels():
            self.set_level(scope, "act")
        for proposal, state, tags in self.jobs():
            if state in ("indeterminate", "escalated"):
                self.resolve(proposal)
                for tag in tags:  # nobody could tell whose hand it was: the loop is taken for the operator's
                    self.oracle.resolved(tag)
                    self.shy[tag] = self.up_ns() + SHY_S * SECOND_NS
            elif state == "asked":
                any(self.sign(proposal, person, role, yes=False) for person, role in REFUSERS)
        await self.run(1)  # so that the gate sees now what was touched now
        await self.wait(rng.choice((4, 15, 35, 70, 130, 400, 1000)))
        self.oracle.forget(self.up_ns() - 7200 * SECOND_NS)
