"""`eval fuzz`: malformed policies, envelopes, proposals and link messages; each a clear refusal, never a traceback or a permit.

Every case starts from something good and breaks it at random, so that it comes far enough in to matter. What an untouched part
still permits is judged here by a few lines of their own (`_legitimate`), not by the guard: everything else must be refused.
"""

import dataclasses
import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from litestar.exceptions import HTTPException

from holdfast.evals.suites import Figures, Options
from holdfast.gate.api.agents import DIAGNOSIS, FINDING, PROPOSAL
from holdfast.gate.api.messages import read
from holdfast.gate.guard.compile import Compiled, compile_site
from holdfast.gate.guard.decide import decide
from holdfast.gate.guard.rests import reads
from holdfast.gate.guard.review import review
from holdfast.site.load import load
from holdfast.site.log import Log
from holdfast.site.model import Site, SiteError
from holdfast.site.rules import make_policy
from holdfast.terms import SECOND_NS, Evidence, Proposal, Reading, Snapshot, Wire, Write, canonical

CASES = 100_000
# Shares of the kinds: a site file takes milliseconds to read, a message microseconds.
KINDS = (("message", 60), ("proposal", 25), ("policy", 10), ("envelope", 5))
TOLD_MAX = 20
SP, AGENT = "stand/tension.sp", "a"
NOW_NS = 1_700_000_000 * SECOND_NS
WORD, NUMBER = re.compile(r"[A-Za-z_.0-9]+"), re.compile(r"(?<![A-Za-z0-9_.-])[0-9]+(?:\.[0-9]+)?")
SITE_TEXT = """\
holdfast: 1
site: {name: small, language: en, timezone: UTC}
connections: {plc: {type: modbus, host: 127.0.0.1, writes: true, security: none}}
equipment:
  stand:
    tags:
      tension.sp:     {address: "40001:float32", unit: kN, access: write, eu_range: [0, 200]}
      tension.sp_now: {address: "40003:float32", unit: kN}
      tension.pv:     {address: "40005:float32", unit: kN}
      permit:         {address: "40007:uint16", type: bool}
      grade:          {address: "40008:uint16", states: {0: DC01, 1: SPCC}}
    envelopes:
      tension.sp:
        autonomy: act
        enable: {tag: permit, is: 1}
        range: {by: grade, DC01: [90, 115], SPCC: [80, 120]}
        step: 2.0
        rate: {max: 5.0, per: 10min}
        writes: {max: 6, per: 1h}
        dwell: 60s
        rests_on: {tags: [tension.pv], newer_than: 2s, moves_within: 5min}
        readback: {tag: tension.sp_now, within: 0.05, after: 1s}
agents: {a: {autonomy: act}}
policy: policy.yaml
"""
POLICY_TEXT = """\
revision: 1
rules:
  - {id: trim, effect: permit, agents: [a], tags: [stand/tension.sp], when: 'proposed < 115.0 && tag("stand/grade") == "DC01"'}
  - {id: large, effect: ask, agents: ["*"], tags: ["stand/*"], when: 'abs(proposed - present) > 1.5', approvals: [operator]}
  - {id: never, effect: forbid, tags: ["*"], when: 'proposed > 118.0 || present < 60.0'}
"""
WELL = {"stand/tension.sp_now": 100.0, "stand/tension.pv": 100.1, "stand/permit": 1.0, "stand/grade": 0.0}
GOOD = Proposal(
    id="p-1",
    incident="i-1",
    action=Write(sets=((SP, 101.0),), unit="kN"),
    reason="chatter grows",
    evidence=(Evidence(kind="finding", ref="f-1", quote="rising"),),
    expect="it falls",
)
NUMBERS: tuple[Any, ...] = (
    math.nan,
    math.inf,
    -math.inf,
    -0.0,
    0,
    1,
    True,
    False,
    1e308,
    -1e308,
    5e-324,
    2**53 + 1,
    10**400,
    115.00000000000001,
    135.0,
    101,
    "101",
    None,
)
SHAPES: tuple[Any, ...] = (((SP,),), ((SP, 101.0, 1.0),), [(SP, 101.0)], None, "ab", ((SP, [101.0]),), ())
TEXTS: tuple[Any, ...] = (
    "",
    " ",
    "x" * 200,
    "x" * 5000,
    "\x00",
    "\ud800",
    "\u202e",
    "ｓtand/tension.sp",
    "stand/tension.sp ",
    "STAND/tension.sp",
    "stand/tensіon.sp",
    "*",
    "stand/*",
    "../../x",
    "'; DROP TABLE leaf;--",
    "{{7*7}}",
    "\n",
    "0",
    "NaN",
    "null",
    None,
    7,
    [],
    {},
)
PIECES = (
    "proposed",
    "present",
    "tag(",
    '"stand/grade"',
    ")",
    "&&",
    "||",
    "!",
    "<",
    "<=",
    "==",
    "!=",
    "1.0",
    "115",
    "NaN",
    "1e999",
    "true",
    "false",
    "in",
    "[",
    "]",
    "?",
    ":",
    "health(",
    "dyn(",
    ".size()",
    "'",
    '"',
    "\\",
    "/",
    "0.0",
    "*",
    "-",
    "\u2028",
    "stand/permit",
    "{",
    "}",
    ",",
    "none",
    "null",
    "[90, 115]",
    "[115, 90]",
    "-1s",
    "0s",
    "99999999d",
    ".inf",
    ".nan",
    "!!python/object:os.system",
    "&a",
    "*a",
    "<<:",
    "\t",
    "permit",
    "forbid",
    "ask",
)


class _Found(Exception):
    """What must not be: the kind of fault and the case."""


@dataclasses.dataclass
class _House:
    """A good configuration, and the folder in which broken ones are written."""

    site: Site
    compiled: Compiled
    folder: Path


def run(options: Options) -> Figures:
    count = options.n or CASES
    random = Random(options.seed)
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    kinds = [kind for kind, share in KINDS for _ in range(share)]
    with tempfile.TemporaryDirectory(prefix="holdfast-fuzz-") as folder:
        house = _house(Path(folder))
        for number in range(count):
            kind = random.choice(kinds)
            try:
                outcome = TRY[kind](house, random)
            except _Found as found:
                outcome = "permit"
                faults.append(f"{kind} {number}: {found}")
            except Exception as error:  # noqa: BLE001  whatever gets through is what is looked for
                outcome = "traceback"
                faults.append(f"{kind} {number}: {type(error).__name__}: {str(error)[:200]}")
            outcomes[f"{kind}.{outcome}"] += 1
            if number % 1000 == 0:
                options.progress(number / count, kind)
    for at, fault in enumerate(faults):
        options.answer(str(at), fault)
    figures = {
        "cases": count,
        "tracebacks": sum(n for name, n in outcomes.items() if name.endswith("traceback")),
        "permits": sum(n for name, n in outcomes.items() if name.endswith(".permit")),
        "outcomes": dict(sorted(outcomes.items())),
        "faults": "; ".join(faults[:TOLD_MAX]) or "none",
    }
    return Figures(name="fuzz", seed=options.seed, figures=figures, pass_=not faults)


def _house(folder: Path) -> _House:
    (folder / "site.yaml").write_text(SITE_TEXT, encoding="utf-8")
    (folder / "policy.yaml").write_text(POLICY_TEXT, encoding="utf-8")
    site = load(folder / "site.yaml").site
    house = _House(site, compile_site(site), folder)
    assert decide(GOOD, AGENT, house.compiled, _snapshot(house.compiled, GOOD)).verdict == "permit"  # noqa: S101  else nothing is shown
    return house


def _snapshot(compiled: Compiled, proposal: Any) -> Snapshot:
    """All is well, and the wire carries what is asked wherever that is a number at all."""
    names = sorted(reads(compiled))
    readings = tuple(Reading(tag=t, value=WELL.get(t, 1.0), status=0, source_ns=NOW_NS, age_s=0.5, still_s=1.0) for t in names)
    try:
        wires = tuple(Wire(tag=name, asked=value, value=float(value)) for name, value in proposal.action.sets)
    except Exception:  # noqa: BLE001  as a connector that can't encode it
        wires = ()
    return Snapshot(at_ns=NOW_NS, readings=readings, wires=wires)


def _legitimate(proposal: Proposal) -> bool:
    """What the good configuration permits, said once more and apart from the guard."""
    action = proposal.action
    if not isinstance(action, Write) or len(action.sets) != 1 or action.unit not in ("", "kN"):
        return False
    ((name, value),) = action.sets
    plain = type(value) in (int, float)
    return name == SP and plain and 98.0 <= value <= 102.0 and value != 100.0 and bool(proposal.id) and 1.0 <= proposal.valid_s <= 86_400.0


def _decided(house: _House, proposal: Any) -> str:
    decision = decide(proposal, AGENT, house.compiled, _snapshot(house.compiled, proposal))
    if decision.verdict == "refuse":
        if all(reason.passed for reason in decision.reasons):
            raise _Found("refused without a reason")
        return "refused"
    if not _legitimate(proposal):
        raise _Found(f"{decision.verdict} of {str(proposal)[:300]}")
    return "still good"


# ---- proposals as objects, past any parser -----------------------------------------------------------------------------


def _proposal(house: _House, random: Random) -> str:
    changes: dict[str, Any] = {}
    for _ in range(random.randint(1, 3)):
        match random.randrange(8):
            case 0:
                changes["action"] = Write(sets=((SP, random.choice(NUMBERS)),), unit="kN")
            case 1:
                changes["action"] = Write(sets=((random.choice(TEXTS), random.choice(NUMBERS)),) * random.randint(0, 20))
            case 2:
                changes["action"] = Write(sets=((SP, 101.0),), unit=random.choice(TEXTS))
            case 3:
                changes["action"] = random.choice((None, 7, "write", (), {"kind": "write", "sets": [[SP, 101.0]]}, GOOD, object()))
            case 4:
                changes["valid_s"] = random.choice(NUMBERS)
            case 5:
                changes["action"] = Write(sets=random.choice(SHAPES), unit="kN")
            case 6:
                changes["evidence"] = random.choice((None, (None,), (GOOD.evidence[0],) * 100, "x", 7))
            case _:
                changes[random.choice(("id", "incident", "reason", "expect"))] = random.choice(TEXTS)
    return _decided(house, dataclasses.replace(GOOD, **changes))


# ---- messages as they come over the link -------------------------------------------------------------------------------


class _Request:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def body(self) -> bytes:
        return self._body


def _message(house: _House, random: Random) -> str:
    body = json.loads(canonical(GOOD))
    for _ in range(random.randint(0, 3)):
        _break(body, random)
    raw = json.dumps(body).encode("utf-8", "replace")
    for _ in range(random.choice((0, 0, 1, 3))):
        raw = _garbled(raw, random)
    adapter = random.choice((PROPOSAL, PROPOSAL, PROPOSAL, FINDING, DIAGNOSIS))
    reading = read(_Request(raw), adapter)  # type: ignore[arg-type]
    try:
        reading.send(None)
    except HTTPException as refused:
        if not (400 <= refused.status_code < 500 and refused.detail):
            raise _Found(f"refused with {refused.status_code} and {refused.detail!r}") from None
        return "refused"
    except StopIteration as made:
        return _decided(house, made.value) if isinstance(made.value, Proposal) else "still good"
    raise _Found("reading a message waits")


def _break(value: Any, random: Random) -> None:
    """Somewhere inside, one thing is something else, gone, or there twice."""
    while isinstance(value, dict | list) and value:
        key = random.choice(list(value)) if isinstance(value, dict) else random.randrange(len(value))
        if isinstance(value[key], dict | list) and value[key] and random.random() < 0.7:
            value = value[key]
            continue
        match random.randrange(4):
            case 0:
                del value[key]
            case 1 if isinstance(value, dict):
                value[str(random.choice(TEXTS))] = random.choice(NUMBERS)
            case 2 if isinstance(value, list):
                value.extend([value[key]] * random.choice((1, 20, 600)))
            case _:
                value[key] = random.choice(TEXTS + NUMBERS[:-1] + ([[]] * 3, {"kind": "write"}))
        return


def _garbled(raw: bytes, random: Random) -> bytes:
    if not raw:
        return b"\xff"
    at = random.randrange(len(raw))
    match random.randrange(4):
        case 0:
            return raw[:at]
        case 1:
            return raw[:at] + bytes([random.randrange(256)]) + raw[at + 1 :]
        case 2:
            return raw[:at] + random.choice((b"[" * 5000, b"\x00", b"NaN", b"1e999", b"\xed\xa0\x80", b'"', b"9" * 5000)) + raw[at:]
        case _:
            return raw[:at] + raw[max(0, at - random.randrange(40)) :]


# ---- policies and envelopes as text ------------------------------------------------------------------------------------


def _spoilt(text: str, random: Random) -> str:
    for _ in range(random.choice((1, 1, 2, 4))):
        if random.random() < 0.5:  # one word or number becomes another, so that much still loads
            numbers = random.random() < 0.5
            found = random.choice(list((NUMBER if numbers else WORD).finditer(text)))
            if numbers:
                text = text[: found.start()] + random.choice(("1", "2", "0", "250", "99.5", "1e3", "-3", "60")) + text[found.end() :]
                continue
            text = text[: found.start()] + random.choice((*PIECES, "1", "0.5", "250", "1s", "[0, 500]")) + text[found.end() :]
            continue
        at = random.randrange(len(text))
        until = min(len(text), at + random.choice((0, 0, 1, 3, 12)))
        text = text[:at] + random.choice((*PIECES, "", "")) + text[until:]
    return text


def _policy(house: _House, random: Random) -> str:
    log = Log()
    text = _spoilt(POLICY_TEXT, random).encode("utf-8", "replace")
    policy = make_policy(text, "policy.yaml", house.site.tags, [a.name for a in house.site.agents], log)
    if log.errors:
        return _clear(log.all())
    site = dataclasses.replace(house.site, policy=policy)
    found = review(site, "policy.yaml")
    return _compiled(site) if not any(p.severity == "error" for p in found) else _clear(found)


def _envelope(house: _House, random: Random) -> str:
    start = SITE_TEXT.index("    envelopes:")
    file = house.folder / "broken.yaml"
    text = SITE_TEXT[:start] + _spoilt(SITE_TEXT[start:], random)
    file.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        site = load(file).site
    except SiteError as error:
        return _clear(error.problems)
    return _compiled(site)


def _compiled(site: Site) -> str:
    """What still loads must hold its own bounds, whatever they are now."""
    try:
        compiled = compile_site(site)
    except SiteError as error:
        return _clear(error.problems)
    far = dataclasses.replace(GOOD, action=Write(sets=((SP, 1e9),)))
    for wanted in (far, dataclasses.replace(GOOD, action=Write(sets=((SP, math.nan),)))):
        if decide(wanted, AGENT, compiled, _snapshot(compiled, wanted)).verdict != "refuse":
            raise _Found(f"{wanted.action} is not refused")
    return "still good"


def _clear(problems: Any) -> str:
    """A refusal says file, line, what is wrong and what would be right."""
    if not problems or not all(p.file and p.what and p.cure for p in problems):
        raise _Found("a refusal that doesn't say what is wrong")
    return "refused"


TRY: dict[str, Callable[[_House, Random], str]] = {"message": _message, "proposal": _proposal, "policy": _policy, "envelope": _envelope}
