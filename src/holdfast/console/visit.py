"""Who asks for a page: the cookie's token as the gate itself knows it, the language, and the proof that a form is ours.

Nothing is believed that the gate did not say: each page asks it whose token this is. The cookie is set at sign-in alone, with
a token that the gate made just then, so that nobody can bring one along.
"""

import hashlib
import hmac
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Request
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException

from holdfast.console.gate import Gate, GateError
from holdfast.language import LANGUAGES
from holdfast.terms import Word

SESSION_COOKIE = "holdfast_session"
LANGUAGE_COOKIE = "holdfast_language"
LANGUAGE_KEPT_S = 365 * 24 * 3600
TOKEN_CHARS_MAX = 200

Req = Request[Any, Any, Any]


class Visit(Word):
    """One request's person. `person` "" is nobody: only the pages that need none are shown then."""

    person: str = ""
    roles: tuple[str, ...] = ()
    token: str = ""
    language: str = "en"
    csrf: str = ""

    def may(self, *roles: str) -> bool:
        """For what is shown, not for what is allowed: the gate decides that."""
        return not set(roles).isdisjoint(self.roles)


class SignInFirst(Exception):
    """The page needs a person; `to` is where to go on afterwards."""

    def __init__(self, to: str) -> None:
        super().__init__(to)
        self.to = to


class Visits:
    """`key`: random, of this process; a restart of the console asks for forms to be opened again, never for more."""

    def __init__(self, gate: Gate, key: bytes, *, language: str, secure: bool) -> None:
        self._gate = gate
        self._key = key
        self._language = language
        self._secure = secure

    async def of(self, request: Req, *, needs_person: bool = True) -> Visit:
        """Raises SignInFirst, GateError."""
        language = self.language(request)
        token = request.cookies.get(SESSION_COOKIE, "")[:TOKEN_CHARS_MAX]
        known: Any = None
        if token:
            try:
                # A page that a person opens is an act; a part that the page fetches by itself is none, or nobody was ever away.
                act = "0" if request.headers.get("hx-request") or request.url.path == "/live" else "1"
                known = await self._gate.get("/v1/session", {"act": act}, token=token)
            except GateError as error:
                if error.status != 401:
                    raise
        if known is None:
            if needs_person:
                raise SignInFirst(_onward(request))
            return Visit(language=language, csrf=self.csrf(""))
        return Visit(
            person=str(known["person"]), roles=tuple(map(str, known["roles"])), token=token, language=language, csrf=self.csrf(token)
        )

    def language(self, request: Req) -> str:
        """The visitor's choice, else what the browser asks for, else the site's."""
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        if chosen in LANGUAGES:
            return chosen
        for wanted in request.headers.get("accept-language", "").split(",")[:8]:
            if (short := wanted.strip()[:2].lower()) in LANGUAGES:
                return short
        return self._language

    def csrf(self, token: str) -> str:
        return hmac.new(self._key, f"form\0{token}".encode(), hashlib.sha256).hexdigest()

    def demand_ours(self, request: Req, form: dict[str, str], visit: Visit) -> None:
        """A form of ours, sent from a page of ours. Raises HTTPException 403."""
        origin = request.headers.get("origin", "")
        if origin and urlsplit(origin).netloc != request.headers.get("host", ""):
            raise HTTPException(status_code=403, detail="console.csrf")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(status_code=403, detail="console.csrf")
        if not hmac.compare_digest(form.get("csrf", ""), visit.csrf):
            raise HTTPException(status_code=403, detail="console.csrf")

    def cookie(self, token: str) -> Cookie:
        return Cookie(key=SESSION_COOKIE, value=token, httponly=True, samesite="strict", secure=self._secure, path="/")

    def no_cookie(self) -> Cookie:
        return Cookie(key=SESSION_COOKIE, value="", httponly=True, samesite="strict", secure=self._secure, path="/", max_age=0)

    def language_cookie(self, language: str) -> Cookie:
        chosen = language if language in LANGUAGES else self._language
        return Cookie(
            key=LANGUAGE_COOKIE, value=chosen, httponly=True, samesite="strict", secure=self._secure, path="/", max_age=LANGUAGE_KEPT_S
        )


def _onward(request: Req) -> str:
    """The page that asked: for a part of a page, the page that it is part of."""
    shown = urlsplit(request.headers.get("hx-current-url", ""))
    if shown.path:
        path, query = shown.path, shown.query
    else:
        path, query = (request.url.path, request.url.query) if request.method == "GET" else ("/", "")
    return quote(path + (f"?{query}" if query else ""), safe="/")


def onward(text: str) -> str:
    """Where to go after signing in: a path of this console, whatever was asked for."""
    return text if text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable() else "/"
