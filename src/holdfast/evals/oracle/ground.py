"""What the oracle is told of a site and of those who act on it: bounds, rules, posts, answers, arrivals. Data alone, no judging."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from holdfast.terms import Autonomy, Word

Effect = Literal["permit", "ask", "forbid", "none"]


class Back(Word):
    """What is taken back, and when: the process value is off its setpoint, or the answer goes the wrong way, so long after the write."""

    after_s: float
    settles: str
    within: float
    expects: str
    falls_by: float


class Bound(Word):
    """One setpoint and all that bounds it; None or () where nothing does."""

    tag: str
    equipment: str
    unit: str
    kind: Literal["float", "integer", "bool"] = "float"
    resolution: float = 0.0  # of the raw number, in the unit
    rows: tuple[tuple[float, tuple[float, float]], ...]  # (value of `by`, (low, high)); one row where `by` is ""
    by: str = ""
    step: float
    travel: tuple[float, float] | None = None  # (most, in s)
    writes: tuple[int, float] | None = None  # (most, in s)
    dwell_s: float = 0.0
    yield_s: float
    present: str  # the point that shows the active setpoint
    musts: tuple[tuple[str, float], ...]  # enable and requires
    nevers: tuple[tuple[str, float], ...] = ()  # maintenance
    rests: tuple[str, ...] = ()
    newer_s: float = math.inf
    moves_s: float = math.inf
    shows_s: float  # when the present setpoint may say that the write arrived
    within: float
    level: Autonomy = "act"
    back: Back | None = None


class Question(Word, eq=False):
    """What the rules are asked: may `author` set `tag` to `proposed`."""

    author: str
    tag: str
    proposed: float
    present: float
    value: Callable[[str], float]


class Ruling(Word):
    effect: Effect
    roles: tuple[str, ...] = ()


class Ground(Word, eq=False):
    """The site in the oracle's own words."""

    bounds: Mapping[str, Bound]
    agents: Mapping[str, Autonomy]
    people: Mapping[str, tuple[str, ...]]  # name: roles
    default_roles: tuple[str, ...]
    stop: tuple[str, float]
    beats: frozenset[str]
    rule: Callable[[Question], Ruling]


class Device(Protocol):
    """The plant's truth."""

    def value(self, point: str) -> float: ...
    def good(self, point: str) -> bool: ...


class Post(Word, eq=False):
    """A proposal as its author sent it, and the world as it was then."""

    author: str
    id: str
    sets: tuple[tuple[str, Any], ...]
    unit: str
    valid_s: float
    at_ns: int
    boot: int
    bound_to: Mapping[str, float]


class Yes(Word, eq=False):
    """What a person truly did."""

    person: str
    id: str
    role: str
    yes: bool
    at_ns: int
    bound_to: Mapping[str, float]


class Arrival(Word):
    """One write that a device received. `tag` "" for an address that is nobody's; `value` as its bytes say."""

    wire: str
    tag: str
    value: float
    raw: bytes
    at_ns: int


class Judgement(Word):
    arrival: Arrival
    faults: tuple[str, ...]
    proposal: str = ""
