"""The record for people's eyes: pages of it, proofs, checkpoints, export and verification, none in a decision's way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.response import Stream
from pydantic import TypeAdapter

from holdfast.gate.api.described import BYTES, STREAM, text, whole
from holdfast.gate.api.doorkeeper import Doorkeeper
from holdfast.gate.api.messages import Req, json, number, read
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.ledger import cosigned
from holdfast.gate.ledger.aside import command
from holdfast.gate.ledger.checkpoint import parse
from holdfast.gate.ledger.index import STEP, RecordIndex
from holdfast.gate.ledger.proof import growth_of, proof_of
from holdfast.gate.ledger.query import KINDS_MAX, LIMIT_MAX, Page, Query, page
from holdfast.gate.ledger.tally import tally
from holdfast.gate.ledger.witness import WitnessError
from holdfast.terms import LABELS, Word

CHECKPOINTS_MAX = 100
CHUNK_BYTES = 1 << 18
LINE_BYTES_MAX = 1 << 20  # of the result, which names at most 100 differences
ASIDE_S_MAX = 3600.0  # a record that takes longer is verified by `holdfast ledger verify`
T = TypeVar("T")


class CosignedNote(Word):
    note: str


COSIGNED = TypeAdapter(CosignedNote)
RECORDS = (
    whole("after", "Those above this number.", 0),
    whole("before", "Those below this number."),
    whole("limit", f"How many; more than {LIMIT_MAX} are never told at once."),
    text("kind", f"Names, by commas, at most {KINDS_MAX}."),
    text("person", "Whom they name."),
    text("agent", "Whom they name."),
    text("tag", "Which they name."),
    text("proposal", "Which they name."),
    whole("from_ns", "UTC."),
    whole("to_ns", "UTC."),
    text("order", "Oldest first without it.", "asc", "desc"),
)
TALLY = (whole("from_ns", "UTC.", required=True), whole("to_ns", "UTC.", required=True))
CHECKPOINTS = (
    whole("limit", f"How many, at most {CHECKPOINTS_MAX}."),
    whole("before", "Those of a smaller size."),
    whole("from", "A proof from so many records on, instead of the list."),
)
EXPORT = (
    text("label", "The highest that may be in it.", *LABELS, required=True),
    whole("from", "The first record.", 1),
    whole("to", "The last record.", 1),
)


class RecordDesk:
    """Reads the record in one thread of its own, a connection a question: a slow one delays only the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._catching_up: asyncio.Task[None] | None = None
        self._waiting = 0

    async def ask(self, what: Callable[[RecordIndex], T]) -> T:
        """Raises HTTPException 503 while more than a step is not indexed yet (a first start, a restored ledger)."""
        if self._catching_up is None or self._catching_up.done():
            self._waiting = await self._on_thread(RecordIndex.step)
            if self._waiting:
                self._catching_up = asyncio.create_task(self._catch_up())
        if self._waiting > STEP:
            told = f"the record is being indexed: {self._waiting} records are left; try again soon"
            raise HTTPException(status_code=503, detail=told, extra={"code": "record.indexing", "facts": {"left": str(self._waiting)}})
        return await self._on_thread(what)

    async def look(self, what: Callable[[RecordIndex], T]) -> T:
        """The same for what needs no index."""
        return await self._on_thread(what)

    async def _catch_up(self) -> None:
        while self._waiting:
            self._waiting = await self._on_thread(RecordIndex.step)

    async def _on_thread(self, what: Callable[[RecordIndex], T]) -> T:
        def opened() -> T:
            with contextlib.closing(RecordIndex(self.folder)) as index:
                return what(index)

        return await asyncio.get_running_loop().run_in_executor(self._thread, opened)


def record_handlers(gate: Gatekeeper, door: Doorkeeper, desk: RecordDesk) -> list[Any]:
    """Routes for `people_app`."""
    folder = desk.folder
    verifying = asyncio.Lock()

    @get("/v1/records", query=RECORDS)
    async def records(request: Req) -> Response[bytes]:
        """A page of the record, by indexed questions. `x-next` says where to go on."""
        query = _query(request)
        plain = query == Query(after=query.after, limit=query.limit)
        return _leaves(await (desk.look if plain else desk.ask)(lambda index: page(index, query)))

    @get("/v1/tally", query=TALLY)
    async def counted(request: Req) -> Response[bytes]:
        """How many decisions, outcomes and effects of a stretch of time came out how."""
        from_ns, to_ns = number(request, "from_ns"), number(request, "to_ns")
        return json(await desk.ask(lambda index: tally(index, from_ns, to_ns)))

    @get("/v1/records/{seq:int}")
    async def record(request: Req) -> Response[bytes]:
        """One record."""
        seq = int(request.path_params["seq"])
        leaf = gate.log.leaf(seq) if 0 < seq < 2**62 else None
        if leaf is None:
            raise HTTPException(status_code=404, detail=f"there is no record {seq}")
        return Response(leaf, media_type="application/json")

    @get("/v1/ledger/{seq:int}/proof")
    async def proof(request: Req) -> Response[bytes]:
        """As `holdfast ledger prove SEQ --json` prints it; `proved` is false until a checkpoint covers the record."""
        seq = int(request.path_params["seq"])
        try:
            found = await desk.look(lambda index: proof_of(index.db, seq)) if 0 < seq < 2**62 else None
        except ValueError:
            raise HTTPException(status_code=404, detail=f"there is no record {seq}") from None
        if found is None:
            return json({"seq": seq, "proved": False})
        told = {"seq": seq, "proved": True, "leaf": found.leaf.decode(), "index": seq - 1, "size": found.size}
        return json({**told, "path": found.path, "checkpoint": found.note})

    @get("/v1/checkpoints", query=CHECKPOINTS)
    async def checkpoints(request: Req) -> Response[bytes]:
        """The newest, with what witnesses signed. `?from=N`: the proof from N records on, as `holdfast ledger prove --from N --json`."""
        if "from" in request.query_params:
            old = number(request, "from")
            growth = await desk.look(lambda index: growth_of(index.db, old))
            if growth is None:
                return json({"proved": False})
            size = parse(growth.note).size
            return json({"proved": old <= size, "from": old, "size": size, "path": growth.path, "checkpoint": growth.note})
        limit = max(1, min(number(request, "limit", CHECKPOINTS_MAX), CHECKPOINTS_MAX))
        before = number(request, "before", 2**62)
        sql = "SELECT size, at_ns, note FROM checkpoint WHERE size < ? ORDER BY size DESC LIMIT ?"
        rows = await desk.look(lambda index: index.rows(sql, (before, limit)))
        told = [{"size": size, "at_ns": at_ns, "note": note} for size, at_ns, note in rows]
        return json({"checkpoints": told, "cosigned": cosigned.kept(folder), "key": gate.checkpoints.key.text()})

    @post("/v1/checkpoints/cosign", status_code=200)
    async def cosign(request: Req) -> Response[bytes]:
        """A witness needs no name here: its signature is looked up among the keys in the gate's folder."""
        note = (await read(request, COSIGNED)).note
        try:
            size = parse(note).size
        except ValueError as error:
            raise HTTPException(status_code=400, detail=f"no cosigned checkpoint: {error}") from None
        rows = await desk.look(lambda index: index.rows("SELECT note FROM checkpoint WHERE size = ?", (min(size, 2**62),)))
        try:
            told = cosigned.take(folder, note, gate.checkpoints.key, parse(str(rows[0][0])) if rows else None)
        except WitnessError as error:
            raise HTTPException(status_code=403, detail=str(error), extra={"code": error.code}) from None
        return json({"witness": told.witness, "size": told.size, "at_s": told.at_s})

    @get("/v1/export", answers=BYTES, query=EXPORT)
    async def export(request: Req) -> Stream:
        """As `holdfast ledger export` writes it; ends in the middle where the record turns out not to be whole."""
        label = request.query_params.get("label", "")
        if label not in LABELS:
            raise HTTPException(status_code=400, detail=f"label: there are {', '.join(LABELS)}")
        first, last = number(request, "from", 1), number(request, "to", 2**62)
        person = door.who(request)
        door.changing(lambda: gate.log.append("export", {"person": person.name, "from": first, "to": last, "label": label}))
        argv = command("export", folder, "--label", label, "--first", str(first), "--last", str(last))
        process = await _started(argv)
        beginning = await _some(process)
        if not beginning:
            said = (await process.communicate())[1].decode(errors="replace").strip()
            raise HTTPException(status_code=409, detail=said or "nothing could be exported", extra={"code": "record.export"})
        name = f'attachment; filename="holdfast-{label}.export"'
        return Stream(_exported(process, beginning), media_type="application/octet-stream", headers={"content-disposition": name})

    @get("/v1/verify", answers=STREAM)
    async def verify(request: Req) -> Stream:
        """Server-sent events: `progress` {done, of}, then `result`, as `holdfast ledger verify --state` has it."""
        if verifying.locked():
            raise HTTPException(
                status_code=409, detail="the record is being verified already; wait for that", extra={"code": "record.verifying"}
            )
        return Stream(_verified(verifying, folder), media_type="text/event-stream")

    return [records, counted, record, proof, checkpoints, cosign, export, verify]


def _query(request: Req) -> Query:
    """Raises HTTPException 400."""

    def optional(name: str) -> int | None:
        return number(request, name) if name in request.query_params else None

    def text(name: str) -> str:
        return request.query_params.get(name, "")

    order = text("order") or "asc"
    if order not in ("asc", "desc"):
        raise HTTPException(status_code=400, detail="order: asc or desc")
    kinds = tuple(dict.fromkeys(kind for kind in text("kind").split(",") if kind))
    if len(kinds) > KINDS_MAX:
        raise HTTPException(status_code=400, detail=f"kind: at most {KINDS_MAX} at once")
    return Query(
        after=number(request, "after", 0),
        before=optional("before"),
        limit=max(1, min(number(request, "limit", 100), LIMIT_MAX)),
        kinds=kinds,
        person=text("person"),
        agent=text("agent"),
        tag=text("tag"),
        proposal=text("proposal"),
        from_ns=optional("from_ns"),
        to_ns=optional("to_ns"),
        order=order,
    )


def _leaves(found: Page) -> Response[bytes]:
    """The leaves themselves: they are JSON, and never written anew. `x-next` says where to go on, as `after` or `before`."""
    headers = {} if found.next is None else {"x-next": str(found.next)}
    return Response(b"[" + b",".join(found.leaves) + b"]", media_type="application/json", headers=headers)


async def _started(argv: list[str]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env={}, limit=LINE_BYTES_MAX
    )


async def _some(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101
    return await process.stdout.read(CHUNK_BYTES)


async def _exported(process: asyncio.subprocess.Process, beginning: bytes) -> AsyncIterator[bytes]:
    try:
        async with asyncio.timeout(ASIDE_S_MAX):
            while beginning:
                yield beginning
                beginning = await _some(process)
            if await process.wait() != 0:
                raise RuntimeError("the export ended early: the record is not whole")  # breaks the answer off, which the reader sees
    finally:
        await _ended(process)


async def _verified(verifying: asyncio.Lock, folder: Path) -> AsyncIterator[bytes]:
    async with verifying:
        process = await _started(command("verify", folder))
        assert process.stdout is not None  # noqa: S101
        try:
            async with asyncio.timeout(ASIDE_S_MAX):
                async for line in process.stdout:
                    kind = "progress" if line.startswith(b'{"done"') else "result"
                    yield b"event: " + kind.encode() + b"\ndata: " + line.strip() + b"\n\n"
        finally:
            await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
