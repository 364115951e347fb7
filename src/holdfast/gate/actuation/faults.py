"""Faults lower autonomy; only people raise it again.

| fault | lowers | to |
| --- | --- | --- |
| a write whose fate nobody knows (frozen until a person resolves it; then) | its tags | ask |
| WRONG_MAX wrong effects of one tag in a row | the tag | one level less: act → ask → shadow |
| LOST_MAX losses of one agent within WINDOW_S | the plant | ask |
| the clock stepped by CLOCK_STEP_S or more | the plant | ask |
| ILL_MAX times within WINDOW_S nothing could be recorded | the plant | ask |
| a ledger behind its witness, or restored (setback.py) | the plant | observe |

Counts are in the state file, so a restart neither forgets a fault nor forgives one.
"""

from holdfast.clock import Clock
from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.jobs import Job
from holdfast.gate.actuation.rungs import Signed
from holdfast.gate.ledger.log import Log
from holdfast.terms import AUTONOMIES, SECOND_NS, Autonomy

WRONG_MAX = 2
LOST_MAX = 3
ILL_MAX = 2
WINDOW_S = 3600.0
CLOCK_STEP_S = 60.0  # a time server corrects less than this without anyone having to look
SEEN_MAX = 1_000  # occurrences kept


class Faults:
    """Everything here joins the caller's transaction."""

    def __init__(self, *, log: Log, clock: Clock, levels: AutonomyLevels) -> None:
        self._log = log
        self._clock = clock
        self._levels = levels
        log.state.ensure("CREATE TABLE IF NOT EXISTS effect_wrong(tag TEXT PRIMARY KEY, proposal TEXT NOT NULL, count INTEGER NOT NULL)")
        log.state.ensure("CREATE TABLE IF NOT EXISTS fault_seen(code TEXT NOT NULL, who TEXT NOT NULL, at_ns INTEGER NOT NULL)")

    def job(self, job: Job) -> None:
        """An action's new state: was its effect wrong, or its fate unknown?"""
        outcome = job.outcome
        if outcome is None:
            return
        for tag in job.tags:
            if job.state == "indeterminate":
                self.lower(tag, "ask", "fault.indeterminate", job.proposal.id)
            elif outcome.effect is not None:
                self._judged(tag, job.proposal.id, wrong=outcome.effect == "wrong")

    def agent_lost(self, agent: str) -> None:
        if self._often("fault.agent_lost", agent, LOST_MAX):
            self.lower("*", "ask", "fault.agent_lost", agent)

    def clock_stepped(self, step_s: float) -> None:
        if abs(step_s) >= CLOCK_STEP_S:
            self.lower("*", "ask", "fault.clock", f"{step_s:g} s")

    def record_was_ill(self) -> None:
        if self._often("fault.record", "", ILL_MAX):
            self.lower("*", "ask", "fault.record")

    def lower(self, scope: str, level: Autonomy, code: str, what: str = "") -> None:
        """No fault raises: what is lower already stays, and nothing more is recorded."""
        if AUTONOMIES.index(self._levels.of(scope)) > AUTONOMIES.index(level):
            self._levels.set(scope, level, code)
            self._log.append("autonomy", {"scope": scope, "level": level, "by": "fault", "kind": "fault", "code": code, "what": what[:300]})
        rungs = self._levels.rungs
        back = rungs.stays(scope, level) if scope != "*" else None
        if back is not None:
            former = rungs.of(scope)
            seq = self._log.append(
                "commission", {"act": "set_back", "tag": scope, "from": former.rung, "to": back, "code": code, "what": what[:300]}
            )
            rungs.put(Signed(tag=scope, rung=back, seq=seq))

    def _judged(self, tag: str, proposal: str, *, wrong: bool) -> None:
        db = self._log.state.db
        rows = self._log.state.rows("SELECT proposal, count FROM effect_wrong WHERE tag = ?", (tag,))
        last, count = (str(rows[0][0]), int(rows[0][1])) if rows else ("", 0)
        if proposal == last:  # a job is put more than once with the same effect
            return
        count = count + 1 if wrong else 0
        if count >= WRONG_MAX:
            count = 0
            below = AUTONOMIES[max(AUTONOMIES.index(self._levels.of(tag)) - 1, AUTONOMIES.index("shadow"))]
            self.lower(tag, below, "fault.effect", proposal)
        db.execute("INSERT OR REPLACE INTO effect_wrong VALUES(?, ?, ?)", (tag, proposal, count))

    def _often(self, code: str, who: str, most: int) -> bool:
        """Count an occurrence; whether there were `most` within the window. They then begin to count anew."""
        now_ns, db = self._clock.now_ns(), self._log.state.db
        db.execute("DELETE FROM fault_seen WHERE at_ns <= ? OR at_ns > ?", (now_ns - round(WINDOW_S * SECOND_NS), now_ns))
        db.execute("INSERT INTO fault_seen VALUES(?, ?, ?)", (code, who, now_ns))
        db.execute("DELETE FROM fault_seen WHERE rowid <= (SELECT max(rowid) FROM fault_seen) - ?", (SEEN_MAX,))
        ((count,),) = self._log.state.rows("SELECT count(*) FROM fault_seen WHERE code = ? AND who = ?", (code, who))
        if count < most:
            return False
        db.execute("DELETE FROM fault_seen WHERE code = ? AND who = ?", (code, who))
        return True
