"""Agents and their bearer tokens: the gate keeps a hash, the agent the token, and who it is comes from nothing else."""

import base64
import hashlib
import hmac
from collections.abc import Callable

from holdfast.gate.identity.names import IdentityError, alike, checked, folded
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.terms import Word

TOKEN_BYTES = 32
AGENTS_MAX = 256

TABLE = "CREATE TABLE IF NOT EXISTS agent (fold TEXT PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL) STRICT;"


class AgentChange(Word):
    """What the ledger keeps of an agent: kind "agent"."""

    change: str  # added, revoked
    name: str
    hash: bytes = b""  # SHA-256 of the token given out, so that another put in its place is found
    by: str = ""  # who did it; "" at the command line of the machine


class Agents:
    """random_bytes(n) gives n random bytes. Writes join the caller's transaction."""

    def __init__(self, state: State, log: Log, random_bytes: Callable[[int], bytes]) -> None:
        self._state = state
        self._log = log
        self._random = random_bytes
        state.ensure(TABLE)

    def add(self, name: str, *, by: str = "") -> str:
        """A new token for `name`, 32 random bytes as base64url; an earlier one ends. It is shown only now.

        Raises IdentityError for a name that is unfit or looks like another agent's, or too many agents.
        """
        name = checked(name, "agent")
        if near := next((known for known in self.list() if folded(known) != folded(name) and alike(known, name)), ""):
            raise IdentityError("identity.taken", f"{name} looks like the agent {near}. Choose another name.")
        token = base64.urlsafe_b64encode(self._random(TOKEN_BYTES)).rstrip(b"=").decode()
        with self._state.transaction():
            self._state.db.execute("DELETE FROM agent WHERE fold = ?", (folded(name),))
            if len(self.list()) >= AGENTS_MAX:
                raise IdentityError("identity.full", f"There are {AGENTS_MAX} agents already. Revoke some first.")
            self._state.db.execute("INSERT INTO agent VALUES (?, ?, ?)", (folded(name), name, _hashed(token)))
            self._log.append("agent", AgentChange(change="added", name=name, hash=_hashed(token), by=by))
        return token

    def verify(self, token: str) -> str | None:
        """Whose token it is; None for nobody's. Every stored hash is compared, each in constant time."""
        hashed = _hashed(token)
        found: str | None = None
        for name, stored in self._state.rows("SELECT name, hash FROM agent"):
            if hmac.compare_digest(hashed, stored):
                found = name
        return found

    def list(self) -> tuple[str, ...]:
        return tuple(name for (name,) in self._state.rows("SELECT name FROM agent ORDER BY fold"))

    def revoke(self, name: str, *, by: str = "") -> None:
        """End the agent's token. Raises IdentityError for one that is not known."""
        known = {folded(agent): agent for agent in self.list()}.get(folded(name))
        if known is None:
            raise IdentityError("identity.unknown", f"There is no agent of the name {name}. `holdfast agents list` shows which there are.")
        with self._state.transaction():
            self._state.db.execute("DELETE FROM agent WHERE fold = ?", (folded(name),))
            self._log.append("agent", AgentChange(change="revoked", name=known, by=by))


def _hashed(token: str) -> bytes:
    # A token of 256 random bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
