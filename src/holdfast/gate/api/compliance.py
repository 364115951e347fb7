"""Compliance at the people's door: each clause that a limit is bound to, as it stands now and stood in the period."""

import asyncio
import json as jsonlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.exceptions import HTTPException

from holdfast.gate.alarms.compliance import Change, Past, standings
from holdfast.gate.alarms.shelf import Key
from holdfast.gate.api.described import whole
from holdfast.gate.api.messages import Req, json, number
from holdfast.gate.api.records import RecordDesk
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.history.trend import TAGS_MAX, trend
from holdfast.gate.ledger.query import LIMIT_MAX, Page, Query, page
from holdfast.terms import SECOND_NS

PERIOD_S = 7 * 86_400.0  # where none is asked for
PERIOD_S_MAX = 400 * 86_400.0
STRETCHES = 288
CLAUSES_MAX = 500  # tags with clauses; more are not a page
COMPLIANCE = (whole("from_ns", "UTC; seven days ago without it."),)


def compliance_handlers(gate: Gatekeeper, desk: RecordDesk, history: Path) -> list[Any]:
    """Routes for `people_app`; reading needs no name. `history`: the history's file."""
    turn = asyncio.Semaphore(1)  # each reads the disk in a thread

    @get("/v1/compliance", query=COMPLIANCE)
    async def compliance(request: Req) -> Response[bytes]:
        """Each clause of the site file: kept, beyond or unknown; since when, how far, how often and how long in the period.

        `cut`: tags that changed more often than is counted; their times and durations are too small.
        """
        to_ns = gate.clock.now_ns()
        from_ns = number(request, "from_ns", to_ns - round(PERIOD_S * SECOND_NS))
        if not to_ns - PERIOD_S_MAX * SECOND_NS <= from_ns < to_ns:
            raise HTTPException(status_code=400, detail=f"from_ns must lie in the last {PERIOD_S_MAX / 86_400:g} days")
        limits = tuple(of for of in gate.site.alarms if of.clauses)[:CLAUSES_MAX]
        tags = list(dict.fromkeys(of.tag for of in limits))
        changes: dict[Key, tuple[Change, ...]] = {}
        cut: list[str] = []
        for tag in tags:
            query = Query(kinds=("alarm",), tag=tag, from_ns=from_ns, order="desc", limit=LIMIT_MAX)
            found = await desk.ask(lambda index, query=query: page(index, query))
            changes |= _changes(tag, found)
            if found.next is not None:
                cut.append(tag)
        async with turn:
            past = await asyncio.to_thread(_past, history, gate, tags, from_ns, to_ns)
        told = standings(
            limits,
            units={tag.name: tag.unit for tag in gate.site.tags},
            states=gate.alarms.states,
            values={tag: gate.live.good_value(tag) for tag in tags},
            changes=changes,
            past=past,
            from_ns=from_ns,
            to_ns=to_ns,
        )
        return json({"from_ns": from_ns, "to_ns": to_ns, "clauses": told, "cut": cut})

    return [compliance]


def _changes(tag: str, found: Page) -> dict[Key, tuple[Change, ...]]:
    """What the record says, oldest first, by limit."""
    by: dict[Key, list[Change]] = {}
    for leaf in reversed(found.leaves):
        body: Mapping[str, Any] = jsonlib.loads(leaf)["body"]
        by.setdefault((tag, body["limit"]), []).append(Change(int(body["since_ns"]), bool(body["active"])))
    return {key: tuple(changes) for key, changes in by.items()}


def _past(history: Path, gate: Gatekeeper, tags: list[str], from_ns: int, to_ns: int) -> dict[str, Past]:
    found: dict[str, Past] = {}
    for first in range(0, len(tags), TAGS_MAX):
        some = tags[first : first + TAGS_MAX]
        of = trend(history, gate.tables, some, from_ns, to_ns, STRETCHES)
        for tag, low, high in zip(of.tags, of.min, of.max, strict=True):
            usable = [(a, b) for a, b in zip(low, high, strict=True) if a is not None and b is not None]
            least, greatest = min((a for a, _ in usable), default=None), max((b for _, b in usable), default=None)
            found[tag] = Past(least, greatest, len(usable) / max(len(low), 1))
    return found
