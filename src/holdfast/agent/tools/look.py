"""What every tool looks through: the link, the site as the gate has it, the clock, and how high its reader may see."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.agent.tools.tool import ToolError, joined, within
from holdfast.clock import Clock
from holdfast.link import Link
from holdfast.site.model import Site
from holdfast.site.tables import tables
from holdfast.terms import SECOND_NS, Frame, Label, Tag, TagTable

if TYPE_CHECKING:
    from holdfast.agent.knowledge.manuals.fused import ByMeaning

NEWEST_S = 60.0  # how far back the newest value of a tag is looked for
NAMES_MAX = 8  # that a refusal names
# Manuals, logs, standards and context carry no label of their own: they are the site's, and go nowhere else.
PAPER: Label = "site"


@dataclasses.dataclass(frozen=True)
class Look:
    """`home`: the folder of the run, where manuals, standards and maintenance records lie; None where there is none.
    `near`: what finds manuals' passages by their meaning; None where no model is to be asked."""

    link: Link
    site: Site
    home: Path | None
    clock: Clock
    author: str = ""
    clearance: Label = "restricted"
    near: "ByMeaning | None" = None

    @cached_property
    def tags(self) -> Mapping[str, Tag]:
        """Those that the reader may see, by name."""
        return {tag.name: tag for tag in self.site.tags if within(tag.label, self.clearance)}

    def names_at(self, label: Label) -> tuple[str, ...]:
        """Names and tag numbers of the tags with just this label."""
        return self._names.get(label, ())

    @cached_property
    def _names(self) -> Mapping[Label, tuple[str, ...]]:
        found: dict[Label, list[str]] = {}
        for tag in self.site.tags:
            found.setdefault(tag.label, []).extend(name for name in (tag.name, tag.tag_no) if name)
        return {label: tuple(names) for label, names in found.items()}

    @cached_property
    def places(self) -> Mapping[str, tuple[TagTable, int]]:
        return {tag.name: (table, column) for table in tables(self.site) for column, tag in enumerate(table.tags)}

    def tag(self, name: str) -> Tag:
        """By name or tag number. Raises ToolError for one that is not there or not for this reader: both sound alike."""
        found = self.tags.get(name) or next((tag for tag in self.tags.values() if tag.tag_no and tag.tag_no == name), None)
        if found is None:
            near = sorted(self.tags, key=lambda other: -len(set(other) & set(name)))[:NAMES_MAX]
            raise ToolError("tools.no_tag", tag=name[:100], near=", ".join(near))
        return found

    def label(self, names: Sequence[str]) -> Label:
        """The join over tags; one that is unknown here counts as the site's."""
        known: dict[str, Label] = {tag.name: tag.label for tag in self.site.tags}
        return joined([known.get(name, "site") for name in names])

    def sees(self, names: Sequence[str]) -> bool:
        return within(self.label(names), self.clearance)

    def paper(self) -> None:
        """Raises ToolError where the reader may not see what the plant wrote down."""
        if not within(PAPER, self.clearance):
            raise ToolError("tools.clearance", needs=PAPER, has=self.clearance)

    async def rows(self, table: TagTable, from_ns: int, to_ns: int, rows_max: int) -> Frame:
        return await self.link.history(table.id, from_ns, to_ns, rows_max=rows_max)

    async def newest(self, table: TagTable) -> Frame:
        """The last rows of a table, at most NEWEST_S old."""
        now_ns = self.clock.now_ns()
        seconds = max(NEWEST_S, 3 * table.period_s)
        rows_max = max(2, round(seconds / table.period_s) + 2)
        return await self.rows(table, now_ns - round(seconds * SECOND_NS), now_ns + SECOND_NS, rows_max)


def equipment_of(tag: str) -> str:
    return tag.split("/", 1)[0]
