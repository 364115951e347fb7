"""Gathers all that one decision rests on into one frozen Snapshot, which goes into the record with it."""

from collections.abc import Mapping, Sequence

from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.jobs import Jobs
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.context.live import Live
from holdfast.gate.guard.compile import Compiled
from holdfast.ports import Connector
from holdfast.terms import Move, Proposal, Snapshot, Wire, Write


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
    ) -> None:
        self._compiled = compiled
        self._live = live
        self._moves = moves
        self._jobs = jobs
        self._stop = stop
        self._autonomy = autonomy
        self._connectors = connectors
        stop_tag = (compiled.stop.watch.tag.name,) if compiled.stop else ()
        inputs = tuple(v.input.name for rule in compiled.rules for v in rule.variables if v.input.kind == "tag")
        self._always = (*stop_tag, *inputs)
        # The longest window that any bound of a tag looks back over.
        self._window_ns = {tag: max(b.rate_ns, b.writes_ns, b.dwell_ns, b.yield_ns) for tag, b in compiled.bounds.items()}

    def tags(self, proposal: Proposal) -> tuple[str, ...]:
        """Every tag that a decision on this proposal can rest on."""
        names = dict.fromkeys(self._always)
        for tag in self._written(proposal):
            names[tag] = None
            names.update(dict.fromkeys(watch.tag.name for watch in self._compiled.bounds[tag].watched))
        return tuple(names)

    def take(self, proposal: Proposal, now_ns: int) -> Snapshot:
        """`now_ns` is UTC. The proposal's own job, if it has one, is not counted against it."""
        written = self._written(proposal)
        readings = [self._live.reading(name) for name in self.tags(proposal)]
        own = set(written) if self._jobs.get(proposal.id) else set[str]()
        return Snapshot(
            at_ns=now_ns,
            readings=tuple(r for r in readings if r is not None),
            wires=self._wires(proposal),
            moves=self._recent(written, now_ns),
            busy=tuple((tag, why) for tag, why in self._jobs.busy() if tag not in own or why == "frozen"),
            stopped=self._stop.stopped(),
            autonomy=self._autonomy.all(),
            yields=tuple((tag, self._moves.yields[tag]) for tag in written if tag in self._moves.yields),
        )

    def _written(self, proposal: Proposal) -> Sequence[str]:
        action = proposal.action
        return [tag for tag, _ in action.sets if tag in self._compiled.bounds] if isinstance(action, Write) else []

    def _recent(self, written: Sequence[str], now_ns: int) -> tuple[Move, ...]:
        found = [
            m for tag in written for m in self._moves.since(now_ns - self._window_ns[tag] - 1, (tag, *self._compiled.bounds[tag].others))
        ]
        return tuple(dict.fromkeys(found))

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
