"""How far Holdfast may go right now: raised by people, lowered by anyone and by faults, below the site file's ceilings."""

from holdfast.gate.ledger.store import State
from holdfast.site.model import Site
from holdfast.terms import AUTONOMIES, Autonomy

_LEVELS: dict[str, Autonomy] = {level: level for level in AUTONOMIES}


class AutonomyLevels:
    """Levels by scope: "*" for the plant or the name of a writable tag. A scope without one is at its ceiling."""

    def __init__(self, state: State, site: Site) -> None:
        self._state = state
        self._scopes = {"*", *(e.tag for e in site.envelopes)}
        state.ensure("CREATE TABLE IF NOT EXISTS autonomy(scope TEXT PRIMARY KEY, level TEXT NOT NULL)")
        self._load()
        state.on_rollback(self._load)

    def set(self, scope: str, level: Autonomy) -> None:
        """In the caller's transaction, which records who did it. Raises ValueError for a scope that is not there."""
        if scope not in self._scopes:
            raise ValueError(f"{scope!r} is neither '*' nor a writable tag; writable are: {', '.join(sorted(self._scopes - {'*'}))}")
        self._state.db.execute("INSERT OR REPLACE INTO autonomy VALUES(?, ?)", (scope, level))
        self._levels[scope] = level

    def all(self) -> tuple[tuple[str, Autonomy], ...]:
        return tuple(sorted(self._levels.items()))

    def raises(self, scope: str, level: Autonomy) -> bool:
        """Whether this would give more than there is now: only a person may do that."""
        return AUTONOMIES.index(level) > AUTONOMIES.index(self._levels.get(scope, "act"))

    def _load(self) -> None:
        self._levels: dict[str, Autonomy] = {}
        for scope, level in self._state.db.execute("SELECT scope, level FROM autonomy"):
            # A level that is not one of ours can only have come from outside: the lowest counts.
            self._levels[str(scope)] = _LEVELS.get(str(level), "observe")
