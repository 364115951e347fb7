"""The policy file: who may want what, when. Its conditions are text here; the guard compiles and checks them."""

from collections.abc import Collection, Sequence

from holdfast.site.grammar import POLICY
from holdfast.site.lines import read
from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import Policy, Rule
from holdfast.site.names import clean, is_glob, matches
from holdfast.site.shapes import At, Block
from holdfast.terms import Tag

ADOPTED = ("configuration", "model", "learned", "cause")  # what an adoption may be of, before the slash


def make_policy(data: bytes, file: str, tags: Sequence[Tag], agents: Collection[str], log: Log) -> Policy:
    """The policy, rules in the file's order; a rule that can't be read is told and left out."""
    node = read(data, file, log)
    if node is None:
        if not any(p.file == file for p in log.errors):
            log.error(file, 1, "the policy is empty", "write revision: 1 and rules: […]; no rule means that nothing is permitted")
        return Policy(revision=0, rules=())
    at = POLICY.read(node, log, "policy")
    if at is None:
        return Policy(revision=0, rules=())
    block: Block = at.value
    rules: list[Rule] = []
    seen: dict[str, int] = {}
    for item in block.listed("rules"):
        rule = _rule(item, tags, agents, log)
        if rule is None:
            continue
        if rule.id in seen:
            log.error(file, item.line, f'two rules have the id "{rule.id}"', f"give one another id: the first is in line {seen[rule.id]}")
        seen.setdefault(rule.id, item.line)
        rules.append(rule)
    return Policy(revision=block.get("revision", 0), rules=tuple(rules))


def _rule(item: At, tags: Sequence[Tag], agents: Collection[str], log: Log) -> Rule | None:
    block: Block = item.value
    file = item.node.file
    wanted = tuple(clean(at.value) for at in block.listed("agents")) if "agents" in block.present else ("*",)
    for at in block.listed("agents"):
        if at.value != "*" and clean(at.value) not in agents:
            cure = nearest(at.value, agents, f'write "*" or {one_of(agents)}')
            log.error(file, at.line, f'unknown agent "{at.value}"', cure)
    patterns = tuple(clean(at.value) for at in block.listed("tags"))
    # A piece of equipment is named as the target of an order, such as a batch to hold.
    names = [t.name for t in tags] + list(dict.fromkeys(t.name.partition("/")[0] for t in tags))
    actions = tuple(dict.fromkeys(at.value for at in block.listed("actions")))
    # What is adopted is named as learned/NAME, which is no tag.
    adopts = "adopt" in actions or (not actions and block.get("effect") == "forbid")
    for at in block.listed("tags"):
        pattern = clean(at.value)
        if not any(matches(pattern, name) for name in names) and not (adopts and pattern.partition("/")[0] in ADOPTED):
            kind = "no tag fits" if is_glob(pattern) else "unknown tag"
            log.error(file, at.line, f'{kind} "{pattern}"', nearest(pattern, names, "write equipment/tag, or a glob such as stand-4/*"))
    effect = block.get("effect")
    approvals = tuple(dict.fromkeys(clean(at.value) for at in block.listed("approvals")))
    if approvals and effect in ("permit", "forbid"):
        log.error(file, block.line("approvals"), f"a rule that says {effect} has approvals", "write effect: ask, or delete the approvals")
    if block.get("id") is None or effect is None or not patterns:
        return None
    return Rule(
        id=block.get("id"),
        effect=effect,
        agents=wanted,
        tags=patterns,
        actions=actions,
        when=block.get("when", "true"),
        approvals=approvals,
        line=item.line,
    )
