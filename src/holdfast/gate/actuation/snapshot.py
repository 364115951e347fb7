"""Gathers all that one decision rests on into one frozen Snapshot, which goes into the record with it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.jobs import Jobs
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.actuation.transitions import BUSY
from holdfast.gate.context.live import Live
from holdfast.gate.context.tables import Context
from holdfast.gate.guard.compile import Compiled
from holdfast.gate.guard.rests import rests_on
from holdfast.ports import Connector
from holdfast.terms import Move, Proposal, ServerLimit, Snapshot, Wire, Write

GROUPS_MAX = 1024  # lists of tags that are kept


class Snapshots:
    def __init__(
        self,
        *,
        compiled: Compiled,
        live: Live,
        moves: Moves,
        jobs: Jobs,
        stop: StopSwitch,
        autonomy: AutonomyLevels,
        connectors: Mapping[str, Connector],
        context: Context,
    ) -> None:
        self._context = context
        self._live = live
        self._moves = moves
        self._jobs = jobs
        self._stop = stop
        self._autonomy = autonomy
        self._connectors = connectors
        self.limits: dict[str, ServerLimit] = {}  # by tag, as the servers told at the last connect
        self.adopt(compiled)

    def adopt(self, compiled: Compiled) -> None:
        """From now on this configuration."""
        self._compiled = compiled
        self._tags = lru_cache(maxsize=GROUPS_MAX)(partial(rests_on, compiled))  # by what is written, in order
        inputs = {v.input for rule in compiled.rules for v in rule.variables}
        self._facts = frozenset(f"{i.kind}:{i.name}" for i in inputs if i.kind != "tag")
        # The longest window that any bound of a tag looks back over; only others' moves are yielded to.
        self._window_ns = {tag: max(b.rate_ns, b.writes_ns, b.dwell_ns) for tag, b in compiled.bounds.items()}
        self._others_ns = {tag: max(b.yield_ns, self._window_ns[tag]) for tag, b in compiled.bounds.items()}

    def tags(self, proposal: Proposal) -> tuple[str, ...]:
        """Every tag that a decision on this proposal can rest on."""
        return self._tags(tuple(self._written(proposal)))

    def take(self, proposal: Proposal, now_ns: int) -> Snapshot:
        """`now_ns` is UTC. The proposal's own job, if it has one, is not counted against it."""
        written = self._written(proposal)
        readings = [self._live.reading(name) for name in self.tags(proposal)]
        moves = self._recent(written, now_ns)
        return Snapshot(
            at_ns=now_ns,
            readings=tuple(r for r in readings if r is not None),
            wires=self._wires(proposal),
            moves=moves,
            busy=self._jobs.busy(other_than=proposal.id),
            stopped=self._stop.stopped(),
            autonomy=self._autonomy.all(),
            yields=tuple((tag, self._moves.yields[tag]) for tag in written if tag in self._moves.yields),
            facts=self._context.facts(now_ns, self._facts) if self._facts else (),
            pending=self._pending(proposal, written),
            limits=tuple(self.limits[tag] for tag in written if tag in self.limits),
        )

    def _written(self, proposal: Proposal) -> Sequence[str]:
        action = proposal.action
        return [tag for tag, _ in action.sets if tag in self._compiled.bounds] if isinstance(action, Write) else []

    def _recent(self, written: Sequence[str], now_ns: int) -> tuple[Move, ...]:
        found: dict[Move, None] = {}
        for tag in written:
            tags = (tag, *self._compiled.bounds[tag].others)
            since_ns, others_ns = now_ns - self._window_ns[tag] - 1, now_ns - self._others_ns[tag] - 1
            found.update(dict.fromkeys(self._moves.since(since_ns, tags, others_since_ns=others_ns)))
        return tuple(found)

    def _pending(self, proposal: Proposal, written: Sequence[str]) -> tuple[Move, ...]:
        """What other proposals would do, or are doing, as if they had: of these tags the moves from INTENT on are known already."""
        found: list[Move] = []
        for job in self._jobs.open():
            if job.proposal.id == proposal.id or job.state not in BUSY or job.state in ("verified", "escalated"):
                continue
            wanted = {step.tag: step.wanted for step in job.back or job.steps} or self._wanted(job.proposal)
            for tag, value in wanted.items():
                if tag not in self._compiled.bounds or (job.steps and tag in written):
                    continue
                before = self._live.good_value(self._compiled.bounds[tag].present.tag.name)
                found.append(
                    Move(
                        tag=tag,
                        before=value if before is None else before,
                        after=value,
                        at_ns=job.decision.at_ns,
                        by=job.author,
                        ours=True,
                    )
                )
        return tuple(found)

    def _wanted(self, proposal: Proposal) -> Mapping[str, float]:
        """Setpoints as they would arrive; as they were asked for where that can't be told."""
        action = proposal.action
        wired = {wire.tag: wire.value for wire in self._wires(proposal)}
        return {tag: wired.get(tag, value) for tag, value in action.sets} if isinstance(action, Write) else {}

    def _wires(self, proposal: Proposal) -> tuple[Wire, ...]:
        """A value that can't be encoded has no wire value, and the guard refuses it for that."""
        action = proposal.action
        wires: list[Wire] = []
        for tag, value in action.sets if isinstance(action, Write) else ():
            known = self._compiled.tags.get(tag)
            connector = self._connectors.get(known.connection) if known else None
            if known is None or connector is None:
                continue
            try:
                wires.append(Wire(tag=tag, asked=value, value=connector.wire_value(known, value)))
            except Exception:  # noqa: BLE001, S112 - whatever a plug-in raises: no wire value, so refused
                continue
        return tuple(wires)
