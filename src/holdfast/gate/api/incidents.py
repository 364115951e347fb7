"""Incidents for people: the list, and everything that came of one, in order."""

from typing import Any

from litestar import Response, get
from litestar.exceptions import HTTPException

from holdfast.gate.api.described import whole
from holdfast.gate.api.messages import Req, json, number
from holdfast.gate.api.records import RecordDesk
from holdfast.gate.ledger import incidents as view
from holdfast.gate.ledger.index import RecordIndex
from holdfast.terms import canonical

LIMIT = 20


def incident_handlers(desk: RecordDesk) -> list[Any]:
    """Routes for `people_app`."""

    @get("/v1/incidents", query=(whole("limit", "At most so many."), whole("before", "Where to go on.")))
    async def incidents(request: Req) -> Response[bytes]:
        """Newest first; `before` is the `seq` of the last one seen."""
        limit, before = number(request, "limit", LIMIT), number(request, "before", 2**62)
        return json(await desk.ask(lambda index: view.listed(index, limit=limit, before=before)))

    @get("/v1/incidents/{incident:path}")
    async def incident(request: Req) -> Response[bytes]:
        """The incident, with `chain`: its records."""
        wanted = str(request.path_params["incident"]).removeprefix("/")

        def found(index: RecordIndex) -> tuple[view.Incident, tuple[bytes, ...]] | None:
            known = view.known(index, wanted)
            return None if known is None else (known, view.chain(index, known))

        told = await desk.ask(found)
        if told is None:
            raise HTTPException(status_code=404, detail=f"no incident {wanted!r}")
        # The leaves are JSON as they are; they are put in, not read and written anew.
        head = canonical(told[0])
        return Response(head[:-1] + b',"chain":[' + b",".join(told[1]) + b"]}", media_type="application/json")

    return [incidents, incident]
