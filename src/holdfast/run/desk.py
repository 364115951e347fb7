"""What people's commands ask of a running gate, over the people's socket in its state folder."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from holdfast.terms import Record, Word, canonical

TIMEOUT_S = 15.0
EVENT_BYTES_MAX = 4 << 20  # of one line of the stream


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
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _http(self) -> aiohttp.ClientSession:
        """Made at the first use: it belongs to the event loop that it is made in."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self._socket)), read_bufsize=EVENT_BYTES_MAX)
        return self._session

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

    async def resolve(self, proposal: str, result: str, person: str, password: str, reason: str) -> Mapping[str, Any]:
        """What an indeterminate write turned out to have done: "verified" or "failed"."""
        wanted = {"proposal": proposal, "result": result, "person": person, "password": password, "reason": reason}
        return await self._ask("POST", "/v1/resolve", wanted)

    async def act(self, path: str, body: Mapping[str, Any]) -> Any:
        """An administrator's act on who there is; `body` names who acts and has the password."""
        return await self._ask("POST", path, body)

    async def commissioning(self, loop: str) -> Mapping[str, Any]:
        """How far a loop is commissioned: its rungs, what is being checked, and its matrix."""
        return await self._ask("GET", f"/v1/commission?loop={quote(loop, safe='')}")

    async def check_rung(self, loop: str, rung: str, *, step: float = 0.0, within_s: float = 0.0, hours: float = 0.0) -> Mapping[str, Any]:
        """Begin a rung's check. Nothing of it is a person's act, so nobody is named."""
        wanted = {"loop": loop, "rung": rung, "step": step, "within_s": within_s, "hours": hours}
        return await self._ask("POST", "/v1/commission/check", wanted)

    async def sign_rung(self, loop: str, rung: str, evidence: str, person: str, password: str, reason: str) -> Mapping[str, Any]:
        """Sign a rung over the digest of its evidence."""
        wanted = {"loop": loop, "rung": rung, "evidence": evidence, "person": person, "password": password, "reason": reason}
        return await self._ask("POST", "/v1/commission/sign", wanted)

    async def detectors(self) -> list[Any]:
        """Each detector: what is in force, its versions, its drift, and who asked it to learn anew."""
        return await self._ask("GET", "/v1/detectors")

    async def look(self, path: str, query: Mapping[str, str | int]) -> Any:
        """Anything else that may be looked at without a name."""
        return await self._ask("GET", f"{path}?{urlencode(query)}" if query else path)

    async def records(self, after: int, limit: int = 1000) -> list[Any]:
        return await self._ask("GET", f"/v1/records?after={after}&limit={limit}")

    async def events(self, after: int = 0) -> AsyncIterator[Record]:
        """Records from `after` on, for ever. Raises DeskError when the gate ends."""
        try:
            async with self._http().get(f"http://gate/v1/events?after={after}", timeout=aiohttp.ClientTimeout(total=None)) as answer:
                async for line in answer.content:
                    if line.startswith(b"data: "):
                        yield Record(**json.loads(line[6:]))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unreachable(error) from error

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        limit = aiohttp.ClientTimeout(total=TIMEOUT_S)
        data = None if body is None else canonical(body)
        try:
            async with self._http().request(method, f"http://gate{path}", data=data, timeout=limit) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from error
        if answer.status >= 400:
            said = json.loads(content).get("error") if answer.content_type == "application/json" else ""
            raise DeskError(str(said) or f"the gate answered {answer.status}", refused=True)
        return json.loads(content) if content else None

    def _unreachable(self, error: Exception) -> DeskError:
        return DeskError(
            f"no gate answers at {self._socket} ({type(error).__name__}); is `holdfast run` up with this --home?", refused=False
        )
