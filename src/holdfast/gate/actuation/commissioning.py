"""One loop from its wiring to acting, a rung at a time: each is checked by the gate, signed by a person and put on record.

The evidence is the gate's own: a caller can begin a check and name its digest, but not bring numbers. What is signed is
the digest of the evidence with the configuration that it was gathered under.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.actuation import bump, wiring
from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.actuation.jobs import Jobs
from holdfast.gate.actuation.matrix import matrix
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.rehearsal import ROWS_MAX, TIMES_MIN, rehearse
from holdfast.gate.actuation.rungs import RUNGS, Rung, Signed
from holdfast.gate.actuation.shown import count
from holdfast.gate.actuation.watchdog import Watchdog
from holdfast.gate.actuation.wiring import Read, reason
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.guard.compile import Bound, Compiled, writers_of
from holdfast.gate.guard.exact import shown
from holdfast.gate.history.ring import Ring
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.ports import Connector
from holdfast.site.model import Loop
from holdfast.terms import SECOND_NS, Frame, Reason, TagTable, Word, canonical, digest

TEXT_MAX = 300
EVIDENCE_S_MAX = 3_600.0  # an older check is made again before it is signed
BUMP_S_MAX = 1_800.0
HOURS_MAX = 168.0
SHADOW_DECISIONS_MIN = 3
VERIFIED_MIN = 3
RECORDS_A_READ = 500
RECORDS_MAX = 500_000  # looked through for one rung
RING_ROWS_MAX = 10_000


class CommissionError(Exception):
    """What is asked for is not possible now; the text says why and what to do. `code`, with `facts`, has words of its own."""

    def __init__(self, message: str, code: str = "", **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


class Evidence(Word):
    """What one rung's check found."""

    loop: str
    tag: str
    rung: Rung
    configuration: str
    at_ns: int
    checks: tuple[Reason, ...]
    figures: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


@dataclasses.dataclass
class _Bumping:
    """A bump test that waits for a person."""

    checks: tuple[Reason, ...]
    step: float
    began_ns: int  # monotonic
    until_ns: int
    moved_ours: int


class Commissioning:
    """`read` reads devices, `history` reads what is kept: (table, from, to, rows) -> Frame."""

    def __init__(
        self,
        *,
        compiled: Compiled,
        clock: Clock,
        log: Log,
        debts: Debts,
        jobs: Jobs,
        moves: Moves,
        inbox: Inbox,
        people: People,
        levels: AutonomyLevels,
        watchdog: Watchdog,
        connectors: Mapping[str, Connector],
        tables: Mapping[str, TagTable],
        rings: Mapping[str, Ring],
        read: Read,
        history: Callable[[str, int, int, int], Frame],
        told: Callable[[], None],
    ) -> None:
        self._clock, self._log, self._debts = clock, log, debts
        self._jobs, self._moves, self._inbox, self._people = jobs, moves, inbox, people
        self._levels, self._watchdog, self._connectors = levels, watchdog, connectors
        self._tables, self._rings, self._read, self._history, self._told = tables, rings, read, history, told
        self.adopt(compiled)
        self.set_back_what_changed()

    # ---- what there is -----------------------------------------------------------------------------------------------

    def loop(self, name: str) -> tuple[Loop, Bound]:
        """Raises CommissionError for a loop that the site file does not let be written."""
        for loop in self._compiled.site.loops:
            if loop.name == name and loop.sp in self._compiled.bounds:
                return loop, self._compiled.bounds[loop.sp]
        known = ", ".join(loop.name for loop in self._compiled.site.loops if loop.sp in self._compiled.bounds) or "none"
        raise CommissionError(f"{name[:TEXT_MAX]!r} is no loop with an envelope; there are {known}", "commission.loop", loops=known)

    def standing(self, name: str) -> Mapping[str, Any]:
        """Everything that the protocol prints; also moves a bump test on."""
        loop, bound = self.loop(name)
        self._look_at_bump(loop, bound)
        signed, found = self._levels.rungs.of(loop.sp), self._evidence(loop.sp)
        parts = (loop.sp, loop.sp_now, loop.pv, loop.mode, loop.permit, loop.heartbeat)
        return {
            "site": self._compiled.site.name,
            "language": self._compiled.site.language,
            "timezone": self._compiled.site.timezone,
            "configuration": self._compiled.digest,
            "at_ns": self._clock.now_ns(),
            "loop": loop.name,
            "tags": tuple(self._tags[p] for p in parts if p in self._tags),
            "required": self._levels.rungs.required,
            "rung": signed.rung,
            "next": self._levels.rungs.next_of(loop.sp),
            "level": self._levels.of(loop.sp),
            "waiting": self._waiting(loop.sp),
            "evidence": found,
            "evidence_digest": None if found is None else digest(found),
            "passed": None if found is None else found.passed,
            "signed": self._signatures(loop.sp),
            "matrix": matrix(self._compiled, bound),
        }

    def _waiting(self, tag: str) -> Mapping[str, Any] | None:
        bumping = self._bumping.get(tag)
        if bumping is None:
            return None
        left_s = max(bumping.until_ns - self._clock.monotonic_ns(), 0) / SECOND_NS
        return {"for": "bump", "step": bumping.step, "left_s": round(left_s, 1)}

    def _signatures(self, tag: str) -> tuple[Mapping[str, Any], ...]:
        """The records of the rungs that hold, from the bottom up."""
        rungs = self._levels.rungs
        rows = self._log.state.rows("SELECT rung, seq FROM commission_signed WHERE tag = ? ORDER BY seq", (tag,))
        upto = rungs.of(tag).rung
        last = {str(rung): int(seq) for rung, seq in rows}
        holding = RUNGS[: RUNGS.index(upto) + 1] if upto else ()
        records = (self._log.get(last[rung]) for rung in holding if rung in last)
        return tuple({"seq": r.seq, **r.body} for r in records if r is not None)

    def _evidence(self, tag: str) -> Evidence | None:
        found = self._found.get(tag)
        if found is None or self._clock.monotonic_ns() - found[1] > EVIDENCE_S_MAX * SECOND_NS:
            return None
        return found[0]

    # ---- checks ------------------------------------------------------------------------------------------------------

    async def check(self, name: str, rung: Rung, *, step: float, within_s: float, hours: float) -> None:
        """Begin, and but for the bump test also end, a rung's check. Raises CommissionError, HistoryError."""
        loop, bound = self.loop(name)
        self._demand_next(loop.sp, rung)
        self._found.pop(loop.sp, None)
        self._bumping.pop(loop.sp, None)
        match rung:
            case "wiring":
                await self._check_wiring(loop, bound, step, within_s)
            case "simulate":
                self._keep(loop, rung, *await self._check_history(bound, hours))
            case "shadow":
                agents = ", ".join(writers_of(self._compiled)[loop.sp])
                self._keep(loop, rung, (reason("shadow.agents" if agents else "shadow.nobody", bool(agents), loop.sp, agents=agents),), {})
            case "ask" | "act":
                self._keep(loop, rung, *await self._check_record(loop.sp, rung))

    def _demand_next(self, tag: str, rung: Rung) -> None:
        wanted = self._levels.rungs.next_of(tag)
        if rung != wanted:
            at = self._levels.rungs.of(tag).rung or "none"
            raise CommissionError(
                f"the last signed rung is {at}, so the next is {wanted or 'none: it is complete'}; no rung can be skipped",
                "commission.order",
                rung=wanted or "none",
            )

    def _keep(self, loop: Loop, rung: Rung, checks: tuple[Reason, ...], figures: Mapping[str, str]) -> None:
        evidence = Evidence(
            loop=loop.name,
            tag=loop.sp,
            rung=rung,
            configuration=self._compiled.digest,
            at_ns=self._clock.now_ns(),
            checks=checks,
            figures=tuple(sorted(figures.items())),
        )
        self._found[loop.sp] = (evidence, self._clock.monotonic_ns())

    async def _check_wiring(self, loop: Loop, bound: Bound, step: float, within_s: float) -> None:
        most = bound.envelope.step
        if not step or not np.isfinite(step) or (most is not None and abs(step) > most):
            raise CommissionError(
                f"say the step of the bump test with --step: not 0, and at most {shown(most) if most else 'a small one'}",
                "commission.step" if most else "commission.small_step",
                most=shown(most) if most else "",
            )
        if not 0 < within_s <= BUMP_S_MAX:
            told = f"the bump test's time is above 0 and at most {BUMP_S_MAX:g} s"
            raise CommissionError(told, "commission.time", most_s=f"{BUMP_S_MAX:g}")
        checks = await wiring.check(
            bound, loop, self._tags, read=self._read, connectors=self._connectors, watchdog=self._watchdog, clock=self._clock
        )
        if not all(c.passed for c in checks):
            self._keep(loop, "wiring", checks, {})  # nobody is sent to move a loop that is wired wrong
            return
        now = self._clock.monotonic_ns()
        self._bumping[loop.sp] = _Bumping(checks, step, now, now + round(within_s * SECOND_NS), self._ours(loop.sp))

    def _ours(self, tag: str) -> int:
        """Moves of our own that are counted or under way."""
        return sum(m.ours for m in self._moves.since(0, (tag,))) + sum(tag in job.tags for job in self._jobs.open())

    def _look_at_bump(self, loop: Loop, bound: Bound) -> None:
        bumping = self._bumping.get(loop.sp)
        if bumping is None:
            return
        now = self._clock.monotonic_ns()
        envelope = bound.envelope
        quiet = envelope.readback.within if envelope.readback else 0.0
        within = envelope.settles.within if envelope.settles else max(abs(bumping.step) * bump.STEP_OFF_MAX, quiet)
        offset_ns = self._clock.now_ns() - now
        sp, pv = self._track(loop.sp_now, offset_ns), self._track(loop.pv, offset_ns)
        seen = bump.judge(sp, pv, began_s=bumping.began_ns / SECOND_NS, now_s=now / SECOND_NS, quiet=quiet, within=within)
        if not seen.settled and now < bumping.until_ns:
            return
        del self._bumping[loop.sp]
        by_person = self._ours(loop.sp) == bumping.moved_ours
        self._keep(loop, "wiring", (*bumping.checks, *_bump_checks(loop, bumping.step, seen, by_person=by_person)), _bump_figures(seen))

    def _track(self, tag: str, offset_ns: int) -> bump.Track:
        """The ring's Good values of a tag, on the monotonic clock."""
        for name, table in self._tables.items():
            column = next((i for i, t in enumerate(table.tags) if t.name == tag), None)
            frame = self._rings[name].last(RING_ROWS_MAX) if column is not None else None
            if column is not None and frame is not None:
                good = frame.status[:, column] == 0
                return bump.Track(at_s=(frame.received_ns[good] - offset_ns) / SECOND_NS, values=frame.values[good, column])
        return bump.Track(at_s=np.zeros(0), values=np.zeros(0))

    async def _check_history(self, bound: Bound, hours: float) -> tuple[tuple[Reason, ...], Mapping[str, str]]:
        if not 0 < hours <= HOURS_MAX:
            raise CommissionError(f"give --hours above 0 and at most {HOURS_MAX:g}", "commission.hours", most=f"{HOURS_MAX:g}")
        tag = bound.tag.name
        agents = writers_of(self._compiled)[tag]
        if not agents:
            return (reason("shadow.nobody", False, tag, agents=""),), {}
        to_ns = self._clock.now_ns()
        from_ns = to_ns - round(hours * 3600 * SECOND_NS)
        counts = await rehearse(
            self._compiled,
            bound,
            agents[0],
            tables=self._tables,
            frames={table: self._history(table, from_ns, to_ns, ROWS_MAX) for table in self._tables},
            connector=self._connectors[bound.tag.connection],
        )
        offered = counts["permit"] + counts["ask"] + counts["but_his"]
        enough = counts["times"] >= TIMES_MIN
        checks = (
            reason("simulate.times" if enough else "simulate.too_few", enough, tag, times=str(counts["times"]), least=str(TIMES_MIN)),
            reason("simulate.may" if offered else "simulate.never", offered > 0, tag, offered=str(offered), of=str(counts["decisions"])),
        )
        return checks, {"agent": agents[0], "hours": shown(hours), **{k: str(v) for k, v in counts.items()}}

    async def _check_record(self, tag: str, rung: Rung) -> tuple[tuple[Reason, ...], Mapping[str, str]]:
        """What the loop showed since the rung below was signed."""
        after, counts, seen = self._levels.rungs.of(tag).seq, count((), tag), 0
        while seen < RECORDS_MAX and (page := self._log.read(after, RECORDS_A_READ)):
            counts, after, seen = counts + count(page, tag), page[-1].seq, seen + len(page)
            await asyncio.sleep(0)  # let the gate go on
        if rung == "ask":
            would, useful = sum(n for k, n in counts.items() if k.startswith("would_")), counts["would_permit"] + counts["would_ask"]
            enough = would >= SHADOW_DECISIONS_MIN
            checks = (
                reason("ask.decisions" if enough else "ask.too_few", enough, tag, decisions=str(would), least=str(SHADOW_DECISIONS_MIN)),
                reason("ask.useful" if useful else "ask.useless", useful > 0, tag, useful=str(useful)),
            )
        else:
            bad = counts["effect_wrong"] + counts["indeterminate"]
            enough = counts["verified"] >= VERIFIED_MIN
            checks = (
                reason("act.verified" if enough else "act.too_few", enough, tag, verified=str(counts["verified"]), least=str(VERIFIED_MIN)),
                reason("act.sound" if not bad else "act.unsound", not bad, tag,
                       wrong=str(counts["effect_wrong"]), indeterminate=str(counts["indeterminate"])),
            )  # fmt: skip
        return checks, {k: str(v) for k, v in counts.items() if v}

    # ---- signatures --------------------------------------------------------------------------------------------------

    def sign(self, name: str, rung: Rung, evidence: str, person: str, key: Ed25519PrivateKey, *, reason: str) -> Signed:
        """A person's signature on a rung's evidence; the caller has checked the password. Raises CommissionError."""
        loop, _ = self.loop(name)
        self._demand_next(loop.sp, rung)
        found = self._evidence(loop.sp)
        if found is None or found.rung != rung or digest(found) != evidence:
            raise CommissionError(
                f"this is not what the gate found last for {rung}: check again, read it, and sign that", "commission.evidence"
            )
        if not found.passed:
            raise CommissionError(f"{rung} did not pass, so it can't be signed: mend what failed and check again", "commission.failed")
        person = self._inbox.named(person)
        roles = self._compiled.site.configuration_approvals or self._compiled.site.default_approvals
        role = next((r for r in roles if r in self._people.roles(person)), "")
        if not role:
            told = f"{person} has none of the roles that may sign here: {', '.join(roles)}"
            raise CommissionError(told, "commission.role", person=person, roles=", ".join(roles))
        act = {
            "act": "sign",
            "loop": loop.name,
            "tag": loop.sp,
            "rung": rung,
            "evidence": evidence,
            "configuration": found.configuration,
            "person": person,
            "role": role,
            "reason": reason[:TEXT_MAX],
            "at_ns": self._clock.now_ns(),
        }
        signature = key.sign(canonical(act))

        def record() -> Signed:
            with self._log.state.transaction():
                seq = self._log.append("commission", {**act, "signature": signature, "found": found})
                self._log.state.db.execute("INSERT INTO commission_signed VALUES(?, ?, ?)", (loop.sp, rung, seq))
                signed = Signed(tag=loop.sp, rung=rung, seq=seq)
                self._levels.rungs.put(signed)
                return signed

        signed = self._debts.by_person(record)
        del self._found[loop.sp]
        self._told()
        return signed

    def adopt(self, compiled: Compiled) -> None:
        """Evidence is of the configuration that it was found under: checks under way begin anew."""
        self._compiled = compiled
        self._tags = {tag.name: tag for tag in compiled.site.tags}
        self._found: dict[str, tuple[Evidence, int]] = {}  # by tag: the last evidence and when it was found, monotonic
        self._bumping: dict[str, _Bumping] = {}

    def set_back_what_changed(self) -> None:
        """A loop whose envelope, parts or tags are not those that were signed for begins at the bottom. On record."""
        state, rungs = self._log.state, self._levels.rungs
        state.ensure("CREATE TABLE IF NOT EXISTS commission_signed(tag TEXT NOT NULL, rung TEXT NOT NULL, seq INTEGER PRIMARY KEY)")
        if rungs.changed:
            with state.transaction():
                for was in rungs.changed:
                    body = {"act": "set_back", "tag": was.tag, "from": was.rung, "to": "", "code": "commission.changed", "what": ""}
                    rungs.put(Signed(tag=was.tag, seq=self._log.append("commission", body)))


def _bump_checks(loop: Loop, step: float, seen: bump.Bump, *, by_person: bool) -> tuple[Reason, ...]:
    if seen.step is None:
        return (reason("bump.none", False, loop.sp_now, step=shown(step)),)
    close = abs(seen.step - step) <= bump.STEP_OFF_MAX * abs(step)
    gain = "-" if seen.gain is None else shown(round(seen.gain, 3))
    return (
        reason("bump.by_person" if by_person else "bump.ours", by_person, loop.sp_now),
        reason("bump.step" if close else "bump.other_step", close, loop.sp_now, step=shown(round(seen.step, 4)), stated=shown(step)),
        reason("bump.follows" if seen.follows else "bump.does_not_follow", seen.follows, loop.pv, gain=gain),
        reason("bump.settled" if seen.settled else "bump.not_settled", seen.settled, loop.pv),
    )


def _bump_figures(seen: bump.Bump) -> Mapping[str, str]:
    figures = {"step": seen.step, "before": seen.before, "after": seen.after, "gain": seen.gain, "time_constant_s": seen.time_constant_s}
    return {name: shown(round(value, 3)) for name, value in figures.items() if value is not None}
