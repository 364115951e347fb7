"""The rules as text: what is wrong with them, and their conditions loaded as typed programs."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from holdfast.gate.guard.cel import Language, Program, Variable
from holdfast.gate.guard.conditions import SOURCES, Condition, Flaw, Input, take_apart
from holdfast.site.model import Problem, Rule, Site
from holdfast.terms import Tag, Word

RULES_MAX = 500
ACTIONS = ("write", "hold_batch", "work_order", "notify", "adopt")


class Loaded(Word, eq=False):
    """A rule with its condition compiled."""

    rule: Rule
    program: Program
    variables: tuple[Variable, ...]
    needs_value: bool


def problems(site: Site, file: str = "policy") -> Iterable[Problem]:
    """Every problem of the policy with its line, cause and cure; also rules that can never apply (warnings)."""
    rules = site.policy.rules
    if len(rules) > RULES_MAX:
        yield Problem(file=file, line=0, what=f"{len(rules)} rules", cure=f"keep at most {RULES_MAX}")
        return
    seen: set[str] = set()
    for rule in rules:
        if not rule.id or rule.id in seen:
            yield Problem(
                file=file, line=rule.line, what=f"rule id {rule.id!r} is empty or used twice", cure="give each rule an id of its own"
            )
        seen.add(rule.id)
        yield from _scope(site, rule, file)
    variables: dict[Input, Variable] = {}
    tags = {tag.name: tag for tag in site.tags}
    apart: list[tuple[Rule, Condition]] = []
    for rule in rules:
        try:
            apart.append((rule, _take_apart(rule, tags, variables)))
        except Flaw as flaw:
            yield _problem(file, rule, flaw)
    language = Language(variables)
    for rule, condition in apart:
        try:
            language.compile(condition)
        except Flaw as flaw:
            yield _problem(file, rule, flaw)


def load(site: Site) -> tuple[Language, tuple[Loaded, ...]]:
    """The rules' programs. Raises Flaw; call `problems` first to have all of them."""
    variables: dict[Input, Variable] = {}
    tags = {tag.name: tag for tag in site.tags}
    apart = [(rule, _take_apart(rule, tags, variables)) for rule in site.policy.rules]
    language = Language(variables)
    return language, tuple(
        Loaded(
            rule=rule,
            program=language.compile(condition),
            variables=tuple(variables[i] for i in condition.inputs),
            needs_value=condition.uses_proposed or condition.uses_present,
        )
        for rule, condition in apart
    )


def _problem(file: str, rule: Rule, flaw: Flaw) -> Problem:
    return Problem(file=file, line=rule.line, what=f"rule {rule.id!r}: {flaw.what}", cure=flaw.cure)


def _scope(site: Site, rule: Rule, file: str) -> Iterable[Problem]:
    known = {a.name for a in site.agents} | {"*"}
    targets = [e.tag for e in site.envelopes] + [e.name for e in site.equipment]

    def problem(what: str, cure: str, *, only_warn: bool = False) -> Problem:
        return Problem(file=file, line=rule.line, what=f"rule {rule.id!r}: {what}", cure=cure, severity="warning" if only_warn else "error")

    if rule.effect not in ("permit", "ask", "forbid"):
        yield problem(f"unknown effect {rule.effect!r}", "write permit, ask or forbid")
    for agent in rule.agents:
        if agent not in known:
            yield problem(f"unknown agent {agent!r}", 'name an agent of the site, or "*"')
    for kind in rule.actions:
        if kind not in ACTIONS:
            yield problem(f"unknown action {kind!r}", f"name some of: {', '.join(ACTIONS)}")
    if not rule.agents or not rule.tags:
        yield problem("applies to nobody or nothing", 'give agents and tags, "*" for all')
    for glob in rule.tags:
        if "adopt" not in rule.actions and not any(fnmatchcase(name, glob) for name in targets):
            yield problem(
                f"{glob!r} is no tag with an envelope, so it never applies", "name a writable tag or a pattern of some", only_warn=True
            )
    if any(not role.strip() for role in rule.approvals):
        yield problem("an approval without a role", "name the role, such as operator")
    if rule.approvals and rule.effect != "ask":
        yield problem(f"a {rule.effect} with approvals, which nobody would be asked for", "make it an ask, or drop approvals")


def _take_apart(rule: Rule, tags: dict[str, Tag], variables: dict[Input, Variable]) -> Condition:
    def variable(wanted: Input) -> str:
        if wanted not in variables:
            variables[wanted] = _variable(wanted, tags, f"v{len(variables)}")
        return variables[wanted].name

    return take_apart(rule.when, variable)


def _variable(wanted: Input, tags: dict[str, Tag], name: str) -> Variable:
    match wanted.kind:
        case "tag":
            tag = tags.get(wanted.name)
            if tag is None:
                raise Flaw(f"unknown tag {wanted.name!r}", f"name a tag of the site{_closest(wanted.name, tags)}")
            if tag.type == "state":
                return Variable(name=name, input=wanted, type="string", states=tuple(label for _, label in tag.states))
            return Variable(name=name, input=wanted, type="bool" if tag.type == "bool" else "double")
        case "schedule":
            return Variable(name=name, input=wanted, type="string")
        case "health" | "inventory":
            return Variable(name=name, input=wanted, type="double")


def _closest(name: str, tags: dict[str, Tag]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, tags, n=1)
    return f", such as {close[0]!r}" if close else ""


__all__ = ["ACTIONS", "SOURCES", "Loaded", "load", "problems"]
