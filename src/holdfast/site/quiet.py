"""When a detector's plant is one to learn from: nobody works on it, and it is in the state that the site file wants for writes there.

The same for the gate, which looks at now, and for the agent, which looks at each row of a stretch.
"""

from holdfast.site.model import DetectorSpec, Site
from holdfast.terms import Word


class Condition(Word):
    """`tag` must (or must not) be exactly `value`; `code` says in words what it is when it fails."""

    tag: str
    value: float
    must: bool
    code: str

    def holds(self, value: float) -> bool:
        return (value == self.value) is self.must


def equipment_of(spec: DetectorSpec) -> tuple[str, ...]:
    """The equipment that a detector's tags belong to, in their order."""
    return tuple(dict.fromkeys(tag.partition("/")[0] for tag in spec.tags))


def conditions(site: Site, spec: DetectorSpec) -> tuple[Condition, ...]:
    """What must hold for as long as a detector learns; a value that can't be told fails each.

    Of what envelopes require, only what is no loop's own mode or permit counts: a loop that the operator runs is as normal.
    """
    places = equipment_of(spec)
    parts = {part for loop in site.loops for part in (loop.mode, loop.permit) if part}
    found = [
        Condition(tag=one.maintenance.tag, value=one.maintenance.value, must=False, code="relearn.maintenance")
        for one in site.equipment
        if one.name in places and one.maintenance is not None
    ]
    found += [
        Condition(tag=must.tag, value=must.value, must=True, code="relearn.not_running")
        for envelope in site.envelopes
        if envelope.equipment in places
        for must in envelope.requires
        if must.tag not in parts
    ]
    if spec.only_at is not None:
        found.append(Condition(tag=spec.only_at.tag, value=spec.only_at.value, must=True, code="relearn.other_grade"))
    return tuple(dict.fromkeys(found))
