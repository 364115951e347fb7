"""Which classes of attack are likely to notice which mutant, so that most are noticed in a few sequences. It decides nothing."""

_PLANT = ("the plant says no", "unlisted state", "Bad data")
_ASKED = ("expiry race", "yes after no", "approval replay", "changed between yes and write", "reboot in between")
_SIGNED = ("self-approval", "two accounts, one person", "too few people", "yes after no", "one role's yes for a question of two")
_HANDS = ("against the operator", "mode or permit touched", "moved while the gate was away", "others' travel")
_FAULTS = ("lost acknowledgement", "refused by the device", "taken and not acted on", "false read-back", "two at once")
_FORM = ("objects past the door", "unread fields", "arrays and bits", "not finite", "type coercion", "unit")
_READ = ("Uncertain and subcodes", "source-time skew", "Bad data", "frozen sensor", "not a number from a sensor")
_BUDGETS = ("ramp", "ramp to the end of the window", "many small writes", "oscillation", "others' travel")

# Beginnings of names, the first that fits counts.
LIKELY: dict[str, tuple[str, ...]] = {
    "without well_formed": ("unit", "not finite", "objects past the door", "approval replay"),
    "without addressed": ("what nobody may write", "writes by method"),
    "without wire": ("scale",),
    "without stop": ("over the stop switch", "the plant says no"),
    "without autonomy": ("agents without leave", "level lowered"),
    "without fresh": ("frozen sensor", "Bad data"),
    "without envelope.range": ("edge of the range", "range"),
    "without envelope.step": ("step",),
    "without envelope.rate": ("ramp", "ramp to the end of the window"),
    "without envelope.writes": ("many small writes",),
    "without envelope.dwell": ("dwell evasion",),
    "without yield": _HANDS,
    "without busy": _FAULTS,
    "without unchanged": ("arrays and bits",),
    "without": _PLANT,
    "guard/decide.py stands": ("changed between yes and write", "the plant says no", "one role's yes for a question of two"),
    "guard/decide.py": ("agents without leave", "expiry race", "the plant says no"),
    "guard/rules.py": ("joint end state", "agents without leave", "the plant says no", "too few people", "unlisted state"),
    "guard/wellformed.py": _FORM,
    "guard/physics.py _own_range": ("edge of the range", "range", "another grade's range", "unlisted state", "Bad data"),
    "guard/physics.py _range": ("range", "edge of the range"),
    "guard/physics.py _step": ("step", "Bad data"),
    "guard/physics.py _rate": _BUDGETS,
    "guard/physics.py _writes": ("many small writes", *_BUDGETS),
    "guard/physics.py _dwell": ("dwell evasion",),
    "guard/physics.py _yield": _HANDS,
    "guard/physics.py _busy": _FAULTS,
    "guard/physics.py _unchanged": ("arrays and bits", "Bad data"),
    "guard/standing.py address": ("what nobody may write", "writes by method"),
    "guard/standing.py _address": ("what nobody may write", "alias and renumbering"),
    "guard/standing.py wire": ("writes by method", "scale"),
    "guard/standing.py _wire": ("scale", "not finite"),
    "guard/standing.py stop": ("over the stop switch", "the plant says no", "Bad data"),
    "guard/standing.py autonomy": ("agents without leave", "level lowered"),
    "guard/standing.py _fresh": _READ,
    "guard/standing.py": _PLANT,
    "guard/readings.py": _READ,
    "guard/verdict.py": ("agents without leave", "level lowered"),
    "guard/case.py": ("joint end state", "dwell evasion", "two at once", "the plant says no"),
    "guard/binds.py": ("changed between yes and write",),
    "actuation/saga.py Saga._intend": ("expiry race", "approval replay"),
    "actuation/saga.py Saga._adopt": ("reboot in between", "moved while the gate was away"),
    "actuation/saga.py": (*_FAULTS, "reboot in between"),
    "actuation/wire.py": (*_FAULTS, "over the stop switch", "stop while it looks again"),
    "actuation/moves.py": ("others' travel", *_BUDGETS, "budget split over restarts"),
    "actuation/watchdog.py": ("silent agent", "over the stop switch"),
    "actuation/stop.py": ("over the stop switch", "stop switch tampered with"),
    "actuation/hands.py": (*_HANDS, "moved while the gate was away"),
    "approval/inbox.py": (*_ASKED, *_SIGNED, "flood"),
    "approval/standing.py": (*_SIGNED, *_ASKED),
    "range wider": ("edge of the range",),
    "step longer": ("step",),
    "rate": _BUDGETS,
    "writes' window": ("many small writes",),
    "one write more": ("many small writes",),
    "dwell": ("dwell evasion",),
    "yield": ("against the operator", "others' travel"),
    "stuck": ("frozen sensor",),
    "subcodes": ("Uncertain and subcodes",),
    "a first value": ("frozen sensor over a restart",),
    "clock": ("a step too small to notice", "clock jump"),
    "unlisted": ("unlisted state",),
    "a raw": ("scale",),
    "policy": ("agents without leave", "the plant says no"),
    "observe": ("agents without leave",),
    "shadow": ("agents without leave", "level lowered"),
    "ask": ("misleading rationale", "agents without leave"),
    "the agent": ("agents without leave",),
    "the envelope": ("what nobody may write",),
    "the highest": ("agents without leave",),
    "a lowered": ("level lowered",),
    "one person for": ("too few people",),
    "a yes": ("changed between yes and write",),
    "any role": ("too few people",),
    "one person": ("two accounts, one person",),
    "a no": ("yes after no",),
    "no second": ("the plant says no", "changed between yes and write"),
    "no look at the stop": ("stop while it looks again", "over the stop switch"),
    "no look at the yield": _HANDS,
    "the stop": ("over the stop switch",),
    "a stop switch": ("stop switch tampered with",),
    "own moves": ("ramp",),
    "others' moves": ("others' travel",),
    "others' hands": ("against the operator",),
    "downtime": ("budget split over restarts",),
    "counters": ("budget split over restarts",),
    "busy": ("two at once", "false read-back"),
    "sent again": ("lost acknowledgement",),
    "groups": ("refused by the device",),
    "heartbeat": ("silent agent",),
    "an intent": ("reboot in between",),
    "a permit": ("joint end state",),
    "a forbid": ("joint end state",),
    "no step": ("joint end state",),
}
# What Modbus doesn't carry: status codes, source stamps, what a server says of its nodes.
OPCUA = (
    "guard/readings.py SKEW",
    "guard/readings.py flaw: abs(reading.skew_s)",
    "guard/readings.py flaw: 'skew'",
    "guard/readings.py flaw: reading.status",
    "guard/standing.py _fresh: wrong",
    "guard/standing.py _address: 'addressed.server'",
    "guard/physics.py _range",
    "subcodes of Good pass",
)


def likely(name: str) -> tuple[str, ...]:
    return next((classes for beginning, classes in LIKELY.items() if name.startswith(beginning)), ())


def over_opcua(name: str) -> bool:
    return name.startswith(OPCUA)
