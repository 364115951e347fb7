"""Which tags travel together: one table a connection and period, columns in site order."""

from holdfast.site.model import Site
from holdfast.terms import Tag, TagTable


def tables(site: Site) -> tuple[TagTable, ...]:
    """The tables of a site, ordered by their first tag."""
    groups: dict[tuple[str, float], list[Tag]] = {}
    for tag in site.tags:
        groups.setdefault((tag.connection, tag.period_s), []).append(tag)
    return tuple(
        TagTable(id=f"{connection}@{period_s:g}", connection=connection, period_s=period_s, tags=tuple(tags))
        for (connection, period_s), tags in groups.items()
    )
