"""Who is signed in: a token of 256 random bits stands for one person for a while, and only its hash is kept, in memory.

A session lets a person do what needs a name but no signature (acknowledge, shelve, ask). It ends after IDLE_S without
an act, after LONGEST_S in any case, with the person's rights, and with the gate's process. What is signed needs the
password each time.
"""

import base64
import dataclasses
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Literal

from holdfast.clock import Clock
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.identity.people import People, Person
from holdfast.gate.identity.seal import opened
from holdfast.terms import SECOND_NS, Word

IDLE_S = 15 * 60.0
LONGEST_S = 12 * 3600.0
SESSIONS_MAX = 64
OF_ONE_MAX = 8  # of one person; the longest unused ends when a ninth begins, so that one person can't keep others out
TOKEN_BYTES = 32
Why = Literal["signed_out", "idle", "longest", "crowded", "changed"]


class Session(Word):
    """What the person gets. `token` is told only here; times are UTC."""

    token: str
    person: str
    roles: tuple[str, ...]
    idle_s: float
    ends_ns: int


class Held(Word):
    """A session as the gate keeps it. `begun` and `used` are on the gate's monotonic clock, in ns."""

    hash: bytes  # SHA-256 of the token
    person: str
    public: bytes  # of the person as signed in: a new key or another person of the name ends the session
    begun_ns: int
    used_ns: int
    ends_ns: int  # UTC, for people


class NotSignedIn(IdentityError):
    """The token is nobody's, or its session has ended; it isn't said which."""

    def __init__(self) -> None:
        super().__init__("identity.session", "Nobody is signed in with this token, or the session has ended. Sign in again.")


class Sessions:
    """`record(kind, body)` puts it on record and raises where it can't; `owe` does it now or later and never raises.

    random_bytes(n) gives n random bytes.
    """

    def __init__(
        self,
        people: People,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        *,
        record: Callable[[str, Mapping[str, Any]], None],
        owe: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._people = people
        self._clock = clock
        self._random = random_bytes
        self._record = record
        self._owe = owe
        self._held: dict[bytes, Held] = {}  # by hash; at most SESSIONS_MAX

    def open(self, person: str, password: str) -> Session:
        """Sign in. Raises WrongPassword, LockedOut, IdentityError; takes as long as a password does.

        A gate that must not wait runs `People.begin`, `opened` (in a thread), `People.finish` and then `begin`.
        """
        attempt = self._people.begin(person)
        self._people.finish(attempt, opened(attempt.seal, password))
        return self.begin(attempt.name)

    def begin(self, person: str) -> Session:
        """A new session of a person whose password was just verified: always a new token.

        Raises IdentityError where SESSIONS_MAX others are signed in, StateError where it can't be put on record.
        """
        self.sweep()
        known = self._people.get(person)
        if known is None:
            raise NotSignedIn
        own = sorted((held for held in self._held.values() if held.person == known.name), key=lambda held: held.used_ns)
        if len(own) >= OF_ONE_MAX:
            self._end(own[0], "crowded")
        if len(self._held) >= SESSIONS_MAX:
            raise IdentityError("identity.full", f"{SESSIONS_MAX} sessions are open already. Let somebody sign out first.")
        token = base64.urlsafe_b64encode(self._random(TOKEN_BYTES)).rstrip(b"=").decode()
        now_ns = self._clock.monotonic_ns()
        ends_ns = self._clock.now_ns() + round(LONGEST_S * SECOND_NS)
        held = Held(hash=_hashed(token), person=known.name, public=known.public, begun_ns=now_ns, used_ns=now_ns, ends_ns=ends_ns)
        self._record("session", {"change": "begun", "person": known.name, "why": "signed_in"})
        self._held[held.hash] = held
        return Session(token=token, person=known.name, roles=known.roles, idle_s=IDLE_S, ends_ns=ends_ns)

    def who(self, token: str, *, act: bool = True) -> Person:
        """Whose token it is, with the roles the person has now. Raises NotSignedIn (an IdentityError).

        act: the person did something, so the idle time begins anew; False for what a page asks by itself.
        """
        held = self._find(token)
        person = self._people.get(held.person)
        if person is None:  # between the sweep and here nothing else runs, but a doubt refuses
            raise NotSignedIn
        if act:
            self._held[held.hash] = dataclasses.replace(held, used_ns=self._clock.monotonic_ns())
        return person

    def left(self, token: str) -> tuple[float, int]:
        """Seconds until it ends idle, and when it ends in any case (UTC ns). Raises NotSignedIn."""
        held = self._find(token)
        idle_left_s = IDLE_S - (self._clock.monotonic_ns() - held.used_ns) / SECOND_NS
        return idle_left_s, held.ends_ns

    def end(self, token: str) -> None:
        """Sign out. A token that is nobody's is signed out already."""
        try:
            self._end(self._find(token), "signed_out")
        except NotSignedIn:
            return

    def end_all(self, person: str, *, but: str = "") -> None:
        """End every session of a person whose password or rights changed, except that of the token `but`."""
        kept = _hashed(but) if but else b""
        for held in [held for held in self._held.values() if held.person == person and held.hash != kept]:
            self._end(held, "changed")
        known = self._people.get(person)
        if kept in self._held and known is not None:  # a new key, by the person's own hand, in this very session
            self._held[kept] = dataclasses.replace(self._held[kept], public=known.public)

    def sweep(self) -> None:
        """End what is over. Called at each use, so nobody is ever let in by a session that is over; the record may be late."""
        now_ns = self._clock.monotonic_ns()
        for held in list(self._held.values()):
            person = self._people.get(held.person)
            if person is None or person.disabled or person.public != held.public:
                self._end(held, "changed")
            elif now_ns - held.begun_ns >= LONGEST_S * SECOND_NS:
                self._end(held, "longest")
            elif now_ns - held.used_ns >= IDLE_S * SECOND_NS:
                self._end(held, "idle")

    def __len__(self) -> int:
        return len(self._held)

    def _find(self, token: str) -> Held:
        self.sweep()
        hashed = _hashed(token)
        found: Held | None = None
        for held in self._held.values():  # every one is compared, each in constant time
            if hmac.compare_digest(hashed, held.hash):
                found = held
        if found is None:
            raise NotSignedIn
        return found

    def _end(self, held: Held, why: Why) -> None:
        del self._held[held.hash]
        self._owe("session", {"change": "ended", "person": held.person, "why": why})


def _hashed(token: str) -> bytes:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
