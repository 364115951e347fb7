"""The tagger's word on one write that the rules came to: every slot of it confirmed, and nothing that speaks against it.

The tagger need not find the whole way by itself; it must see each piece as what the rules take it for: the row's name, address, type,
scale and access, the request's value and that it is a write. What it reads of the heading may be silent, not different.
"""

import re

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.models.registers import tagged
from holdfast.agent.models.registers.choose import Chosen, choose
from holdfast.agent.models.registers.look import RANGE
from holdfast.agent.models.registers.words import Ask, Row, Slot
from holdfast.agent.models.spans import Tagger

ADDRESS_MIN = 0.02  # share that a row's likeliest address must have
SURE = 0.5  # share that a mark beside the rules' slots must have to speak against them
_LEAD = "? "
_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|\d+")


def unconfirmed(tagger: Tagger, text: str, asked: str, ask: Ask, row: Row, seen: tuple[Row, ...], own: tuple[Row, ...]) -> str:
    """The first piece that the tagger takes for something else, as a code; "" where there is none.

    `seen` are all rows of the rules, `own` those of the tagger.
    """
    shares = tagger.shares(text)
    labels = tagger.labels
    if _label(shares, row.name, labels) not in ("name", labels[0]):
        return "name"  # seeing nothing there speaks against nothing: which row is meant it must find by itself, below
    for slot, label in ((row.kind, "type"), (row.scale, "scale")):
        if slot is not None and _label(shares, slot, labels) != label:
            return label
    if row.access is not None and _label(shares, row.access, labels) not in ("access", "write_code"):
        return "access"
    if not _likeliest(shares, text, row, labels.index("address")):
        return "address"
    for slot, label in ((row.facts.kind if row.kind is None else None, "type"), (row.facts.scale if row.scale is None else None, "scale")):
        if slot is not None and _label(shares, slot, labels) != label:
            return label
    for slot, label in ((row.kind or row.facts.kind, "type"), (row.scale or row.facts.scale, "scale")):
        if slot is None and _elsewhere(text, shares, row, labels.index(label)):
            return label
    return _of_heading(row, own) or _of_request(tagger, text, asked, ask, row, seen)


def _label(shares: NDArray[np.float32], slot: Slot, labels: tuple[str, ...]) -> str:
    return labels[int(shares[slot.start : slot.end].mean(axis=0).argmax())]


def _likeliest(shares: NDArray[np.float32], text: str, row: Row, label: int) -> bool:
    """Whether no other number of the row looks more like its address. A small number alone looks like many things."""
    here = float(shares[row.address.start : row.address.end, label].mean())
    taken = [slot for slot in (row.address, row.name, row.kind, row.scale, row.length) if slot is not None]
    numbers = [m.span() for m in _NUMBER.finditer(text, row.block.start, row.block.end)]
    others = [(a, b) for a, b in numbers if all(b <= slot.start or a >= slot.end for slot in taken)]
    return here >= ADDRESS_MIN and all(float(shares[a:b, label].mean()) < here for a, b in others)


def _elsewhere(text: str, shares: NDArray[np.float32], row: Row, label: int) -> bool:
    """Whether a piece of the row outside its slots looks like what the rules say that it has not."""
    free = np.ones(len(shares), np.bool_)
    for slot in (row.name, row.address, row.unit, row.access, row.area, row.length, row.kind, row.scale):
        if slot is not None:
            free[slot.start : slot.end] = False
    for span in RANGE.finditer(text, row.block.start, row.block.end):
        free[slice(*span.span())] = False  # bounds, which the rules hold the value to
    block = slice(row.block.start, row.block.end)
    return bool((free[block] & (shares[block, label] > SURE)).any())


def _of_heading(row: Row, own: tuple[Row, ...]) -> str:
    """Where both read the heading, they read it alike."""
    if not own:
        return "address"
    same = next((one for one in own if one.address.start < row.address.end and row.address.start < one.address.end), None)
    other = same or own[0]
    for name in ("area", "base", "order", "write_code") if same is not None else ("base", "order"):  # sections are told by the row alone
        ours, theirs = getattr(row.facts, name), getattr(other.facts, name)
        if ours is not None and theirs is not None and ours != theirs:
            return name
    return ""


def _of_request(tagger: Tagger, text: str, asked: str, ask: Ask, row: Row, seen: tuple[Row, ...]) -> str:
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
    chosen = choose(other, asked, seen, text)
    return "" if isinstance(chosen, Chosen) and chosen.rows[0] == row else "name"
