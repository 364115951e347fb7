"""When two addresses are one place on a device: the same node under another spelling, an element or bit of it, or shared registers.

A tag that is written, or belongs to the safety system, has one identity. What can't be told apart without the server (a namespace
by number beside one by name) is taken for the same, because a server may number its namespaces anew at every start.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from holdfast.terms import Tag, Word

# The Modicon form of a register (MODBUS Application Protocol V1.1b3 §4.4): area, number, bit; then its type.
_REGISTER = re.compile(r"([0134])(\d{4,5})(?:\.(\d{1,2}))?(?::([a-z]+)(\d*))?(?::.*)?")
# NodeIds as text, OPC UA Part 6 §5.3.1.10: an optional namespace, then the kind of identifier.
_NODE = re.compile(r"(?:(?P<kind>nsu?)=(?P<space>[^;]*);)?(?:(?P<id>[sigb])=)?(?P<name>.*)", re.DOTALL)
# An element of an array (IndexRange, Part 4 §7.27), or a bit.
_PART = re.compile(r"(?:\[[^\[\]]*\]|\.(?:bit|x)?\d{1,2}|\.%[xX]\d{1,2})$")
PARTS_MAX = 4  # an element of an element of …
WORD_BITS = 16


class Place(Word):
    """Where an address lies. Registers have `area` and `first` to `last`; nodes have `names`, from the whole down to the part."""

    area: str = ""
    first: int = 0
    last: int = -1
    bit: int | None = None
    names: tuple[str, ...] = ()  # the written one first, then what it is a part of
    space: str | None = ""  # namespace URI; None: given by number, so not known


def place(address: str, namespace: str = "") -> Place:
    """`namespace` is the connection's own, of addresses that name none."""
    text = unicodedata.normalize("NFKC", address.strip())
    register = _REGISTER.fullmatch(text)
    if register is not None:
        area, number, bit, kind, bits = register.groups()
        words = max(1, int(bits or 0) // WORD_BITS) if kind != "bool" and area in "34" else 1
        first = int(number)
        return Place(area=area, first=first, last=first + words - 1, bit=None if bit is None else int(bit))
    node = _NODE.fullmatch(text)
    assert node is not None  # noqa: S101  everything is at least a name
    name, kind = node["name"].strip(), node["id"] or "s"
    if kind == "i" and name.isdigit():
        name = str(int(name))
    if kind == "g":
        name = name.lower()
    names = [f"{kind}={name}"]
    while len(names) <= PARTS_MAX and (shorter := _PART.sub("", names[-1])) != names[-1]:
        names.append(shorter)
    space: str | None = namespace
    if node["kind"] == "nsu":
        space = node["space"].strip()
    elif node["kind"] == "ns":
        space = None
    return Place(names=tuple(names), space=space)


def shared(a: Place, b: Place) -> str:
    """Why a write to one would be a write to the other: "", "same", "part" or "registers"."""
    if a.area or b.area:
        if a.area != b.area or a.first > b.last or b.first > a.last:
            return ""
        if a.bit is not None and b.bit is not None and a.bit != b.bit:
            return ""
        return (
            "same"
            if (a.first, a.last, a.bit) == (b.first, b.last, b.bit)
            else "part"
            if (a.bit is None) != (b.bit is None)
            else "registers"
        )
    if a.space is not None and b.space is not None and a.space != b.space:
        return ""
    if a.names[0] == b.names[0]:
        return "same"
    # Two elements of one array are apart; an element and its whole are not.
    return "part" if a.names[0] in b.names or b.names[0] in a.names else ""


def collisions(tags: Sequence[Tag], namespaces: Mapping[str, str]) -> Iterator[tuple[Tag, Tag, str]]:
    """(later tag, earlier tag, why) of all pairs in one place. `namespaces` by connection, "" where it has none."""
    by_connection: dict[str, list[tuple[Tag, Place]]] = {}
    for tag in tags:
        if tag.address.strip():
            by_connection.setdefault(tag.connection, []).append((tag, place(tag.address, namespaces.get(tag.connection, ""))))
    for found in by_connection.values():
        yield from _registers([(t, p) for t, p in found if p.area])
        yield from _nodes([(t, p) for t, p in found if not p.area])


def _registers(found: Sequence[tuple[Tag, Place]]) -> Iterator[tuple[Tag, Tag, str]]:
    order = {tag.name: at for at, (tag, _) in enumerate(found)}
    open_: list[tuple[Tag, Place]] = []
    for tag, here in sorted(found, key=lambda f: (f[1].area, f[1].first)):
        open_ = [(t, p) for t, p in open_ if p.area == here.area and p.last >= here.first]
        yield from _pairs(tag, here, open_, order)
        open_.append((tag, here))


def _nodes(found: Sequence[tuple[Tag, Place]]) -> Iterator[tuple[Tag, Tag, str]]:
    order = {tag.name: at for at, (tag, _) in enumerate(found)}
    by_name: dict[str, list[tuple[Tag, Place]]] = {}
    for tag, here in found:
        near = {t.name: (t, p) for name in here.names for t, p in by_name.get(name, ())}
        yield from _pairs(tag, here, near.values(), order)
        for name in here.names:
            by_name.setdefault(name, []).append((tag, here))


def _pairs(tag: Tag, here: Place, near: Iterable[tuple[Tag, Place]], order: Mapping[str, int]) -> Iterator[tuple[Tag, Tag, str]]:
    for other, there in near:
        why = shared(here, there)
        if why:
            yield (tag, other, why) if order[tag.name] > order[other.name] else (other, tag, why)


def matters(a: Tag, b: Tag) -> bool:
    """Whether two tags in one place may not be: one is written, or only one is of the safety system."""
    return a.writable or b.writable or a.sis != b.sis
