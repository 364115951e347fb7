"""Work: what mending a cause takes at this plant, by failure mode: parts, time, skills, and whether product is held."""

from collections.abc import Mapping, Sequence

from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import WorkPlan
from holdfast.site.names import clean
from holdfast.site.shapes import At, Block


def make_work(entries: Mapping[str, At], equipment: Sequence[str], log: Log) -> tuple[WorkPlan, ...]:
    """In the file's order. Which failure modes there are is not known here: `holdfast knowledge check` holds the two together."""
    made: list[WorkPlan] = []
    for key, at in entries.items():
        block: Block = at.value
        for item in block.listed("equipment"):
            if clean(item.value) not in equipment:
                what = f'unknown equipment "{item.value}"'
                log.error(item.node.file, item.line, what, nearest(item.value, equipment, f"write {one_of(equipment)}"))
        made.append(
            WorkPlan(
                mode=clean(key),
                equipment=tuple(dict.fromkeys(clean(item.value) for item in block.listed("equipment"))),
                parts=tuple((clean(name), int(many.value)) for name, many in block.each("parts")),
                takes_s=block.get("takes", 0.0),
                skills=tuple(dict.fromkeys(clean(item.value) for item in block.listed("skills"))),
                holds=block.get("holds", False),
            )
        )
    return tuple(made)
