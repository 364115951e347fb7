"""Orders to people and systems: durable with INTENT, then delivered at least once, each with a key that never changes.

An order touches no equipment by itself, so unlike a write it may be repeated: the key lets its target tell. A job is
`sent` while any of its targets has not answered, `verified` once all have it, `failed` once one of them is given up.
"""

import asyncio
import dataclasses
from collections.abc import Mapping
from random import Random

from holdfast.clock import Clock
from holdfast.gate.actuation.deliver import DELIVER_TIMEOUT_S, Carrier, Undelivered
from holdfast.gate.actuation.failpoints import reach
from holdfast.gate.actuation.jobs import Job, Jobs
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.ledger.log import Log
from holdfast.site.model import OutboxTarget, Site
from holdfast.terms import SECOND_NS, Order, Outcome, canonical, digest

TRIES_MAX = 10  # over some thirteen minutes; then a person has to look
BACKOFF_S_MIN, BACKOFF_S_MAX = 2.0, 300.0
WAITING_MAX = 1_000  # rows that wait; a further order fails at once instead of being promised
ROUND_MAX = 32  # rows handed to one target in one round
KEPT_MAX = 10_000  # rows that ended; the ledger keeps them all
HUNG_S = 2 * DELIVER_TIMEOUT_S  # a carrier that does not keep its own limit
WHY_MAX = 200

TABLE = """
CREATE TABLE IF NOT EXISTS outbox (key TEXT PRIMARY KEY, proposal TEXT NOT NULL, target TEXT NOT NULL, equipment TEXT NOT NULL,
  body BLOB NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL) STRICT;
"""


@dataclasses.dataclass(frozen=True)
class _Row:
    key: str
    proposal: str
    target: str
    equipment: str
    body: bytes
    tries: int


class Outbox:
    """`random` jitters the waits between tries."""

    def __init__(
        self, *, site: Site, clock: Clock, log: Log, jobs: Jobs, stop: StopSwitch, carriers: Mapping[str, Carrier], random: Random
    ) -> None:
        self._site, self._clock, self._log, self._jobs, self._stop = site, clock, log, jobs, stop
        self._carriers, self._random = carriers, random
        self._lock = asyncio.Lock()
        self._not_before_ns: dict[str, int] = {}  # by target, monotonic
        self._waiting: dict[str, _Row] = {}
        log.state.ensure(TABLE)
        log.state.on_rollback(self._load)
        self._load()

    def targets(self, order: Order) -> tuple[OutboxTarget, ...]:
        """Who takes this order."""
        return tuple(t for t in self._site.outbox if order.kind in t.kinds and (not t.equipment or order.target in t.equipment))

    def waiting(self) -> int:
        return len(self._waiting)

    # ---- from the saga -----------------------------------------------------------------------------------------------

    def queue(self, job: Job, order: Order, *, snapshot: str, passed: tuple[str, ...]) -> Job:
        """INTENT and what is to be delivered, in the caller's transaction; the job may still be approved then.

        Without a target, or with too much waiting, the intent is on record and so is that it failed.
        """
        targets = self.targets(order)
        names = tuple(target.name for target in targets)
        with self._log.state.transaction():
            job = self._jobs.put(job.on("stands"))
            facts = {"proposal": job.proposal.id, "author": job.author, "steps": (), "targets": names}
            seq = self._log.append("intent", {**facts, "snapshot": snapshot, "passed": passed})
            if not targets:
                return self._end(job, "rejected", "failed", "action.no_carrier")
            if len(self._waiting) + len(targets) > WAITING_MAX:
                return self._end(job, "rejected", "failed", "outbox.full")
            for name in names:
                self._add(job, order, name, seq)
            return self._jobs.put(job.on("queued"))

    def _add(self, job: Job, order: Order, target: str, seq: int) -> None:
        now_ns = self._clock.now_ns()
        key = digest((self._site.name, job.proposal.id, target, seq, now_ns))
        body = canonical(
            {
                "key": key,
                "site": self._site.name,
                "kind": order.kind,
                "equipment": order.target,
                "parts": order.parts,
                "slot_ns": order.slot_ns,
                "proposal": job.proposal.id,
                "incident": job.proposal.incident,
                "record": seq,
                "at_ns": now_ns,
                "author": job.author,
                "claims": {"text": order.text, "reason": job.proposal.reason},  # an agent's words, told as such
            }
        )
        row = _Row(key=key, proposal=job.proposal.id, target=target, equipment=order.target, body=body, tries=0)
        self._log.state.db.execute(
            "INSERT INTO outbox VALUES (?,?,?,?,?,'queued',0)", (row.key, row.proposal, row.target, row.equipment, row.body)
        )
        self._waiting[key] = row

    # ---- delivery ----------------------------------------------------------------------------------------------------

    async def advance(self) -> bool:
        """Deliver what is due, to each target in order, to all targets side by side. True if anything happened."""
        async with self._lock:
            now = self._clock.monotonic_ns()
            by_target: dict[str, list[_Row]] = {}
            for row in self._waiting.values():
                if self._not_before_ns.get(row.target, 0) <= now and not self._stop.covers(row.equipment):
                    by_target.setdefault(row.target, []).append(row)
            await asyncio.gather(*(self._to(target, rows[:ROUND_MAX]) for target, rows in by_target.items()))
            return bool(by_target)

    async def _to(self, target: str, rows: list[_Row]) -> None:
        for row in rows:
            if self._stop.covers(row.equipment):  # pressed while an earlier one was on its way
                continue
            try:
                await self._hand(row)
            except Undelivered as error:
                if not self._failed(row, error):
                    return  # what comes behind it waits too: the target is away
            else:
                self._not_before_ns.pop(target, None)
                self._ended(row, "delivered", row.tries + 1)

    async def _hand(self, row: _Row) -> None:
        carrier = self._carriers.get(row.target)
        if carrier is None:  # a target that a newer configuration does not name
            raise Undelivered("outbox.gone", final=True)
        reach("deliver:before")
        try:
            async with asyncio.timeout(HUNG_S):
                await carrier.deliver(row.key, row.body)
        except TimeoutError:
            raise Undelivered("outbox.unreachable", "TimeoutError") from None
        reach("deliver:after")

    def _failed(self, row: _Row, error: Undelivered) -> bool:
        """Put the try on record; True if this order is given up."""
        tries = row.tries + 1
        if error.final or tries >= TRIES_MAX:
            self._ended(row, "dead", tries, error)
            return True
        with self._log.state.transaction():
            self._log.state.db.execute("UPDATE outbox SET tries=? WHERE key=?", (tries, row.key))
            self._waiting[row.key] = dataclasses.replace(row, tries=tries)
            self._record(row, "failed", tries, error)
        wait_s = min(BACKOFF_S_MIN * 2 ** (tries - 1), BACKOFF_S_MAX) * (0.5 + self._random.random())
        self._not_before_ns[row.target] = self._clock.monotonic_ns() + round(wait_s * SECOND_NS)
        return False

    def _ended(self, row: _Row, state: str, tries: int, error: Undelivered | None = None) -> None:
        with self._log.state.transaction():
            db = self._log.state.db
            db.execute("UPDATE outbox SET state=?, tries=? WHERE key=?", (state, tries, row.key))
            self._waiting.pop(row.key, None)
            self._record(row, state, tries, error)
            self._settle(row.proposal)
            db.execute("DELETE FROM outbox WHERE state<>'queued' AND rowid <= (SELECT max(rowid) FROM outbox) - ?", (KEPT_MAX,))

    def _settle(self, proposal: str) -> None:
        """The job ends with its last target."""
        states = {str(state) for (state,) in self._log.state.rows("SELECT state FROM outbox WHERE proposal=?", (proposal,))}
        job = self._jobs.get(proposal)
        if "queued" in states or job is None or job.state != "sent":
            return
        if "dead" in states:
            self._end(job, "dead", "failed", "outbox.dead")
        else:
            self._jobs.put(self._end(job, "delivered", "verified", "outbox.delivered").on("judged"))

    def _end(self, job: Job, event: str, result: str, code: str) -> Job:
        outcome = Outcome(proposal=job.proposal.id, result=result, code=code)  # type: ignore[arg-type]
        job = self._jobs.put(job.on(event, outcome=outcome))  # type: ignore[arg-type]
        self._log.append("outcome", {"proposal": job.proposal.id, "author": job.author, "outcome": outcome})
        return job

    def _record(self, row: _Row, result: str, tries: int, error: Undelivered | None) -> None:
        why = {} if error is None else {"code": error.code, "why": error.why[:WHY_MAX]}
        self._log.append(
            "delivery", {"proposal": row.proposal, "target": row.target, "key": row.key, "result": result, "tries": tries, **why}
        )

    def _load(self) -> None:
        rows = self._log.state.rows(
            "SELECT key, proposal, target, equipment, body, tries FROM outbox WHERE state='queued' ORDER BY rowid LIMIT ?",
            (WAITING_MAX,),
        )
        self._waiting = {r[0]: _Row(r[0], r[1], r[2], r[3], bytes(r[4]), r[5]) for r in rows}
