"""The envelope's numbers: range, step, rate, budget, dwell, and leaving alone what others move or nothing would change.

At a limit passes, the next number above fails. Range compares the wire's doubles; step and rate compare exact decimals.
"""

from holdfast.gate.guard.case import Case, Target, failed, judged, settled
from holdfast.gate.guard.compile import Limits
from holdfast.gate.guard.exact import gap, shown, total
from holdfast.gate.guard.readings import state
from holdfast.terms import SECOND_NS, Reason


def in_range(case: Case) -> tuple[Reason, ...]:
    return tuple([_range(case, target) for target in case.targets])


def _range(case: Case, target: Target) -> Reason:
    """The envelope's range, then what the server says that the instrument can take: the tighter of the two decides."""
    found = _own_range(case, target)
    if not found.passed or not case.snapshot.limits:
        return found
    name, value = target.bound.tag.name, target.value
    for limit in case.told_limits(name):
        if limit.range is None:
            continue
        low, high = limit.range
        if value is None or not low <= value <= high:
            shown_value = "" if value is None else shown(value)
            return failed("envelope.range.server", name, value=shown_value, low=shown(low), high=shown(high), unit=target.bound.tag.unit)
    return found


def _own_range(case: Case, target: Target) -> Reason:
    bound, name, unit = target.bound, target.bound.tag.name, target.bound.tag.unit
    if bound.limits is None:
        return settled("envelope.range.none", name)
    if target.value is None:
        return failed("envelope.range.unknown", name, of=name)
    wanted: tuple[str, ...] = ("",)
    if bound.range_by is not None:
        watch = bound.range_by
        values = case.values(watch)
        if values is None:
            return failed("envelope.range.unknown", name, of=watch.tag.name)
        states = [state(value, watch) for value in values]
        if None in states:
            return failed("envelope.range.unlisted", name, of=watch.tag.name, state=", ".join(shown(v) for v in values))
        wanted = tuple(dict.fromkeys(found for found in states if found is not None))
    rows: list[Limits] = []
    for row in wanted:
        limits = bound.limits.get(row)
        if limits is None:
            return failed("envelope.range.unlisted", name, of=bound.range_by.tag.name if bound.range_by else name, state=row)
        rows.append(limits)
    lowest, highest = max(rows, key=_low), min(rows, key=_high)
    low, high = lowest.low, highest.high
    facts = (("value", shown(target.value)), ("low", lowest.low_shown), ("high", highest.high_shown), ("unit", unit))
    if bound.range_by is not None:
        of = bound.range_by.tag.name.rsplit("/", 1)[-1]
        facts = (*facts, ("state", ", ".join([f"{of} {row}" for row in wanted])))
    if low <= target.value <= high:
        return judged("envelope.range", "", True, name, facts)
    side = "above" if target.value > high else "below"
    return failed(f"envelope.range.{side}" + (".state" if bound.range_by is not None else ""), name, **dict(facts))


def _low(limits: Limits) -> float:
    return limits.low


def _high(limits: Limits) -> float:
    return limits.high


def step(case: Case) -> tuple[Reason, ...]:
    return tuple([_step(case, target) for target in case.targets])


def _step(case: Case, target: Target) -> Reason:
    bound, name = target.bound, target.bound.tag.name
    if bound.step is None:
        return settled("envelope.step.none", name)
    present = case.present(bound)
    if present is None or target.value is None:
        return failed("envelope.step.unknown", name, of=bound.present.tag.name)
    wide = gap(target.value, present)
    facts = (("step", shown(wide)), ("max", bound.texts.step), ("present", shown(present)), ("unit", bound.tag.unit))
    return judged("envelope.step", "envelope.step.over", wide <= bound.step, name, facts)


def rate(case: Case) -> tuple[Reason, ...]:
    return tuple([_rate(case, target) for target in case.targets])


def _rate(case: Case, target: Target) -> Reason:
    bound, name = target.bound, target.bound.tag.name
    if bound.rate is None:
        return settled("envelope.rate.none", name)
    present = case.present(bound)
    if present is None or target.value is None:
        return failed("envelope.rate.unknown", name, of=bound.present.tag.name)
    # A move stamped after now (a clock that went back) is still a move.
    since_ns = case.snapshot.at_ns - bound.rate_ns
    here = [gap(target.value, present)] * (2 if bound.envelope.restore else 1)  # there, and the way back that may be needed
    travel = total([gap(m.after, m.before) for m in case.moves(bound) if m.at_ns > since_ns] + here)
    facts = (("travel", shown(travel)), ("max", bound.texts.rate), ("per_s", bound.texts.rate_per_s), ("unit", bound.tag.unit))
    return judged("envelope.rate", "envelope.rate.over", travel <= bound.rate, name, facts)


def writes(case: Case) -> tuple[Reason, ...]:
    return tuple([_writes(case, target) for target in case.targets])


def _writes(case: Case, target: Target) -> Reason:
    bound, name, budget = target.bound, target.bound.tag.name, target.bound.envelope.writes
    if budget is None:
        return settled("envelope.writes.none", name)
    since_ns = case.snapshot.at_ns - bound.writes_ns
    count = (2 if bound.envelope.restore else 1) + len([m for m in case.moves(bound) if m.ours and m.at_ns > since_ns])
    facts = (("count", str(count)), ("max", bound.texts.writes), ("per_s", bound.texts.writes_per_s))
    return judged("envelope.writes", "envelope.writes.over", count <= budget.max, name, facts)


def dwell(case: Case) -> tuple[Reason, ...]:
    return tuple([_dwell(case, target) for target in case.targets])


def _dwell(case: Case, target: Target) -> Reason:
    bound, name = target.bound, target.bound.tag.name
    if bound.envelope.dwell_s is None:
        return settled("envelope.dwell.none", name)
    last_ns = max([m.at_ns for m in case.moves(bound)], default=None)
    if last_ns is None:
        return settled("envelope.dwell.first", name)
    since_ns = case.snapshot.at_ns - last_ns
    facts = (("since_s", shown(since_ns / SECOND_NS)), ("dwell_s", bound.texts.dwell_s))
    return judged("envelope.dwell", "envelope.dwell.early", since_ns >= bound.dwell_ns, name, facts)


def yields(case: Case) -> tuple[Reason, ...]:
    return tuple([_yield(case, target) for target in case.targets])


def _yield(case: Case, target: Target) -> Reason:
    bound, name, now_ns = target.bound, target.bound.tag.name, case.snapshot.at_ns
    until_ns = max([until for tag, until in case.snapshot.yields if tag in ("*", name)], default=now_ns)
    others = [m.at_ns + bound.yield_ns for m in case.moves(bound) if not m.ours]
    until_ns = max([until_ns, *others])
    if now_ns >= until_ns:
        return settled("yield", name)
    return failed("yield.operator", name, left_s=shown((until_ns - now_ns) / SECOND_NS), yield_s=shown(bound.envelope.yield_s))


def busy(case: Case) -> tuple[Reason, ...]:
    return tuple([_busy(case, target) for target in case.targets])


def _busy(case: Case, target: Target) -> Reason:
    name = target.bound.tag.name
    why = [reason for tag, reason in case.snapshot.busy if tag in ("*", name)]
    pending = any(m.tag == name and m.ours for m in case.snapshot.pending if case.counts(m))
    if why or pending:
        return failed("busy.busy", name, why=", ".join(why) or "pending")
    return settled("busy", name)


def unchanged(case: Case) -> tuple[Reason, ...]:
    return tuple([_unchanged(case, target) for target in case.targets])


def _unchanged(case: Case, target: Target) -> Reason:
    name = target.bound.tag.name
    present = case.present(target.bound)
    if present is None or target.value is None:
        return failed("unchanged.unknown", name, of=target.bound.present.tag.name)
    if target.value == present:
        return failed("unchanged.same", name, value=shown(present), unit=target.bound.tag.unit)
    facts = (("value", shown(target.value)), ("present", shown(present)), ("unit", target.bound.tag.unit))
    return judged("unchanged", "", True, name, facts)
