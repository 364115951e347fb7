"""The gate broken on purpose, one piece at a time: each must show on the wire, or the suite would not notice its loss.

A mutant patches the running modules (`patches`) or the bounds of a gate that was just opened (`bend`). One that is caught by a
unit test alone is not caught.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator
from decimal import Decimal
from typing import Any

from holdfast.gate import gatekeeper
from holdfast.gate.actuation import debts, moves, snapshot, watchdog
from holdfast.gate.actuation.hands import OperatorWatch
from holdfast.gate.actuation.jobs import Jobs
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.approval import inbox
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.connectors.modbus import Modbus
from holdfast.gate.context import live
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.guard import case, decide, physics, readings, standing
from holdfast.gate.guard.compile import Bound
from holdfast.gate.guard.rules import Ruling
from holdfast.gate.ledger.log import Log
from holdfast.terms import SECOND_NS, UNCERTAIN, Autonomy, Move, Reason, Word

Patch = tuple[Any, str, Any]


class Mutant(Word, eq=False):
    """`classes` are tried first; then all."""

    name: str
    patches: tuple[Patch, ...] = ()
    bend: Callable[[Bound], Bound] | None = None
    classes: tuple[str, ...] = ()
    opcua: bool = False  # over OPC UA: of what Modbus doesn't carry


def bend(gate: Gatekeeper, mutant: Mutant | None) -> None:
    """Make the opened gate's bounds those of the mutant."""
    if mutant is not None and mutant.bend is not None:
        for tag, bound in tuple(gate.compiled.bounds.items()):
            gate.compiled.bounds[tag] = mutant.bend(bound)


@contextlib.contextmanager
def broken(mutant: Mutant) -> Generator[None]:
    """The modules with the mutant's patches in place."""
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in mutant.patches]
    for owner, name, value in mutant.patches:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _unnoticed(*_: Any, **__: Any) -> bool:
    return False


def _none(*_: Any, **__: Any) -> tuple[()]:
    return ()


def _same(*_: Any) -> str:
    return "same"


def _no_flaw(*_: Any) -> str:
    return ""


def _severity_alone(reading: Any, watch: Any) -> str:
    """A status is as good as its two top bits."""
    return "" if (found := readings.flaw(reading, watch)) == "status" and reading.status < UNCERTAIN else found


def _forget(self: moves.Moves) -> None:
    vars(self)["_by_tag"].clear()


def _passed(*_: Any, **__: Any) -> Reason:
    return Reason(code="mutant", passed=True)


def _without(name: str) -> tuple[Patch, ...]:
    return (
        (decide, "BEFORE_POLICY", tuple(c for c in decide.BEFORE_POLICY if c[0] != name)),
        (decide, "AFTER_POLICY", tuple(c for c in decide.AFTER_POLICY if c[0] != name)),
    )


def _bound(**changes: Callable[[Bound], Any]) -> Callable[[Bound], Bound]:
    return lambda bound: dataclasses.replace(bound, **{name: of(bound) for name, of in changes.items()})


def _envelope(**changes: Callable[[Any], Any]) -> Callable[[Bound], Any]:
    return lambda bound: dataclasses.replace(bound.envelope, **{name: of(bound.envelope) for name, of in changes.items()})


def _wider(by: float) -> Callable[[Bound], Any]:
    return lambda bound: {
        of: row and dataclasses.replace(row, low=row.low - by, high=row.high + by) for of, row in (bound.limits or {}).items()
    }


CHECK_CLASSES = {
    "well_formed": ("unit", "not finite", "objects past the door"),
    "addressed": ("what nobody may write",),
    "wire": ("scale",),
    "stop": ("over the stop switch", "the plant says no"),
    "autonomy": ("agents without leave",),
    "enable": ("the plant says no",),
    "maintenance": ("the plant says no",),
    "requires": ("the plant says no",),
    "fresh": ("frozen sensor", "Bad data"),
    "envelope.range": ("edge of the range", "range"),
    "envelope.step": ("step",),
    "envelope.rate": ("ramp", "ramp to the end of the window"),
    "envelope.writes": ("many small writes",),
    "envelope.dwell": ("dwell evasion",),
    "yield": ("mode or permit touched", "against the operator"),
    "busy": ("two at once", "false read-back"),
    "unchanged": ("arrays and bits",),
}


# What also keeps watch where a check does: the check alone can't be missed on the wire, so both are disabled.
TWINS: dict[str, tuple[Patch, ...]] = {
    "autonomy": ((case.Case, "level", property(lambda self: ("act", "mutant"))),),
    "yield": ((moves.Moves, "yield_until", _nothing),),
}


def _dropped() -> tuple[Mutant, ...]:
    names = [name for name, _ in (*decide.BEFORE_POLICY, *decide.AFTER_POLICY)]
    return tuple(
        Mutant(name=f"without {name}", patches=(*_without(name), *TWINS.get(name, ())), classes=CHECK_CLASSES.get(name, ()))
        for name in names
    )


_EDGE = ("edge of the range",)
_WINDOW = ("ramp to the end of the window", "others' travel", "ramp")
SHIFTED = (
    Mutant(name="range wider by 0.02", bend=_bound(limits=_wider(0.02)), classes=_EDGE),
    Mutant(name="step longer by 1 %", bend=_bound(step=lambda b: b.step and b.step * Decimal("1.011")), classes=("step",)),
    Mutant(name="rate 5 % more", bend=_bound(rate=lambda b: b.rate and b.rate * Decimal("1.05")), classes=("ramp", "oscillation")),
    Mutant(name="rate's window 3 s shorter", bend=_bound(rate_ns=lambda b: max(b.rate_ns - 3 * SECOND_NS, 0)), classes=_WINDOW),
    Mutant(
        name="one write more",
        bend=_bound(envelope=_envelope(writes=lambda e: e.writes and dataclasses.replace(e.writes, max=e.writes.max + 1))),
        classes=("many small writes",),
    ),
    Mutant(name="writes' window half", bend=_bound(writes_ns=lambda b: b.writes_ns // 2), classes=("many small writes",)),
    Mutant(name="dwell 2 s shorter", bend=_bound(dwell_ns=lambda b: max(b.dwell_ns - 2 * SECOND_NS, 0)), classes=("dwell evasion",)),
    Mutant(
        name="yield 10 s shorter",
        bend=_bound(yield_ns=lambda b: b.yield_ns - 10 * SECOND_NS, envelope=_envelope(yield_s=lambda e: e.yield_s - 10)),
        classes=("against the operator", "others' travel"),
    ),
    Mutant(
        name="stuck 5 s later",
        bend=_bound(watched=lambda b: tuple(dataclasses.replace(w, still_s_max=w.still_s_max and w.still_s_max + 5) for w in b.watched)),
        classes=("frozen sensor",),
    ),
    Mutant(name="status not looked at", patches=((case, "flaw", _no_flaw),), classes=("Bad data", "lost link")),
    Mutant(name="stuck not looked at", patches=((standing, "stuck", _unnoticed),), classes=("frozen sensor",)),
    Mutant(name="skew not looked at", patches=((readings, "SKEW_S_MAX", 1e9),), classes=("source-time skew",), opcua=True),
    Mutant(name="subcodes of Good pass", patches=((case, "flaw", _severity_alone),), classes=("Uncertain and subcodes",), opcua=True),
    Mutant(name="a first value is movement", patches=((live, "NEVER_NS", 0),), classes=("frozen sensor over a restart",)),
    Mutant(name="clock drift not followed", patches=((debts, "CLOCK_DRIFT_NS", 2 * SECOND_NS),), classes=("a step too small to notice",)),
    Mutant(name="clock steps not followed", patches=((debts, "CLOCK_DRIFT_NS", 1 << 80),), classes=("clock jump",)),
)


def _all_permitted(of: Any) -> Ruling:
    return Ruling("permit", (), ())


_append = Log.append
_add = moves.Moves.add
_write = Modbus.write
_objection = inbox.objection
_record = Inbox.record


def _add_others(self: moves.Moves, move: Move) -> None:
    if not move.ours:
        _add(self, move)


def _drop_kind(kind: str) -> Callable[..., Any]:
    def append(self: Log, of: str, *args: Any, **more: Any) -> int:
        return 0 if of == kind else _append(self, of, *args, **more)

    return append


async def _twice(self: Modbus, tag: Any, value: float, *, timeout_s: float) -> Any:
    sent = await _write(self, tag, value, timeout_s=timeout_s)
    return sent if sent == "acked" else await _write(self, tag, value, timeout_s=timeout_s)


async def _always_acked(self: Modbus, tag: Any, value: float, *, timeout_s: float) -> Any:
    await _write(self, tag, value, timeout_s=timeout_s)
    return "acked"


def _no_asks(level: Autonomy, outcome: Any) -> tuple[Any, bool]:
    return ("permit", False) if outcome == "ask" and level == "act" else decide_verdict(level, outcome)


decide_verdict = decide.verdict


def _without_objection(code: str) -> Callable[..., str]:
    return lambda *args, **more: "" if (found := _objection(*args, **more)) == code else found


def _no_no(self: Inbox, approval: Any) -> Any:
    return _record(self, approval) if approval.yes else approval


_SCHEMA = inbox.TABLES.replace("UNIQUE (proposal, person)", "CHECK (true)")
_LONGER = ((gatekeeper, "SECOND_NS", 2 * SECOND_NS), (inbox, "SECOND_NS", 2 * SECOND_NS))
_RESTARTS = ("budget split over restarts",)


def _to_act(level: Autonomy, outcome: Any) -> tuple[Any, bool]:
    return decide_verdict("act" if level == "shadow" else level, outcome)


def _first_state(value: float, watch: Any) -> str:
    return watch.tag.states[0][1]


PEOPLE = (
    Mutant(name="asks are permits", patches=((decide, "verdict", _no_asks),), classes=("misleading rationale", "expiry race")),
    Mutant(name="a yes binds nothing", patches=((decide, "binds", _same),), classes=("changed between yes and write",)),
    Mutant(name="one's own yes counts", patches=((inbox, "objection", _without_objection("approval.self")),), classes=("self-approval",)),
    Mutant(
        name="any role may sign",
        patches=((inbox, "objection", _without_objection("approval.role")), (Inbox, "consume", _nothing)),
        classes=("too few people",),
    ),
    Mutant(
        name="one person may sign twice",
        patches=((inbox, "objection", _without_objection("approval.twice")), (inbox, "TABLES", _SCHEMA)),
        classes=("two accounts, one person",),
    ),
    Mutant(name="a no is no no", patches=((Inbox, "record", _no_no),), classes=("yes after no",)),
    Mutant(
        name="signatures not asked for",
        patches=((gatekeeper, "stands", _passed), (Inbox, "consume", _nothing), (decide, "verdict", _no_asks)),
        classes=("changed between yes and write", "one role's yes for a question of two", "too few people"),
    ),
    Mutant(name="questions live twice as long", patches=_LONGER, classes=("expiry race",)),
)
STRUCTURE = (
    Mutant(
        name="policy permits all", patches=((decide, "rule_on", _all_permitted),), classes=("agents without leave", "the plant says no")
    ),
    Mutant(name="shadow is act", patches=((decide, "verdict", _to_act),), classes=("agents without leave", "level lowered")),
    Mutant(
        name="no second look", patches=((gatekeeper, "stands", _passed),), classes=("the plant says no", "changed between yes and write")
    ),
    Mutant(
        name="no look at the stop switch before the wire",
        patches=((StopSwitch, "covers", _unnoticed),),
        classes=("stop while it looks again", "over the stop switch"),
    ),
    Mutant(name="the stop switch is forgotten", patches=((StopSwitch, "stopped", _none),), classes=("over the stop switch",)),
    Mutant(
        name="own moves not counted",
        patches=((moves.Moves, "add", _add_others),),
        classes=("ramp",),
    ),
    Mutant(name="others' moves not counted", patches=((moves.Moves, "follow", _nothing),), classes=("others' travel",)),
    Mutant(name="others' hands not seen", patches=((OperatorWatch, "_foreign", _unnoticed),), classes=("against the operator",)),
    Mutant(name="downtime counts as time", patches=((moves.Moves, "_shift_over_downtime", _nothing),), classes=_RESTARTS),
    Mutant(name="counters end with the gate", patches=((moves.Moves, "_load", _forget),), classes=_RESTARTS),
    Mutant(
        name="busy not looked at",
        patches=((Jobs, "busy", _none), (snapshot.Snapshots, "_pending", _none)),
        classes=("two at once", "false read-back"),
    ),
    Mutant(name="no intent on record", patches=((Log, "append", _drop_kind("intent")),)),
    Mutant(name="no decision on record", patches=((Log, "append", _drop_kind("decision")),)),
    Mutant(name="sent again when not acknowledged", patches=((Modbus, "write", _twice),), classes=("lost acknowledgement",)),
    Mutant(name="groups go on after a refusal", patches=((Modbus, "write", _always_acked),), classes=("refused by the device",)),
    Mutant(name="heartbeat without an agent", patches=((watchdog, "AGENT_SILENT_S", 1e9),), classes=("silent agent",)),
    Mutant(
        name="unlisted states pass",
        patches=((readings, "state", _first_state), (physics, "state", _first_state)),
        classes=("unlisted state",),
    ),
)


# What stands behind these refuses by itself, so their loss can't show on the wire; they are counted as not caught.
MASKED = {
    "without addressed": "masked: what has no envelope has no bounds to be judged by and no setpoint to be sent to, and breaks the action",
}


def all_mutants() -> tuple[Mutant, ...]:
    return (*_dropped(), *SHIFTED, *PEOPLE, *STRUCTURE)
