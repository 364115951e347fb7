"""The plant's values at the people's door: which tables there are, their newest rows, and the past small enough to draw."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.api.described import BYTES, text, whole
from holdfast.gate.api.messages import Req, json, number
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.history.trend import trend
from holdfast.terms import Tag, TagTable, TagType, Word, pack

WAIT_MS_MAX = 30_000
NEWEST_MAX = 600
TRENDS_AT_ONCE = 2  # each reads the disk in a thread
TREND_POINTS = 600
FRAMES = (
    text("table", "Its id, as `GET /v1/tables` has it.", required=True),
    whole("after", "The last row that was seen.", -1),
    whole("newest", "Begin with the last so many.", 0),
    whole("wait_ms", "How long to wait for a row where there is none yet.", 0, WAIT_MS_MAX),
)
TREND = (
    text("tags", "Names, by commas.", required=True),
    whole("from_ns", "UTC.", required=True),
    whole("to_ns", "UTC.", required=True),
    whole("points", "How many stretches.", 1),
)


class ShownTag(Word):
    """A tag without where it is: no address crosses the door."""

    name: str
    unit: str
    type: TagType
    states: tuple[tuple[int, str], ...]
    eu_range: tuple[float, float] | None
    role: str
    tag_no: str
    description: str


class ShownTable(Word):
    id: str
    period_s: float
    tags: tuple[ShownTag, ...]


def value_handlers(gate: Gatekeeper, history: Path) -> list[Any]:
    """Routes for `people_app`; reading needs no name. `history`: the history's file."""
    turns = asyncio.Semaphore(TRENDS_AT_ONCE)

    @get("/v1/tables", answers=TypeAdapter(list[ShownTable]))
    async def tables() -> Response[bytes]:
        """The tables with their tags, units and states."""
        return json([_shown(table) for table in gate.tables.values()])

    @get("/v1/frames", answers=BYTES, query=FRAMES)
    async def frames(request: Req) -> Response[bytes]:
        """Rows with a number above `after`, oldest first; `newest=N` begins with the last N, whatever `after` says.

        `wait_ms`: how long to wait where there is none yet.
        """
        table, after = request.query_params.get("table", ""), number(request, "after", -1)
        if table not in gate.rings:
            raise HTTPException(status_code=404, detail=f"no table {table!r}; there are {', '.join(gate.rings)}")
        ring = gate.rings[table]
        if (newest := min(number(request, "newest", 0), NEWEST_MAX)) > 0:
            after = ring.next_seq - newest - 1
        frame = gate.frames(table, after)
        wait_s = min(number(request, "wait_ms", 0), WAIT_MS_MAX) / 1000
        if frame is None and wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await ring.wait(after)
            frame = gate.frames(table, after)
        if frame is None:
            return Response(b"", status_code=204, media_type="application/octet-stream")
        return Response(pack(frame), status_code=200, media_type="application/octet-stream")

    @get("/v1/trend", query=TREND)
    async def past(request: Req) -> Response[bytes]:
        """`tags` by commas, `from_ns` to `to_ns` in `points` equal stretches (history/trend.py)."""
        tags = [tag for tag in request.query_params.get("tags", "").split(",") if tag]
        from_ns, to_ns, points = number(request, "from_ns"), number(request, "to_ns"), number(request, "points", TREND_POINTS)
        try:
            async with turns:
                found = await asyncio.to_thread(trend, history, gate.tables, tags, from_ns, to_ns, points)
        except KeyError as error:
            raise HTTPException(status_code=404, detail=f"no tag {error}") from None
        except ValueError as error:
            raise HTTPException(status_code=400, detail=str(error)) from None
        return json(found)

    return [tables, frames, past]


def _shown(table: TagTable) -> ShownTable:
    return ShownTable(id=table.id, period_s=table.period_s, tags=tuple(_tag(tag) for tag in table.tags))


def _tag(tag: Tag) -> ShownTag:
    return ShownTag(
        name=tag.name,
        unit=tag.unit,
        type=tag.type,
        states=tag.states,
        eu_range=tag.eu_range,
        role=tag.role,
        tag_no=tag.tag_no,
        description=tag.description,
    )
