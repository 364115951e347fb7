"""What agents read of the record: incidents, in their own bounded words."""

from collections.abc import Callable
from typing import Any

from litestar import Response, get

from holdfast.gate.api.described import whole
from holdfast.gate.api.messages import Req, json, number
from holdfast.gate.api.records import RecordDesk
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.ledger.to_agents import told
from holdfast.link import INCIDENTS_TOLD_MAX


def told_handlers(gate: Gatekeeper, author: Callable[[Req], str]) -> list[Any]:
    """Routes for `agents_app`."""
    desk = RecordDesk(gate.log.state.folder)

    @get("/v1/incidents", query=(whole("limit", "How many at most.", 1, INCIDENTS_TOLD_MAX),))
    async def incidents(request: Req) -> Response[bytes]:
        """The newest incidents, any agent's: finding, last diagnosis, and what became of each proposal."""
        author(request)
        limit = number(request, "limit", INCIDENTS_TOLD_MAX)
        return json(await desk.ask(lambda index: told(index, limit)))

    return [incidents]
