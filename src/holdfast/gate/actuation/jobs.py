"""The durable state of every action: one row a proposal, written in the transaction that makes it true."""

import dataclasses
from collections.abc import Callable

from pydantic import TypeAdapter

from holdfast.gate.actuation.transitions import BUSY, ENDED, WAIT_FOR_PERSON, Event, after
from holdfast.gate.ledger.store import State as StateFile
from holdfast.link import Progress, State
from holdfast.terms import Decision, Outcome, Proposal, Word, Write, canonical

ENDED_KEPT_MAX = 10_000  # ended jobs answer "posted twice is posted once"; the ledger keeps them all


class Step(Word):
    """One setpoint of a write."""

    tag: str
    former: float
    wanted: float
    sent: bool = False
    acked: bool = False


class Job(Word):
    proposal: Proposal
    author: str
    state: State = "proposed"
    decision: Decision
    steps: tuple[Step, ...] = ()
    back: tuple[Step, ...] = ()  # of a retreat, in its order; () while there is none
    outcome: Outcome | None = None
    before: float | None = None  # mean of the tag that `expect` names, before the write
    # Monotonic, of this process alone: a restarted gate finds them 0, which means now.
    due_ns: int = 0
    expires_ns: int = 0
    tries: int = 0  # read-backs that differed
    unreadable: int = 0  # and those that brought nothing
    restarted: bool = False  # what was under way belongs to a process that is gone, and its connections with it

    def on(self, event: Event, **changes: object) -> "Job":
        """This job after an event. Raises Impossible."""
        return dataclasses.replace(self, state=after(self.state, event), **changes)  # type: ignore[arg-type]

    @property
    def tags(self) -> tuple[str, ...]:
        action = self.proposal.action
        return tuple(tag for tag, _ in action.sets) if isinstance(action, Write) else ()

    @property
    def progress(self) -> Progress:
        return Progress(proposal=self.proposal.id, state=self.state, decision=self.decision, outcome=self.outcome)


_JOB = TypeAdapter(Job)


class Jobs:
    """Jobs by proposal id. Those that have not ended are in memory too."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        state.ensure("CREATE TABLE IF NOT EXISTS job(proposal TEXT PRIMARY KEY, state TEXT NOT NULL, bytes BLOB NOT NULL)")
        self._open: dict[str, Job] = {}
        self.on_put: Callable[[Job], None] = lambda _: None  # in the transaction that keeps the job
        self._load()
        state.on_rollback(self._load)

    def put(self, job: Job) -> Job:
        """In the caller's transaction."""
        kept = dataclasses.replace(job, due_ns=0, expires_ns=0)
        with self._state.transaction():
            self._state.db.execute("INSERT OR REPLACE INTO job VALUES(?,?,?)", (job.proposal.id, job.state, canonical(kept)))
            self.on_put(job)
        self.note(job)
        return job

    def note(self, job: Job) -> Job:
        """Remember what need not survive a restart."""
        if job.state in ENDED:
            self._open.pop(job.proposal.id, None)
        else:
            self._open[job.proposal.id] = job
        return job

    def get(self, proposal: str) -> Job | None:
        if proposal in self._open:
            return self._open[proposal]
        row = self._state.db.execute("SELECT bytes FROM job WHERE proposal=?", (proposal,)).fetchone()
        return None if row is None else _JOB.validate_json(bytes(row[0]))

    def open(self) -> tuple[Job, ...]:
        """Not ended, in order of arrival."""
        return tuple(self._open.values())

    def busy(self, *, other_than: str = "") -> tuple[tuple[str, str], ...]:
        """(tag, why) of every tag in action, asked for or frozen, by any proposal but one."""
        return tuple(
            (tag, "frozen" if job.state in WAIT_FOR_PERSON else job.state)
            for job in self._open.values()
            if job.state in BUSY and job.proposal.id != other_than
            for tag in job.tags
        )

    def trim(self) -> None:
        marks = ",".join(f"'{s}'" for s in sorted(ENDED))
        with self._state.transaction():
            self._state.db.execute(
                f"DELETE FROM job WHERE state IN ({marks}) AND rowid <= (SELECT max(rowid) FROM job) - ?",  # noqa: S608 - constants
                (ENDED_KEPT_MAX,),
            )

    def _load(self) -> None:
        live = {} if not self._open else dict(self._open)
        self._open.clear()
        marks = ",".join(f"'{s}'" for s in sorted(BUSY | {"proposed"}))
        for (raw,) in self._state.db.execute(f"SELECT bytes FROM job WHERE state IN ({marks}) ORDER BY rowid"):  # noqa: S608 - constants
            job = _JOB.validate_json(bytes(raw))  # type: ignore[arg-type]
            known = live.get(job.proposal.id)
            if known is None:
                self._open[job.proposal.id] = job
            elif known.state == job.state or (job.state, known.state) in (("intent", "sent"), ("retreat", "retreating")):
                self._open[job.proposal.id] = known  # that it was sent is kept in memory alone
            else:
                self._open[job.proposal.id] = dataclasses.replace(job, expires_ns=known.expires_ns)
