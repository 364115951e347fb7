"""The record itself: found by what it names, read in words and byte for byte, proved, verified, and taken along.

Nothing here needs to be believed: each page shows the command that repeats its check without the console.
"""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from litestar import Response, get
from litestar.response import Stream

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.names import names_of
from holdfast.console.proof import proof_of
from holdfast.console.shown import Shown
from holdfast.console.telling import Teller, Told
from holdfast.console.visit import Req, Visit
from holdfast.terms import LABELS, SECOND_NS, Word

PAGE = 50
FIELD_CHARS_MAX = 200
FIELDS = ("kind", "person", "agent", "tag", "proposal", "from", "to")
TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
# Every kind that the gate writes, for the filter; a test holds it against the gate's source.
KINDS = (
    "activated", "agent", "alarm", "alarm.acknowledged", "alarm.flood", "alarm.server", "alarm.server.unrecorded",
    "alarm.shelved", "alarm.unshelved", "answer", "approval", "ask", "cause",
    "autonomy", "clock", "commission", "configuration", "configuration.proposed", "configuration.signed", "configuration.unused",
    "connection", "context", "decision", "delivery", "diagnosis", "drift", "effect", "egress", "escalated", "expired", "export", "fault",
    "fell", "finding", "history", "intent", "learned", "learned.offered", "model", "model.running",
    "outcome", "person", "question", "reconciling", "recovered",
    "refused.act", "relearn", "relearn.declined", "report", "resolved", "restored", "resume", "retreat", "session", "set_back", "start",
    "stop", "taken", "void", "voided",
)  # fmt: skip


class Filter(Word):
    """What was asked for, as typed; `wrong` is the time that can't be read."""

    fields: Mapping[str, str]
    query: Mapping[str, str | int]
    wrong: str = ""

    def link(self, **more: int) -> str:
        """The same filter, elsewhere in the record."""
        return "/ledger?" + urlencode({**{k: v for k, v in self.fields.items() if v}, **more})


class Found(Word):
    """A page of records, newest first. `newer` and `older`: whether there are more on that side."""

    told: tuple[Told, ...]
    newer: int
    older: int


def routes(house: House) -> list[Any]:
    @get("/ledger")
    async def ledger(request: Req) -> Response[str]:
        visit = await house.visit(request)
        status = await house.status()
        asked = _filter(request, str((status or {}).get("timezone") or "UTC"))
        names = await names_of(house, visit.token)
        teller = Teller(house.shown(visit, status), names, brief=True)
        found = Found(told=(), newer=0, older=0) if asked.wrong else await _found(house, visit, request, asked, teller)
        kinds = tuple(sorted(((kind, teller.kind(kind)) for kind in KINDS), key=lambda k: k[1]))
        return await house.page(
            "ledger", visit, request, code=400 if asked.wrong else 200, asked=asked, found=found, kinds=kinds, tags=names.all(),
            labels=LABELS,
        )  # fmt: skip

    @get("/ledger/verify")
    async def verify(request: Req) -> Response[str]:
        """The page; `?run=1` verifies before it answers, for a browser without scripts."""
        visit = await house.visit(request)
        result = await _verified(house, visit) if request.query_params.get("run") == "1" else None
        known = await house.gate.get("/v1/checkpoints", {"limit": 1}, token=visit.token)
        return await house.page("ledger_verify", visit, request, result=result, public=known["key"], labels=LABELS)

    @get("/ledger/verify/run")
    async def run(request: Req) -> Stream:
        """Progress and result as they come; the words are in the page."""
        visit = await house.visit(request)
        return Stream(_passed_on(house, visit), media_type="text/event-stream", headers={"cache-control": "no-store"})

    @get("/ledger/export")
    async def export(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        label = request.query_params.get("label", "")
        if label not in LABELS:
            raise GateError(404, label[:FIELD_CHARS_MAX])
        lines = house.gate.lines("/v1/export", {"label": label}, token=visit.token)
        first = await anext(lines)  # a refusal is still a page; after the first line it is a file
        headers = {"content-disposition": f'attachment; filename="holdfast-{label}.export"', "cache-control": "no-store"}
        return Stream(_from(first, lines), media_type="application/octet-stream", headers=headers)  # type: ignore[return-value]

    @get("/ledger/{seq:int}")
    async def record(request: Req) -> Response[str]:
        visit = await house.visit(request)
        seq = int(request.path_params["seq"])
        leaf = (await house.gate.content(f"/v1/records/{seq}", token=visit.token)).decode()
        teller = Teller(house.shown(visit, await house.status()), await names_of(house, visit.token))
        proof = proof_of(await house.gate.get(f"/v1/ledger/{seq}/proof", token=visit.token))
        parsed = json.loads(leaf)
        story = f"/incidents/of/{quote(told.proposal, safe='')}" if (told := teller.tell(parsed)).proposal else ""
        if not story and told.incident:
            story = f"/incidents/{quote(told.incident, safe='')}"
        text = json.dumps(parsed, ensure_ascii=False, indent=1)
        # A proof of other bytes than those that are shown proves nothing about them.
        same = proof is None or proof.leaf == leaf
        return await house.page(
            "ledger_record", visit, request, told=told, leaf=leaf, text=text, label=parsed["label"], proof=proof, same=same, story=story
        )

    return [ledger, verify, run, export, record]


async def _from(first: bytes, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for line in lines:
        yield line


def _filter(request: Req, zone: str) -> Filter:
    fields = {name: request.query_params.get(name, "").strip()[:FIELD_CHARS_MAX] for name in FIELDS}
    query: dict[str, str | int] = {name: fields[name] for name in ("kind", "person", "agent", "tag", "proposal") if fields[name]}
    for name, into in (("from", "from_ns"), ("to", "to_ns")):
        if fields[name]:
            at_ns = _ns(fields[name], zone)
            if at_ns is None:
                return Filter(fields=fields, query={}, wrong=fields[name])
            query[into] = at_ns
    return Filter(fields=fields, query=query)


def _ns(text: str, zone: str) -> int | None:
    """A time in the site's zone; None where it can't be read."""
    for form in TIMES:
        try:
            return round(datetime.strptime(text, form).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND_NS
        except (ValueError, KeyError, OverflowError):
            continue
    return None


def _whole(request: Req, name: str) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


async def _found(house: House, visit: Visit, request: Req, asked: Filter, teller: Teller) -> Found:
    """From the newest on; `before` and `after` are numbers of records, themselves not shown."""
    after, before = _whole(request, "after"), _whole(request, "before")
    upwards = after > 0
    place: dict[str, str | int] = (
        {"after": after, "order": "asc"} if upwards else {"order": "desc", **({"before": before} if before else {})}
    )
    records, more = await house.gate.page("/v1/records", {**asked.query, **place, "limit": PAGE}, token=visit.token)
    told = tuple(teller.tell(record) for record in (reversed(records) if upwards else records))
    if not told:
        return Found(told=(), newer=0, older=0 if upwards else more or 0)
    first, last = told[0].seq, told[-1].seq
    return Found(told=told, newer=first if before or (upwards and more is not None) else 0, older=last if upwards else more or 0)


async def _events(house: House, visit: Visit) -> AsyncIterator[tuple[str, str]]:
    """(event, data) of the gate's verification, until it ends. Raises GateError."""
    event = ""
    async for line in house.gate.lines("/v1/verify", token=visit.token):
        if line.startswith(b"event: "):
            event = line[7:].decode(errors="replace").strip()
        elif line.startswith(b"data: ") and event:
            yield event, line[6:].decode(errors="replace").strip()


async def _passed_on(house: House, visit: Visit) -> AsyncIterator[bytes]:
    shown = house.shown(visit, await house.status())
    try:
        async for event, data in _events(house, visit):
            told = json.loads(data)
            if event == "progress":
                said = shown.t("ledger.verify.running", done=told["done"], of=told["of"])
                told = {"done": told["done"], "of": told["of"], "said": said}
            else:
                told = {"ok": _ok(told), "lines": _sentences(told, shown)}
            yield f"event: {event}\ndata: {json.dumps(told, ensure_ascii=False)}\n\n".encode()
    except GateError as error:
        told = {"ok": False, "lines": [shown.t("ledger.verify.stopped", why=shown.refusal(error))]}
        yield f"event: result\ndata: {json.dumps(told, ensure_ascii=False)}\n\n".encode()


async def _verified(house: House, visit: Visit) -> Mapping[str, Any]:
    shown = house.shown(visit, None)
    async for event, data in _events(house, visit):
        if event == "result":
            told = json.loads(data)
            return {"ok": _ok(told), "lines": _sentences(told, shown)}
    return {"ok": False, "lines": [shown.t("ledger.verify.stopped", why="–")]}


def _ok(told: Mapping[str, Any]) -> bool:
    return bool(told["verdict"]["ok"]) and (told["state"] is None or bool(told["state"]["agrees"]))


def _sentences(told: Mapping[str, Any], shown: Shown) -> list[str]:
    verdict, state, t = told["verdict"], told["state"], shown.t
    if not verdict["ok"]:
        code = str(verdict["code"])
        said = shown.word(code)
        lines = [t("ledger.verify.bad", why=said), *(() if said == code else (shown.original(str(verdict["detail"])),))]
        if verdict["first_bad"] is not None:
            lines.append(t("ledger.verify.first_bad", seq=verdict["first_bad"]))
        if verdict["between"] is not None:
            lines.append(t("ledger.verify.between", low=verdict["between"][0], high=verdict["between"][1]))
        return lines
    lines = [t("ledger.verify.ok", records=verdict["records"], signed=verdict["signed"]), f"{t('ledger.verify.root')}: {verdict['root']}"]
    if state is not None:
        lines.append(t("ledger.verify.agrees" if state["agrees"] else "ledger.verify.differs"))
        lines += [shown.original(f"{one['table']} {one['row']}: {one['detail']}") for one in state["differences"]]
    return lines
