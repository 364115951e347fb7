"""How far Holdfast may go right now: raised by people, lowered by anyone and by faults, below the site file's ceilings.

Where the site file requires commissioning, a tag is never above the rung that was signed for it (rungs.py).
"""

from holdfast.gate.actuation.rungs import Rungs
from holdfast.gate.ledger.store import State
from holdfast.site.model import Site
from holdfast.terms import AUTONOMIES, Autonomy

_LEVELS: dict[str, Autonomy] = {level: level for level in AUTONOMIES}


def lowest(*levels: Autonomy) -> Autonomy:
    return min(levels, key=AUTONOMIES.index)


class AutonomyLevels:
    """Levels by scope: "*" for the plant or the name of a writable tag. A scope without one is at its ceiling."""

    def __init__(self, state: State, site: Site) -> None:
        self._state = state
        self._take(site)
        self.rungs = Rungs(state, site)
        state.ensure("CREATE TABLE IF NOT EXISTS autonomy(scope TEXT PRIMARY KEY, level TEXT NOT NULL)")
        # Why a fault lowered it; a person's word takes the row away.
        state.ensure("CREATE TABLE IF NOT EXISTS autonomy_lowered(scope TEXT PRIMARY KEY, code TEXT NOT NULL)")
        self._load()
        state.on_rollback(self._load)

    def adopt(self, site: Site) -> None:
        """Other ceilings from now on; what people and faults set stays set below them."""
        self._take(site)
        self.rungs.adopt(site)

    def _take(self, site: Site) -> None:
        self._site = site
        self._scopes = {"*", *(e.tag for e in site.envelopes)}

    def set(self, scope: str, level: Autonomy, code: str = "") -> None:
        """In the caller's transaction, which records who did it; `code` is the fault's.

        Raises ValueError for a scope that is not there and for a level above the rung that is signed.
        """
        if scope not in self._scopes:
            raise ValueError(f"{scope!r} is neither '*' nor a writable tag; writable are: {', '.join(sorted(self._scopes - {'*'}))}")
        ceiling = self.rungs.ceiling(scope) if scope != "*" else "act"
        if AUTONOMIES.index(level) > AUTONOMIES.index(ceiling):
            at = self.rungs.of(scope).rung or "none"
            raise ValueError(
                f"{scope} is commissioned up to {ceiling} (last signed rung: {at}), so it can't be raised to {level};"
                f" `holdfast commission {scope.removesuffix('.sp')}` goes on from there"
            )
        self._state.db.execute("INSERT OR REPLACE INTO autonomy VALUES(?, ?)", (scope, level))
        if code:
            self._state.db.execute("INSERT OR REPLACE INTO autonomy_lowered VALUES(?, ?)", (scope, code))
            self._codes[scope] = code
        else:
            self._state.db.execute("DELETE FROM autonomy_lowered WHERE scope = ?", (scope,))
            self._codes.pop(scope, None)
        self._levels[scope] = level

    def all(self) -> tuple[tuple[str, Autonomy], ...]:
        """What is in force beside the site file's ceilings: what was set, and no more than what is commissioned."""
        found = dict(self._levels)
        for tag, ceiling in self.rungs.ceilings():
            found[tag] = lowest(found.get(tag, "act"), ceiling)
        return tuple(sorted(found.items()))

    def lowered(self) -> tuple[tuple[str, Autonomy, str], ...]:
        """(scope, level, code) of what a fault lowered and nobody has raised since."""
        return tuple((scope, self._levels[scope], code) for scope, code in sorted(self._codes.items()) if scope in self._levels)

    def of(self, scope: str) -> Autonomy:
        """The level in force for a tag or, with "*", for the plant; an agent's own ceiling left aside."""
        plant = lowest(self._site.autonomy, self._levels.get("*", "act"))
        envelope = self._site.envelope(scope)
        if envelope is None:
            return plant
        machines: tuple[Autonomy, ...] = tuple(e.autonomy for e in self._site.equipment if e.name == envelope.equipment)
        return lowest(plant, *machines, envelope.autonomy, self._levels.get(scope, "act"), self.rungs.ceiling(scope))

    def raises(self, scope: str, level: Autonomy) -> bool:
        """Whether this would give more than there is now: only a person may do that."""
        return AUTONOMIES.index(level) > AUTONOMIES.index(self._levels.get(scope, "act"))

    def _load(self) -> None:
        self._levels: dict[str, Autonomy] = {}
        for scope, level in self._state.db.execute("SELECT scope, level FROM autonomy"):
            # A level that is not one of ours can only have come from outside: the lowest counts.
            self._levels[str(scope)] = _LEVELS.get(str(level), "observe")
        self._codes = {str(scope): str(code) for scope, code in self._state.db.execute("SELECT scope, code FROM autonomy_lowered")}
