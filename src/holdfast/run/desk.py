"""What people's commands ask of a running gate, over the people's socket in its state folder."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from holdfast.terms import Record, Word, canonical

TIMEOUT_S = 15.0
EVENT_BYTES_MAX = 4 << 20


class DeskError(Exception):
    """The gate can't be reached or said no; `refused` tells which."""

    def __init__(self, message: str, *, refused: bool) -> None:
        super().__init__(message)
        self.refused = refused


class Vote(Word):
    proposal: str
    person: str
    password: str
    yes: bool
    reason: str = ""
    role: str = ""


class Desk:
    """`home` is the folder that `holdfast run` was given."""

    def __init__(self, home: Path) -> None:
        self._socket = home / "gate" / "people.sock"
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(self._socket)), base_url="http://gate", timeout=TIMEOUT_S, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def status(self) -> Mapping[str, Any]:
        return await self._ask("GET", "/v1/status")

    async def waiting(self) -> list[Any]:
        """Decisions that ask for someone."""
        return await self._ask("GET", "/v1/approvals")

    async def proposal(self, proposal: str) -> Mapping[str, Any]:
        return await self._ask("GET", f"/v1/proposals/{proposal}")

    async def vote(self, vote: Vote) -> Mapping[str, Any]:
        return await self._ask("POST", "/v1/approvals", vote)

    async def stop(self, scope: str, by: str) -> None:
        await self._ask("POST", "/v1/stop", {"scope": scope, "by": by})

    async def resume(self, scope: str, person: str, password: str) -> None:
        await self._ask("POST", "/v1/resume", {"scope": scope, "person": person, "password": password})

    async def autonomy(self, scope: str, level: str, person: str, password: str) -> None:
        await self._ask("POST", "/v1/autonomy", {"scope": scope, "level": level, "person": person, "password": password})

    async def records(self, after: int, limit: int = 1000) -> list[Any]:
        return await self._ask("GET", f"/v1/records?after={after}&limit={limit}")

    async def events(self, after: int = 0) -> AsyncIterator[Record]:
        """Records from `after` on, for ever. Raises DeskError when the gate ends."""
        try:
            async with self._http.stream("GET", f"/v1/events?after={after}", timeout=None) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: ") and len(line) <= EVENT_BYTES_MAX:
                        yield Record(**json.loads(line[6:]))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = await self._http.request(method, path, content=None if body is None else canonical(body))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.status_code >= 400:
            said = answer.json().get("error", answer.text) if answer.headers.get("content-type", "").startswith("application/json") else ""
            raise DeskError(str(said) or f"the gate answered {answer.status_code}", refused=True)
        return answer.json() if answer.content else None

    def _unreachable(self, error: Exception) -> DeskError:
        return DeskError(
            f"no gate answers at {self._socket} ({type(error).__name__}); is `holdfast run` up with this --home?", refused=False
        )
