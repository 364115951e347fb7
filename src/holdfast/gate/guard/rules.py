"""The policy's say: which rules apply, whether all that they read is known, and which of them hold.

Whether a rule applies is decided without its condition. A group's conditions are asked after each of its steps and at
its end, as things are and as if what is asked for or in flight had happened: a permit must hold every time, a forbid or
an ask need hold once.
"""

# An action of another kind can come from outside, though the types say that it can't.
# pyright: reportUnnecessaryIsInstance=false

from dataclasses import dataclass

from holdfast.gate.guard.case import Case, Overlay, Target, clean, failed, judged, passed
from holdfast.gate.guard.cel import Unclear, Value, Values, Variable
from holdfast.gate.guard.compile import RuleInput, RuleSet, Watch, applies, rule_set
from holdfast.gate.guard.readings import SKEW_S_MAX, VALUE_MAX, state
from holdfast.gate.guard.verdict import Outcome
from holdfast.site.model import Rule
from holdfast.terms import SECOND_NS, Adopt, Call, Order, Reason, Write

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
    if isinstance(action, Write | Call):
        rulings = [_target(case, target) for target in case.targets]
        if len(rulings) == 1:  # nearly always
            return rulings[0]
    elif isinstance(action, Order | Adopt):
        name = action.target if isinstance(action, Order) else f"{action.what}/{action.name}"
        rules = rule_set((rule for rule in case.compiled.rules if applies(rule.rule, case.author, action.kind, name)), {})
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
    present = case.present(target.bound)
    if target.value is None or present is None:
        unknown = failed("policy.missing", name, input=target.bound.present.tag.name, why="unknown", rules=rules.ids)
        others = (reason for world in case.worlds or ({},) for reason in _inputs(case, name, rules, world)[1])
        return Ruling("failed", (), tuple(dict.fromkeys((unknown, *others))))
    missing: dict[Reason, None] = {}
    held: list[tuple[bool, ...]] = []
    for world in case.worlds:
        values, wrong = _inputs(case, name, rules, world)
        if wrong:
            missing.update(dict.fromkeys(wrong))
        if missing:
            continue
        values["proposed"], values["present"] = float(target.value), float(present)
        try:
            held.append(_held(rules, case.compiled.language.values(values)))
        except _RuleError as error:
            return Ruling("failed", (), (failed("policy.error", name, rule=error.rule, error=str(error)),))
    if missing:
        return Ruling("failed", (), tuple(missing))
    return _combine(case, name, rules, held)


def _unvalued(case: Case, name: str, rules: RuleSet, *, must_ask: bool) -> Ruling:
    """Of an action that writes no tag: a condition on `proposed` or `present` has no answer there."""
    valued = [rule.rule.id for rule in rules.rules if rule.needs_value]
    if valued:
        return Ruling("failed", (), (failed("policy.missing", name, input="proposed", why="unknown", rules=", ".join(valued)),))
    values, missing = _inputs(case, name, rules, {})
    if missing:
        return Ruling("failed", (), missing)
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


def _held(rules: RuleSet, values: Values) -> tuple[bool, ...]:
    if rules.together is not None and (all_held := rules.together.hold(values)) is not None:
        return all_held
    held: list[bool] = []
    for rule in rules.rules:
        try:
            held.append(rule.program.holds(values))
        except Unclear as error:
            raise _RuleError(rule.rule.id, str(error)) from error
    return tuple(held)


def _combine(case: Case, name: str, rules: RuleSet, held: list[tuple[bool, ...]]) -> Ruling:
    # Those that held in some world, and in every one. No world at all: none.
    once = _of(rules, held[0] if len(held) == 1 else tuple(map(any, zip(*held, strict=True))))
    always = once if len(held) == 1 else _of(rules, tuple(map(all, zip(*held, strict=True))))
    forbids = [rule.id for rule in once if rule.effect == "forbid"]
    asks = [rule for rule in once if rule.effect == "ask"]
    permits = [rule.id for rule in always if rule.effect == "permit"]
    if forbids:
        return Ruling("none", (), (failed("policy.forbid", name, rules=", ".join(forbids)),))
    # An ask that holds only part of the way asks a person, but does not by itself allow the rest of the way.
    if not permits and not any(rule.effect == "ask" for rule in always):
        return Ruling("none", (), (failed("policy.none", name),))
    if not asks:
        return Ruling("permit", (), (judged("policy.permit", "", True, name, (("rules", ", ".join(permits)),)),))
    roles = tuple(dict.fromkeys(role for r in asks for role in (r.approvals or case.compiled.site.default_approvals)))
    return Ruling("ask", roles, (passed("policy.ask", name, rules=", ".join(r.id for r in asks), roles=", ".join(roles)),))


def _of(rules: RuleSet, held: tuple[bool, ...]) -> list[Rule]:
    return [compiled.rule for compiled, holds in zip(rules.rules, held, strict=bool(held)) if holds]


def _inputs(case: Case, target: str, rules: RuleSet, world: Overlay) -> tuple[dict[str, Value], tuple[Reason, ...]]:
    """Every input of the rules, typed; and a reason for each that is not known."""
    values: dict[str, Value] = {}
    missing: list[Reason] = []
    for of in rules.inputs:
        if of.number is not None and of.source not in world and (reading := case.sound(of.number)) is not None:
            values[of.variable.name] = float(reading.value)  # a sound reading is within VALUE_MAX: nearly all of them
            continue
        value, why = _fact(case, of) if of.watch is None else _tag(case, of.variable, of.watch, world)
        if value is None:
            missing.append(failed("policy.missing", target, input=of.shown, why=why, rules=of.rule))
        else:
            values[of.variable.name] = value
    return values, tuple(missing)


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


def _fact(case: Case, of: RuleInput) -> tuple[Value | None, str]:
    found = [(value, at_ns) for name, value, at_ns in case.snapshot.facts if name == of.fact]
    if len(found) != 1:
        return None, "missing"
    value, at_ns = found[0]
    age_s = (case.snapshot.at_ns - at_ns) / SECOND_NS
    if not -SKEW_S_MAX <= age_s <= FACT_AGE_S_MAX:
        return None, "age"
    if of.variable.type == "string":
        return (value, "") if isinstance(value, str) else (None, "type")
    if isinstance(value, bool) or not isinstance(value, float | int):
        return None, "type"
    return (float(value), "") if abs(value) <= VALUE_MAX else (None, "number")
