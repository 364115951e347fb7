"""How far each loop is commissioned: rungs that people sign one after the other, and that faults and changes take back.

A signed rung holds for the envelope, loop and tags that it was signed for. When one of them is changed, all rungs are void:
what was checked is not what is there now.
"""

from typing import Literal

from holdfast.gate.ledger.store import State
from holdfast.site.model import Site
from holdfast.terms import Autonomy, Word, digest

Rung = Literal["wiring", "simulate", "shadow", "ask", "act"]
RUNGS: tuple[Rung, ...] = ("wiring", "simulate", "shadow", "ask", "act")
_RUNGS: dict[str, Rung] = {rung: rung for rung in RUNGS}
_ALLOWS: dict[str, Autonomy] = {"": "observe", "wiring": "observe", "simulate": "observe", "shadow": "shadow", "ask": "ask", "act": "act"}
# The highest rung that may stay signed once a fault has lowered a tag to a level.
_STAYS: dict[Autonomy, Rung] = {"observe": "simulate", "shadow": "shadow", "ask": "ask", "act": "act"}


class Signed(Word):
    """The last rung of a tag that holds; "" for none. `seq` is the record of its signature."""

    tag: str
    rung: Rung | Literal[""] = ""
    seq: int = 0


class Rungs:
    """Writes join the caller's transaction, which records them."""

    def __init__(self, state: State, site: Site) -> None:
        self._state = state
        self._take(site)
        state.ensure(
            "CREATE TABLE IF NOT EXISTS commission(tag TEXT PRIMARY KEY, rung TEXT NOT NULL, basis TEXT NOT NULL, seq INTEGER NOT NULL)"
        )
        self.changed: tuple[Signed, ...] = ()  # signed for something else than what is there now
        self._load()
        state.on_rollback(self._load)

    def adopt(self, site: Site) -> None:
        """What was signed for something else than what is there now is in `changed`."""
        self._take(site)
        self._load()

    def _take(self, site: Site) -> None:
        self._tags = tuple(e.tag for e in site.envelopes)
        self.required = site.commissioning
        self.bases = {tag: basis(site, tag) for tag in self._tags}

    def of(self, tag: str) -> Signed:
        return self._signed.get(tag, Signed(tag=tag))

    def next_of(self, tag: str) -> Rung | None:
        """The rung that may be signed next; None at the top."""
        at = self.of(tag).rung
        place = RUNGS.index(at) + 1 if at else 0
        return RUNGS[place] if place < len(RUNGS) else None

    def ceiling(self, tag: str) -> Autonomy:
        """The most that the tag may be given; `act` where the site file does not require commissioning."""
        return _ALLOWS[self.of(tag).rung] if self.required else "act"

    def ceilings(self) -> tuple[tuple[str, Autonomy], ...]:
        return tuple((tag, self.ceiling(tag)) for tag in self._tags) if self.required else ()

    def put(self, signed: Signed) -> None:
        """In the caller's transaction."""
        self._state.db.execute(
            "INSERT OR REPLACE INTO commission VALUES(?, ?, ?, ?)", (signed.tag, signed.rung, self.bases[signed.tag], signed.seq)
        )
        self._signed[signed.tag] = signed

    def stays(self, tag: str, level: Autonomy) -> Rung | Literal[""] | None:
        """The rung that a tag falls back to when a fault lowers it to `level`; None where it stays where it is."""
        at = self.of(tag).rung
        if not at or RUNGS.index(at) <= RUNGS.index(_STAYS[level]):
            return None
        return _STAYS[level]

    def _load(self) -> None:
        self._signed: dict[str, Signed] = {}
        changed: list[Signed] = []
        for tag, rung, of, seq in self._state.rows("SELECT tag, rung, basis, seq FROM commission"):
            if tag not in self.bases or not rung:
                continue
            # A rung that is not one of ours can only have come from outside: it counts for nothing.
            signed = Signed(tag=str(tag), rung=_RUNGS.get(str(rung), ""), seq=int(seq))
            if of == self.bases[tag]:
                self._signed[signed.tag] = signed
            else:
                changed.append(signed)
        self.changed = tuple(changed)


def basis(site: Site, tag: str) -> str:
    """Digest of all that a loop's commissioning rests on: its envelope, its parts, and every tag that they name."""
    envelope, loop = site.envelope(tag), site.loop_of(tag)
    if envelope is None:
        return ""
    of = envelope
    named = {of.tag, of.enable.tag, *(must.tag for must in of.requires)}
    named |= {place.tag for place in (of.readback, of.settles, of.expect) if place is not None}
    named |= set(of.rests_on.tags) if of.rests_on else set()
    if loop is not None:
        named |= {loop.sp_now, loop.pv, loop.mode, loop.permit, loop.heartbeat}
    machine = tuple(e for e in site.equipment if e.name == of.equipment)
    return digest((of, loop, machine, tuple(t for t in site.tags if t.name in named)))
