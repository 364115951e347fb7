"""The tagger's word on one write that the rules came to: every slot of it confirmed, and nothing that speaks against it.

The tagger need not find the whole way by itself; it must see each piece as what the rules take it for: the row's name, address, type,
scale and access, the request's value and that it is a write. What it reads of the heading may be silent, not different.
"""

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.models.registers import tagged
from holdfast.agent.models.registers.choose import Chosen, choose
from holdfast.agent.models.registers.words import Ask, Row, Slot
from holdfast.agent.models.spans import Tagger

SURE = 0.5  # share that a mark beside the rules' slots must have to speak against them
_LEAD = "? "


def unconfirmed(tagger: Tagger, text: str, asked: str, ask: Ask, row: Row, seen: tuple[Row, ...], own: tuple[Row, ...]) -> str:
    """The first piece that the tagger takes for something else, as a code; "" where there is none.

    `seen` are all rows of the rules, `own` those of the tagger.
    """
    shares = tagger.shares(text)
    labels = tagger.labels
    for slot, label in ((row.name, "name"), (row.address, "address"), (row.kind, "type"), (row.scale, "scale"), (row.access, "access")):
        if slot is not None and _label(shares, slot, labels) != label:
            return label
    for slot, label in ((row.facts.kind if row.kind is None else None, "type"), (row.facts.scale if row.scale is None else None, "scale")):
        if slot is not None and _label(shares, slot, labels) != label:
            return label
    for slot, label in ((row.kind or row.facts.kind, "type"), (row.scale or row.facts.scale, "scale")):
        if slot is None and _elsewhere(shares, row, labels.index(label)):
            return label
    return _of_heading(row, own) or _of_request(tagger, asked, ask, row, seen)


def _label(shares: NDArray[np.float32], slot: Slot, labels: tuple[str, ...]) -> str:
    return labels[int(shares[slot.start : slot.end].mean(axis=0).argmax())]


def _elsewhere(shares: NDArray[np.float32], row: Row, label: int) -> bool:
    """Whether a piece of the row outside its slots looks like what the rules say that it has not."""
    free = np.ones(len(shares), np.bool_)
    for slot in (row.name, row.address, row.unit, row.access, row.area, row.length, row.kind, row.scale):
        if slot is not None:
            free[slot.start : slot.end] = False
    block = slice(row.block.start, row.block.end)
    return bool((free[block] & (shares[block, label] > SURE)).any())


def _of_heading(row: Row, own: tuple[Row, ...]) -> str:
    """Where both read the heading, they read it alike."""
    other = next((one for one in own if one.address.start < row.address.end and row.address.start < one.address.end), None)
    if other is None:
        return "address"
    for name in ("area", "base", "order", "write_code"):
        ours, theirs = getattr(row.facts, name), getattr(other.facts, name)
        if ours is not None and theirs is not None and ours != theirs:
            return name
    return ""


def _of_request(tagger: Tagger, asked: str, ask: Ask, row: Row, seen: tuple[Row, ...]) -> str:
    other = tagged.read_request(tagger, asked)
    if not other.writes:
        return "kind"
    if ask.switch is not None and other.switch is not None and ask.switch is not other.switch:
        return "value"
    if ask.value is not None and not ask.word:
        shares = tagger.shares(_LEAD + asked)
        slot = Slot(text=ask.value.text, start=ask.value.start + len(_LEAD), end=ask.value.end + len(_LEAD))
        if _label(shares, slot, tagger.labels) != "value":
            return "value"
    chosen = choose(other, asked, seen)
    return "" if isinstance(chosen, Chosen) and chosen.rows[0] == row else "name"
