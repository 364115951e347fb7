"""The one tool that asks for something: a proposal to the gate, which decides on data and rules of its own."""

from typing import Annotated, Literal

from pydantic import Field

from holdfast.agent.tools.look import Look
from holdfast.agent.tools.tool import Citation, Returned, ToolError
from holdfast.terms import Action, Decision, Evidence, Order, Proposal, Word, Write, digest

REASON_CHARS_MAX = 1_000
SETS_MAX = 4
EVIDENCE_MAX = 8
VALID_S_MIN, VALID_S_MAX = 10.0, 3600.0


class Set(Word):
    tag: Annotated[str, Field(min_length=1, max_length=100)]
    value: float


class Propose(Word):
    """A write has `sets`; a notice, a work order or a held batch has `target` and `text`."""

    kind: Literal["write", "notify", "work_order", "hold_batch"]
    sets: Annotated[tuple[Set, ...], Field(max_length=SETS_MAX, description="Setpoints, in the tags' own units.")] = ()
    target: Annotated[str, Field(max_length=100, description="Equipment or lot.")] = ""
    text: Annotated[str, Field(max_length=REASON_CHARS_MAX)] = ""
    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARS_MAX, description="Shown to people as the agent's claim.")]
    incident: Annotated[str, Field(max_length=100, description="Which incident it belongs to.")] = ""
    evidence: Annotated[tuple[str, ...], Field(max_length=EVIDENCE_MAX, description="References that the tools cited.")] = ()
    valid_s: Annotated[float, Field(ge=VALID_S_MIN, le=VALID_S_MAX)] = 300.0


class Decided(Word):
    """`proposal` is its id; asked: a person has to sign. `failed` are codes of the checks that it did not pass."""

    proposal: str
    verdict: Literal["permit", "ask", "refuse"]
    would: bool
    failed: tuple[str, ...]
    roles: tuple[str, ...]


class AskFor:
    """The call of this tool. The gate knows the author by the link's token, not by anything said here."""

    def __init__(self, look: Look) -> None:
        self._look = look

    async def propose(self, wanted: Propose) -> Returned:
        decision = await self._look.link.propose(self._proposal(wanted))
        failed = tuple(dict.fromkeys(reason.code for reason in decision.reasons if not reason.passed))
        told = Decided(proposal=decision.proposal, verdict=decision.verdict, would=decision.would, failed=failed, roles=decision.roles)
        cite = Citation(kind="record", ref=decision.proposal, quote=_told(decision), at_ns=decision.at_ns)
        return Returned(label=self._look.label([one.tag for one in wanted.sets]), body=told, citations=(cite,))

    def _proposal(self, wanted: Propose) -> Proposal:
        if (wanted.kind == "write") != bool(wanted.sets):
            raise ToolError("tools.arguments", tool="propose", why="a write has sets, and nothing else has them")
        action: Action
        if wanted.kind == "write":
            action = Write(sets=tuple((self._look.tag(one.tag).name, one.value) for one in wanted.sets))
        else:
            if not wanted.target or not wanted.text:
                raise ToolError("tools.arguments", tool="propose", why=f"a {wanted.kind} has target and text")
            action = Order(kind=wanted.kind, target=wanted.target, text=wanted.text)
        at_ns = self._look.clock.now_ns()
        # The time is part of it: the same wish an hour later is another proposal, and the same message twice is one.
        key = digest((self._look.author, at_ns, action, wanted.reason))[:16]
        return Proposal(
            id=f"wish-{key}",
            incident=wanted.incident,
            action=action,
            reason=wanted.reason,
            evidence=tuple(Evidence(kind="context", ref=ref[:300]) for ref in wanted.evidence),
            valid_s=wanted.valid_s,
        )


def _told(decision: Decision) -> str:
    return f"{'would ' if decision.would else ''}{decision.verdict}"
