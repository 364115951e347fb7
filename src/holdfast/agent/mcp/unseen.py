"""A second look at what leaves by the door: an answer that names a tag above its reader's clearance is kept back, whichever tool made it.

The tools leave such tags out by themselves; this does not trust them, for findings, evidence and proposals are other agents' words. Text
of manuals and standards is passed: it is the site's as a whole, wherever it names a tag.
"""

import re
from collections.abc import Sequence

from holdfast.agent.tools.tool import within
from holdfast.site.model import Site
from holdfast.terms import Label

PASSED = frozenset(("search_manuals", "standards"))


def unseen(site: Site, clearance: Label) -> tuple[str, ...]:
    """Names and tag numbers that this reader must not meet."""
    return tuple({name for tag in site.tags if not within(tag.label, clearance) for name in (tag.name, tag.tag_no) if name})


def named(names: Sequence[str], tool: str, text: str) -> bool:
    """Whether one of them stands in the text as a name of its own, not as a part of a longer one.

    A letter beyond ASCII beside it makes it no longer one: 机架 stands before a name without a space.
    """
    return tool not in PASSED and any(
        name in text and re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-]|\.\w)", text, re.ASCII) for name in names
    )
