"""Is a loop wired as the site file says: addresses, units, scaling, permit and mode, heartbeat, bumpless setpoint?

Reads and browses; all that it sends is two pulses of the loop's heartbeat, which it reads back.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from holdfast.clock import Clock
from holdfast.gate.actuation.watchdog import Watchdog
from holdfast.gate.guard.compile import Bound
from holdfast.gate.guard.exact import shown
from holdfast.ports import Connector
from holdfast.site.model import Loop
from holdfast.site.units import same
from holdfast.terms import Reason, Sample, Tag

BROWSED_MAX = 1_000  # variables below one node
PULSES = 2  # one could be there from before
PULSE_APART_S = 0.5
FLOAT32_ROUNDING = 2.0**-23
Read = Callable[[Sequence[str]], Awaitable[Mapping[str, Sample]]]


def reason(code: str, passed: bool, tag: str = "", **facts: str) -> Reason:
    return Reason(code=code, passed=passed, tag=tag, facts=tuple(sorted(facts.items())))


async def check(
    bound: Bound,
    loop: Loop,
    tags: Mapping[str, Tag],
    *,
    read: Read,
    connectors: Mapping[str, Connector],
    watchdog: Watchdog,
    clock: Clock,
) -> tuple[Reason, ...]:
    """Every check, passed ones too."""
    names = tuple(dict.fromkeys(n for n in (loop.sp, loop.sp_now, loop.pv, loop.mode, loop.permit, loop.heartbeat) if n))
    found = await read(names)
    made = list(_readable(names, found))
    told = await _told(tuple(tags[n] for n in names), connectors)
    made += _agrees((tags[n] for n in names), told)
    made += _scaled(bound, connectors[bound.tag.connection])
    made += _switches(loop, tags, found)
    made.append(await _heartbeat(loop, read, watchdog, clock))
    made.append(_tracks(bound, loop, found))
    return tuple(made)


def _good(found: Mapping[str, Sample], tag: str) -> float | None:
    sample = found.get(tag)
    return float(sample.value) if sample is not None and sample.status == 0 and isinstance(sample.value, float | int) else None


def _readable(names: Sequence[str], found: Mapping[str, Sample]) -> Iterator[Reason]:
    for name in names:
        value, sample = _good(found, name), found.get(name)
        if value is not None:
            yield reason("wiring.read", True, name, value=shown(value))
        else:
            yield reason("wiring.unread", False, name, status="-" if sample is None else f"0x{sample.status:08X}")


async def _told(tags: Sequence[Tag], connectors: Mapping[str, Connector]) -> Mapping[str, Tag]:
    """By connection and address, what the servers say of these tags; nothing of servers that can't be browsed."""
    told: dict[str, Tag] = {}
    for connection, under in dict.fromkeys((t.connection, t.address.rpartition(".")[0]) for t in tags):
        try:
            count = 0
            async for tag in connectors[connection].browse(under):
                told[f"{connection} {tag.address}"] = tag
                count += 1
                if count >= BROWSED_MAX:
                    break
        except Exception:  # noqa: BLE001, S112 - a server without browsing tells nothing, which is said of each tag
            continue
    return told


def _agrees(tags: Iterator[Tag], told: Mapping[str, Tag]) -> Iterator[Reason]:
    for tag in tags:
        there = told.get(f"{tag.connection} {tag.address}")
        if there is None or there.unit in ("", "1"):
            if tag.unit != "1":
                yield reason("wiring.unit_not_told", True, tag.name, unit=tag.unit)
        else:
            try:
                fits = same(tag.unit, there.unit)
            except ValueError:
                fits = tag.unit == there.unit
            yield reason("wiring.unit" if fits else "wiring.unit_differs", fits, tag.name, unit=tag.unit, server=there.unit)
        if there is not None and there.eu_range is not None and tag.eu_range is not None and there.eu_range != tag.eu_range:
            yield reason("wiring.range_differs", False, tag.name, range=str(list(tag.eu_range)), server=str(list(there.eu_range)))


def _scaled(bound: Bound, connector: Connector) -> Iterator[Reason]:
    """Both ends and the middle of every row of the range, there and back."""
    rows = [limits for limits in (bound.limits or {}).values() if limits is not None]
    values = sorted({v for row in rows for v in (row.low, (row.low + row.high) / 2, row.high)})
    worst, at, most = 0.0, 0.0, 0.0
    for value in values:
        try:
            off = abs(connector.wire_value(bound.tag, value) - value)
        except ValueError as error:
            yield reason("wiring.scale_fails", False, bound.tag.name, value=shown(value), why=str(error)[:200])
            return
        if off >= worst:
            worst, at, most = off, value, bound.resolution + FLOAT32_ROUNDING * abs(value)
    fits = worst <= most
    yield reason(
        "wiring.scale" if fits else "wiring.scale_differs", fits, bound.tag.name, off=shown(worst), value=shown(at), max=shown(most)
    )


def _switches(loop: Loop, tags: Mapping[str, Tag], found: Mapping[str, Sample]) -> Iterator[Reason]:
    permit, mode = _good(found, loop.permit), _good(found, loop.mode)
    if loop.permit:
        fits = permit in (0.0, 1.0)
        yield reason(
            "wiring.permit" if fits else "wiring.permit_unclear", fits, loop.permit, value="-" if permit is None else shown(permit)
        )
    if loop.mode:
        name = next((word for number, word in tags[loop.mode].states if mode == number), "")
        yield reason(
            "wiring.mode" if name else "wiring.mode_unclear", bool(name), loop.mode, mode=name, value="-" if mode is None else shown(mode)
        )


async def _heartbeat(loop: Loop, read: Read, watchdog: Watchdog, clock: Clock) -> Reason:
    """The PLC's register follows our count. On a virtual clock nothing waits between the pulses."""
    if not loop.heartbeat:
        return reason("wiring.no_heartbeat", False, loop.sp)
    seen: list[str] = []
    for _ in range(PULSES):
        try:
            sent = await watchdog.pulse(loop.sp)
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises: the pulse is not known to have arrived
            return reason("wiring.heartbeat_unsent", False, loop.heartbeat, why=(str(error) or type(error).__name__)[:200])
        if sent is None:
            return reason("wiring.heartbeat_unsent", False, loop.heartbeat, why="stop")
        value = _good(await read((loop.heartbeat,)), loop.heartbeat)
        if value != sent[1]:
            return reason(
                "wiring.heartbeat_differs", False, loop.heartbeat, sent=str(sent[1]), value="-" if value is None else shown(value)
            )
        seen.append(str(sent[1]))
    return reason("wiring.heartbeat", True, loop.heartbeat, counts=", ".join(seen))


def _tracks(bound: Bound, loop: Loop, found: Mapping[str, Sample]) -> Reason:
    """While it is not selected, the external setpoint follows the active one: taking over is bumpless."""
    external, active = _good(found, loop.sp), _good(found, loop.sp_now)
    selected = any(_good(found, must.watch.tag.name) == must.value for must in bound.requires if must.watch.tag.name == loop.mode)
    if selected and _good(found, loop.permit) == 1.0:
        return reason("wiring.selected", False, loop.sp, mode=loop.mode)
    if external is None or active is None:
        return reason("wiring.tracks_unknown", False, loop.sp)
    within = bound.envelope.readback.within if bound.envelope.readback else 0.0
    fits = abs(external - active) <= within
    return reason(
        "wiring.tracks" if fits else "wiring.tracks_not",
        fits,
        loop.sp,
        external=shown(external),
        active=shown(active),
        within=shown(within),
    )
