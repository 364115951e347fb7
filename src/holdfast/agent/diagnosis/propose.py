"""How far a setpoint may go now: the agent's own account of an envelope, so that it asks for nothing the guard must refuse.

Pure functions. The guard decides all the same, by data of its own; nothing here is a check that safety rests on.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

from holdfast.agent.diagnosis.wording import Language, quote
from holdfast.agent.knowledge.modes import Trim
from holdfast.site.model import Envelope, Equals, Loop, Site
from holdfast.terms import AUTONOMIES, SECOND_NS, Autonomy, Move, Word

ValueOf = Callable[[str], float | None]
"""The newest value of a tag, None where it is Bad or was never seen."""

Held = Literal[
    "no_value", "range_unknown", "at_bound", "rate", "writes", "dwell", "yield", "enable", "requires", "maintenance", "observe", "keep"
]
WAITS: tuple[Held, ...] = ("no_value", "rate", "writes", "dwell")  # pass by themselves: nothing is posted
STANDS_OFF: tuple[Held, ...] = ("yield", "enable", "requires", "maintenance")  # a person's doing: posted once, for the record
MOVE_MIN = 0.1  # of a step: less is not worth a write
GRID = 200  # targets lie on a grid of so many parts of a step, so that rounding never leaves a bound


class Room(Word):
    """The target that may be asked for, or why none may. `target` is also set where a person's doing holds it back."""

    before: float = math.nan
    target: float | None = None
    held: Held | None = None


def bounds_of(site: Site, envelope: Envelope, value_of: ValueOf) -> tuple[float, float] | None:
    """The range in force; None where the state that selects it is unknown."""
    if envelope.range is None:
        return (-math.inf, math.inf)
    if not envelope.range.by:
        return envelope.range.rows[0][1]
    tag, value = site.tag(envelope.range.by), value_of(envelope.range.by)
    state = None if tag is None or value is None else dict(tag.states).get(round(value))
    return dict(envelope.range.rows).get(state) if state is not None else None


def ceiling(site: Site, envelope: Envelope, agent: str) -> Autonomy:
    """The lowest of plant, equipment, loop and agent as written; the gate may have lowered it further."""
    levels = [AUTONOMIES.index(site.autonomy), AUTONOMIES.index(envelope.autonomy)]
    levels += [AUTONOMIES.index(e.autonomy) for e in site.equipment if e.name == envelope.equipment]
    levels += [AUTONOMIES.index(a.autonomy) for a in site.agents if a.name == agent]
    return AUTONOMIES[min(levels)]


def keeps(site: Site, value_of: ValueOf) -> tuple[str, ...]:
    """Tags of the objective whose `keep` doesn't hold now. Unknown values break nothing: the guard sees them as missing."""
    broken: list[str] = []
    for tag, sense, factor, other in site.objective.keep:
        value, base = value_of(tag), value_of(other) if other else 1.0
        if value is None or base is None:
            continue
        bound = factor * base
        if (value < bound) if sense == ">=" else (value > bound):
            broken.append(tag)
    return tuple(broken)


def breaks_keep(site: Site, loop: Loop, target: float, value_of: ValueOf) -> bool:
    """Would the loop's pv at `target` break a `keep` of the objective?"""
    return loop.pv in keeps(site, lambda tag: target if tag == loop.pv else value_of(tag))


def room(
    site: Site,
    loop: Loop,
    envelope: Envelope,
    trim: Trim,
    *,
    value_of: ValueOf,
    moves: Sequence[Move],
    taken_ns: int = 0,
    now_ns: int,
    agent: str,
) -> Room:
    """The next move of this loop. `moves`: of at least the longest window, anyone's, in order of time;
    `taken_ns`: when a mode or permit of the loop last changed."""
    if ceiling(site, envelope, agent) == "observe":
        return Room(held="observe")
    before = value_of(loop.sp_now or loop.sp)
    if before is None:
        return Room(held="no_value")
    bounds = bounds_of(site, envelope, value_of)
    if bounds is None:
        return Room(before=before, held="range_unknown")
    mine = [m for m in moves if not m.shadow and m.tag in (loop.sp, loop.sp_now)]
    up = trim.move == "up"
    step = envelope.step if envelope.step is not None else math.inf
    free = bounds[1] - before if up else before - bounds[0]
    wanted = trim.by * step if math.isfinite(step) else 0.05 * abs(before)
    least = MOVE_MIN * wanted
    if free < least:
        return Room(before=before, held="at_bound")
    travel = math.inf
    if envelope.rate is not None:
        used = sum(abs(m.after - m.before) for m in _within(mine, now_ns, envelope.rate.per_s))
        # A move that may be taken back needs its way back reserved.
        travel = (envelope.rate.max - used) / (2.0 if envelope.restore else 1.0)
    target = _on_grid(before, min(wanted, free, travel), up=up, step=wanted, bounds=bounds)
    if breaks_keep(site, loop, target, value_of):
        return Room(before=before, held="keep")
    held = _held(site, loop, envelope, mine, value_of, taken_ns, now_ns)
    if held is None and travel < least:
        held = "rate"
    return Room(before=before, target=target if held is None or held in STANDS_OFF else None, held=held)


def _held(site: Site, loop: Loop, envelope: Envelope, mine: Sequence[Move], value_of: ValueOf, taken_ns: int, now_ns: int) -> Held | None:
    others_ns = max([taken_ns, *(m.at_ns for m in mine if not m.ours)])
    if others_ns and now_ns - others_ns < envelope.yield_s * SECOND_NS:
        return "yield"
    if not _holds(envelope.enable, value_of):
        return "enable"
    keys = [e.maintenance for e in site.equipment if e.name == envelope.equipment and e.maintenance is not None]
    if any(_holds(key, value_of) for key in keys):
        return "maintenance"
    if not all(_holds(need, value_of) for need in envelope.requires):
        return "requires"
    if envelope.writes is not None:
        ours = [m for m in _within(mine, now_ns, envelope.writes.per_s) if m.ours]
        if len(ours) * (2 if envelope.restore else 1) >= envelope.writes.max:
            return "writes"
    if envelope.dwell_s is not None and mine and now_ns - mine[-1].at_ns <= envelope.dwell_s * SECOND_NS:
        return "dwell"
    return None


def _within(moves: Sequence[Move], now_ns: int, per_s: float) -> list[Move]:
    return [m for m in moves if now_ns - per_s * SECOND_NS < m.at_ns <= now_ns]


def _holds(need: Equals, value_of: ValueOf) -> bool:
    return value_of(need.tag) == need.value


def _on_grid(before: float, size: float, *, up: bool, step: float, bounds: tuple[float, float]) -> float:
    """The target, rounded towards where the setpoint is, so that neither step nor range is passed by a rounding."""
    cell = step / GRID
    raw = before + size if up else before - size
    target = round((math.floor(raw / cell + 1e-9) if up else math.ceil(raw / cell - 1e-9)) * cell, 9)
    if abs(target - before) > size:
        target = round(target - cell if up else target + cell, 9)
    return min(max(target, bounds[0]), bounds[1])


def expectation(site: Site, envelope: Envelope, trim: Trim, fallback_tag: str, language: Language) -> str:
    """What should follow, in words: the envelope's own expectation where it has one, else the mode's."""
    if envelope.expect is None:
        return quote("expect_loose", language, tag=fallback_tag, direction=quote(trim.expect, language))
    tag = site.tag(envelope.expect.tag)
    return quote(
        "expect",
        language,
        tag=envelope.expect.tag,
        direction=quote(envelope.expect.direction, language),
        by=envelope.expect.by,
        unit=tag.unit if tag else "",
        within=envelope.expect.within_s,
    )
