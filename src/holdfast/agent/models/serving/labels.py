"""Labels of what goes into a prompt: the join over all its parts decides where it may be sent. What has no label is restricted.

A label is a fact about data that the gate or a tool states beside the text; nothing that stands in the text is read as one. It is enforced
outside of any model: `router.py` asks no endpoint whose clearance is below the join.
"""

from collections.abc import Iterable
from typing import Literal

from holdfast.ports import Turn
from holdfast.terms import LABELS, Label, Word

UNLABELLED: Label = LABELS[-1]
DEPTH_MAX = 8
PARTS_MAX = 2000  # of one prompt


class Part(Word):
    """A piece of a prompt: text with its label, or a group of pieces. A group's label holds for all in it and can only raise theirs."""

    text: str = ""
    label: Label | None = None
    source: str = ""  # where it is from, for people
    inside: tuple["Part", ...] = ()


class Said(Word):
    """One message, in parts."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


class LabelError(RuntimeError):
    """Something was about to be sent where its label forbids it. This is a fault of ours: nothing was sent."""


def join(labels: Iterable[Label | None]) -> Label:
    """The highest; of none the lowest. No label, or one that is not among LABELS in exactly this spelling, counts as restricted."""
    return LABELS[max((_rank(label) for label in labels), default=0)]


def label_of(parts: Iterable[Part], depth: int = 0) -> Label:
    """The join over parts and all within them. A prompt nested too deep, or of too many parts, is restricted."""
    found: list[Label | None] = []
    for part in parts:
        if len(found) >= PARTS_MAX or depth >= DEPTH_MAX:
            return UNLABELLED
        # Text of its own needs a label of its own; a group of nothing but parts is what they are.
        if part.text or part.label is not None or not part.inside:
            found.append(part.label)
        if part.inside:
            found.append(label_of(part.inside, depth + 1))
    return join(found)


def label_of_all(said: Iterable[Said]) -> Label:
    return join([label_of(one.parts) for one in said])


def may_see(clearance: Label, label: Label) -> bool:
    """Whether data of this label may go to who has this clearance. A clearance that is none sees nothing."""
    return clearance in LABELS and _rank(label) <= LABELS.index(clearance)


def turns_of(said: Iterable[Said]) -> tuple[Turn, ...]:
    """What is sent: texts alone, in order."""
    return tuple(Turn(role=one.role, text="".join(_texts(one.parts))) for one in said)


def _texts(parts: Iterable[Part]) -> Iterable[str]:
    for part in parts:
        yield part.text
        yield from _texts(part.inside)


def _rank(label: object) -> int:
    return LABELS.index(label) if type(label) is str and label in LABELS else len(LABELS) - 1
