"""The saga as a table: from which state, on which event, to which state. What is not in the table can't happen.

PROPOSED → DECIDED → (APPROVED) → INTENT → VERIFIED | FAILED | INDETERMINATE → EFFECT → (RETREAT) (design §6).
"""

from typing import Literal

from holdfast.link import State

Event = Literal[
    "refuse",
    "would",
    "ask",
    "permit",
    "signed",
    "declined",
    "expire",
    "void",
    "falls",  # the second decision no longer stands
    "stands",  # intent is durable; what follows may already be on the wire
    "sent",  # acked or unknown: only a read-back can tell
    "rejected",
    "equals",
    "former",
    "unclear",
    "judged",
    "retreats",  # a wrong effect or half a group is taken back: that is durable; what follows may already be on the wire
    "back",  # the former values are there again
    "escalates",  # it can't be taken back, or nobody decided beforehand that it may
    "queued",  # an order lies in the outbox
    "delivered",
    "dead",  # … and nobody could be made to take it
    "adopted",  # what was learned is in force: nothing went out, so nothing is read back
    "done",  # a person found out that an indeterminate write did happen
    "undone",  # … that it did not
]

TRANSITIONS: dict[tuple[State, Event], State] = {
    ("proposed", "refuse"): "refused",
    ("proposed", "would"): "shadow",
    ("proposed", "ask"): "asked",
    ("proposed", "permit"): "approved",
    ("asked", "signed"): "approved",
    ("asked", "declined"): "refused",
    ("asked", "expire"): "expired",
    ("asked", "void"): "voided",
    ("approved", "expire"): "expired",
    ("approved", "void"): "voided",
    ("approved", "falls"): "refused",
    ("approved", "stands"): "intent",
    ("intent", "sent"): "sent",
    ("intent", "rejected"): "failed",
    ("intent", "queued"): "sent",
    ("intent", "adopted"): "done",
    ("sent", "equals"): "verified",
    ("sent", "delivered"): "verified",
    ("sent", "dead"): "failed",
    ("sent", "former"): "failed",
    ("sent", "unclear"): "indeterminate",
    ("verified", "judged"): "done",
    ("sent", "retreats"): "retreat",
    ("verified", "retreats"): "retreat",
    ("verified", "escalates"): "escalated",
    ("retreat", "sent"): "retreating",
    ("retreat", "escalates"): "escalated",
    ("retreating", "back"): "restored",
    ("retreating", "escalates"): "escalated",
    ("escalated", "done"): "done",
    ("escalated", "undone"): "failed",
    ("indeterminate", "done"): "done",
    ("indeterminate", "undone"): "failed",
}

# In these a write may be wanted, on its way or not yet judged: the tag is busy.
BUSY: frozenset[State] = frozenset(
    {"asked", "approved", "intent", "sent", "verified", "retreat", "retreating", "escalated", "indeterminate"}
)
ENDED: frozenset[State] = frozenset({"refused", "shadow", "expired", "voided", "failed", "restored", "done"})
WAIT_FOR_PERSON: frozenset[State] = frozenset({"indeterminate", "escalated"})


class Impossible(Exception):
    """An event that the table does not know in this state: a defect of Holdfast, never a reason to go on."""


def after(state: State, event: Event) -> State:
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise Impossible(f"{event!r} can't happen to a job that is {state}") from None
