"""Decisions that wait for a person: a card each, with all that a signature would stand on, and the two buttons.

What the card showed travels with the answer. The gate takes no signature for anything else, and the page then says what
has changed.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post

from holdfast.console.drawing import EnvelopeBar, envelope_bar
from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.visit import Req, Visit
from holdfast.terms import Word

CARDS_MAX = 24
CHANGED = "approval.changed"


class Target(Word):
    """One setpoint as the card draws it."""

    tag: str
    name: str
    unit: str
    present: float | None
    proposed: float
    low: float | None
    high: float | None
    bar: EnvelopeBar | None


class View(Word):
    """A card and what this visitor may do with it. `why_not` is a code: why this person's signature would not count."""

    id: str
    path: str
    card: Mapping[str, Any]
    targets: tuple[Target, ...]
    failed: tuple[Mapping[str, Any], ...]
    rules: tuple[Mapping[str, Any], ...]
    questions: tuple[Mapping[str, Any], ...]
    missing_roles: tuple[str, ...]
    changed: bool
    why_not: str
    shown: str


def routes(house: House) -> list[Any]:
    @get("/approvals")
    async def waiting(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.page("approvals", visit, request, views=await _waiting(house, visit))

    @get("/approvals/cards")
    async def cards(request: Req) -> Response[str]:
        """The same list as a part of the page."""
        visit = await house.visit(request)
        return await house.fragment("approvals_list", visit, request, views=await _waiting(house, visit))

    @get("/approvals/{proposal:str}")
    async def one(request: Req) -> Response[str]:
        visit = await house.visit(request)
        view = await _view(house, visit, str(request.path_params["proposal"]))
        return await house.page("approvals_one", visit, request, view=view, said="", changes=())

    @get("/approvals/{proposal:str}/card")
    async def card(request: Req) -> Response[str]:
        visit = await house.visit(request)
        view = await _view(house, visit, str(request.path_params["proposal"]))
        return await house.fragment("approvals_card", visit, request, view=view, said="", changes=())

    @post("/approvals/{proposal:str}")
    async def answer(request: Req) -> Response[Any]:
        """Yes or no, with the signer's own password; the signer may be another person than the one who is signed in."""
        visit = await house.visit(request)
        form = await house.form(request, visit)
        proposal = str(request.path_params["proposal"])
        yes = form.get("answer") == "yes"
        vote = {
            "proposal": proposal,
            "person": form.get("person") or visit.person,
            "password": form.get("password", ""),
            "yes": yes,
            "reason": form.get("reason", ""),
            "shown": form.get("binds") or "nothing",  # "" would sign whatever there is now
        }
        if not yes and not vote["reason"]:
            return await _again(house, visit, request, proposal, form, house.shown(visit, None).t("approvals.reason_wanted"), 400)
        try:
            await house.gate.post("/v1/approvals", vote, token=visit.token)
        except GateError as error:
            return await _again(house, visit, request, proposal, form, house.refusal(error, visit), error.status)
        return house.to(f"/approvals/{quote(proposal, safe='')}")

    @post("/approvals/{proposal:str}/question")
    async def question(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        proposal = str(request.path_params["proposal"])
        try:
            await house.gate.post("/v1/questions", {"proposal": proposal, "text": form.get("text", "")}, token=visit.token)
        except GateError as error:
            return await _again(house, visit, request, proposal, form, house.refusal(error, visit), error.status)
        return house.to(f"/approvals/{quote(proposal, safe='')}")

    return [waiting, cards, one, card, answer, question]


async def _waiting(house: House, visit: Visit) -> tuple[View, ...]:
    """Oldest first: it ends first."""
    found = await house.gate.get("/v1/approvals")
    return tuple([await _view(house, visit, str(progress["proposal"])) for progress in found[:CARDS_MAX]])


async def _again(house: House, visit: Visit, request: Req, proposal: str, form: Mapping[str, str], said: str, code: int) -> Response[str]:
    """The card as it is now, with what was wrong and what has changed since it was opened. The password is asked for again."""
    view = await _view(house, visit, proposal)
    return await house.page("approvals_one", visit, request, code=code, view=view, said=said, changes=_changes(form, view))


async def _view(house: House, visit: Visit, proposal: str) -> View:
    """Raises GateError 404 for a proposal that nobody was asked about."""
    path = quote(proposal, safe="")
    card = await house.gate.get(f"/v1/approvals/{path}")
    questions = await _questions(house, visit, proposal)
    signed = {approval["role"] for approval in card["signed"]}
    missing = tuple(role for role in card["roles"] if role not in signed)
    targets = tuple(_target(target) for target in card["targets"])
    reasons = card["now"]["reasons"]
    return View(
        id=proposal,
        path=f"/approvals/{path}",
        card=card,
        targets=targets,
        failed=tuple(reason for reason in reasons if not reason["passed"]),
        rules=tuple(reason for reason in reasons if reason["code"].startswith("policy.")),
        questions=questions,
        missing_roles=missing,
        changed=card["binds"] != card["asked"],
        why_not=_why_not(card, visit, missing),
        shown=_shown(targets),
    )


async def _questions(house: House, visit: Visit, proposal: str) -> tuple[Mapping[str, Any], ...]:
    try:
        return tuple(await house.gate.get("/v1/questions", {"proposal": proposal}, token=visit.token))
    except GateError as error:
        if error.status == 404:
            return ()
        raise


def _target(target: Mapping[str, Any]) -> Target:
    return Target(
        tag=target["tag"],
        name=target["description"] or target["tag"],
        unit=target["unit"],
        present=target["present"],
        proposed=target["proposed"],
        low=target["low"],
        high=target["high"],
        bar=envelope_bar(
            low=target["low"], high=target["high"], present=target["present"], proposed=target["proposed"], step_max=target["step_max"]
        ),
    )


def _why_not(card: Mapping[str, Any], visit: Visit, missing: tuple[str, ...]) -> str:
    """What the gate would say to this person's signature; the gate itself decides."""
    if card["standing"] != "waiting":
        return f"approval.{card['standing']}"
    if card["binds"] != card["asked"]:
        return CHANGED
    if any(approval["person"] == visit.person for approval in card["signed"]):
        return "approval.twice"
    return "" if visit.may(*missing) else "approval.role"


def _shown(targets: tuple[Target, ...]) -> str:
    """What the visitor saw, kept in the form: so that a change can be told as from what to what."""
    return ";".join(f"{target.tag}={target.present!r}" for target in targets)


def _changes(form: Mapping[str, str], view: View) -> tuple[tuple[str, str, float | None, str], ...]:
    """(name, value then, value now, unit) of each present value that is another now."""
    then = dict(part.split("=", maxsplit=1) for part in form.get("shown", "").split(";") if "=" in part)
    return tuple(
        (target.name, then[target.tag], target.present, target.unit)
        for target in view.targets
        if target.tag in then and then[target.tag] != repr(target.present)
    )
