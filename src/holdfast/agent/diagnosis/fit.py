"""Whether a library and a site fit each other: which mode binds where, and why one binds nowhere."""

from collections.abc import Sequence

from holdfast.agent.diagnosis.bind import OWN_SHARE_MIN, Bound, bind
from holdfast.agent.knowledge.modes import ANY, Mode
from holdfast.site.model import Problem, Site
from holdfast.terms import Word

ROLES_TOLD = 6


class Fit(Word):
    """What came of one mode on one site."""

    mode: Mode
    places: tuple[str, ...]  # equipment; "" stands for the whole site
    missing: tuple[str, ...]  # roles of its signature that no tag of the site has


def fits(site: Site, modes: Sequence[Mode]) -> tuple[Fit, ...]:
    """Every mode, in the order given."""
    bound: dict[str, list[Bound]] = {}
    for one in bind(site, modes):
        bound.setdefault(one.mode.id, []).append(one)
    roles = {tag.role for tag in site.tags}
    return tuple(
        Fit(
            mode=mode,
            places=tuple(one.equipment for one in bound.get(mode.id, ())),
            missing=tuple(
                dict.fromkeys(s.of for s in mode.signature if s.role != ANY and s.of not in roles and not (s.band and s.role in roles))
            ),
        )
        for mode in modes
    )


def unfit(site: Site, modes: Sequence[Mode]) -> tuple[Problem, ...]:
    """A warning for each mode that no tag of the site can show, with what would make it fit."""
    found: list[Problem] = []
    for fit in fits(site, modes):
        if fit.places:
            continue
        mode, kinds = fit.mode, {kind for one in site.equipment for kind in one.kinds}
        if mode.kind and mode.kind not in kinds:
            what = f"mode '{mode.id}' fits nothing of the site: no equipment is of the kind '{mode.kind}'"
            cure = f"write 'kind: {mode.kind}' at the equipment that it is about, or leave the mode out"
        elif len(fit.missing) == len({sign.of for sign in mode.signature}):
            what = f"mode '{mode.id}' fits no tag of the site: none has a role that it speaks of"
            cure = f"give the tags their roles ({', '.join(fit.missing[:ROLES_TOLD])})"
        else:
            lacking = f"; none has {', '.join(fit.missing[:ROLES_TOLD])}" if fit.missing else ""
            what = f"mode '{mode.id}' fits no equipment: nowhere are {OWN_SHARE_MIN:.0%} of its signature's weight on tags of one{lacking}"
            cure = "give the tags of that equipment their roles, or raise the weight of the signs that it can show"
        found.append(Problem(file=mode.file, line=mode.line, what=what, cure=cure, severity="warning"))
    return tuple(found)


def strange_kinds(site: Site, modes: Sequence[Mode], file: str) -> tuple[Problem, ...]:
    """A warning for each kind of equipment that no mode knows."""
    known = sorted({mode.kind for mode in modes if mode.kind})
    found: list[Problem] = []
    for one in site.equipment:
        for kind in one.kinds:
            if kind not in known:
                what = f"{one.name} is of the kind '{kind}', of which no failure mode speaks"
                cure = f"write one of {', '.join(known)}, or a mode of that kind"
                found.append(Problem(file=file, line=1, what=what, cure=cure, severity="warning"))
    return tuple(found)
