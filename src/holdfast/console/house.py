"""What every page is made with: the gate, who visits, the live stream, and the frame around each page."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from holdfast.console import modes
from holdfast.console.gate import Gate, GateError
from holdfast.console.shown import Shown
from holdfast.console.stream import Stream
from holdfast.console.visit import Req, Visit, Visits

TEMPLATES = Path(__file__).parent / "templates"
FIELDS_MAX, FIELD_CHARS_MAX = 64, 20_000
NAVIGATION = (
    ("overview", "/"),
    ("approvals", "/approvals"),
    ("alarms", "/alarms"),
    ("incidents", "/incidents"),
    ("ask", "/ask"),
    ("reports", "/reports"),
    ("detectors", "/detectors"),
    ("models", "/models"),
    ("compliance", "/compliance"),
    ("ledger", "/ledger"),
    ("policy", "/policy"),
    ("commissioning", "/commissioning"),
    ("connections", "/connections"),
    ("people", "/people"),
)  # a page of a later room adds its line here, and its file in pages/


class House:
    def __init__(self, gate: Gate, visits: Visits, stream: Stream) -> None:
        self.gate = gate
        self.visits = visits
        self.stream = stream
        self._last: Mapping[str, Any] | None = None  # the newest status, for a page that can't wait for one
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def warm(self) -> None:
        """Compile all templates and read what failure modes are called: the first who opens a page need not wait for them."""
        modes.names()
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    async def visit(self, request: Req) -> Visit:
        """Raises SignInFirst, GateError."""
        return await self.visits.of(request)

    async def form(self, request: Req, visit: Visit) -> dict[str, str]:
        """The fields of a form of ours. Raises HTTPException 403 for one that is not, which goes on record where it used a session."""
        sent = await request.form()
        fields = {str(name): str(value)[:FIELD_CHARS_MAX] for name, value in list(sent.multi_items())[:FIELDS_MAX]}
        try:
            self.visits.demand_ours(request, fields, visit)
        except HTTPException:
            if visit.token:
                with contextlib.suppress(GateError):
                    await self.gate.post(
                        "/v1/session/forged", {"act": f"POST {request.scope.get('path_template') or 'unknown'}"}, token=visit.token
                    )
            raise
        return fields

    async def status(self) -> Mapping[str, Any] | None:
        """None while the gate is away."""
        try:
            self._last = await self.gate.get("/v1/status")
        except GateError:
            self._last = None
        return self._last

    def shown(self, visit: Visit, status: Mapping[str, Any] | None) -> Shown:
        try:
            zone = ZoneInfo(str((status or {}).get("timezone") or "UTC"))
        except (ZoneInfoNotFoundError, ValueError):
            zone = ZoneInfo("UTC")
        return Shown(visit.language, zone)

    async def page(self, name: str, visit: Visit, request: Req, *, code: int = 200, **facts: Any) -> Response[str]:
        """`templates/NAME.html` in its frame."""
        status = await self.status()
        return self._rendered(f"{name}.html", visit, request, status, code, {"page": name.split("_", maxsplit=1)[0], **facts})

    def problem(self, visit: Visit, request: Req, *, code: int, what: str, said: str) -> Response[str]:
        """A page that says what is wrong and what to do. At once: an error's handler can't wait for the gate."""
        status = None if what == "away" else self._last
        return self._rendered("problem.html", visit, request, status, code, {"page": "problem", "what": what, "said": said})

    async def fragment(self, name: str, visit: Visit, request: Req, *, code: int = 200, **facts: Any) -> Response[str]:
        """`templates/_NAME.html` alone: a part of a page that is fetched anew when something happened."""
        return self._rendered(f"_{name}.html", visit, request, await self.status(), code, facts)

    def _rendered(
        self, file: str, visit: Visit, request: Req, status: Mapping[str, Any] | None, code: int, facts: Mapping[str, Any]
    ) -> Response[str]:
        shown = self.shown(visit, status)
        text = self._templates.get_template(file).render(
            t=shown.t, shown=shown, visit=visit, status=status, navigation=NAVIGATION, path=request.url.path, **facts
        )
        return Response(text, status_code=code, media_type="text/html; charset=utf-8")

    @staticmethod
    def refusal(error: GateError, visit: Visit) -> str:
        """Why the gate said no, in the visitor's language."""
        return Shown(visit.language, ZoneInfo("UTC")).refusal(error)

    @staticmethod
    def to(path: str) -> Redirect:
        """After a form: a reload then repeats nothing."""
        return Redirect(path, status_code=303)
