"""One proposal before the guard: what it wants, what is known, and the checks' common questions. Making one never raises."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from holdfast.gate.guard.compile import Bound, Compiled, Must, Watch
from holdfast.gate.guard.readings import flaw
from holdfast.terms import AUTONOMIES, Autonomy, Call, Move, Proposal, Reading, Reason, ServerLimit, Snapshot, Write

SETS_MAX = 16  # tags in one group
TEXT_MAX = 200  # characters of one fact
Overlay = dict[str, float]
_RANK = {level: rank for rank, level in enumerate(AUTONOMIES)}


T = TypeVar("T")
REASONS_MAX = 4096  # reasons that are made once, of the configuration


class Once(Generic[T]):
    """`functools.cached_property` without its lock: a case lives within one decision, in one thread."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__

    def __get__(self, case: Any, of: type | None = None) -> T:
        made = case.__dict__[self._name] = self._make(case)  # from now on the instance's own attribute is found first
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One tag that the proposal writes. `value` is what the wire would carry, None where that is not known."""

    bound: Bound
    asked: float
    value: float | None


def _rank(found: tuple[Autonomy, str]) -> int:
    return _RANK[found[0]]


class Case:
    """The proposal, its author, the configuration and the snapshot, with lookups."""

    def __init__(self, proposal: Proposal, author: str, compiled: Compiled, snapshot: Snapshot) -> None:
        self.proposal = proposal
        self.author = author
        self.compiled = compiled
        self.snapshot = snapshot
        self._looked: dict[int, tuple[str, Reading | None]] = {}  # by identity of the watch, which the configuration keeps alive
        self._present: dict[str, float | None] = {}
        self._moves: dict[str, tuple[Move, ...]] = {}

    @Once
    def sets(self) -> tuple[tuple[str, float], ...]:
        """(tag, asked) of a write, or of a call as the writes that its method is; () for anything else.

        Raises on a malformed one, which fails the check that asked.
        """
        action = self.proposal.action
        if isinstance(action, Call):
            method = self.compiled.methods.get(action.method)
            fits = method is not None and len(method.writes) == len(action.arguments)
            return tuple(zip(method.writes, action.arguments, strict=True)) if method is not None and fits else ()
        return tuple((name, value) for name, value in action.sets[:SETS_MAX]) if isinstance(action, Write) else ()

    @Once
    def readings(self) -> dict[str, Reading | None]:
        """By tag; None for a tag with two readings, which is none."""
        found: dict[str, Reading | None] = {}
        for reading in self.snapshot.readings:
            found[reading.tag] = None if reading.tag in found else reading
        return found

    @Once
    def targets(self) -> tuple[Target, ...]:
        """The bounded tags of a write, in order; tags without bounds are `addressed`'s business."""
        found: list[Target] = []
        for name, asked in self.sets:
            bound = self.compiled.bounds.get(name)
            if bound is not None:
                found.append(Target(bound=bound, asked=asked, value=self.wire(name, asked)))
        return tuple(found)

    def wire(self, name: str, asked: float) -> float | None:
        """What the connector would send for exactly this; None where it isn't known, once and for this very value."""
        wires = [w for w in self.snapshot.wires if w.tag == name]
        if len(wires) != 1 or wires[0].asked != asked:
            return None
        value = wires[0].value
        return value if abs(value) < float("inf") else None

    def told_limits(self, name: str) -> tuple[ServerLimit, ...]:
        """What its server says of a tag; all of it counts."""
        return tuple([limit for limit in self.snapshot.limits if limit.tag == name])

    def flaw(self, watch: Watch) -> str:
        """What is wrong with the reading of a tag, "" if a decision may rest on it."""
        return (self._looked.get(id(watch)) or self._look(watch))[0]

    def sound(self, watch: Watch) -> Reading | None:
        """The reading of a tag if a decision may rest on it."""
        return (self._looked.get(id(watch)) or self._look(watch))[1]

    def _look(self, watch: Watch) -> tuple[str, Reading | None]:
        reading = self.readings.get(watch.tag.name)
        wrong = flaw(reading, watch)
        found = self._looked[id(watch)] = (wrong, None if wrong else reading)
        return found

    def present(self, bound: Bound) -> float | None:
        """The active setpoint."""
        name = bound.tag.name
        if name not in self._present:
            reading = self.sound(bound.present)
            self._present[name] = None if reading is None else reading.value
        return self._present[name]

    def values(self, watch: Watch) -> tuple[float, ...] | None:
        """The value now, and those that this proposal or pending ones would give the tag; None if now is not known."""
        reading = self.sound(watch)
        if reading is None:
            return None
        name = watch.tag.name
        if name not in self.changing:
            return (reading.value,)
        return (reading.value, *(world[name] for world in self.worlds if name in world))

    def holds(self, must: Must) -> bool | None:
        """Whether the tag has the value now and after every step; None if it isn't known."""
        reading = self.sound(must.watch)
        if reading is None:
            return None
        if reading.tag not in self.changing:  # nearly always
            return reading.value == must.value
        return all(value == must.value for value in self.values(must.watch) or ())

    @Once
    def pending(self) -> Overlay:
        """What tags would be once everything asked for or in flight had happened."""
        overlay: Overlay = {}
        for move in self.snapshot.pending:
            if self.counts(move):
                overlay |= self._effect(move.tag, move.after)
        return overlay

    @Once
    def worlds(self) -> tuple[Overlay, ...]:
        """Tags changed after each step of the group, as things are and as if what is pending had happened."""
        if len(self.targets) == 1 and not self.pending:  # nearly always
            (only,) = self.targets
            return () if only.value is None else (self._effect(only.bound.tag.name, only.value),)
        found: list[Overlay] = []
        for start in ({}, self.pending) if self.pending else ({},):
            world: Overlay = dict(start)
            for target in self.targets:
                if target.value is not None:
                    world = world | self._effect(target.bound.tag.name, target.value)
                    found.append(world)
        return tuple(found)

    @Once
    def changing(self) -> frozenset[str]:
        """Tags that any of the worlds changes."""
        return frozenset().union(*self.worlds)

    def _effect(self, name: str, value: float) -> Overlay:
        """A written setpoint, and the active one that follows it."""
        bound = self.compiled.bounds.get(name)
        return {name: value} if bound is None else {name: value, bound.present.tag.name: value}

    @Once
    def level(self) -> tuple[Autonomy, str]:
        """The autonomy in force and who set it: the lowest of plant, equipment, envelope, agent and what faults left."""
        return min(self._levels(), key=_rank)

    def _levels(self) -> list[tuple[Autonomy, str]]:
        found: list[tuple[Autonomy, str]] = [
            (self.compiled.site.autonomy, "plant"),
            (self.compiled.agents.get(self.author, "observe"), self.author),
        ]
        for target in self.targets:
            found.append((target.bound.equipment.autonomy, target.bound.equipment.name))
            found.append((target.bound.envelope.autonomy, target.bound.tag.name))
        where = getattr(self.proposal.action, "target", "")
        if where in self.compiled.equipment:
            found.append((self.compiled.equipment[where].autonomy, where))
        if self.snapshot.autonomy:
            names = {"*", *[t.bound.tag.name for t in self.targets], *[t.bound.equipment.name for t in self.targets]}
            names |= {where} & self.compiled.equipment.keys()
            found.extend((level, name) for name, level in self.snapshot.autonomy if name in names)
        return found

    def counts(self, move: Move) -> bool:
        """Whether a move counts for this decision: real ones always, those of the shadow only in shadow."""
        return not move.shadow or self.level[0] == "shadow"

    def moves(self, bound: Bound) -> tuple[Move, ...]:
        """All moves of a tag that count, those pending too; others' moves of its active setpoint are moves of it."""
        name = bound.tag.name
        found = self._moves.get(name)
        if found is None:
            everyone = (*self.snapshot.moves, *self.snapshot.pending) if self.snapshot.pending else self.snapshot.moves
            of = [m for m in everyone if (m.tag == name or (not m.ours and m.tag in bound.others)) and (not m.shadow or self.counts(m))]
            found = self._moves[name] = tuple(of)
        return found


def made(word: type[T], fields: dict[str, Any]) -> T:
    """A word of all its fields. A frozen dataclass sets them one by one through object.__setattr__; a decision makes some twenty words."""
    one = object.__new__(word)
    object.__setattr__(one, "__dict__", fields)
    return one


def _reason(code: str, ok: bool, tag: str, facts: tuple[tuple[str, str], ...]) -> Reason:
    return made(Reason, {"code": code, "passed": ok, "tag": tag, "facts": facts})


def passed(code: str, tag: str = "", **facts: str) -> Reason:
    return _reason(code, True, tag, tuple(facts.items()))


def judged(code: str, fails_as: str, ok: bool, tag: str, facts: tuple[tuple[str, str], ...]) -> Reason:
    """Passed or failed by the same facts, none of which is an agent's text; a pair each, because keywords cost more than the rest."""
    return _reason(code if ok else fails_as, ok, tag, facts)


@lru_cache(maxsize=REASONS_MAX)
def settled(code: str, tag: str = "", **facts: str) -> Reason:
    """A passed reason whose facts come from the configuration alone: made once."""
    return passed(code, tag, **facts)


def failed(code: str, tag: str = "", **facts: str) -> Reason:
    return _reason(code, False, clean(tag), tuple([(name, clean(fact)) for name, fact in facts.items()]))


def clean(text: object) -> str:
    """Text that may come from an agent, short and fit for the record."""
    if type(text) is str and text.isascii() and len(text) <= TEXT_MAX:
        return text
    try:
        shown = text if isinstance(text, str) else str(text)
    except Exception:  # noqa: BLE001  an integer of 5000 digits has no text
        shown = type(text).__name__
    return shown[:TEXT_MAX].encode("utf-8", "replace").decode("utf-8")
