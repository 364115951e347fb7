"""May anything be done to this tag now: its address, the wire, stop, autonomy, the operator's permit, fresh data."""

# An action of another kind can come from outside: the match has a last case though the types say that it can't be reached.
# pyright: reportUnnecessaryComparison=false

from holdfast.gate.guard.case import Case, Target, clean, failed, judged, passed, settled
from holdfast.gate.guard.compile import Must
from holdfast.gate.guard.exact import shown
from holdfast.gate.guard.readings import SKEW_S_MAX, stuck
from holdfast.gate.guard.wellformed import number
from holdfast.terms import Adopt, Call, Order, Reason, Write

# A value carried as a 32-bit float is off by at most 2^-24 of itself (IEEE 754, half a unit in the last of 24 places).
FLOAT32_ROUNDING = 2.0**-24


def addressed(case: Case) -> tuple[Reason, ...]:
    match case.proposal.action:
        case Write():
            return tuple(_address(case, name) for name, _ in case.sets) or (failed("addressed.unknown"),)
        case Call() as call:
            if call.method not in case.compiled.methods:
                return (failed("addressed.method", method=call.method),)
            if not case.sets:
                return (failed("addressed.arguments", method=call.method),)
            # Judged as the writes that it is, so that its reasons are complete; this release sends no calls.
            return (*(_address(case, name) for name, _ in case.sets), failed("addressed.call", method=call.method))
        case Order() as order:
            known = order.target in case.compiled.equipment
            return (passed("addressed", target=clean(order.target)) if known else failed("addressed.target", target=order.target),)
        case Adopt() as adopt:
            # Autonomy is raised by people alone, with evidence and a signature, never on an agent's proposal.
            if adopt.what == "autonomy":
                return (failed("addressed.autonomy"),)
            return (passed("addressed", target=clean(f"{adopt.what}/{adopt.name}")),)
        case _:
            return (failed("addressed.unknown"),)


def _address(case: Case, name: str) -> Reason:
    tag, bound = case.compiled.tags.get(name), case.compiled.bounds.get(name)
    if tag is None:
        return failed("addressed.unknown", name)
    if tag.sis:
        return failed("addressed.sis", name)
    if name in case.compiled.heartbeats:
        return failed("addressed.heartbeat", name)
    if not tag.writable:
        return failed("addressed.read_only", name)
    if bound is None:
        return failed("addressed.no_envelope", name)
    if not bound.wired:
        return failed("addressed.connection", name, connection=tag.connection)
    if case.snapshot.limits and not all(limit.writable for limit in case.told_limits(name)):
        return failed("addressed.server", name, connection=tag.connection)
    return settled("addressed", name, target=name)


def wire(case: Case) -> tuple[Reason, ...]:
    if not isinstance(case.proposal.action, Write | Call):
        return ()
    return tuple([_wire(target) for target in case.targets]) or (failed("wire.missing"),)


def _wire(target: Target) -> Reason:
    name, asked, value = target.bound.tag.name, target.asked, target.value
    if value is None or number(value):
        return failed("wire.missing", name)
    # Half a step of the raw number, as rounding leaves it, and the rounding of a 32-bit float: more is not what was asked.
    bound = target.bound.resolution + FLOAT32_ROUNDING * abs(asked)
    if not abs(value - asked) <= bound:
        return failed("wire.differs", name, asked=shown(asked), value=shown(value), max=shown(bound), unit=target.bound.tag.unit)
    return judged("wire", "", True, name, (("asked", shown(asked)), ("value", shown(value)), ("unit", target.bound.tag.unit)))


def stop(case: Case) -> tuple[Reason, ...]:
    where = {t.bound.equipment.name for t in case.targets} | {"*"}
    if isinstance(case.proposal.action, Order):
        where.add(case.proposal.action.target)
    pressed = [name for name in case.snapshot.stopped if name in where]
    reasons = [failed("stop.pressed", where=name) for name in pressed]
    wired = case.compiled.stop
    if wired is not None:
        reading = case.sound(wired.watch)
        if reading is None:
            reasons.append(failed("stop.unknown", wired.watch.tag.name))
        elif reading.value == wired.value:
            reasons.append(failed("stop.wired", wired.watch.tag.name))
    return tuple(reasons) or (settled("stop"),)


def autonomy(case: Case) -> tuple[Reason, ...]:
    if case.author not in case.compiled.agents:
        return (failed("autonomy.author", author=case.author),)
    level, by = case.level
    return (failed("autonomy.observe", by=by) if level == "observe" else settled("autonomy", level=level, by=by),)


def enable(case: Case) -> tuple[Reason, ...]:
    return tuple([_must(case, "enable", target, target.bound.enable) for target in case.targets])


def maintenance(case: Case) -> tuple[Reason, ...]:
    return tuple([_maintenance(case, target) for target in case.targets])


def _maintenance(case: Case, target: Target) -> Reason:
    name, must = target.bound.tag.name, target.bound.maintenance
    if must is None:
        return settled("maintenance.none", name)
    values = case.values(must.watch)
    if values is None:
        return failed("maintenance.unknown", name, of=must.watch.tag.name)
    if must.value in values:
        return failed("maintenance.on", name, of=must.watch.tag.name)
    return settled("maintenance", name, of=must.watch.tag.name)


def requires(case: Case) -> tuple[Reason, ...]:
    return tuple(_must(case, "requires", target, must) for target in case.targets for must in target.bound.requires)


def _must(case: Case, code: str, target: Target, must: Must) -> Reason:
    name, of = target.bound.tag.name, must.watch.tag.name
    match case.holds(must):
        case None:
            return failed(f"{code}.unknown", name, of=of)
        case True:
            return settled(code, name, of=of, value=must.label)
        case False:
            reading = case.readings[of]
            value = _label(must, reading.value if reading else must.value)
            return failed(f"{code}.off", name, of=of, value=value, wanted=must.label)


def _label(must: Must, value: float) -> str:
    return next((name for number_, name in must.watch.tag.states if number_ == value), shown(value))


def fresh(case: Case) -> tuple[Reason, ...]:
    return tuple(reason for target in case.targets for reason in _fresh(case, target))


def _fresh(case: Case, target: Target) -> list[Reason]:
    name = target.bound.tag.name
    found: list[Reason] = []
    for watch in target.bound.watched:
        of = watch.tag.name
        reading = case.sound(watch)
        if reading is None:
            reading, wrong = case.readings.get(of), case.flaw(watch)
            status = f"0x{reading.status:08X}" if reading else ""
            age = shown(reading.age_s) if reading else ""
            skew = shown(reading.skew_s) if reading else ""
            limit = SKEW_S_MAX if wrong == "skew" else watch.age_s_max
            found.append(failed(f"fresh.{wrong or 'missing'}", name, of=of, status=status, age_s=age, skew_s=skew, max_s=shown(limit)))
        if reading is not None and watch.still_s_max is not None and stuck(reading, watch):
            found.append(failed("fresh.stuck", name, of=of, still_s=shown(reading.still_s), max_s=shown(watch.still_s_max)))
    if not found:
        found.append(settled("fresh", name, tags=str(len(target.bound.watched))))
    return found
