"""A gate that answers at its two doors, and a caller who may be signed in."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from small_plant import PASSWORD, World  # pyright: ignore[reportMissingImports]

from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.people import people_app
from holdfast.gate.process import Doors


class Answer:
    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body


class Served(World):
    """`ask` speaks at the people's door; with `token` as the one who is signed in."""

    def open_doors(self) -> None:
        self.link, self.people = self.folder / "link.sock", self.folder / "people.sock"
        self.agent_token = self.agents.add("ann-agent")
        self.doors = Doors({self.link: agents_app(self.gate, self.agents), self.people: people_app(self.gate, self.agents)})
        self.serving = asyncio.create_task(self.doors.serve())

    async def close_doors(self) -> None:
        self.doors.close()
        await self.serving

    async def ask(self, method: str, path: str, body: Any = None, *, token: str = "", door: Path | None = None) -> Answer:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.AsyncHTTPTransport(uds=str(door or self.people))
        async with httpx.AsyncClient(transport=transport, base_url="http://gate", timeout=20.0, headers=headers) as http:
            answer = await http.request(method, path, json=body)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return Answer(answer.status_code, answer.json() if is_json and answer.content else answer.content)

    async def sign_in(self, person: str, password: str = PASSWORD) -> str:
        answer = await self.ask("POST", "/v1/session", {"person": person, "password": password})
        assert answer.status == 200, answer.body
        return answer.body["token"]
