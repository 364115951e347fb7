"""One decision as a person signs it: what was asked, what the guard says of it now, and who has signed so far."""

from typing import Any

from litestar import Response, get
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.api.messages import Req, json
from holdfast.gate.approval.standing import Standing
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.guard.decide import decide
from holdfast.link import State
from holdfast.terms import SECOND_NS, Approval, Decision, Proposal, Word, Write


class CardTarget(Word):
    """One setpoint of the proposal. `low` to `high` is the envelope's range as it holds now; None where it can't be told."""

    tag: str
    unit: str
    description: str
    present: float | None
    proposed: float
    low: float | None
    high: float | None
    step_max: float | None


class Card(Word):
    """`binds` is what a signature would bind now, `asked` what it bound when it was asked: they differ once setpoint, mode or
    configuration changed, and then nobody can sign. `ends_ns` is UTC."""

    proposal: Proposal
    author: str
    state: State
    standing: Standing
    decision: Decision
    now: Decision
    asked: str
    binds: str
    roles: tuple[str, ...]
    signed: tuple[Approval, ...]
    opened_ns: int
    ends_ns: int
    targets: tuple[CardTarget, ...]


def card_handlers(gate: Gatekeeper) -> list[Any]:
    """Routes for `people_app`."""

    @get("/v1/approvals/{proposal:str}", answers=TypeAdapter(Card))
    async def card(request: Req) -> Response[bytes]:
        """All that a signature would stand on, and who has signed."""
        wanted = str(request.path_params["proposal"])
        found = card_of(gate, wanted)
        if found is None:
            raise HTTPException(status_code=404, detail=f"nobody was asked about {wanted!r}")
        return json(found)

    return [card]


def card_of(gate: Gatekeeper, proposal: str) -> Card | None:
    """None for a proposal that nobody was asked about."""
    job, ask, standing = gate.jobs.get(proposal), gate.inbox.ask(proposal), gate.inbox.state(proposal)
    if job is None or ask is None or standing is None:
        return None
    parts = gate.parts
    now_ns = parts.debts.now_ns()
    now = decide(job.proposal, job.author, gate.compiled, parts.snapshots.take(job.proposal, now_ns))
    left_ns = ask.deadline_ns - gate.clock.monotonic_ns()
    action = job.proposal.action
    return Card(
        proposal=job.proposal,
        author=job.author,
        state=job.state,
        standing=standing,
        decision=job.decision,
        now=now,
        asked=ask.binds,
        binds=now.binds,
        roles=ask.roles,
        signed=gate.inbox.signed(proposal),
        opened_ns=ask.opened_ns,
        # Expiry is judged on the monotonic clock of one boot: an ask of another boot has ended already.
        ends_ns=now_ns + max(left_ns, 0) if standing in ("waiting", "approved") else ask.opened_ns + round(ask.valid_s * SECOND_NS),
        targets=tuple(_target(gate, now, tag, value) for tag, value in action.sets) if isinstance(action, Write) else (),
    )


def _target(gate: Gatekeeper, now: Decision, tag: str, proposed: float) -> CardTarget:
    """Range and step as the guard itself found them just now: its reasons carry them."""
    bound = gate.compiled.bounds[tag]
    facts = {
        reason.code.split(".")[1]: dict(reason.facts) for reason in now.reasons if reason.tag == tag and reason.code[:9] == "envelope."
    }
    limits = facts.get("range", {})
    return CardTarget(
        tag=tag,
        unit=bound.tag.unit,
        description=bound.tag.description,
        present=gate.live.good_value(bound.present.tag.name),
        proposed=proposed,
        low=_number(limits.get("low")),
        high=_number(limits.get("high")),
        step_max=_number(facts.get("step", {}).get("max")),
    )


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
