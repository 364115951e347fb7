"""Mutants that no single comparison, refusal or number stands for: what is counted, recorded, looked at twice, or checked in two layers.

Each is an edit of one or more functions: a piece of text that stands there once is replaced, or a statement is put first.
"""

import ast
from functools import cache

from holdfast.evals.adversary.mutants_found import Edit, Mutant, functions, source, span
from holdfast.terms import Word


class _Change(Word):
    file: str
    within: str
    old: str  # "": `new` is put before the first statement
    new: str


def _swap(file: str, within: str, old: str, new: str) -> _Change:
    return _Change(file=file, within=within, old=old, new=new)


def _first(file: str, within: str, statement: str) -> _Change:
    return _Change(file=file, within=within, old="", new=statement)


_COMPILE, _VERDICT, _CASE = "guard/compile.py", "guard/verdict.py", "guard/case.py"
_RULES, _STANDING, _DEBTS = "guard/rules.py", "approval/standing.py", "actuation/debts.py"
_WIRE, _MOVES, _LOG, _INBOX = "actuation/wire.py", "actuation/moves.py", "ledger/log.py", "approval/inbox.py"
_YIELD_AT_WIRE = _swap(_WIRE, "Wire.send", "if self._moves.yields.get(step.tag, 0) > self._clock.now_ns():", "if False:")

BOUNDS: dict[str, tuple[_Change, ...]] = {
    "range wider by 0.02": (
        _swap(_COMPILE, "_limits", "max(low, row[0]), min(high, row[1])", "max(low, row[0]) - 0.02, min(high, row[1]) + 0.02"),
    ),
    "step longer by 1.1 %": (_swap(_COMPILE, "_bound", "exact(envelope.step)", "exact(envelope.step * 1.011)"),),
    "rate 5 % more": (_swap(_COMPILE, "_bound", "exact(envelope.rate.max)", "exact(envelope.rate.max * 1.05)"),),
    "rate's window 3 s shorter": (_swap(_COMPILE, "_bound", "_ns(envelope.rate.per_s)", "_ns(envelope.rate.per_s - 3)"),),
    "writes' window 3 s shorter": (_swap(_COMPILE, "_bound", "_ns(envelope.writes.per_s)", "_ns(envelope.writes.per_s - 3)"),),
    "one write more": (_swap("guard/physics.py", "_writes", "count <= budget.max", "count <= budget.max + 1"),),
    "shadow is taken back": (_swap("guard/decide.py", "against_retreat", "if second.would or first.would:", "if False:"),),
    "a retreat is not counted in travel": (_swap("guard/physics.py", "_rate", "(2 if bound.envelope.restore else 1)", "1"),),
    "a retreat is not counted in writes": (_swap("guard/physics.py", "_writes", "(2 if bound.envelope.restore else 1)", "1"),),
    "dwell 2 s shorter": (_swap(_COMPILE, "_bound", "_ns(envelope.dwell_s)", "_ns(envelope.dwell_s - 2)"),),
    "yield 10 s shorter": (
        _swap(_COMPILE, "_bound", "yield_ns=_ns(envelope.yield_s)", "yield_ns=_ns(envelope.yield_s - 10)"),
        _swap(_MOVES, "Moves.yield_until", "self.yields[tag] = until_ns", "self.yields[tag] = until_ns - 10 * SECOND_NS"),
    ),
    "stuck 5 s later": (_swap(_COMPILE, "_resting", "envelope.rests_on.moves_within_s", "(envelope.rests_on.moves_within_s or 0) + 5"),),
    "subcodes of Good pass": (_swap("guard/readings.py", "flaw", "reading.status != GOOD", "reading.status >= 0x4000_0000"),),
    "a first value is movement": (_swap("context/live.py", "Live.__init__", "now - NEVER_NS", "now"),),
    "clock drift not followed": (_swap(_DEBTS, "Debts.now_ns", "abs(step_ns) >= CLOCK_DRIFT_NS", "abs(step_ns) >= 2 * SECOND_NS"),),
    "clock steps not followed": (_swap(_DEBTS, "Debts.now_ns", "abs(step_ns) >= CLOCK_DRIFT_NS", "False"),),
    "unlisted states pass": (
        _swap(
            "guard/readings.py",
            "state",
            "            return name\n    return None",
            "            return name\n    return watch.tag.states[0][1]",
        ),
    ),
}
RULES: dict[str, tuple[_Change, ...]] = {
    "policy permits all": (_first(_RULES, "rule_on", 'return Ruling("permit", (), ())'),),
    "observe is act": (
        _swap(
            _VERDICT,
            "verdict",
            '        case "observe":\n            return "refuse", False',
            '        case "observe":\n            return outcome, False',
        ),
        _swap("guard/standing.py", "autonomy", 'level == "observe"', "False"),
    ),
    "shadow is act": (_swap(_VERDICT, "verdict", "return outcome, True", "return outcome, False"),),
    "ask is act": (_swap(_VERDICT, "verdict", '"ask", False', "outcome, False"),),
    "asks are permits": (
        _swap(
            _VERDICT,
            "verdict",
            '        case "act":\n            return outcome, False',
            '        case "act":\n            return "permit", False',
        ),
    ),
    "what failed is permitted": (_swap(_VERDICT, "verdict", 'return "refuse", level == "shadow"', 'return "permit", False'),),
    "the highest level counts": (_swap(_CASE, "Case.level", "min(", "max("),),
    "the agent's level does not count": (_swap(_CASE, "Case._levels", 'self.compiled.agents.get(self.author, "observe")', '"act"'),),
    "the envelope's level does not count": (_swap(_CASE, "Case._levels", "target.bound.envelope.autonomy", '"act"'),),
    "a lowered level does not count": (_swap("actuation/snapshot.py", "Snapshots.take", "self._autonomy.all()", "()"),),
    "a permit may hold once": (_swap(_RULES, "_combine", 'in always if rule.effect == "permit"', 'in once if rule.effect == "permit"'),),
    "a forbid must hold always": (_swap(_RULES, "_combine", 'in once if rule.effect == "forbid"', 'in always if rule.effect == "forbid"'),),
    "no step sees the ones before": (_swap(_CASE, "Case.worlds", "world = world | self._effect(", "world = dict(start) | self._effect("),),
    "one person for all roles asked": (_swap(_RULES, "_combine", "for r in asks for role", "for r in asks[:1] for role"),),
}
PEOPLE: dict[str, tuple[_Change, ...]] = {
    "a yes binds nothing": (_swap("guard/decide.py", "_digests", "return binds(case),", 'return "same",'),),
    "a yes binds no modes": (_swap("guard/binds.py", "binds", "None if reading is None else reading.value", "None"),),
    "any role may sign": (
        _swap(_STANDING, "objection", "role not in roles", "False"),
        _swap(_INBOX, "Inbox.consume", "approval.role not in person.roles", "False"),
    ),
    "one person may sign twice": (
        _swap(_STANDING, "objection", "any(approval.person == person for approval in signed)", "False"),
        _Change(file=_INBOX, within="", old="TABLES", new='TABLES.replace("UNIQUE (proposal, person)", "CHECK (true)")'),
    ),
    "a forged yes counts": (
        _swap(_INBOX, "Inbox.record", "not genuine(approval, person.public)", "False"),
        _swap(_INBOX, "Inbox.consume", "not genuine(approval, person.public)", "False"),
    ),
    "a no is no no": (
        _swap(_INBOX, "Inbox.record", "if not approval.yes:", "if False:"),
        _swap(_STANDING, "standing", "any(not approval.yes for approval in signed)", "False"),
        _swap("actuation/eyes.py", "FreshEyes.decide_again", "if approval.yes", ""),
    ),
}
STRUCTURE: dict[str, tuple[_Change, ...]] = {
    "no second look": (_first("guard/decide.py", "stands", 'return Reason(code="stands", passed=True)'),),
    "no look at the stop switch before the wire": (_swap(_WIRE, "Wire.send", "if self._stop.covers(envelope.equipment):", "if False:"),),
    "no look at the yield, twice": (
        _YIELD_AT_WIRE,
        _swap("guard/decide.py", "_all_of", "in checks:", 'in [c for c in checks if c[0] != "yield"]:'),
    ),
    "a check that breaks down passes": (
        _first("guard/physics.py", "_step", 'raise RuntimeError("broken")'),
        _swap("guard/decide.py", "_all_of", "reasons.append(failed(code, error=type(error).__name__))", "str(error)"),
    ),
    "a policy that breaks down permits": (
        _first(_RULES, "rule_on", 'raise RuntimeError("broken")'),
        _swap("guard/decide.py", "_ruling", 'return Ruling("failed", (),', 'return Ruling("permit", (),'),
        _swap("guard/decide.py", "_ruling", '(failed("policy.error", rule="", error=type(error).__name__),)', "()"),
    ),
    "a fraction for a whole number": (
        _swap("guard/wellformed.py", "_typed", "float(value).is_integer()", "True"),
        _swap("guard/standing.py", "_wire", "if not abs(value - asked) <= bound:", "if False:"),
    ),
    "a tag twice in a group": (
        _swap("guard/wellformed.py", "_write", "if name in seen:", "if False:"),
        _swap(_CASE, "Case.wire", "len(wires) != 1", "not wires"),
    ),
    "the stop switch is forgotten": (_first("actuation/stop.py", "StopSwitch.stopped", "return ()"),),
    "a stop switch that can't be read stops nothing": (_swap("actuation/stop.py", "StopSwitch.stopped", 'return ("*",)', "return ()"),),
    "own moves not counted": (_first(_MOVES, "Moves.add", "if move.ours: return"),),
    "others' moves not counted": (_first(_MOVES, "Moves.follow", "return"),),
    "others' hands not seen": (_first("actuation/hands.py", "OperatorWatch._foreign", "return False"),),
    "downtime counts as time": (_first(_MOVES, "Moves._shift_over_downtime", "return"),),
    "counters end with the gate": (_first(_MOVES, "Moves._load", "self._by_tag.clear(); return"),),
    "busy not looked at": (
        _swap("actuation/snapshot.py", "Snapshots.take", "busy=self._jobs.busy(other_than=proposal.id)", "busy=()"),
        _first("actuation/snapshot.py", "Snapshots._pending", "return ()"),
    ),
    "no intent on record": (_first(_LOG, "Log.append", 'if kind == "intent": return 0'),),
    "no decision on record": (_first(_LOG, "Log.append", 'if kind == "decision": return 0'),),
    "sent again when not acknowledged": (
        _swap(
            _WIRE,
            "Wire.send",
            'reach(f"{what}:after")',
            'answer = answer if answer == "acked" else '
            "await self._connectors[tag.connection].write(tag, step.wanted, timeout_s=WRITE_TIMEOUT_S)",
        ),
    ),
    "groups go on after a refusal": (
        _swap(_WIRE, "Wire.send", 'if answer == "rejected":', "if False:"),
        _swap(_WIRE, "Wire.send", 'if answer == "unknown":', "if False:"),
    ),
    "heartbeat without an agent": (_first("actuation/watchdog.py", "Watchdog._is_heard", "return True"),),
}
LISTS = (BOUNDS, RULES, PEOPLE, STRUCTURE)


@cache
def listed() -> tuple[Mutant, ...]:
    """Raises ValueError for one whose text is not there, or there twice: the gate has changed, so must the list."""
    return tuple(Mutant(name=name, edits=tuple(_edit(name, change) for change in changes)) for of in LISTS for name, changes in of.items())


def _edit(name: str, change: _Change) -> Edit:
    if not change.within:
        return Edit(file=change.file, start=0, end=0, new=change.new, within="", constant=change.old)
    function = next((node for within, node in functions(change.file) if within == change.within), None)
    if function is None:
        raise ValueError(f"mutant {name!r}: {change.file} has no {change.within}; name the function that does this now")
    first, last = span(change.file, function)
    if change.old:
        text = source(change.file)[first:last]
        if text.count(change.old) != 1:
            raise ValueError(
                f"mutant {name!r}: {change.old!r} stands {text.count(change.old)} times in {change.file} {change.within}, not once"
            )
        start = first + text.index(change.old)
        return Edit(file=change.file, start=start, end=start + len(change.old), new=change.new, within=change.within)
    body = function.body[1:] if isinstance(function.body[0], ast.Expr) and len(function.body) > 1 else function.body
    start = span(change.file, body[0])[0]
    indent = " " * body[0].col_offset
    return Edit(file=change.file, start=start, end=start, new=f"{change.new}\n{indent}", within=change.within)
