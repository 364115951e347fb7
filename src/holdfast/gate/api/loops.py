"""Each control loop at the people's door: its tags, how far Holdfast may go there now, and the envelope as it holds now."""

from typing import Any

from litestar import Response, get
from pydantic import TypeAdapter

from holdfast.gate.actuation.autonomy import lowest
from holdfast.gate.api.messages import json
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.guard.compile import Bound, Limits
from holdfast.site.model import Loop
from holdfast.terms import Autonomy, Word


class Band(Word):
    """One row of an envelope's range. `state` is the value of the tag that selects it; None: it always holds."""

    state: int | None
    low: float
    high: float


class LoopNow(Word):
    """Tag names are "" where the loop lacks the part. `autonomy` and `ceiling` are None where nobody may write.

    `low` to `high` is the envelope's range now, None where it can't be told. `yield_until_ns` is UTC, 0 for none.
    """

    name: str
    equipment: str
    tag_no: str
    description: str
    unit: str
    sp: str
    sp_now: str
    pv: str
    mode: str
    permit: str
    autonomy: Autonomy | None
    ceiling: Autonomy | None
    lowered: str  # the code of the fault that lowered it; "" for none
    stopped: bool
    maintenance: bool | None  # None where it can't be told
    yield_until_ns: int
    range_by: str
    bands: tuple[Band, ...]
    low: float | None
    high: float | None
    step_max: float | None


def loop_handlers(gate: Gatekeeper) -> list[Any]:
    """Routes for `people_app`; reading needs no name."""

    @get("/v1/loops", answers=TypeAdapter(list[LoopNow]))
    async def loops() -> Response[bytes]:
        """Each control loop as it stands now."""
        lowered = {scope: code for scope, _, code in gate.autonomy.lowered()}
        return json([loop_now(gate, loop, lowered.get(loop.sp, lowered.get("*", ""))) for loop in gate.site.loops])

    return [loops]


def loop_now(gate: Gatekeeper, loop: Loop, lowered: str) -> LoopNow:
    bound = gate.compiled.bounds.get(loop.sp)
    shown = gate.compiled.tags.get(loop.sp_now or loop.pv or loop.sp)
    limits = _limits_now(gate, bound)
    until_ns = gate.moves.yields.get(loop.sp, 0)
    return LoopNow(
        name=loop.name,
        equipment=loop.equipment,
        tag_no="" if shown is None else shown.tag_no,
        description="" if shown is None else shown.description,
        unit="1" if shown is None else shown.unit,
        sp=loop.sp,
        sp_now=loop.sp_now,
        pv=loop.pv,
        mode=loop.mode,
        permit=loop.permit,
        autonomy=gate.autonomy.of(loop.sp) if bound else None,
        ceiling=lowest(gate.site.autonomy, bound.equipment.autonomy, bound.envelope.autonomy, gate.autonomy.rungs.ceiling(loop.sp))
        if bound
        else None,
        lowered=lowered if bound else "",
        stopped=gate.stop.covers(loop.equipment),
        maintenance=_maintenance(gate, bound),
        yield_until_ns=until_ns if until_ns > gate.clock.now_ns() else 0,
        range_by=bound.range_by.tag.name if bound and bound.range_by else "",
        bands=_bands(bound),
        low=limits.low if limits else None,
        high=limits.high if limits else None,
        step_max=float(bound.step) if bound and bound.step is not None else None,
    )


def _limits_now(gate: Gatekeeper, bound: Bound | None) -> Limits | None:
    """None without an envelope, and where the state that selects the row is not Good and fresh: the guard refuses then too."""
    if bound is None or not bound.limits:
        return None
    if bound.range_by is None:
        return bound.limits.get("")
    tag = bound.range_by.tag
    reading, value = gate.live.reading(tag.name), gate.live.good_value(tag.name)
    if reading is None or value is None or reading.age_s > bound.range_by.age_s_max:
        return None
    return bound.limits.get(dict(tag.states).get(round(value), "")) if value == round(value) else None


def _bands(bound: Bound | None) -> tuple[Band, ...]:
    if bound is None or not bound.limits:
        return ()
    numbers = {name: number for number, name in bound.range_by.tag.states} if bound.range_by else {}
    found: list[Band] = []
    for name, limits in bound.limits.items():
        if limits is not None and (bound.range_by is None or name in numbers):
            found.append(Band(state=numbers.get(name), low=limits.low, high=limits.high))
    return tuple(found)


def _maintenance(gate: Gatekeeper, bound: Bound | None) -> bool | None:
    if bound is None or bound.maintenance is None:
        return False
    value = gate.live.good_value(bound.maintenance.watch.tag.name)
    return None if value is None else value == bound.maintenance.value
