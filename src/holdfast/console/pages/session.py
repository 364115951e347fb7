"""Signing in and out, the language, and the stop switch: what is on every page."""

from typing import Any

from litestar import Response, get, post

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.pages.people import wants_first
from holdfast.console.visit import Req, Visit, onward

NAME_CHARS_MAX = 64


def routes(house: House) -> list[Any]:
    async def asks(request: Req, *, to: str, name: str = "", said: str = "", code: int = 200) -> Response[str]:
        visit = Visit(language=house.visits.language(request), csrf=house.visits.csrf(""))
        first = await wants_first(house)
        return await house.page("session", visit, request, code=code, to=onward(to), person=name, said=said, first=first)

    @get("/sign-in")
    async def sign_in(request: Req) -> Response[str]:
        return await asks(request, to=request.query_params.get("to", "/"))

    @post("/sign-in")
    async def signed_in(request: Req) -> Response[Any]:
        visit = Visit(language=house.visits.language(request), csrf=house.visits.csrf(""))
        form = await house.form(request, visit)
        name, to = form.get("person", "")[:NAME_CHARS_MAX], form.get("to", "/")
        try:
            session = await house.gate.post("/v1/session", {"person": name, "password": form.get("password", "")})
        except GateError as error:
            return await asks(request, to=to, name=name, said=house.refusal(error, visit), code=error.status)
        answer = house.to(onward(to))
        answer.cookies.append(house.visits.cookie(str(session["token"])))
        return answer

    @post("/sign-out")
    async def sign_out(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        await house.form(request, visit)
        await house.gate.delete("/v1/session", token=visit.token)
        answer = house.to("/sign-in")
        answer.cookies.append(house.visits.no_cookie())
        return answer

    @post("/language")
    async def language(request: Req) -> Response[Any]:
        visit = await house.visits.of(request, needs_person=False)
        form = await house.form(request, visit)
        answer = house.to(onward(form.get("to", "/")))
        answer.cookies.append(house.visits.language_cookie(form.get("language", "")))
        return answer

    @get("/stop")
    async def stop_page(request: Req) -> Response[str]:
        visit = await house.visits.of(request, needs_person=False)
        return await house.page("stop", visit, request, said="")

    @post("/stop")
    async def stop(request: Req) -> Response[Any]:
        """Needs no person: whoever stands before the screen may stop. Who is signed in is put on record with it."""
        visit = await house.visits.of(request, needs_person=False)
        form = await house.form(request, visit)
        by = visit.person or "someone at the console"
        await house.gate.post("/v1/stop", {"scope": form.get("scope") or "*", "by": by})
        return house.to("/stop")

    @post("/resume")
    async def resume(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        wanted = {"scope": form.get("scope") or "*", "person": visit.person, "password": form.get("password", "")}
        try:
            await house.gate.post("/v1/resume", wanted, token=visit.token)
        except GateError as error:
            return await house.page("stop", visit, request, code=error.status, said=house.refusal(error, visit))
        return house.to("/stop")

    return [sign_in, signed_in, sign_out, language, stop_page, stop, resume]
