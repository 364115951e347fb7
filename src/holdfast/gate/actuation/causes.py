"""Past cases: what people say an incident's cause was, confirmed or corrected, signed, on record, and taken back where it was wrong.

A cause that is confirmed moves what agents think of the next incident that looks alike, so it is held like an adoption: who may sign
is who the policy's rules ask for `adopt` of `cause/MODE`, one of them, else the site's default approvals; how the plant stands at the
moment doesn't matter. Table and record change in one transaction.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.approval.adopters import adopters
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.link import ConfirmedCause
from holdfast.site.model import Site
from holdfast.terms import canonical

CASES_MAX = 500  # kept; the oldest go first, and the record keeps them all
SHARES_MAX = 32
TEXT_MAX = 300
TABLE = """
CREATE TABLE IF NOT EXISTS confirmed_cause (
  incident TEXT PRIMARY KEY, mode TEXT NOT NULL, told TEXT NOT NULL, shares TEXT NOT NULL, person TEXT NOT NULL, at_ns INTEGER NOT NULL
) STRICT;
"""


class CauseError(ValueError):
    """The act is not possible; the text says why and what to do. `code`, with `facts`, has words of its own."""

    def __init__(self, code: str, message: str, **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


class Causes:
    """The words that stand, and the acts that change them."""

    def __init__(
        self,
        *,
        log: Log,
        clock: Clock,
        debts: Debts,
        inbox: Inbox,
        people: People,
        site: Callable[[], Site],
    ) -> None:
        self._log, self._state, self._clock, self._debts = log, log.state, clock, debts
        self._inbox, self._people, self._site = inbox, people, site
        self._state.ensure(TABLE)

    def confirmed(self) -> Sequence[ConfirmedCause]:
        """Those that stand, the newest first."""
        rows = self._state.rows("SELECT incident, mode, told, shares, person, at_ns FROM confirmed_cause ORDER BY at_ns DESC, incident")
        return tuple(
            ConfirmedCause(
                incident=incident,
                mode=mode,
                told=told,
                shares=tuple((str(tag), float(share)) for tag, share in json.loads(shares)),
                person=person,
                at_ns=at_ns,
            )
            for incident, mode, told, shares, person, at_ns in rows
        )

    def confirm(
        self,
        incident: str,
        mode: str,
        person: str,
        key: Ed25519PrivateKey,
        *,
        told: str,
        shares: Sequence[tuple[str, float]],
        reason: str = "",
    ) -> ConfirmedCause:
        """`mode` was the cause of the incident, whose diagnosis put `told` first; a later word replaces an earlier. Raises CauseError."""
        if not 0 < len(mode) <= TEXT_MAX:
            raise CauseError("cause.mode", "name a failure mode, or 'none of these'")
        person = self._signer(person, mode)
        now_ns = self._clock.now_ns()
        act = {"act": "confirm", "incident": incident, "mode": mode, "told": told, "person": person, "reason": reason[:TEXT_MAX]}
        self._sign({**act, "at_ns": now_ns}, key, lambda: self._put(incident, mode, told, shares, person, now_ns))
        return next(one for one in self.confirmed() if one.incident == incident)

    def retract(self, incident: str, person: str, key: Ed25519PrivateKey, *, reason: str = "") -> ConfirmedCause:
        """Take a word back; the next ranking knows nothing of it. Returns what it was. Raises CauseError."""
        standing = next((one for one in self.confirmed() if one.incident == incident), None)
        if standing is None:
            raise CauseError("cause.unknown", f"nobody confirmed a cause of {incident[:80]!r}", incident=incident[:80])
        person = self._signer(person, standing.mode)
        act = {"act": "retract", "incident": incident, "mode": standing.mode, "person": person, "reason": reason[:TEXT_MAX]}
        self._sign({**act, "at_ns": self._clock.now_ns()}, key, lambda: self._drop(incident))
        return standing

    def _signer(self, person: str, mode: str) -> str:
        """The person's name, where one of the roles that may say so is theirs. Raises CauseError."""
        name, roles = self._inbox.named(person), adopters(self._site(), f"cause/{mode}")
        if not roles.intersection(self._people.roles(name)):
            wanted = ", ".join(sorted(roles))
            raise CauseError("cause.role", f"{name} has none of the roles that may do this: {wanted}", person=name, roles=wanted)
        return name

    def _sign(self, act: Mapping[str, Any], key: Ed25519PrivateKey, change: Callable[[], None]) -> None:
        signed = {**act, "signature": key.sign(canonical(act))}

        def both() -> None:
            with self._state.transaction():
                change()
                self._log.append("cause", signed)

        self._debts.by_person(both)

    def _put(self, incident: str, mode: str, told: str, shares: Sequence[tuple[str, float]], person: str, now_ns: int) -> None:
        row = (incident, mode, told, json.dumps([list(one) for one in shares[:SHARES_MAX]]), person, now_ns)
        self._state.db.execute("INSERT OR REPLACE INTO confirmed_cause VALUES (?, ?, ?, ?, ?, ?)", row)
        oldest = "SELECT incident FROM confirmed_cause ORDER BY at_ns DESC, incident LIMIT -1 OFFSET ?"
        self._state.db.execute(f"DELETE FROM confirmed_cause WHERE incident IN ({oldest})", (CASES_MAX,))  # noqa: S608 - constants

    def _drop(self, incident: str) -> None:
        self._state.db.execute("DELETE FROM confirmed_cause WHERE incident = ?", (incident,))
