"""What a gate is made of, and how it hangs together: built here once, used by the gatekeeper."""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from holdfast.clock import Clock
from holdfast.gate.actuation.acts import Acts
from holdfast.gate.actuation.attend import Attend
from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.causes import Causes
from holdfast.gate.actuation.commissioning import Commissioning
from holdfast.gate.actuation.contacts import Contacts
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.actuation.deliver import carriers_of
from holdfast.gate.actuation.errands import Errands
from holdfast.gate.actuation.eyes import FreshEyes
from holdfast.gate.actuation.faults import Faults
from holdfast.gate.actuation.hands import OperatorWatch
from holdfast.gate.actuation.hearers import Hearers
from holdfast.gate.actuation.intake import Intake
from holdfast.gate.actuation.jobs import Jobs
from holdfast.gate.actuation.learned import LearnedStates
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.outbox import Outbox
from holdfast.gate.actuation.promotions import Promotions
from holdfast.gate.actuation.relearning import Relearning, asked_for
from holdfast.gate.actuation.saga import Saga
from holdfast.gate.actuation.snapshot import Snapshots
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.actuation.taken import OperatorWins
from holdfast.gate.actuation.watchdog import Watchdog
from holdfast.gate.alarms.board import AlarmBoard
from holdfast.gate.alarms.theirs import Theirs
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.context.live import Live
from holdfast.gate.context.tables import Context
from holdfast.gate.guard.compile import Compiled, compile_site, writers_of
from holdfast.gate.guard.decide import decide
from holdfast.gate.history.store import History
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.ports import Connector
from holdfast.site.model import Site
from holdfast.site.tables import tables
from holdfast.terms import Decision, Proposal


class Parts:
    """Reads the state folder once, on the way. Raises SiteError where the policy can't be compiled."""

    def __init__(
        self,
        *,
        site: Site,
        clock: Clock,
        state: State,
        log: Log,
        people: People,
        inbox: Inbox,
        connectors: Mapping[str, Connector],
        history: History,
        site_folder: Path | None = None,
    ) -> None:
        self.site, self.clock, self.state, self.log = site, clock, state, log
        self.people, self.inbox, self.connectors = people, inbox, connectors
        self.changed: Callable[[], None] = lambda: None  # there may be something to do
        self.hearers = Hearers(log)
        self.contacts = Contacts(connectors, clock)
        self._know(site_folder)
        self._keep_count()
        self._watch()
        self.intake = Intake(tables=self.tables, live=self.live, history=history, debts=self.debts, contacts=self.contacts)
        self.eyes = FreshEyes(
            compiled=self.compiled,
            connectors=connectors,
            intake=self.intake,
            contacts=self.contacts,
            snapshots=self.snapshots,
            alarms=self.alarms,
            watch=self.watch,
            jobs=self.jobs,
            inbox=inbox,
            debts=self.debts,
        )
        self._serve_people()
        self._keep_learned()
        self._carry_out(site_folder)

    def _know(self, site_folder: Path | None) -> None:
        """The configuration and the plant's state under it."""
        self.compiled = compile_site(self.site)
        self.tables = {table.id: table for table in tables(self.site)}
        self.live = Live(tuple(self.tables.values()), self.clock)
        self.context = Context(self.site, self.live, self.clock, site_folder)
        self.alarms = AlarmBoard(self.site.alarms, self.state, self.clock.now_ns())
        self.theirs = Theirs([c.name for c in self.site.connections if c.option("server_alarms")], self.clock)

    def _keep_count(self) -> None:
        """What every decision counts with, kept in the state folder."""
        self.stop = StopSwitch(self.state.folder / "stop.switch")
        self.moves = Moves(self.state, self.clock.now_ns())
        self.jobs = Jobs(self.state)
        self.autonomy = AutonomyLevels(self.state, self.site)
        self.snapshots = self._snapshots_of(self.compiled)

    def _snapshots_of(self, compiled: Compiled) -> Snapshots:
        return Snapshots(
            compiled=compiled,
            live=self.live,
            moves=self.moves,
            jobs=self.jobs,
            stop=self.stop,
            autonomy=self.autonomy,
            connectors=self.connectors,
            context=self.context,
        )

    def _watch(self) -> None:
        """Others' hands, faults, the heartbeat, and the disk."""
        self.watch = OperatorWatch(self.site, self.moves.seen())
        self.faults = Faults(log=self.log, clock=self.clock, levels=self.autonomy)
        self.jobs.on_put = self.faults.job
        self.watchdog = Watchdog(
            self.site, self.clock, self.stop, self.connectors, may=writers_of(self.compiled), standing=self._stands_behind
        )
        self.wins = OperatorWins(compiled=self.compiled, log=self.log, moves=self.moves, jobs=self.jobs, inbox=self.inbox)
        self.debts = Debts(
            log=self.log,
            clock=self.clock,
            moves=self.moves,
            watch=self.watch,
            watchdog=self.watchdog,
            faults=self.faults,
            alarms=self.alarms,
            wins=self.wins,
            told=self.hearers.tell,
        )

    def _serve_people(self) -> None:
        self.acts = Acts(
            wins=self.wins,
            compiled=self.compiled,
            clock=self.clock,
            log=self.log,
            debts=self.debts,
            jobs=self.jobs,
            inbox=self.inbox,
            people=self.people,
            stop=self.stop,
            autonomy=self.autonomy,
            watch=self.watch,
            snapshots=self.snapshots,
            told=self.hearers.tell,
            changed=lambda: self.changed(),
        )
        self.attend = Attend(clock=self.clock, log=self.log, debts=self.debts, board=self.alarms, told=self.hearers.tell)
        self.commissioning = Commissioning(
            compiled=self.compiled,
            clock=self.clock,
            log=self.log,
            debts=self.debts,
            jobs=self.jobs,
            moves=self.moves,
            inbox=self.inbox,
            people=self.people,
            levels=self.autonomy,
            watchdog=self.watchdog,
            connectors=self.connectors,
            tables=self.tables,
            rings=self.intake.rings,
            read=self.eyes.read,
            history=self.intake.history,
            told=self.hearers.tell,
        )

    def _keep_learned(self) -> None:
        """What detectors learned, and which of it is in force."""
        states = LearnedStates(self.log, self.clock, lambda: self.site, lambda: asked_for(self.jobs.open()))
        self.learning = Relearning(
            states=states,
            site=lambda: self.site,
            clock=self.clock,
            log=self.log,
            debts=self.debts,
            inbox=self.inbox,
            people=self.people,
            stop=self.stop,
            alarms=self.alarms,
            value_of=self.live.good_value,
            silent_s=self.watchdog.silent_s,
            decided=self._decided,
            told=self.hearers.tell,
        )
        self.causes = Causes(
            log=self.log,
            clock=self.clock,
            debts=self.debts,
            inbox=self.inbox,
            people=self.people,
            site=lambda: self.site,
        )

        self.models = Promotions(
            log=self.log,
            clock=self.clock,
            debts=self.debts,
            inbox=self.inbox,
            people=self.people,
            site=lambda: self.site,
            home=self.state.folder.parent,
        )

    def _decided(self, proposal: Proposal, author: str) -> Decision:
        """What the guard would say now; nothing follows from it."""
        return decide(proposal, author, self.compiled, self.snapshots.take(proposal, self.debts.now_ns()))

    def _carry_out(self, site_folder: Path | None) -> None:
        """What leaves the gate: writes by the saga, orders by the outbox."""
        self.outbox = Outbox(
            site=self.site,
            clock=self.clock,
            log=self.log,
            jobs=self.jobs,
            stop=self.stop,
            carriers=carriers_of(self.site.outbox, self.state.folder / "outbox", site_folder),
            random=Random(self.site.name),
        )
        self.errands = Errands(context=self.context, outbox=self.outbox, debts=self.debts, told=self.hearers.tell)
        self.saga = Saga(
            wins=self.wins,
            site=self.site,
            clock=self.clock,
            log=self.log,
            jobs=self.jobs,
            moves=self.moves,
            watch=self.watch,
            stop=self.stop,
            connectors=self.connectors,
            eyes=self.eyes,
            outbox=self.outbox,
            learned=self.learning.states,
        )

    def adopt(self, compiled: Compiled) -> None:
        """Another configuration over the same connections and tags, between two decisions; in memory alone, so it can be undone.

        Alarms follow once it is certain: what they forget doesn't come back.
        """
        snapshots = self._snapshots_of(compiled)
        snapshots.limits = self.snapshots.limits
        may = writers_of(compiled)
        self.site, self.compiled, self.snapshots = compiled.site, compiled, snapshots
        self.autonomy.adopt(compiled.site)
        self.watch.adopt(compiled.site)
        self.watchdog.adopt(compiled.site, may)
        self.wins.adopt(compiled)
        self.eyes.adopt(compiled, snapshots)
        self.acts.adopt(compiled, snapshots)
        self.commissioning.adopt(compiled)
        self.saga.adopt(compiled.site)

    def _stands_behind(self, sp: str) -> tuple[str, ...]:
        """The agents whose setpoint stands at a loop, or is on its way there."""
        target = self.watch.targets.get(sp)
        under_way = [job.author for job in self.jobs.open() if sp in job.tags and job.state in ("approved", "intent", "sent")]
        return (*under_way, *((target.author,) if target else ()))
