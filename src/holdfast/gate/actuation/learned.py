"""What detectors learned, kept by digest, and which of it is in force: changed by the first, an approved adoption, or a person.

The bytes are files of the state folder, named by their SHA-256, on the disk before any row names them; rows and record change in one
transaction. What a state means is the agent's business: nothing here reads one.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from holdfast.clock import Clock
from holdfast.gate.ledger.log import Log
from holdfast.link import LearnedOffer
from holdfast.site.model import DetectorSpec, Site
from holdfast.terms import Word, digest

FOLDER = "learned"  # in the state folder; run/backup.py carries it
STATE_BYTES_MAX = 64 << 20  # the charts of some five hundred tags together
CANDIDATES_MAX = 4  # of one detector, never in force so far
ADOPTED_MAX = 8  # of one detector, the one in force among them
How = Literal["first", "adopted", "put_back"]

TABLES = """
CREATE TABLE IF NOT EXISTS learned_state (
  name TEXT NOT NULL, digest TEXT NOT NULL, basis TEXT NOT NULL, author TEXT NOT NULL, rows INTEGER NOT NULL, from_ns INTEGER NOT NULL,
  to_ns INTEGER NOT NULL, bytes INTEGER NOT NULL, kept_ns INTEGER NOT NULL, adopted_ns INTEGER NOT NULL,
  PRIMARY KEY (name, digest)
) STRICT;
CREATE TABLE IF NOT EXISTS learned_in_force (
  name TEXT PRIMARY KEY, digest TEXT NOT NULL, basis TEXT NOT NULL, how TEXT NOT NULL, by TEXT NOT NULL, since_ns INTEGER NOT NULL
) STRICT;
"""


class Version(Word):
    """One kept state. `adopted_ns` is when it came into force last, 0 for never; `fits` the site file as it is."""

    digest: str
    author: str  # the agent that offered it
    rows: int
    from_ns: int
    to_ns: int
    bytes: int
    kept_ns: int
    adopted_ns: int
    fits: bool


class InForce(Word):
    digest: str
    how: str
    by: str  # an agent for the first, a person for any other
    since_ns: int


class LearnedError(ValueError):
    """What is asked for is not possible; the text says why and what to do. `code`, with `facts`, has words of its own."""

    def __init__(self, code: str, message: str, **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


def basis(site: Site, spec: DetectorSpec) -> str:
    """Digest of what a state is learned of: where it differs, the state says nothing of the detector that the site has now.

    Not the limit, nor how many rows confirm: they judge scores and are not learned.
    """
    seen = {*spec.tags, *(tag.name for tag in site.tags if tag.role and tag.type == "float")}
    loops = [(loop.pv, loop.sp_now) for loop in site.loops if loop.pv in seen]
    grade = [] if spec.only_at is None else [[spec.only_at.tag, spec.only_at.value]]
    return digest([spec.name, spec.detector, list(spec.options), list(spec.tags), sorted(seen), loops, *grade])


def put(folder: Path, state: bytes) -> str:
    """Keep bytes durably under their digest, which is returned. For a thread beside the gate too. Raises ValueError, OSError."""
    if not 0 < len(state) <= STATE_BYTES_MAX:
        raise LearnedError(
            "learned.size", f"a learned state of {len(state)} bytes; from 1 to {STATE_BYTES_MAX} are kept", most=str(STATE_BYTES_MAX)
        )
    name = hashlib.sha256(state).hexdigest()
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / name
    if target.is_file() and target.read_bytes() == state:
        return name
    fresh = folder / f"{name}.part"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(state)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return name


class LearnedStates:
    """Writes join the caller's transaction. `site` gives the site in force; `asked` the digests whose adoption is being decided."""

    def __init__(self, log: Log, clock: Clock, site: Callable[[], Site], asked: Callable[[], Collection[str]]) -> None:
        self._log, self._state, self._clock = log, log.state, clock
        self._site, self._asked = site, asked
        self.folder = log.state.folder / FOLDER
        self._state.ensure(TABLES)
        self.sweep()

    # ---- what there is -------------------------------------------------------------------------------------------------

    def spec(self, name: str) -> DetectorSpec:
        """Raises LearnedError."""
        found = next((spec for spec in self._site().perception if spec.name == name), None)
        if found is None:
            known = ", ".join(spec.name for spec in self._site().perception) or "none"
            raise LearnedError("learned.no_detector", f"{name[:100]!r} is no detector of this site; there are: {known}", known=known)
        return found

    def in_force(self, name: str) -> InForce | None:
        """None for a detector that never learned, or learned of other tags or options than the site has now."""
        rows = self._state.rows("SELECT digest, how, by, since_ns, basis FROM learned_in_force WHERE name = ?", (name,))
        if not rows or rows[0][4] != basis(self._site(), self.spec(name)):
            return None
        of, how, by, since_ns, _ = rows[0]
        return InForce(digest=of, how=how, by=by, since_ns=since_ns)

    def versions(self, name: str) -> tuple[Version, ...]:
        """Those that are kept, the newest first."""
        now = basis(self._site(), self.spec(name))
        rows = self._state.rows(
            "SELECT digest, author, rows, from_ns, to_ns, bytes, kept_ns, adopted_ns, basis FROM learned_state WHERE name = ?"
            " ORDER BY max(kept_ns, adopted_ns) DESC, rowid DESC",
            (name,),
        )
        return tuple(
            Version(
                digest=of, author=author, rows=n, from_ns=first, to_ns=last, bytes=size, kept_ns=kept, adopted_ns=adopted, fits=at == now
            )
            for of, author, n, first, last, size, kept, adopted, at in rows
        )

    def state(self, of: str) -> bytes:
        """Raises LookupError for one that is not kept, or is not what it was: then it is as good as not there."""
        known = self._state.rows("SELECT 1 FROM learned_state WHERE digest = ? LIMIT 1", (of,))
        if known:
            try:
                found = (self.folder / of).read_bytes()
            except OSError:
                found = b""
            if hashlib.sha256(found).hexdigest() == of:
                return found
        raise LookupError(f"no learned state {of[:16]!r} is kept here, or its file was changed; restore a backup or relearn")

    # ---- what changes it -----------------------------------------------------------------------------------------------

    def keep(self, author: str, offer: LearnedOffer, of: str, size: int) -> bool:
        """Keep what `put` wrote. True: it is the first that fits and is in force now. Raises LearnedError."""
        spec, now_ns = self.spec(offer.name), self._clock.now_ns()
        if not (0 < offer.rows <= 1 << 32 and 0 <= offer.from_ns <= offer.to_ns):
            raise LearnedError("learned.stretch", "an offer names the rows it was learned from, and from when to when")
        first = self.in_force(offer.name) is None
        at = basis(self._site(), spec)
        with self._state.transaction():
            if self._state.rows("SELECT 1 FROM learned_state WHERE name = ? AND digest = ? AND basis = ?", (offer.name, of, at)):
                if first:
                    self._adopt(offer.name, of, "first", author, {})
                return first
            if not first:
                self._make_room(offer.name, adopted=False)
            row = (offer.name, of, at, author, offer.rows, offer.from_ns, offer.to_ns, size, now_ns, 0)
            self._state.db.execute("INSERT OR REPLACE INTO learned_state VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            told = {"name": offer.name, "digest": of, "author": author, "rows": offer.rows, "from_ns": offer.from_ns, "to_ns": offer.to_ns}
            self._log.append("learned.offered", {**told, "relearn": offer.relearn})
            if first:
                self._adopt(offer.name, of, "first", author, {})
        return first

    def adopt(self, name: str, of: str, by: str, proposal: str) -> None:
        """What people have approved. Raises LearnedError where it can't be in force."""
        self.demand(name, of)
        with self._state.transaction():
            self._adopt(name, of, "adopted", by, {"proposal": proposal})

    def put_back(self, name: str, of: str, by: str, signed: Mapping[str, Any]) -> None:
        """A state that was in force before. Raises LearnedError."""
        version = self.demand(name, of)
        if not version.adopted_ns:
            raise LearnedError("learned.never", f"{of[:16]} was never in force: its adoption must be approved, it can't be put back")
        now = self.in_force(name)
        if now is not None and now.digest == of:
            raise LearnedError("learned.same", f"{of[:16]} is in force already", digest=of[:16])
        with self._state.transaction():
            self._adopt(name, of, "put_back", by, signed)

    def demand(self, name: str, of: str) -> Version:
        """What could be in force. Raises LearnedError."""
        found = next((version for version in self.versions(name) if version.digest == of), None)
        if found is None:
            raise LearnedError("learned.unknown", f"no learned state {of[:16]!r} of {name!r} is kept here", digest=of[:16])
        if not found.fits:
            raise LearnedError("learned.other", f"{of[:16]} was learned of other tags or options than the site has now", digest=of[:16])
        try:
            self.state(of)
        except LookupError as error:
            raise LearnedError("learned.gone", str(error), digest=of[:16]) from error
        return found

    def _adopt(self, name: str, of: str, how: How, by: str, more: Mapping[str, Any]) -> None:
        before = self._state.rows("SELECT digest FROM learned_in_force WHERE name = ?", (name,))
        former, now_ns, at = str(before[0][0]) if before else "", self._clock.now_ns(), basis(self._site(), self.spec(name))
        self._state.db.execute("INSERT OR REPLACE INTO learned_in_force VALUES (?, ?, ?, ?, ?, ?)", (name, of, at, how, by, now_ns))
        self._state.db.execute("UPDATE learned_state SET adopted_ns = ? WHERE name = ? AND digest = ?", (now_ns, name, of))
        self._make_room(name, adopted=True)
        self._log.append("learned", {**more, "name": name, "digest": of, "former": former, "how": how, "by": by, "basis": at})

    # ---- bounds --------------------------------------------------------------------------------------------------------

    def _make_room(self, name: str, *, adopted: bool) -> None:
        """Let the oldest of a kind go, never one in force or being asked for. Raises LearnedError where all of them are."""
        rows = self._state.rows(
            "SELECT digest FROM learned_state WHERE name = ? AND (adopted_ns > 0) = ? ORDER BY max(kept_ns, adopted_ns), rowid",
            (name, int(adopted)),
        )
        held = {*self._asked(), *(of for (of,) in self._state.rows("SELECT digest FROM learned_in_force WHERE name = ?", (name,)))}
        over = len(rows) - (ADOPTED_MAX if adopted else CANDIDATES_MAX - 1)
        free = [of for (of,) in rows if of not in held]
        if over > len(free):
            raise LearnedError("learned.full", f"{len(rows)} learned states of {name!r} wait for people; answer them first", name=name)
        for of in free[: max(over, 0)]:
            self._state.db.execute("DELETE FROM learned_state WHERE name = ? AND digest = ?", (name, of))

    def sweep(self) -> None:
        """Remove the files that no row names. Never between a `put` and its `keep`: the caller does one after the other."""
        named = {str(of) for (of,) in self._state.rows("SELECT digest FROM learned_state")}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in named:
                path.unlink(missing_ok=True)
