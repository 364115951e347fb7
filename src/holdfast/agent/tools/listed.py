"""All tools, in one list: what can be looked at, and the one way to ask for something."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.agent.tools.ask_for import AskFor, Propose
from holdfast.agent.tools.happened import Alarms, FailureModes, Happened, Incidents, OneIncident
from holdfast.agent.tools.known import Context, Known, PastCases, SearchManuals, Standards
from holdfast.agent.tools.look import Look
from holdfast.agent.tools.named import held
from holdfast.agent.tools.tool import Tool
from holdfast.agent.tools.values import History, Moves, ReadTags, TagLimits, Values
from holdfast.clock import Clock
from holdfast.link import Link
from holdfast.site.model import Site
from holdfast.terms import Label

if TYPE_CHECKING:
    from holdfast.agent.knowledge.manuals.fused import ByMeaning


def tools(
    link: Link,
    site: Site,
    home: Path | None,
    *,
    clock: Clock,
    author: str = "",
    clearance: Label = "restricted",
    near: "ByMeaning | None" = None,
) -> tuple[Tool[Any], ...]:
    """`author`: whom the link speaks for, which makes proposals' ids its own. `clearance`: nothing above it is ever in an answer.
    `near`: finds passages of manuals by their meaning, where a model for that is in force."""
    # Manuals and standards are the site's as a whole, wherever they name a tag.
    look = Look(link, site, home, clock, author, clearance, near)
    values, happened, known = Values(look), Happened(look), Known(look)
    return (
        Tool("read_tags", ReadTags, held(look, values.read)),
        Tool("history", History, held(look, values.history)),
        Tool("limits", TagLimits, held(look, values.limits)),
        Tool("moves", Moves, held(look, values.moves)),
        Tool("incidents", Incidents, held(look, happened.incidents)),
        Tool("incident", OneIncident, held(look, happened.incident)),
        Tool("alarms", Alarms, held(look, happened.alarms)),
        Tool("failure_modes", FailureModes, held(look, happened.modes)),
        Tool("context", Context, held(look, known.context)),
        Tool("search_manuals", SearchManuals, known.manuals),
        Tool("standards", Standards, known.standards),
        Tool("past_cases", PastCases, held(look, known.cases)),
        Tool("propose", Propose, held(look, AskFor(look).propose), acts=True),
    )
