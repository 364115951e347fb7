"""Reports: of a shift with its handover, of compliance, of an incident; read here, or saved as a file in either language."""

import asyncio
from typing import Any
from urllib.parse import quote

from litestar import Response, get
from litestar.exceptions import HTTPException

from holdfast.clock import RealClock
from holdfast.console import modes
from holdfast.console.house import House
from holdfast.console.reports import html, markdown
from holdfast.console.reports.compliance import compliance_report
from holdfast.console.reports.document import Document
from holdfast.console.reports.graph import Ask, Query, gather
from holdfast.console.reports.incident import incident_report
from holdfast.console.reports.period import clauses, period
from holdfast.console.reports.shift import shift_report
from holdfast.console.visit import Req, Visit
from holdfast.language import LANGUAGES

HOURS, DAYS = (8, 12, 24), (1, 7, 30, 365)
LISTED = 20
TYPES = {"md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8", "pdf": "application/pdf"}
PDFS_AT_ONCE = 1  # each takes a processor for seconds


def routes(house: House) -> list[Any]:
    drawing = asyncio.Semaphore(PDFS_AT_ONCE)

    @get("/reports")
    async def reports(request: Req) -> Response[str]:
        visit = await house.visit(request)
        found = await house.gate.get("/v1/incidents", {"limit": LISTED}, token=visit.token)
        return await house.page("reports", visit, request, incidents=found, hours=HOURS, days=DAYS)

    @get("/reports/shift")
    async def shift(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        found = await period(_asking(house, visit), 3600 * _one_of(request, "hours", HOURS))
        return await given(request, visit, shift_report(found, _language(request, visit), RealClock().now_ns()))

    @get("/reports/compliance")
    async def compliance(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        found = await clauses(_asking(house, visit), 86_400 * _one_of(request, "days", DAYS))
        return await given(request, visit, compliance_report(found, _language(request, visit), RealClock().now_ns()))

    @get("/reports/incidents/{incident:str}")
    async def incident(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        wanted = str(request.path_params["incident"])
        names = await asyncio.to_thread(modes.names)
        graph = await gather(_asking(house, visit), wanted, exact=True, names=names)
        return await given(request, visit, incident_report(graph, _language(request, visit), RealClock().now_ns()))

    async def given(request: Req, visit: Visit, document: Document) -> Response[Any]:
        """The page, or with `as` a file to save."""
        form = request.query_params.get("as", "")
        if form in TYPES:
            return await saved(request, visit, document, form)
        body = html.body(document)
        return await house.page("reports_one", visit, request, document=document, body=body, path_as=_path_as(request), forms=tuple(TYPES))

    async def saved(request: Req, visit: Visit, document: Document, form: str) -> Response[Any]:
        if form == "pdf":
            try:
                from holdfast.console.reports import pdf

                async with drawing:
                    content = await asyncio.to_thread(pdf.content, document)
            except (ImportError, *_font_errors()) as error:
                return house.problem(
                    visit, request, code=501, what="refused", said=house.shown(visit, None).word("reports.page.no_pdf", why=str(error))
                )
        else:
            content = (markdown.text(document) if form == "md" else html.page(document)).encode()
        name = quote(f"{document.kind}-{document.made[:10]}-{document.language}.{form}", safe="")
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return Response(content, media_type=TYPES[form], headers=headers)

    return [reports, shift, compliance, incident]


def _font_errors() -> tuple[type[Exception], ...]:
    try:
        from holdfast.console.reports.fonts import FontError
    except ImportError:
        return ()
    return (FontError,)


def _asking(house: House, visit: Visit) -> Ask:
    async def ask(path: str, query: Query) -> Any:
        return await house.gate.get(path, query, token=visit.token)

    return ask


def _language(request: Req, visit: Visit) -> str:
    asked = request.query_params.get("lang", "")
    return asked if asked in LANGUAGES else visit.language


def _one_of(request: Req, name: str, known: tuple[int, ...]) -> int:
    """Raises HTTPException 400."""
    text = request.query_params.get(name, "") or str(known[0])
    if text not in map(str, known):
        raise HTTPException(status_code=400, detail=f"{name}: {', '.join(map(str, known))}")
    return int(text)


def _path_as(request: Req) -> str:
    """The same report, to which `as` and `lang` are added."""
    kept = "&".join(f"{name}={quote(request.query_params[name], safe='')}" for name in ("hours", "days") if name in request.query_params)
    return f"{request.url.path}?{kept}{'&' if kept else ''}"
