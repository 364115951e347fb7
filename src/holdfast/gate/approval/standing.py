"""Where an asked decision stands, and who may sign it now: pure functions of what is stored and what time it is."""

from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

from holdfast.terms import Approval, Word

Standing: TypeAlias = Literal["waiting", "approved", "refused", "expired", "voided", "consumed"]


class Ask(Word):
    """A decision that waits for people. Times of expiry are on the gate's monotonic clock, which only one boot knows."""

    proposal: str
    binds: str
    author: str
    roles: tuple[str, ...]  # one person each
    tags: tuple[str, ...]
    opened_ns: int  # UTC
    valid_s: float
    deadline_ns: int  # monotonic
    boot: str


class Moment(Word):
    """Now, as expiry is judged."""

    monotonic_ns: int
    boot: str


# What is final, as stored; "" while it can still change.
Closed: TypeAlias = Literal["", "refused", "expired", "voided", "consumed"]


def standing(ask: Ask, signed: Sequence[Approval], closed: Closed, now: Moment) -> Standing:
    """A no from anyone asked refuses for good; an unknown boot counts as expired, for how long it was is not known."""
    if closed:
        return closed
    if any(not approval.yes for approval in signed):
        return "refused"
    if now.boot != ask.boot or now.monotonic_ns >= ask.deadline_ns:
        return "expired"
    return "approved" if set(ask.roles) <= {approval.role for approval in signed} else "waiting"


def objection(
    ask: Ask, signed: Sequence[Approval], stands: Standing, *, person: str, role: str, roles: Collection[str], author: bool, binds: str
) -> str:
    """Why this person can't sign in this role now, as a code; "" when they can.

    roles: what the person has. author: whether the person is the one who proposed. binds: what is to be signed, now.
    """
    if stands != "waiting":
        return f"approval.{stands}"
    if binds != ask.binds:
        return "approval.changed"
    if author:
        return "approval.self"
    if role not in roles:
        return "approval.role"
    if role not in ask.roles:
        return "approval.not_asked"
    if any(approval.person == person for approval in signed):
        return "approval.twice"
    if any(approval.role == role for approval in signed):
        return "approval.signed"
    return ""
