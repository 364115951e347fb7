"""The policy's say: which rules apply, whether all that they read is known, and which of them hold.

Whether a rule applies is decided without its condition. A group's conditions are asked after each of its steps and at
its end, as things are and as if what is asked for or in flight had happened: a permit must hold every time, a forbid or
an ask need hold once.
"""

from dataclasses import dataclass

from holdfast.gate.guard.case import Case, Overlay, Target, clean, failed, passed
from holdfast.gate.guard.cel import Unclear, Value, Values, Variable
from holdfast.gate.guard.compile import CompiledRule, Watch, applies
from holdfast.gate.guard.readings import SKEW_S_MAX, VALUE_MAX, state
from holdfast.gate.guard.verdict import Outcome
from holdfast.site.model import Rule
from holdfast.terms import SECOND_NS, Adopt, Order, Reason, Write

# Context (health, schedule, inventory) older than this is as good as none.
FACT_AGE_S_MAX = 300.0


_WORST_FIRST: tuple[Outcome, ...] = ("failed", "none", "ask", "permit")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the policy makes of the proposal; `failed` where it could not tell."""

    outcome: Outcome
    roles: tuple[str, ...]
    reasons: tuple[Reason, ...]


def rule_on(case: Case) -> Ruling:
    """Every target must be permitted or asked for; one that isn't decides for all."""
    action = case.proposal.action
    if isinstance(action, Write):
        rulings = [_target(case, target) for target in case.targets]
    elif isinstance(action, Order | Adopt):
        name = action.target if isinstance(action, Order) else f"{action.what}/{action.name}"
        rules = tuple(rule for rule in case.compiled.rules if applies(rule.rule, case.author, action.kind, name))
        rulings = [_unvalued(case, clean(name), rules, must_ask=isinstance(action, Adopt))]
    else:
        rulings = []
    if not rulings:
        return Ruling("none", (), (failed("policy.none"),))
    outcome: Outcome = next(found for found in _WORST_FIRST if any(r.outcome == found for r in rulings))
    roles = tuple(dict.fromkeys(role for ruling in rulings for role in ruling.roles))
    return Ruling(outcome, roles, tuple(reason for ruling in rulings for reason in ruling.reasons))


def _target(case: Case, target: Target) -> Ruling:
    name, rules = target.bound.tag.name, target.bound.rules_for(case.author)
    missing: dict[tuple[str, str], Reason] = {}
    held: list[dict[str, bool]] = []
    present = case.present(target.bound)
    if target.value is None or present is None:
        of = ", ".join(rule.rule.id for rule in rules)
        missing["present", name] = failed("policy.missing", name, input=target.bound.present.tag.name, why="unknown", rules=of)
    resting = {watch.tag.name: watch for watch in target.bound.watched}
    numbers: dict[str, Value] = (
        {} if target.value is None or present is None else {"proposed": float(target.value), "present": float(present)}
    )
    for world in case.worlds:
        values, wrong = _inputs(case, name, rules, resting, world)
        missing |= wrong
        if not missing:
            try:
                held.append(_held(rules, case.compiled.language.values(values | numbers)))
            except _RuleError as error:
                return Ruling("failed", (), (failed("policy.error", name, rule=error.rule, error=str(error)),))
    if missing:
        return Ruling("failed", (), tuple(missing.values()))
    return _combine(case, name, rules, held)


def _unvalued(case: Case, name: str, rules: tuple[CompiledRule, ...], *, must_ask: bool) -> Ruling:
    """Of an action that writes no tag: a condition on `proposed` or `present` has no answer there."""
    valued = [rule.rule.id for rule in rules if rule.needs_value]
    if valued:
        return Ruling("failed", (), (failed("policy.missing", name, input="proposed", why="unknown", rules=", ".join(valued)),))
    values, missing = _inputs(case, name, rules, {}, {})
    if missing:
        return Ruling("failed", (), tuple(missing.values()))
    try:
        ruling = _combine(case, name, rules, [_held(rules, case.compiled.language.values(values))])
    except _RuleError as error:
        return Ruling("failed", (), (failed("policy.error", name, rule=error.rule, error=str(error)),))
    if must_ask and ruling.outcome == "permit":
        # What is adopted changes what is permitted afterwards, so a person always signs it.
        return Ruling("ask", case.compiled.site.default_approvals, ruling.reasons)
    return ruling


class _RuleError(Exception):
    def __init__(self, rule: str, what: str) -> None:
        super().__init__(what)
        self.rule = rule


def _held(rules: tuple[CompiledRule, ...], values: Values) -> dict[str, bool]:
    held: dict[str, bool] = {}
    for rule in rules:
        try:
            held[rule.rule.id] = rule.program.holds(values)
        except Unclear as error:
            raise _RuleError(rule.rule.id, str(error)) from error
    return held


def _combine(case: Case, name: str, rules: tuple[CompiledRule, ...], held: list[dict[str, bool]]) -> Ruling:
    def once(rule: Rule) -> bool:
        return any(world[rule.id] for world in held)

    def always(rule: Rule) -> bool:
        return bool(held) and all(world[rule.id] for world in held)

    of = [rule.rule for rule in rules]
    forbids = [r.id for r in of if r.effect == "forbid" and once(r)]
    if forbids:
        return Ruling("none", (), (failed("policy.forbid", name, rules=", ".join(forbids)),))
    asks = [r for r in of if r.effect == "ask" and once(r)]
    permits = [r.id for r in of if r.effect == "permit" and always(r)]
    # An ask that holds only part of the way asks a person, but does not by itself allow the rest of the way.
    if not permits and not any(always(r) for r in asks):
        return Ruling("none", (), (failed("policy.none", name),))
    if not asks:
        return Ruling("permit", (), (passed("policy.permit", name, rules=", ".join(permits)),))
    roles = tuple(dict.fromkeys(role for r in asks for role in (r.approvals or case.compiled.site.default_approvals)))
    return Ruling("ask", roles, (passed("policy.ask", name, rules=", ".join(r.id for r in asks), roles=", ".join(roles)),))


def _inputs(
    case: Case, target: str, rules: tuple[CompiledRule, ...], resting: dict[str, Watch], world: Overlay
) -> tuple[dict[str, Value], dict[tuple[str, str], Reason]]:
    """Every input of the rules, typed; and a reason for each that is not known."""
    values: dict[str, Value] = {}
    missing: dict[tuple[str, str], Reason] = {}
    for rule in rules:
        for variable, watch in zip(rule.variables, rule.watches, strict=True):
            if variable.name in values:
                continue
            source = variable.input
            if watch is None:
                value, why = _fact(case, variable)
            else:
                value, why = _tag(case, variable, resting.get(source.name, watch), world)
            if value is None:
                key = (source.kind, source.name)
                missing[key] = failed("policy.missing", target, input=f'{source.kind}("{source.name}")', why=why, rules=rule.rule.id)
            else:
                values[variable.name] = value
    return values, missing


def _tag(case: Case, variable: Variable, watch: Watch, world: Overlay) -> tuple[Value | None, str]:
    value = world.get(watch.tag.name)
    if value is None:
        reading = case.readings.get(watch.tag.name)
        why = case.flaw(watch)
        if why or reading is None:
            return None, why
        value = reading.value
    if not abs(value) <= VALUE_MAX:
        return None, "number"
    match variable.type:
        case "double":
            return float(value), ""
        case "bool":
            return (value == 1, "") if value in (0, 1) else (None, "number")
        case "string":
            name = state(value, watch)
            return (name, "") if name is not None else (None, "unlisted")


def _fact(case: Case, variable: Variable) -> tuple[Value | None, str]:
    name = f"{variable.input.kind}:{variable.input.name}"
    found = [(value, at_ns) for of, value, at_ns in case.snapshot.facts if of == name]
    if len(found) != 1:
        return None, "missing"
    value, at_ns = found[0]
    age_s = (case.snapshot.at_ns - at_ns) / SECOND_NS
    if not -SKEW_S_MAX <= age_s <= FACT_AGE_S_MAX:
        return None, "age"
    if variable.type == "string":
        return (value, "") if isinstance(value, str) else (None, "type")
    if isinstance(value, bool) or not isinstance(value, float | int):
        return None, "type"
    return (float(value), "") if abs(value) <= VALUE_MAX else (None, "number")
