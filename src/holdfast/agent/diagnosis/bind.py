"""Which tags of a site a failure mode speaks of: roles bound to tags, once for each piece of equipment that has them."""

from collections.abc import Sequence
from typing import TypeAlias

from holdfast.agent.knowledge.modes import ANY, MOVES, Mode, Sign
from holdfast.site.model import Loop, Site
from holdfast.terms import Word

OWN_SHARE_MIN = 0.4  # of a signature's weight that the equipment's own tags must bear, so that no mode lands on "line"
WIDE_SHARE_MIN = 0.6  # of a signature that is spread over the plant: what its only tags of that role must bear, wherever they are


Fit: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]  # (equipment, (role, tag) of its signs)


class Bound(Word):
    """A mode at one piece of equipment. `id` is the mode's, with `@equipment` where the mode fits several."""

    id: str
    mode: Mode
    equipment: str
    tags: tuple[tuple[str, str], ...]  # (role, tag), in signature order

    def tag(self, role: str) -> str:
        return dict(self.tags).get(role, "")

    def sign(self, tag: str) -> Sign | None:
        role = next((role for role, name in self.tags if name == tag), "")
        return next((sign for sign in self.mode.signature if role and sign.of == role), None)


def equipment_of(tag: str) -> str:
    return tag.split("/", 1)[0]


def tag_of_role(site: Site, role: str, equipment: str) -> str:
    """The tag with a role on the equipment; else the only one on the site; else ""."""
    having = [tag.name for tag in site.tags if tag.role == role]
    own = [name for name in having if equipment_of(name) == equipment]
    if own:
        return own[0]
    return having[0] if len(having) == 1 else ""


def loop_of_role(site: Site, role: str, equipment: str) -> Loop | None:
    """The loop whose pv has the role, at that equipment or alone on the site, with a setpoint and an envelope."""
    pv = tag_of_role(site, role, equipment)
    return next((loop for loop in site.loops if pv and loop.pv == pv and loop.sp and site.envelope(loop.sp) is not None), None)


def bind(site: Site, modes: Sequence[Mode]) -> tuple[Bound, ...]:
    """Every mode at every piece of equipment where at least 40 % of its signature's weight is on own tags.

    A mode of a kind binds only to equipment that is of that kind; a mode that stands `instead_of` others pushes them out there.
    """
    names = list(dict.fromkeys(equipment_of(tag.name) for tag in site.tags))
    kinds = {one.name: one.kinds for one in site.equipment}
    found: list[Bound] = []
    for mode in modes:
        fits: list[Fit] = []
        signs = [sign for sign in mode.signature if sign.role != ANY]
        total = sum(sign.weight for sign in signs)
        places = [name for name in names if not mode.kind or mode.kind in kinds.get(name, ())]
        if not signs:
            fits.append(("", ()))
        for name in places if signs else ():
            pairs = _pairs(site, mode, name)
            own = {role for role, tag in pairs if equipment_of(tag) == name}
            if sum(sign.weight for sign in signs if sign.of in own) >= OWN_SHARE_MIN * total > 0:
                fits.append((name, pairs))
        kept = _distinct(site, fits) or ([] if mode.kind else _wide(site, mode, names, total))
        for name, pairs in kept:
            found.append(Bound(id=mode.id if len(kept) == 1 else f"{mode.id}@{name}", mode=mode, equipment=name, tags=pairs))
    replaced = {(name, one.equipment) for one in found for name in one.mode.instead_of}
    return tuple(one for one in found if (one.mode.id, one.equipment) not in replaced)


def _pairs(site: Site, mode: Mode, name: str) -> tuple[tuple[str, str], ...]:
    """(role, tag) of the signs that can be seen from there. The broadband tag stands in for one moving sign of a band, and no more."""
    found: dict[str, str] = {}
    for sign in mode.signature:
        if sign.role != ANY and (tag := tag_of_role(site, sign.of, name)):
            found.setdefault(sign.of, tag)
    for sign in mode.signature:
        if not sign.band or sign.of in found or sign.shows not in MOVES:
            continue
        tag = tag_of_role(site, sign.role, name)
        if tag and tag not in found.values():
            found[sign.of] = tag
    return tuple(found.items())


def _wide(site: Site, mode: Mode, names: Sequence[str], total: float) -> list[Fit]:
    """A mode that no single piece of equipment bears, by roles that one tag of the site has each: one case, where most of it shows."""
    pairs = _pairs(site, mode, "")
    of = dict(pairs)
    borne = [(sum(sign.weight for sign in mode.signature if equipment_of(of.get(sign.of, "")) == name), name) for name in names]
    if sum(weight for weight, _ in borne) < WIDE_SHARE_MIN * total or not pairs:
        return []
    return [(max(borne, key=lambda one: one[0])[1], pairs)]


def _distinct(site: Site, fits: list[Fit]) -> list[Fit]:
    """The same tags reached from two pieces of equipment are one case: it belongs to the one with more roles of its own."""
    best: dict[frozenset[tuple[str, str]], Fit] = {}
    for name, pairs in fits:
        rival = best.get(frozenset(pairs))
        if rival is None or _roles_on(site, name) > _roles_on(site, rival[0]):
            best[frozenset(pairs)] = (name, pairs)
    return list(best.values())


def _roles_on(site: Site, equipment: str) -> int:
    return sum(1 for tag in site.tags if tag.role and equipment_of(tag.name) == equipment)
