"""The people of the site: names, roles and keys that only their own password opens.

Each person has an Ed25519 key; what they approve is signed with it. Names, roles and public keys go to the ledger, so
that a signature can be checked from the record alone.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.identity.names import IdentityError, checked, folded
from holdfast.gate.identity.seal import Cost, Seal, opened, sealed
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.terms import SECOND_NS, Word

PASSWORD_CHARS_MIN = 10
PASSWORD_CHARS_MAX = 1024  # argon2 reads all of it; a megabyte is an attack
PEOPLE_MAX = 10_000
ROLES_MAX = 32

Rows: TypeAlias = list[tuple[Any, ...]]

TABLE = """
CREATE TABLE IF NOT EXISTS person (
  fold TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL, public BLOB NOT NULL, salt BLOB NOT NULL, nonce BLOB NOT NULL,
  box BLOB NOT NULL, passes INTEGER NOT NULL, memory_kib INTEGER NOT NULL, lanes INTEGER NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0, locked_until_ns INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


class WrongPassword(IdentityError):
    """Name and password don't belong together; it isn't said which is wrong."""

    def __init__(self) -> None:
        super().__init__("identity.password", "Name and password don't belong together. Try again.")


class LockedOut(WrongPassword):
    """Too many wrong passwords; `retry_s` more seconds nothing is tried, not even the right one."""

    def __init__(self, retry_s: float) -> None:
        IdentityError.__init__(self, "identity.locked", f"Too many wrong passwords. Wait {retry_s:.0f} s, then try again.")
        self.retry_s = retry_s


class Lockout(Word):
    """From the `free`-th wrong password in a row on, each locks: for first_s, then doubled, up to max_s."""

    free: int = 5
    first_s: float = 5.0
    max_s: float = 900.0

    def after(self, failures: int) -> float:
        """Seconds of lock after so many failures in a row."""
        over = failures - self.free
        return 0.0 if over < 0 else min(self.first_s * 2 ** min(over, 32), self.max_s)


class Person(Word):
    name: str
    roles: tuple[str, ...]  # sorted
    public: bytes  # raw Ed25519 key


class Change(Word):
    """What the ledger keeps of a person: kind "person"."""

    change: str  # added, removed
    name: str
    roles: tuple[str, ...]
    public: bytes


class Attempt(Word):
    """A password about to be tried: counted as wrong until `finish` says otherwise."""

    name: str
    seal: Seal
    known: bool


class People:
    """random_bytes(n) gives n random bytes. Writes join the caller's transaction."""

    def __init__(
        self,
        state: State,
        log: Log,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        *,
        cost: Cost | None = None,
        lockout: Lockout | None = None,
    ) -> None:
        self._state = state
        self._log = log
        self._clock = clock
        self._random = random_bytes
        self._cost = cost or Cost()
        self._lockout = lockout or Lockout()
        state.ensure(TABLE)

    def add(self, name: str, roles: Sequence[str], password: str) -> Person:
        """Raises IdentityError for a name that is taken or unfit, a role that is unfit, a password too short or too plain."""
        name = checked(name, "person")
        if not roles or len(roles) > ROLES_MAX:
            raise IdentityError("identity.role", f"{name} needs 1 to {ROLES_MAX} roles, such as `--role operator`.")
        kept = tuple(sorted({checked(role, "role") for role in roles}))
        refuse_weak(name, password)
        if len(self.list()) >= PEOPLE_MAX:
            raise IdentityError("identity.full", f"There are {PEOPLE_MAX} people already. Remove some first.")
        if self._row(name):
            raise IdentityError("identity.taken", f"There is a person of the name {name} (or one that looks alike). Choose another.")
        seal = sealed(name, password, seed=self._random(32), salt=self._random(16), nonce=self._random(12), cost=self._cost)
        row = (folded(name), name, json.dumps(kept), seal.public, seal.salt, seal.nonce, seal.box, *_numbers(seal.cost))
        with self._state.transaction():
            self._state.db.execute("INSERT INTO person VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)", row)
            self._log.append("person", Change(change="added", name=name, roles=kept, public=seal.public))
        return Person(name=name, roles=kept, public=seal.public)

    def list(self) -> tuple[Person, ...]:
        """All people, by name."""
        rows = self._state.rows("SELECT name, roles, public FROM person ORDER BY fold")
        return tuple(Person(name=name, roles=tuple(json.loads(roles)), public=public) for name, roles, public in rows)

    def get(self, name: str) -> Person | None:
        rows = self._row(name)
        return Person(name=rows[0][1], roles=tuple(json.loads(rows[0][2])), public=rows[0][3]) if rows else None

    def roles(self, name: str) -> tuple[str, ...]:
        """The person's roles; none for a person who is not known."""
        person = self.get(name)
        return person.roles if person else ()

    def remove(self, name: str) -> None:
        """Raises IdentityError for a person who is not known. What they signed stays in the record."""
        person = self.get(name)
        if person is None:
            raise IdentityError("identity.unknown", f"There is no person of the name {name}. `holdfast people list` shows who there is.")
        with self._state.transaction():
            self._state.db.execute("DELETE FROM person WHERE fold = ?", (folded(name),))
            self._log.append("person", Change(change="removed", name=person.name, roles=person.roles, public=person.public))

    def sign(self, name: str, password: str, message: bytes) -> bytes:
        """The person's Ed25519 signature, 64 bytes. Raises WrongPassword, or LockedOut without trying.

        Takes as long as `Cost` says. A gate that must not wait runs begin, `opened` (in a thread) and finish itself.
        """
        attempt = self.begin(name)
        return self.finish(attempt, opened(attempt.seal, password)).sign(message)

    def begin(self, name: str) -> Attempt:
        """Count an attempt before it is made, so that neither a crash nor many at once are free. Raises LockedOut."""
        rows = self._row(name)
        if not rows:
            # The same work for a name that is not known: who exists must not be told by the clock.
            blank = Seal(name=name, public=bytes(32), salt=bytes(16), nonce=bytes(12), box=bytes(48), cost=self._cost)
            return Attempt(name=name, seal=blank, known=False)
        _, known, _, public, salt, nonce, box, passes, memory_kib, lanes, failures, locked_until_ns = rows[0]
        now_ns = self._clock.now_ns()
        # A clock set back must not lock for longer than the longest lock.
        left_s = min((locked_until_ns - now_ns) / SECOND_NS, self._lockout.max_s)
        if left_s > 0:
            raise LockedOut(left_s)
        until_ns = now_ns + round(self._lockout.after(failures + 1) * SECOND_NS)
        self._set(known, failures + 1, until_ns)
        cost = Cost(passes=passes, memory_kib=memory_kib, lanes=lanes)
        return Attempt(name=known, seal=Seal(name=known, public=public, salt=salt, nonce=nonce, box=box, cost=cost), known=True)

    def finish(self, attempt: Attempt, key: Ed25519PrivateKey | None) -> Ed25519PrivateKey:
        """Take the key that `opened(attempt.seal, password)` gave. Raises WrongPassword for None."""
        if key is None or not attempt.known:
            raise WrongPassword
        self._set(attempt.name, 0, 0)
        return key

    def _set(self, name: str, failures: int, until_ns: int) -> None:
        def write() -> None:
            self._state.db.execute("UPDATE person SET failures = ?, locked_until_ns = ? WHERE fold = ?", (failures, until_ns, folded(name)))

        # A wrong password undoes the caller's transaction; the count of it must stay.
        self._state.also_if_rolled_back(write)

    def _row(self, name: str) -> Rows:
        return self._state.rows("SELECT * FROM person WHERE fold = ?", (folded(name),))


def refuse_weak(name: str, password: str) -> None:
    """Length is what counts (NIST SP 800-63B section 5.1.1.2). Raises IdentityError."""
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise IdentityError("identity.weak", f"A password has at least {PASSWORD_CHARS_MIN} characters. Three or four words do well.")
    if len(set(password)) < 4 or folded(name) == folded(password):
        raise IdentityError("identity.weak", "This password is too easy to guess. Three or four unrelated words do well.")


def _numbers(cost: Cost) -> tuple[int, int, int]:
    return cost.passes, cost.memory_kib, cost.lanes
