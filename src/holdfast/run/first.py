"""The first run of a folder that has no site file: what a browser is shown and asks for until there is one.

The pages come from the console's own process, which can reach no plant and write no site file; they ask here, over a Unix
socket in the home, with the code that was printed on the terminal. What a server shows is read by a process of its own
(`browsed.py`). The gate does not run yet: there is nothing that it could hold a decision against.
"""

import asyncio
import base64
import hmac
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from holdfast.gate.ledger.store import FILE as STATE
from holdfast.run.browsed import CONNECTION, TYPE
from holdfast.run.supervise import Child, Home, python, start
from holdfast.site import plugged
from holdfast.site.first import TAGS_MAX, site_text
from holdfast.site.load import load
from holdfast.site.model import Problem, SiteError
from holdfast.terms import Tag, Word, canonical

FILE = "site.yaml"  # in a folder that was named instead of a file
CODE_BYTES = 15  # 120 bits, 24 letters and digits
BROWSE_S_MAX = 120.0
ANSWER_BYTES_MAX = 32 << 20
BODY_BYTES_MAX = 1 << 20
PROBLEMS_MAX = 50
LOGIN = "plc.login"


class Server(Word):
    """Which server to look at. `login` and `server` as the site file has them: env:NAME or file:PATH."""

    url: str
    security: str = "none"
    server: str = ""
    login: str = ""
    user: str = ""
    password: str = ""
    under: str = ""


class Chosen(Word):
    """Tags by their place in what was found."""

    name: str
    language: str = ""
    timezone: str = ""
    tags: tuple[int, ...]


class Answer(Word):
    """What `browsed.py` prints."""

    tags: tuple[Tag, ...] = ()
    error: str = ""


SERVER, CHOSEN, ANSWER = TypeAdapter(Server), TypeAdapter(Chosen), TypeAdapter(Answer)


class Wrong(Exception):
    """What was asked for can't be; the text says why and what to do."""


def site_file(given: Path, home: Home) -> Path | None:
    """Where a site file is to be made: in a folder without one, over a home where nothing is in force. Else None.

    A file that isn't there is a mistyped name, and stays an error.
    """
    if not given.is_dir() or (given / FILE).exists() or (home.gate / STATE).exists():
        return None
    return given / FILE


class FirstRun:
    """`random_bytes` makes the code. Nothing is kept on the disk but the site file, and the login where one was typed."""

    def __init__(self, file: Path, home: Home, random_bytes: Callable[[int], bytes]) -> None:
        self.file = file.absolute()
        self.code = base64.b32encode(random_bytes(CODE_BYTES)).decode()
        self.written = asyncio.Event()
        self._home = home
        self._turn = asyncio.Lock()  # one server is read at a time
        self._server: Server | None = None
        self._found: list[Tag] = []
        self._login_made = False
        self._text = ""
        self._problems: tuple[Problem, ...] = ()
        self._runner: web.AppRunner | None = None
        self._pages: Child | None = None

    @property
    def socket(self) -> Path:
        return self._home.path / "first" / "first.sock"

    def shown_code(self) -> str:
        return "-".join(self.code[at : at + 4] for at in range(0, len(self.code), 4))

    async def open(self, listen: str) -> str:
        """Begin; the address of the pages. They listen on this machine alone. Raises StartError, OSError."""
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.unlink(missing_ok=True)
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.add_routes(
            [
                web.get("/v1/first", self._asked(self._told)),
                web.post("/v1/first/browse", self._asked(self._browse)),
                web.post("/v1/first/choose", self._asked(self._choose)),
                web.post("/v1/first/write", self._asked(self._write)),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()
        self.socket.chmod(0o600)
        port = listen.rpartition(":")[2]
        argv = python("holdfast.console.process", "--first-run", self.socket.absolute(), "--listen", f"127.0.0.1:{port}")
        env = {"PATH": os.defpath, "LANG": "C.UTF-8"}
        self._pages = await start("the console", argv, env=env, log=self._home.path / "logs" / "console.log")
        return str(self._pages.first["address"])

    async def close(self) -> None:
        """Safe to call twice."""
        pages, self._pages = self._pages, None
        runner, self._runner = self._runner, None
        if pages is not None:
            await pages.end()
        if runner is not None:
            await runner.cleanup()
            self.socket.unlink(missing_ok=True)
        if self._login_made and not self.written.is_set():
            (self.file.parent / LOGIN).unlink(missing_ok=True)  # what was typed for a file that nobody wrote

    def _asked(self, what: Callable[[bytes], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            given = "".join(c for c in request.headers.get("authorization", "").removeprefix("Bearer ").upper() if c.isalnum())
            if not hmac.compare_digest(given.encode(), self.code.encode()):
                return _no(401, "This is not the code that `holdfast run` printed.", "first_run.code")
            if self.written.is_set():
                return _no(409, "The site file is written; the gate is being started.", "first_run.written")
            try:
                return web.Response(body=canonical(await what(await request.read())), content_type="application/json")
            except ValidationError as error:
                return _no(400, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:8]))
            except Wrong as error:
                return _no(409, str(error))

        return answer

    async def _told(self, _: bytes) -> Any:
        return {
            "file": str(self.file), "url": self._server.url if self._server else "", "tags": self._found[:TAGS_MAX],
            "more": len(self._found) > TAGS_MAX, "text": self._text, "problems": self._problems[:PROBLEMS_MAX],
        }  # fmt: skip

    async def _browse(self, body: bytes) -> Any:
        wanted = SERVER.validate_json(body)
        if not wanted.url.startswith("opc.tcp://"):
            raise Wrong("Give the server's address as opc.tcp://HOST:PORT.")
        async with self._turn:
            if wanted.user:
                wanted = self._with_login(wanted)
            ask = {"options": _options(wanted), "under": wanted.under, "folder": str(self.file.parent)}
            found = await _browsed(canonical(ask), self._home.path / "logs" / "browse.log")
            self._server, self._found, self._text, self._problems = wanted, found, "", ()
        return {"tags": len(found)}

    def _with_login(self, wanted: Server) -> Server:
        """A name and password that were typed go into a file that the gate's user alone reads, never into the site file."""
        if any(ord(c) < 32 for c in wanted.user + wanted.password) or ":" in wanted.user:
            raise Wrong("The login's name can't hold a colon, and neither can hold a control character.")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        path = self.file.parent / LOGIN
        if self._login_made:
            path.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(f"{wanted.user}:{wanted.password}\n")
        except OSError as error:
            raise Wrong(f"{path} can't be written: {error.strerror or error}. Give its login as file:{LOGIN}, or move it away.") from None
        self._login_made = True
        return Server(url=wanted.url, security=wanted.security, server=wanted.server, login=f"file:{LOGIN}", under=wanted.under)

    async def _choose(self, body: bytes) -> Any:
        wanted = CHOSEN.validate_json(body)
        if self._server is None:
            raise Wrong("No server was looked at yet.")
        tags = [self._found[at] for at in dict.fromkeys(wanted.tags) if 0 <= at < min(len(self._found), TAGS_MAX)]
        options = [("type", TYPE), *_options(self._server)]
        try:
            self._text = site_text(wanted.name, CONNECTION, options, tags, language=wanted.language, timezone=wanted.timezone)
        except ValueError as error:
            raise Wrong(str(error)) from None
        self._problems = await asyncio.to_thread(_problems, self._text, self.file)
        return {"problems": len(self._problems)}

    async def _write(self, _: bytes) -> Any:
        if not self._text or any(p.severity == "error" for p in self._problems):
            raise Wrong("There is no site file without errors yet. Choose tags first.")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("x", encoding="utf-8") as file:
                file.write(self._text)
        except OSError as error:
            raise Wrong(f"{self.file} can't be written: {error.strerror or error}.") from None
        self.written.set()
        return {"file": str(self.file)}


def _options(server: Server) -> list[tuple[str, str]]:
    given = (("url", server.url), ("security", server.security), ("server", server.server), ("login", server.login))
    return [(key, value) for key, value in given if value]


async def _browsed(asked: bytes, log: Path) -> list[Tag]:
    """In a process that ends with the answer, or after BROWSE_S_MAX. Raises Wrong."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *python("holdfast.run.browsed"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
            limit=ANSWER_BYTES_MAX, start_new_session=True,
        )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(asked), BROWSE_S_MAX)
        answer = ANSWER.validate_json(said)
    except TimeoutError:
        raise Wrong(f"The server did not tell all it has within {BROWSE_S_MAX:.0f} s. Browse below one node.") from None
    except ValidationError:
        raise Wrong(f"The server could not be read; {log} says why.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if answer.error:
        raise Wrong(answer.error)
    if not answer.tags:
        raise Wrong("The server shows no variable that this account may read.")
    return list(answer.tags)


def _problems(text: str, file: Path) -> tuple[Problem, ...]:
    """What `holdfast check` would say of this text in its place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    trial = file.with_name(f".{file.name}.new")
    try:
        trial.write_text(text, encoding="utf-8")
        found = load(trial)
        return (*found.warnings, *plugged.problems(found.site, str(trial)))
    except SiteError as error:
        return error.problems
    finally:
        trial.unlink(missing_ok=True)


def _no(status: int, message: str, code: str = "") -> web.Response:
    return web.json_response({"error": message, "message": message, "code": code}, status=status)
