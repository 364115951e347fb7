"""Decisions that wait for people: opened once, signed by one person a role, used once, void when the world changed.

Everything joins the caller's transaction and is in the ledger: "ask", "approval", "void". What can't be is refused with
an ApprovalError.
"""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import assert_never

from holdfast.clock import Clock
from holdfast.gate.approval.signatures import genuine, signed_bytes
from holdfast.gate.approval.standing import Ask, Closed, Moment, Standing, objection, standing
from holdfast.gate.identity.names import alike
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.language import say
from holdfast.terms import SECOND_NS, Approval, Decision, Word

WAITING_MAX = 256  # more than people can answer; the rest is refused, so that a flood can't bury what matters
VALID_S_MAX = 24 * 3600.0
REASON_CHARS_MAX = 2000

TABLES = """
CREATE TABLE IF NOT EXISTS ask (
  proposal TEXT PRIMARY KEY, binds TEXT NOT NULL, author TEXT NOT NULL, roles TEXT NOT NULL, tags TEXT NOT NULL,
  opened_ns INTEGER NOT NULL, valid_s REAL NOT NULL, deadline_ns INTEGER NOT NULL, boot TEXT NOT NULL, closed TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX IF NOT EXISTS ask_open ON ask (proposal) WHERE closed = '';
CREATE TABLE IF NOT EXISTS approval (
  proposal TEXT NOT NULL REFERENCES ask, role TEXT NOT NULL, person TEXT NOT NULL, binds TEXT NOT NULL, yes INTEGER NOT NULL,
  reason TEXT NOT NULL, at_ns INTEGER NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (proposal, role), UNIQUE (proposal, person)
) STRICT;
"""


class ApprovalError(Exception):
    """An answer or a use that can't be; `code` says why, in people's words in words/approval.*.toml."""

    def __init__(self, code: str, proposal: str) -> None:
        super().__init__(f"{proposal}: {say(code, {}, 'en')}")
        self.code = code
        self.proposal = proposal


class Void(Word):
    """What the ledger keeps of a question that fell: kind "void"."""

    proposal: str
    why: str  # a code


def boot_id() -> str:
    """This boot of this machine (Linux, random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Inbox:
    """boot: `boot_id()`, or any constant for a run on a virtual clock."""

    def __init__(self, state: State, log: Log, people: People, clock: Clock, *, boot: str) -> None:
        self._state = state
        self._log = log
        self._people = people
        self._clock = clock
        self._boot = boot
        state.ensure(TABLES)

    def open(self, decision: Decision, valid_s: float, *, tags: Sequence[str] = ()) -> Ask:
        """Ask people. The same proposal with the same binds is asked once.

        Raises ValueError for a decision that asks nobody, ApprovalError when too many wait or it was asked otherwise before.
        """
        if decision.verdict != "ask" or decision.would or not decision.roles:
            raise ValueError(f"decision on {decision.proposal} asks nobody")
        if not 0 < valid_s <= VALID_S_MAX:
            raise ValueError(f"a question is open for up to {VALID_S_MAX:.0f} s, not {valid_s}")
        if known := self.ask(decision.proposal):
            if known.binds == decision.binds:
                return known
            raise ApprovalError("approval.changed", decision.proposal)
        ask = Ask(
            proposal=decision.proposal,
            binds=decision.binds,
            author=decision.author,
            roles=tuple(sorted(set(decision.roles))),
            tags=tuple(tags),
            opened_ns=self._clock.now_ns(),
            valid_s=float(valid_s),
            deadline_ns=self._clock.monotonic_ns() + round(valid_s * SECOND_NS),
            boot=self._boot,
        )
        with self._state.transaction():
            self.sweep()
            if len(self.open_asks()) >= WAITING_MAX:
                raise ApprovalError("approval.flood", ask.proposal)
            row = (ask.proposal, ask.binds, ask.author, json.dumps(ask.roles), json.dumps(ask.tags))
            times = (ask.opened_ns, ask.valid_s, ask.deadline_ns, ask.boot)
            self._state.db.execute("INSERT INTO ask VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '')", (*row, *times))
            self._log.append("ask", ask)
        return ask

    def sign(self, proposal: str, person: str, role: str, password: str, yes: bool, reason: str, *, binds: str) -> Approval:
        """A person's answer, signed with their own key. binds: the digest of what would be done now, as the gate makes it.

        Raises ApprovalError, WrongPassword, LockedOut. The checks that need no password come first.
        """
        person = self.named(person)
        self._refuse(proposal, person, role, binds)
        message = signed_bytes(binds=binds, person=person, role=role, yes=yes, reason=reason[:REASON_CHARS_MAX])
        return self.record(
            Approval(
                proposal=proposal,
                binds=binds,
                person=person,
                role=role,
                yes=yes,
                reason=reason[:REASON_CHARS_MAX],
                at_ns=self._clock.now_ns(),
                signature=self._people.sign(person, password, message),
            )
        )

    def record(self, approval: Approval) -> Approval:
        """Take an answer signed elsewhere: all checks of `sign`, and the signature's own. Raises ApprovalError."""
        self._refuse(approval.proposal, approval.person, approval.role, approval.binds)
        person = self._people.get(approval.person)
        if person is None or person.name != approval.person or not genuine(approval, person.public):
            raise ApprovalError("approval.signature", approval.proposal)
        with self._state.transaction():
            self._state.db.execute(
                "INSERT INTO approval VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    approval.proposal,
                    approval.role,
                    approval.person,
                    approval.binds,
                    int(approval.yes),
                    approval.reason,
                    approval.at_ns,
                    approval.signature,
                ),
            )
            if not approval.yes:
                self._close(approval.proposal, "refused")
            self._log.append("approval", approval, at_ns=approval.at_ns)
        return approval

    def ask(self, proposal: str) -> Ask | None:
        rows = self._asks("WHERE proposal = ?", (proposal,))
        return rows[0][0] if rows else None

    def signed(self, proposal: str) -> tuple[Approval, ...]:
        """The answers so far, in the order they came."""
        return tuple(self._answers("WHERE proposal = ? ORDER BY rowid", (proposal,)))

    def state(self, proposal: str) -> Standing | None:
        """Where it stands now; None for a proposal that was never asked."""
        rows = self._asks("WHERE proposal = ?", (proposal,))
        return self._standing(*rows[0]) if rows else None

    def open_asks(self) -> tuple[Ask, ...]:
        """What waits or is approved and not yet used, oldest first."""
        return tuple(ask for ask, stands in self._unclosed() if self._open(stands))

    def void(self, proposal: str, why: str) -> bool:
        """The question falls, with all answers to it. False: it was not open. why: a code, for the record."""
        if (stands := self.state(proposal)) is None or not self._open(stands):
            return False
        with self._state.transaction():
            self._close(proposal, "voided")
            self._log.append("void", Void(proposal=proposal, why=why))
        return True

    def void_tags(self, tags: Collection[str], why: str) -> tuple[str, ...]:
        """Void every open question that touches one of the tags; returns their proposals."""
        hit = tuple(ask.proposal for ask in self.open_asks() if set(ask.tags) & set(tags))
        with self._state.transaction():
            for proposal in hit:
                self.void(proposal, why)
        return hit

    def consume(self, proposal: str, *, binds: str, roles: Collection[str] = ()) -> tuple[Approval, ...]:
        """Use the approval, once, in the transaction that writes INTENT.

        binds: as decided again just now. roles: those that the second decision asks for, if it asks.
        Raises ApprovalError; then nothing may be written.
        """
        rows = self._asks("WHERE proposal = ?", (proposal,))
        if not rows:
            raise ApprovalError("approval.unknown", proposal)
        ask, closed = rows[0]
        if (stands := self._standing(ask, closed)) != "approved":
            raise ApprovalError("approval.missing" if stands == "waiting" else f"approval.{stands}", proposal)
        if binds != ask.binds:
            raise ApprovalError("approval.changed", proposal)
        signed = self.signed(proposal)
        if not set(roles) <= {approval.role for approval in signed}:
            raise ApprovalError("approval.missing", proposal)
        for approval in signed:
            # Who was removed, or lost the role, since signing no longer answers for it.
            person = self._people.get(approval.person)
            if person is None or approval.role not in person.roles or not genuine(approval, person.public):
                raise ApprovalError("approval.signature", proposal)
        with self._state.transaction():
            self._close(proposal, "consumed")
        return signed

    def sweep(self) -> tuple[str, ...]:
        """Void in the record what has expired; returns those proposals. Call it now and then."""
        expired: list[str] = []
        with self._state.transaction():
            for ask, stands in self._unclosed():
                if stands == "expired":
                    expired.append(ask.proposal)
                    self._close(ask.proposal, "expired")
                    self._log.append("void", Void(proposal=ask.proposal, why="approval.expired"))
        return tuple(expired)

    def named(self, person: str) -> str:
        """The name as it is in the record, however it was typed."""
        known = self._people.get(person)
        return known.name if known else person

    def _close(self, proposal: str, how: Closed) -> None:
        self._state.db.execute("UPDATE ask SET closed = ? WHERE proposal = ?", (how, proposal))

    def _refuse(self, proposal: str, person: str, role: str, binds: str) -> None:
        rows = self._asks("WHERE proposal = ?", (proposal,))
        if not rows:
            raise ApprovalError("approval.unknown", proposal)
        ask, closed = rows[0]
        code = objection(
            ask,
            self.signed(proposal),
            self._standing(ask, closed),
            person=person,
            role=role,
            roles=self._people.roles(person),
            author=alike(person, ask.author),
            binds=binds,
        )
        if code:
            raise ApprovalError(code, proposal)

    def _unclosed(self) -> list[tuple[Ask, Standing]]:
        """All that can still change, oldest first, in two queries however many there are."""
        answers: dict[str, list[Approval]] = {}
        for approval in self._answers("WHERE proposal IN (SELECT proposal FROM ask WHERE closed = '') ORDER BY rowid"):
            answers.setdefault(approval.proposal, []).append(approval)
        now = self._now()
        asks = self._asks("WHERE closed = '' ORDER BY opened_ns, proposal")
        return [(ask, standing(ask, answers.get(ask.proposal, ()), closed, now)) for ask, closed in asks]

    def _now(self) -> Moment:
        return Moment(monotonic_ns=self._clock.monotonic_ns(), boot=self._boot)

    def _standing(self, ask: Ask, closed: Closed) -> Standing:
        return standing(ask, self.signed(ask.proposal), closed, self._now())

    @staticmethod
    def _open(stands: Standing) -> bool:
        match stands:
            case "waiting" | "approved":
                return True
            case "refused" | "expired" | "voided" | "consumed":
                return False
            case _:
                assert_never(stands)

    def _answers(self, where: str, bindings: Sequence[str] = ()) -> list[Approval]:
        rows = self._state.rows(f"SELECT proposal, binds, person, role, yes, reason, at_ns, signature FROM approval {where}", bindings)  # noqa: S608
        return [
            Approval(proposal=of, binds=binds, person=person, role=role, yes=bool(yes), reason=reason, at_ns=at_ns, signature=signature)
            for of, binds, person, role, yes, reason, at_ns, signature in rows
        ]

    def _asks(self, where: str, bindings: Sequence[str] = ()) -> list[tuple[Ask, Closed]]:
        rows = self._state.rows(
            f"SELECT proposal, binds, author, roles, tags, opened_ns, valid_s, deadline_ns, boot, closed FROM ask {where}",  # noqa: S608
            bindings,
        )
        return [
            (
                Ask(
                    proposal=proposal,
                    binds=binds,
                    author=author,
                    roles=tuple(json.loads(roles)),
                    tags=tuple(json.loads(tags)),
                    opened_ns=opened_ns,
                    valid_s=valid_s,
                    deadline_ns=deadline_ns,
                    boot=boot,
                ),
                closed,
            )
            for proposal, binds, author, roles, tags, opened_ns, valid_s, deadline_ns, boot, closed in rows
        ]
