"""A gate that answers at its two doors, and a caller who may be signed in."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
from small_plant import ASKING, PASSWORD, World, site  # pyright: ignore[reportMissingImports]

from holdfast.clock import RealClock
from holdfast.console.app import console_app
from holdfast.console.visit import SESSION_COOKIE
from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.people import people_app
from holdfast.gate.process import Doors


class Answer:
    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body


class Served(World):
    """`ask` speaks at the people's door; with `token` as the one who is signed in."""

    def open_doors(self, burst: float = 60.0) -> None:
        """`burst`: how many messages an agent may post at once."""
        self.link, self.people = self.folder / "link.sock", self.folder / "people.sock"
        self.agent_token = self.agents.add("ann-agent")
        self.doors = Doors({self.link: agents_app(self.gate, self.agents, burst=burst), self.people: people_app(self.gate, self.agents)})
        self.serving = asyncio.create_task(self.doors.serve())

    async def close_doors(self) -> None:
        self.doors.close()
        await self.serving

    async def ask(self, method: str, path: str, body: Any = None, *, token: str = "", door: Path | None = None) -> Answer:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with self.client(door or self.people) as http:
            answer = await http.request(method, path, json=body, headers=headers)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return Answer(answer.status_code, answer.json() if is_json and answer.content else answer.content)

    async def post(self, path: str, body: Any, *, door: str = "link", token: bytes | None = None) -> tuple[int, str]:
        """At an agent's door unless `door` is "people"; `body` may be bytes that are no JSON. The status, and what is told in English."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {b"authorization": b"Bearer " + (self.agent_token.encode() if token is None else token)}
        async with self.client(self.link if door == "link" else self.people) as http:
            answer = await http.post(path, content=content, headers=headers)
        return answer.status_code, str(answer.json().get("error", "")) if answer.content else ""

    def client(self, door: Path) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(door)), base_url="http://gate", timeout=20.0)

    async def sign_in(self, person: str, password: str = PASSWORD) -> str:
        answer = await self.ask("POST", "/v1/session", {"person": person, "password": password})
        assert answer.status == 200, answer.body
        return answer.body["token"]


@contextlib.asynccontextmanager
async def serving(burst: float = 60.0) -> AsyncGenerator[Served]:
    """A plant where everything is asked, ann who is an operator, and both doors."""
    with tempfile.TemporaryDirectory(prefix="hf") as folder:  # a socket's path is short
        world = Served(Path(folder), site(rules=ASKING))
        world.gate.people.add("ann", ["operator"], PASSWORD)
        world.open_doors(burst)
        await world.run(3)
        try:
            yield world
        finally:
            await world.close_doors()
            world.gate.close()


@contextlib.asynccontextmanager
async def looking(served: Served, person: str, *, lang: str = "en") -> AsyncGenerator[httpx.AsyncClient]:
    """A visitor of the console over this gate, signed in, both in this process."""
    token = await served.sign_in(person)
    console = console_app(served.people, RealClock(), bytes(32), language=lang, secure=False)
    transport = httpx.ASGITransport(console)  # pyright: ignore[reportArgumentType] - theirs is wider than the standard's
    cookies, headers = {SESSION_COOKIE: token}, {"accept-language": lang}
    async with (
        console.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies, headers=headers, timeout=20.0) as http,
    ):
        yield http
