"""Cases of a policy, in a file beside it: what is read, what is wanted, and what must be decided.

    well: {line/state: running, stand-4/tension.permit: 1}      # readings of every case
    cases:
      - {name: a small trim, propose: {stand-4/tension.sp: 101.0}, present: {stand-4/tension.sp: 100.0}, expect: permit}
      - {name: too far, propose: {stand-4/tension.sp: 135.0}, present: {stand-4/tension.sp: 100.0}, expect: refuse,
         codes: [envelope.range.above.state, envelope.step.over]}

Data are fresh, Good and moving unless `without` names them. A case is decided by the same function as everything else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from holdfast.gate.guard.compile import Compiled
from holdfast.gate.guard.decide import decide
from holdfast.gate.guard.rests import reads
from holdfast.site import lines
from holdfast.site.log import Log, nearest
from holdfast.site.model import Problem, Site, SiteError
from holdfast.site.shapes import At, Block, Field, Listing, Number, Record, Scalar, Table, Text
from holdfast.terms import AUTONOMIES, SECOND_NS, Autonomy, Proposal, Reading, Snapshot, Verdict, Wire, Word, Write

CASES_MAX = 10_000
NOW_NS = 1_700_000_000 * SECOND_NS
READINGS = Table(Scalar())
CASE = Record(
    {
        "name": Field(Text(), "what it shows", True),
        "propose": Field(Table(Number()), "the setpoints that are wanted: {stand-4/tension.sp: 101.0}", True),
        "present": Field(Table(Number()), "the setpoints that are active now, by the same names", True),
        "readings": Field(READINGS, "other readings, by tag: numbers or names of states"),
        "context": Field(Table(Scalar()), "health, schedule and inventory: {'health:stand-4/bearing': 0.9}"),
        "without": Field(Listing(Text()), "tags that have no reading"),
        "author": Field(Text(), "the agent; the site's first if left out"),
        "autonomy": Field(Text(choices=AUTONOMIES), "the level in force; act if left out"),
        "expect": Field(Text(choices=("permit", "ask", "refuse")), "what must be decided", True),
        "roles": Field(Listing(Text()), "who must be asked, where that matters"),
        "codes": Field(Listing(Text()), "codes of the failed checks, all of them, where that matters"),
    }
)
CASES = Record({"well": Field(READINGS, "readings of every case"), "cases": Field(Listing(CASE, least=1), "the cases", True)})


class PolicyCase(Word):
    name: str
    line: int
    author: str
    proposal: Proposal
    snapshot: Snapshot
    expect: Verdict
    roles: tuple[str, ...] | None
    codes: tuple[str, ...] | None


class Verdicted(Word):
    """A case with what was decided; `missed` says what was expected otherwise, "" where it came as expected."""

    case: PolicyCase
    verdict: Verdict
    roles: tuple[str, ...]
    failed: tuple[str, ...]
    missed: Literal["", "verdict", "roles", "codes"]


def beside(policy_file: str) -> Path:
    """Where a policy's cases lie: policy.yaml has policy.cases.yaml."""
    path = Path(policy_file)
    return path.with_name(f"{path.stem}.cases{path.suffix}")


def read_cases(content: bytes, file: str, site: Site, compiled: Compiled) -> tuple[PolicyCase, ...]:
    """Raises SiteError with every problem of the file."""
    log = Log()
    node = lines.read(content, file, log)
    if node is None and not log.errors:
        log.error(file, 1, "there are no cases", "write cases: [{name: …, propose: …, present: …, expect: permit}]")
    at = CASES.read(node, log, "the cases") if node is not None else None
    made: list[PolicyCase] = []
    if at is not None:
        block: Block = at.value
        well = dict(block.each("well"))
        needed = reads(compiled)
        wanted = {"name", "propose", "present", "expect"}
        made += [_case(i, well, needed, site, log) for i in block.listed("cases")[:CASES_MAX] if wanted <= i.value.found.keys()]
    if log.errors:
        raise SiteError(log.all())
    return tuple(made)


def judge(case: PolicyCase, compiled: Compiled) -> Verdicted:
    found = decide(case.proposal, case.author, compiled, case.snapshot)
    failed = tuple(dict.fromkeys(r.code for r in found.reasons if not r.passed))
    missed: Literal["", "verdict", "roles", "codes"] = ""
    if found.verdict != case.expect:
        missed = "verdict"
    elif case.roles is not None and set(found.roles) != set(case.roles):
        missed = "roles"
    elif case.codes is not None and set(failed) != set(case.codes):
        missed = "codes"
    return Verdicted(case=case, verdict=found.verdict, roles=found.roles, failed=failed, missed=missed)


def _case(item: At, well: Mapping[str, At], needed: frozenset[str], site: Site, log: Log) -> PolicyCase:
    block: Block = item.value
    file = item.node.file
    sets = {name: float(at.value) for name, at in block.each("propose")}
    values: dict[str, float] = {}
    for name, at in {**well, **dict(block.each("readings"))}.items():
        value = _value(name, at, site, log)
        if value is not None:
            values[name] = value
    for name, at in block.each("present"):
        envelope = site.envelope(name)
        if envelope is None:
            known = [e.tag for e in site.envelopes]
            log.error(file, at.line, f'"{name}" has no envelope', nearest(name, known, "name a writable tag"))
            continue
        values[name] = float(at.value)
        values[envelope.readback.tag if envelope.readback else name] = float(at.value)
    without = {at.value for at in block.listed("without")}
    author = block.get("author") or next((a.name for a in site.agents), "")
    level: Autonomy = block.get("autonomy", "act")
    readings = tuple(
        Reading(tag=name, value=values[name], status=0, source_ns=NOW_NS, age_s=0.0, still_s=0.0)
        for name in sorted(needed & values.keys())
        if name not in without
    )
    facts = tuple((name, at.value, NOW_NS) for name, at in block.each("context"))
    snapshot = Snapshot(
        at_ns=NOW_NS,
        readings=readings,
        wires=tuple(Wire(tag=name, asked=value, value=value) for name, value in sets.items()),
        autonomy=(("*", level),),
        facts=facts,
    )
    return PolicyCase(
        name=block.get("name"),
        line=item.line,
        author=author,
        proposal=Proposal(id="case", incident="case", action=Write(sets=tuple(sets.items())), reason=block.get("name")),
        snapshot=snapshot,
        expect=block.get("expect"),
        roles=tuple(at.value for at in block.listed("roles")) if "roles" in block.present else None,
        codes=tuple(at.value for at in block.listed("codes")) if "codes" in block.present else None,
    )


def _value(name: str, at: At, site: Site, log: Log) -> float | None:
    tag = site.tag(name)
    if tag is None:
        log.error(at.node.file, at.line, f'unknown tag "{name}"', nearest(name, [t.name for t in site.tags], "name a tag of the site"))
        return None
    value: Any = at.value
    for number, label in tag.states:
        if value == label:
            return float(number)
    if isinstance(value, bool | int | float):
        return float(value)
    cure = nearest(str(value), [label for _, label in tag.states], "write a number")
    log.error(at.node.file, at.line, f'{name} can\'t be "{value}"', cure)
    return None


def problem_of(found: Verdicted, file: str) -> Problem:
    """A miss, as any other problem of a file."""
    case = found.case
    what = {
        "verdict": f"expected {case.expect}, decided {found.verdict}",
        "roles": f"expected to ask {', '.join(case.roles or ())}, asked {', '.join(found.roles)}",
        "codes": f"expected {', '.join(case.codes or ()) or 'no failed check'}, failed {', '.join(found.failed) or 'none'}",
        "": "as expected",
    }[found.missed]
    return Problem(file=file, line=case.line, what=f"{case.name}: {what}", cure="correct the policy, or the case")
