"""A request as it was read: a task with its slots, what is missing from it, or why it is not taken. Never more than one of these."""

from typing import Literal, get_args

from holdfast.terms import Word

Kind = Literal[
    "set", "change", "show", "trend", "why", "incidents", "alarms", "acknowledge", "stop", "hold_batch", "work_order", "notify",
    "manual", "report",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
ACTS: frozenset[Kind] = frozenset(("set", "change", "acknowledge", "stop", "hold_batch", "work_order", "notify"))
Slot = Literal["tag", "value", "unit", "equipment", "lot"]
Refusal = Literal["unsafe", "outside", "unclear"]


class Request(Word):
    """`kind` "" is no task: then `missing` says what to ask back for, or `refused` why it is not taken.

    `value` and `by` are in the tag's own unit; `tag` is a setpoint for set and change, what is measured otherwise; `minutes` is a
    window that ends now; `equipment` is a stop's scope too, `*` for all. Nothing of it is done yet: the gate and people decide.
    """

    kind: Kind | Literal[""] = ""
    tag: str = ""
    value: float | None = None
    by: float | None = None
    minutes: float | None = None
    equipment: str = ""
    lot: str = ""
    missing: tuple[Slot, ...] = ()
    refused: Refusal | Literal[""] = ""


def refused(why: Refusal) -> Request:
    return Request(refused=why)


def missing(*slots: Slot) -> Request:
    return Request(missing=tuple(sorted(slots)))
