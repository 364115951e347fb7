"""What may be asked of the gate: the plant's values and the gate's own state. Nothing here changes anything but who was heard."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.gate.actuation.parts import Parts
from holdfast.gate.approval.steps import Steps
from holdfast.gate.guard.compile import Compiled
from holdfast.gate.ledger.index import RecordIndex
from holdfast.gate.ledger.to_agents import told
from holdfast.link import IncidentTold, PlantContext, Progress
from holdfast.site.model import Site
from holdfast.terms import Alarm, Frame, Move

MOVES_TOLD_MAX = 1_000


class Answers:
    """The reading half of link.Gate; its parts are open to whoever stands inside the gate."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.clock, self.log, self.inbox, self.people, self.connectors = parts.clock, parts.log, parts.inbox, parts.people, parts.connectors
        self.tables, self.live, self.context, self.alarms = parts.tables, parts.live, parts.context, parts.alarms
        self.stop, self.moves, self.jobs, self.autonomy = parts.stop, parts.moves, parts.jobs, parts.autonomy
        self.watch, self.watchdog, self.faults, self.debts = parts.watch, parts.watchdog, parts.faults, parts.debts
        self.intake, self.rings, self.eyes = parts.intake, parts.intake.rings, parts.eyes
        self.acts, self.attend, self.commissioning, self.outbox, self.errands, self.saga = (
            parts.acts,
            parts.attend,
            parts.commissioning,
            parts.outbox,
            parts.errands,
            parts.saga,
        )
        self.learning = parts.learning
        self.causes = parts.causes
        self.listeners = parts.hearers.listeners
        self.steps = Steps()  # of answers that agents are at
        self.on_disk = ""  # what is said of a site file that differs from what is in force

    @property
    def site(self) -> Site:
        return self.parts.site

    @property
    def compiled(self) -> Compiled:
        return self.parts.compiled

    # ---- an agent (link.Link, with its author) -------------------------------------------------------------------------

    def site_view(self) -> Site:
        """Without connections, sources and targets: no address and no credential crosses the link."""
        return dataclasses.replace(self.site, connections=(), context=(), outbox=())

    def frames(self, table: str, after: int, author: str = "") -> Frame | None:
        self.watchdog.heard(author)
        return self.rings[table].read(after)

    def history(self, table: str, from_ns: int, to_ns: int, rows_max: int) -> Frame:
        return self.intake.history(table, from_ns, to_ns, rows_max)

    def alarm_states(self) -> Sequence[Alarm]:
        return tuple(self.alarms.states.values())

    def moves_since(self, since_ns: int) -> Sequence[Move]:
        return self.moves.since(since_ns)[-MOVES_TOLD_MAX:]

    def context_now(self) -> PlantContext:
        return self.context.told(self.clock.now_ns())

    def progress(self, proposal: str) -> Progress | None:
        job = self.jobs.get(proposal)
        return None if job is None else job.progress

    def incidents(self, limit: int) -> Sequence[IncidentTold]:
        """For the direct form: it reads the record at once. At the door a thread beside the gate does (api/told.py)."""
        with contextlib.closing(RecordIndex(self.log.state.folder)) as index:
            while index.step():
                pass
            return told(index, limit)

    # ---- people --------------------------------------------------------------------------------------------------------

    def status(self) -> Mapping[str, Any]:
        """What runs, what is stopped and what waits: for the terminal and the console."""
        return {
            "site": self.site.name,
            "language": self.site.language,
            "timezone": self.site.timezone,
            "configuration": self.compiled.digest,
            "on_disk": self.on_disk,
            "at_ns": self.clock.now_ns(),
            "stopped": self.stop.stopped(),
            "autonomy": self.autonomy.all(),
            "lowered": self.autonomy.lowered(),
            "agents": {a.name: self.watchdog.silent_s(a.name) for a in self.site.agents},
            "fault": "" if self.debts.fault is None else str(self.debts.fault),
            "agent_lost": self.watchdog.agent_lost,
            "heartbeat": self.watchdog.beating,
            "alarms": self.alarm_states(),
            "yields": sorted(self.moves.yields.items()),
            "jobs": [{"proposal": job.proposal.id, "state": job.state, "tags": job.tags} for job in self.jobs.open()],
            "connections": {name: self.parts.contacts.told(name, connector.health()) for name, connector in self.connectors.items()},
            "rows": {table.id: self.rings[table.id].next_seq for table in self.tables.values()},
            "outbox": self.outbox.waiting(),
            "records": self.log.size,
        }
