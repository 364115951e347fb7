"""The operator wins: what follows when somebody else acted on a loop."""

from holdfast.gate.actuation.hands import Taken
from holdfast.gate.actuation.jobs import Jobs
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.guard.compile import Compiled
from holdfast.gate.ledger.log import Log
from holdfast.terms import SECOND_NS


class OperatorWins:
    """Puts the act on record, voids what waits for the loop, and keeps Holdfast off it for `yield`. In the caller's transaction."""

    def __init__(self, *, compiled: Compiled, log: Log, moves: Moves, jobs: Jobs, inbox: Inbox) -> None:
        self._compiled, self._log, self._moves, self._jobs, self._inbox = compiled, log, moves, jobs, inbox

    def perhaps(self, sp: str, wanted: float, now: float, at_ns: int) -> None:
        """What we wrote is not there: the device did not act on it, or somebody put it back. Nobody can tell, so it counts as theirs."""
        self(Taken(sp=sp, what="setpoint", at_ns=at_ns, before=wanted, after=now, last=wanted, phase="perhaps"))

    def adopt(self, compiled: Compiled) -> None:
        self._compiled = compiled

    def __call__(self, act: Taken) -> None:
        until_ns = act.at_ns + round(self._compiled.bounds[act.sp].envelope.yield_s * SECOND_NS)
        body = {"tag": act.sp, "what": act.what, "before": act.before, "after": act.after, "at_ns": act.at_ns, "yield_until_ns": until_ns}
        if act.phase != "goes on":
            self._log.append("taken", {**body, "phase": act.phase})
        if act.phase == "ended":
            return
        if act.what == "setpoint":  # the external setpoint alone moves nothing: what it moves is seen there
            self._moves.follow(act.sp, act.last, act.after, act.at_ns)
        self._moves.yield_until(act.sp, max(until_ns, self._moves.yields.get(act.sp, 0)))
        for job in self._jobs.open():
            if act.sp in job.tags and job.state in ("asked", "approved"):
                self._inbox.void(job.proposal.id, "operator.wins")
                self._jobs.put(job.on("void"))
                self._log.append("voided", {"proposal": job.proposal.id, "author": job.author, "code": "operator.wins"})
