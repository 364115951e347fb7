"""The people of the site: names, roles and keys that only their own password opens.

Each person has an Ed25519 key; what they approve is signed with it. Names, roles and public keys go to the ledger, so
that a signature can be checked from the record alone.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.identity.names import IdentityError, alike, checked, folded
from holdfast.gate.identity.seal import Cost, Seal, opened, sealed
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.terms import SECOND_NS, Word

PASSWORD_CHARS_MIN = 10
PASSWORD_CHARS_MAX = 1024  # argon2 reads all of it; a megabyte is an attack
PEOPLE_MAX = 10_000
ROLES_MAX = 32
ADMINISTRATOR = "administrator"  # the role that may say who else there is
STRANGERS_MAX = 1_000  # names that nobody has, whose wrong passwords are counted; the oldest go first
WRONG_AT_ONCE, WRONG_PER_S = 60.0, 0.5  # of all names together, in the long run

Rows: TypeAlias = list[tuple[Any, ...]]
Changed = Literal["added", "removed", "roles", "disabled", "enabled", "password"]

TABLE = """
CREATE TABLE IF NOT EXISTS person (
  fold TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL, public BLOB NOT NULL, salt BLOB NOT NULL, nonce BLOB NOT NULL,
  box BLOB NOT NULL, passes INTEGER NOT NULL, memory_kib INTEGER NOT NULL, lanes INTEGER NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0, locked_until_ns INTEGER NOT NULL DEFAULT 0, disabled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS stranger (hash BLOB PRIMARY KEY, failures INTEGER NOT NULL, locked_until_ns INTEGER NOT NULL) STRICT;
"""
FIELDS = "fold, name, roles, public, salt, nonce, box, passes, memory_kib, lanes, failures, locked_until_ns, disabled"


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
    disabled: bool = False  # keeps the name and what was signed, and may do nothing
    locked_until_ns: int = 0  # UTC; after too many wrong passwords


class Change(Word):
    """What the ledger keeps of a person: kind "person". Roles and key are those after the change."""

    change: Changed
    name: str
    roles: tuple[str, ...]
    public: bytes
    by: str = ""  # who did it; "" at the command line of the machine


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
        self._wrong_left, self._wrong_at_ns = WRONG_AT_ONCE, clock.monotonic_ns()
        state.ensure(TABLE)
        if "disabled" not in {name for _, name, *_ in state.rows("PRAGMA table_info(person)")}:  # made by an earlier release
            state.ensure("ALTER TABLE person ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0")

    # ---- who there is ------------------------------------------------------------------------------------------------

    def list(self) -> tuple[Person, ...]:
        """All people, by name."""
        return tuple(_person(row) for row in self._state.rows(f"SELECT {FIELDS} FROM person ORDER BY fold"))  # noqa: S608 - constants

    def get(self, name: str) -> Person | None:
        rows = self._row(name)
        return _person(rows[0]) if rows else None

    def roles(self, name: str) -> tuple[str, ...]:
        """The roles in which the person may act: none for one who is not known, or disabled."""
        person = self.get(name)
        return person.roles if person and not person.disabled else ()

    def administrators(self) -> tuple[str, ...]:
        """Who may say who else there is; while there is nobody, whoever has the machine may."""
        return tuple(person.name for person in self.list() if ADMINISTRATOR in person.roles and not person.disabled)

    # ---- changes -----------------------------------------------------------------------------------------------------

    def seal(self, name: str, password: str, *, seed: bytes | None = None) -> Seal:
        """Lock a key (a new one, or that of `seed`) with a password: slow, and safe in a thread. Raises IdentityError."""
        name = checked(name, "person")
        refuse_weak(name, password)
        seed = seed or self._random(32)
        return sealed(name, password, seed=seed, salt=self._random(16), nonce=self._random(12), cost=self._cost)

    def add(self, name: str, roles: Sequence[str], password: str, *, by: str = "", seal: Seal | None = None) -> Person:
        """Raises IdentityError for a name that is taken or unfit, a role that is unfit, a password too short or too plain.

        seal: what `self.seal(name, password)` gave, for a caller that must not wait here.
        """
        name = checked(name, "person")
        kept = _roles(name, roles)
        refuse_weak(name, password)
        known = self.list()
        if len(known) >= PEOPLE_MAX:
            raise IdentityError("identity.full", f"There are {PEOPLE_MAX} people already. Remove some first.")
        if near := next((person.name for person in known if alike(person.name, name)), ""):
            raise IdentityError("identity.taken", f"There is {near}, and {name} looks alike. Choose another name.")
        seal = seal or self.seal(name, password)
        row = (folded(name), name, json.dumps(kept), seal.public, seal.salt, seal.nonce, seal.box, *_numbers(seal.cost))
        with self._state.transaction():
            self._state.db.execute(f"INSERT INTO person ({FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)", row)  # noqa: S608
            self._log.append("person", Change(change="added", name=name, roles=kept, public=seal.public, by=by))
        return Person(name=name, roles=kept, public=seal.public)

    def remove(self, name: str, *, by: str = "") -> None:
        """Raises IdentityError for a person who is not known. What they signed stays in the record."""
        person = self._known(name)
        self._demand_another_administrator(person)
        with self._state.transaction():
            self._state.db.execute("DELETE FROM person WHERE fold = ?", (folded(name),))
            self._log.append("person", Change(change="removed", name=person.name, roles=person.roles, public=person.public, by=by))

    def set_roles(self, name: str, roles: Sequence[str], *, by: str = "") -> Person:
        """Raises IdentityError, also where nobody would be left to administer."""
        person = self._known(name)
        kept = _roles(person.name, roles)
        if ADMINISTRATOR not in kept:
            self._demand_another_administrator(person)
        return self._change(person, "roles", "roles = ?", (json.dumps(kept),), by=by)

    def set_disabled(self, name: str, disabled: bool, *, by: str = "") -> Person:
        """Take away all rights, or give them back; name, key and what was signed stay. Raises IdentityError."""
        person = self._known(name)
        if disabled:
            self._demand_another_administrator(person)
        return self._change(person, "disabled" if disabled else "enabled", "disabled = ?", (int(disabled),), by=by)

    def set_password(self, name: str, password: str, *, by: str = "", seal: Seal | None = None) -> Person:
        """A new password. Without the old one the key is a new one too, so that what is signed with it tells them apart.

        seal: what `self.seal(name, password, seed=…)` gave; with the seed that the old password opened, the key stays.
        """
        person = self._known(name)
        seal = seal or self.seal(person.name, password)
        columns = "public = ?, salt = ?, nonce = ?, box = ?, passes = ?, memory_kib = ?, lanes = ?, failures = 0, locked_until_ns = 0"
        bindings = (seal.public, seal.salt, seal.nonce, seal.box, *_numbers(seal.cost))
        return self._change(person, "password", columns, bindings, by=by)

    def _change(self, person: Person, change: Changed, columns: str, bindings: tuple[int | str | bytes, ...], *, by: str) -> Person:
        with self._state.transaction():
            self._state.db.execute(f"UPDATE person SET {columns} WHERE fold = ?", (*bindings, folded(person.name)))  # noqa: S608
            now = self._known(person.name)
            self._log.append("person", Change(change=change, name=now.name, roles=now.roles, public=now.public, by=by))
        return now

    def _known(self, name: str) -> Person:
        person = self.get(name)
        if person is None:
            raise IdentityError("identity.unknown", f"There is no person of the name {name}. `holdfast people list` shows who there is.")
        return person

    def _demand_another_administrator(self, person: Person) -> None:
        if self.administrators() == (person.name,):
            message = f"{person.name} is the only administrator: nobody could add one again. Give somebody else the role first."
            raise IdentityError("identity.last", message)

    # ---- passwords ---------------------------------------------------------------------------------------------------

    def sign(self, name: str, password: str, message: bytes) -> bytes:
        """The person's Ed25519 signature, 64 bytes. Raises WrongPassword, or LockedOut without trying.

        Takes as long as `Cost` says. A gate that must not wait runs begin, `opened` (in a thread) and finish itself.
        """
        attempt = self.begin(name)
        return self.finish(attempt, opened(attempt.seal, password)).sign(message)

    def begin(self, name: str) -> Attempt:
        """Count an attempt before it is made, so that neither a crash nor many at once are free. Raises LockedOut.

        A name that nobody has, or whose person is disabled, costs the same work, is counted alike and is locked alike: who
        exists must be told neither by the clock nor by the lock.
        """
        rows = self._row(name)
        if rows:
            row = rows[0]
            failures, locked_until_ns = row[10], row[11]
        else:
            row = None
            counted = self._state.rows("SELECT failures, locked_until_ns FROM stranger WHERE hash = ?", (_hashed(name),))
            failures, locked_until_ns = counted[0] if counted else (0, 0)
        now_ns = self._clock.now_ns()
        # A clock set back must not lock for longer than the longest lock.
        left_s = min((locked_until_ns - now_ns) / SECOND_NS, self._lockout.max_s)
        if left_s > 0:
            raise LockedOut(left_s)
        self._take_overall()
        until_ns = now_ns + round(self._lockout.after(failures + 1) * SECOND_NS)
        if row is None:
            self._count_stranger(name, failures + 1, until_ns)
            blank = Seal(name="", public=bytes(32), salt=bytes(16), nonce=bytes(12), box=bytes(48), cost=self._cost)
            return Attempt(name="", seal=blank, known=False)
        self._set(row[1], failures + 1, until_ns)
        cost = Cost(passes=row[7], memory_kib=row[8], lanes=row[9])
        seal = Seal(name=row[1], public=row[3], salt=row[4], nonce=row[5], box=row[6], cost=cost)
        return Attempt(name=row[1], seal=seal, known=not row[12])

    def finish(self, attempt: Attempt, key: Ed25519PrivateKey | None) -> Ed25519PrivateKey:
        """Take the key that `opened(attempt.seal, password)` gave. Raises WrongPassword for None."""
        if key is None or not attempt.known:
            raise WrongPassword
        self._set(attempt.name, 0, 0)
        self._wrong_left = min(self._wrong_left + 1.0, WRONG_AT_ONCE)
        return key

    def _take_overall(self) -> None:
        """Guesses over many names are bounded too, not only over one. Raises LockedOut."""
        now_ns = self._clock.monotonic_ns()
        self._wrong_left = min(self._wrong_left + (now_ns - self._wrong_at_ns) / SECOND_NS * WRONG_PER_S, WRONG_AT_ONCE)
        self._wrong_at_ns = now_ns
        if self._wrong_left < 1.0:
            raise LockedOut((1.0 - self._wrong_left) / WRONG_PER_S)
        self._wrong_left -= 1.0

    def _set(self, name: str, failures: int, until_ns: int) -> None:
        def write() -> None:
            self._state.db.execute("UPDATE person SET failures = ?, locked_until_ns = ? WHERE fold = ?", (failures, until_ns, folded(name)))

        # A wrong password undoes the caller's transaction; the count of it must stay.
        self._state.also_if_rolled_back(write)

    def _count_stranger(self, name: str, failures: int, until_ns: int) -> None:
        def write() -> None:
            db = self._state.db
            db.execute("INSERT OR REPLACE INTO stranger VALUES (?, ?, ?)", (_hashed(name), failures, until_ns))
            kept = "SELECT rowid FROM stranger ORDER BY rowid DESC LIMIT ?"
            db.execute(f"DELETE FROM stranger WHERE rowid NOT IN ({kept})", (STRANGERS_MAX,))  # noqa: S608 - constants

        self._state.also_if_rolled_back(write)

    def _row(self, name: str) -> Rows:
        return self._state.rows(f"SELECT {FIELDS} FROM person WHERE fold = ?", (folded(name),))  # noqa: S608 - constants


def refuse_weak(name: str, password: str) -> None:
    """Length is what counts (NIST SP 800-63B section 5.1.1.2). Raises IdentityError."""
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise IdentityError("identity.weak", f"A password has at least {PASSWORD_CHARS_MIN} characters. Three or four words do well.")
    if len(set(password)) < 4 or folded(name) == folded(password):
        raise IdentityError("identity.weak", "This password is too easy to guess. Three or four unrelated words do well.")


def _roles(name: str, roles: Sequence[str]) -> tuple[str, ...]:
    if not roles or len(roles) > ROLES_MAX:
        raise IdentityError("identity.role", f"{name} needs 1 to {ROLES_MAX} roles, such as `--role operator`.")
    return tuple(sorted({checked(role, "role") for role in roles}))


def _person(row: tuple[Any, ...]) -> Person:
    return Person(name=row[1], roles=tuple(json.loads(row[2])), public=row[3], disabled=bool(row[12]), locked_until_ns=row[11])


def _numbers(cost: Cost) -> tuple[int, int, int]:
    return cost.passes, cost.memory_kib, cost.lanes


def _hashed(name: str) -> bytes:
    """What is typed for a name may be a password typed in the wrong field: it is not kept as it is."""
    return hashlib.sha256(b"stranger\n" + folded(name).encode(errors="surrogatepass")).digest()
