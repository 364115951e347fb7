"""The line at a glance (ISA-101 level 2): what is abnormal first, then each loop and each piece of equipment, live."""

from typing import Any

from litestar import Response, get

from holdfast.console.house import House
from holdfast.console.visit import Req


def routes(house: House) -> list[Any]:
    @get("/")
    async def overview(request: Req) -> Response[str]:
        visit = await house.visit(request)
        tables = await house.gate.get("/v1/tables")
        return await house.page("overview", visit, request, tables=tables)

    return [overview]
