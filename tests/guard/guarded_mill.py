"""A small mill for the guard's tests: one tension loop, one emulsion loop, and a snapshot in which all is well."""

import dataclasses
from typing import Any

from holdfast.gate.guard.compile import Compiled, compile_site
from holdfast.site.model import (
    AgentSpec,
    Connection,
    Envelope,
    Equals,
    Equipment,
    Loop,
    Policy,
    Range,
    Rate,
    Readback,
    RestsOn,
    Rule,
    Site,
    Writes,
)
from holdfast.terms import SECOND_NS, Decision, Move, Proposal, Reading, Reason, Snapshot, Tag, Wire, Write

NOW_NS = 1_700_000_000 * SECOND_NS
SP, SP_NOW, PV = "stand-4/tension.sp", "stand-4/tension.sp_now", "stand-4/tension.pv"
MODE, PERMIT, HEARTBEAT = "stand-4/tension.mode", "stand-4/tension.permit", "stand-4/tension.heartbeat"
FLOW, FLOW_NOW = "stand-4/emulsion.sp", "stand-4/emulsion.sp_now"
VIB, GRADE, STATE, KEY = "stand-4/vibration", "line/grade", "line/state", "line/key_switch"
MODES = ((0, "manual"), (1, "auto"), (2, "external"))


def tag(name: str, **more: Any) -> Tag:
    defaults: dict[str, Any] = {"connection": "mill", "address": f"ns=2;s={name}", "unit": "1"}
    return Tag(name=name, **{**defaults, **more})


TAGS = (
    tag(SP, unit="kN", writable=True),
    tag(SP_NOW, unit="kN"),
    tag(PV, unit="kN"),
    tag(MODE, type="state", states=MODES),
    tag(PERMIT, type="bool"),
    tag(HEARTBEAT, type="integer", writable=True),
    tag(FLOW, unit="L/min", writable=True),
    tag(FLOW_NOW, unit="L/min"),
    tag(VIB, unit="mm/s"),
    tag(GRADE, type="state", states=((0, "DC01"), (1, "SPCC"), (2, "DX51"))),
    tag(STATE, type="state", states=((0, "stopped"), (1, "running"))),
    tag(KEY, type="bool"),
    tag("stand-4/trip", unit="kN", writable=True, sis=True),
    tag("stand-4/spare", unit="kN", writable=True),
)

TENSION = Envelope(
    tag=SP,
    equipment="stand-4",
    autonomy="act",
    enable=Equals(tag=PERMIT, value=1.0),
    range=Range(by=GRADE, rows=(("DC01", (90.0, 115.0)), ("SPCC", (80.0, 120.0)))),
    step=2.0,
    rate=Rate(max=5.0, per_s=600.0),
    writes=Writes(max=3, per_s=3600.0),
    dwell_s=60.0,
    rests_on=RestsOn(tags=(PV, VIB), newer_than_s=2.0, moves_within_s=300.0),
    readback=Readback(tag=SP_NOW, within=0.05, after_s=1.0),
    requires=(Equals(tag=MODE, value=2.0), Equals(tag=STATE, value=1.0)),
    yield_s=1800.0,
)
EMULSION = Envelope(
    tag=FLOW,
    equipment="stand-4",
    autonomy="act",
    enable=Equals(tag=PERMIT, value=1.0),
    range=Range(by="", rows=(("", (200.0, 420.0)),)),
    step=30.0,
    rate=Rate(max=120.0, per_s=600.0),
    writes=Writes(max=12, per_s=3600.0),
    dwell_s=60.0,
    rests_on=None,
    readback=Readback(tag=FLOW_NOW, within=0.5, after_s=1.0),
)
PERMIT_ALL = Rule(id="all", effect="permit", agents=("*",), tags=("*",))
SITE = Site(
    name="test-mill",
    language="en",
    timezone="UTC",
    connections=(Connection(name="mill", type="opcua", writes=True), Connection(name="cooling", type="modbus")),
    equipment=(Equipment(name="line"), Equipment(name="stand-4", maintenance=Equals(tag=KEY, value=1.0))),
    tags=TAGS,
    loops=(
        Loop(name="tension", equipment="stand-4", sp=SP, sp_now=SP_NOW, pv=PV, mode=MODE, permit=PERMIT, heartbeat=HEARTBEAT),
        Loop(name="emulsion", equipment="stand-4", sp=FLOW, sp_now=FLOW_NOW),
    ),
    envelopes=(TENSION, EMULSION),
    agents=(AgentSpec(name="mill-agent", autonomy="act"), AgentSpec(name="other", autonomy="ask")),
    policy=Policy(revision=1, rules=(PERMIT_ALL,)),
)


def site(**changes: Any) -> Site:
    return dataclasses.replace(SITE, **changes)


def bounded(**changes: Any) -> Site:
    """The site with other bounds for tension."""
    return site(envelopes=(dataclasses.replace(TENSION, **changes), EMULSION))


def ruled(*rules: Rule, **changes: Any) -> Site:
    return site(policy=Policy(revision=1, rules=rules), **changes)


def rule(effect: str, when: str = "true", **more: Any) -> Rule:
    defaults: dict[str, Any] = {"id": f"{effect} {when}", "agents": ("*",), "tags": ("*",)}
    return Rule(effect=effect, when=when, **{**defaults, **more})  # type: ignore[arg-type]


def reading(name: str, value: float, **more: Any) -> Reading:
    defaults: dict[str, Any] = {"status": 0, "source_ns": NOW_NS, "age_s": 0.5, "still_s": 1.0}
    return Reading(tag=name, value=value, **{**defaults, **more})


WELL: dict[str, float] = {
    SP: 100.0, SP_NOW: 100.0, PV: 100.1, MODE: 2.0, PERMIT: 1.0, FLOW: 300.0, FLOW_NOW: 300.0, VIB: 2.0, GRADE: 0.0, STATE: 1.0, KEY: 0.0,
}  # fmt: skip


def readings() -> dict[str, Reading]:
    return {name: reading(name, value) for name, value in WELL.items()}


def snapshot(
    *changed: Reading, without: tuple[str, ...] = (), sets: tuple[tuple[str, float], ...] = ((SP, 101.0),), **more: Any
) -> Snapshot:
    """All is well, but for the `changed` readings and those `without`; the wire carries exactly what was asked."""
    found = {**readings(), **{r.tag: r for r in changed}}
    wires = tuple(Wire(tag=name, asked=value, value=value) for name, value in sets)
    kept = tuple(r for name, r in found.items() if name not in without)
    fields: dict[str, Any] = {"at_ns": NOW_NS, "readings": kept, "wires": wires, **more}
    return Snapshot(**fields)


def proposal(*sets: tuple[str, float], **more: Any) -> Proposal:
    action = more.pop("action", None) or Write(sets=sets or ((SP, 101.0),), unit=more.pop("unit", ""))
    fields: dict[str, Any] = {"id": "p-1", "incident": "i-1", "action": action, "reason": "chatter is growing", **more}
    return Proposal(**fields)


def move(after: float, ago_s: float, *, before: float = 100.0, tag: str = SP, by: str = "mill-agent", shadow: bool = False) -> Move:
    ours = by != "operator"
    return Move(tag=tag, before=before, after=after, at_ns=NOW_NS - round(ago_s * SECOND_NS), by=by, ours=ours, shadow=shadow)


COMPILED = compile_site(SITE)


def compiled(of: Site) -> Compiled:
    return COMPILED if of is SITE else compile_site(of)


def failures(decision: Decision) -> set[str]:
    return {reason.code for reason in decision.reasons if not reason.passed}


def reason(decision: Decision, code: str) -> Reason:
    return next(r for r in decision.reasons if r.code == code)
