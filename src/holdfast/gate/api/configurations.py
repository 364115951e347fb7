"""Configurations at the people's door: which there were, what a new one would change, and signing it into force.

What is slow (reading files, compiling, deciding a record again) runs in a thread; nothing of the gate's waits for it.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter, ValidationError

from holdfast.gate.actuation import proposed
from holdfast.gate.actuation.activation import needs_restart
from holdfast.gate.actuation.proposed import FILES_BYTES_MAX, loaded, refusal, spread
from holdfast.gate.api.described import whole
from holdfast.gate.api.messages import PROBLEMS_TOLD_MAX, Req, json, number, read
from holdfast.gate.configuration import ConfigurationError, Standing, said_of
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.guard.cases import beside, judge, read_cases
from holdfast.gate.guard.compile import compile_site
from holdfast.gate.guard.difference import difference
from holdfast.gate.guard.replayed import RecordError, recorded, turned, worst_first
from holdfast.gate.guard.review import review
from holdfast.gate.ledger.store import StateError, cured
from holdfast.gate.ledger.verify import opened, record_of
from holdfast.site.load import load
from holdfast.site.model import Site, SiteError
from holdfast.terms import SECOND_NS, Word, digest

DAYS_MAX = 31
DECISIONS_MAX = 20_000  # decided again for one answer, the newest
SLOW_AT_ONCE = 1  # each takes a core
REVIEWS_KEPT_MAX = 8
T = TypeVar("T")
Unlock = Callable[[str, str], Awaitable[Ed25519PrivateKey]]


class Files(Word):
    """`files` by name relative to the site file's folder; `main` is the site file. For content that is no UTF-8: "base64:…"."""

    main: str
    files: dict[str, str]


class Reviewed(Word):
    """Files, or the digest of a configuration that the gate knows."""

    main: str = ""
    files: dict[str, str] | None = None
    digest: str = ""


class Laid(Files):
    person: str
    password: str


class Signing(Word):
    digest: str
    person: str
    password: str
    role: str = ""


class GoingBack(Word):
    person: str
    password: str
    role: str = ""


REVIEWED, LAID, SIGNING, BACK = TypeAdapter(Reviewed), TypeAdapter(Laid), TypeAdapter(Signing), TypeAdapter(GoingBack)


def configuration_handlers(gate: Gatekeeper, unlock: Unlock) -> list[Any]:
    """Routes for `people_app`; `unlock` opens a person's key with the password or answers 403."""
    slow = asyncio.Semaphore(SLOW_AT_ONCE)
    of = gate.activation
    told: dict[tuple[str, str, str], bytes] = {}  # reviews, by the digests of what is in force, what is looked at, and its files

    async def beside_the_gate(what: Callable[[], T]) -> T:
        async with slow:
            return await asyncio.to_thread(what)

    @get("/v1/configurations")
    async def listed() -> Response[bytes]:
        """Which are and were in force, and which wait for signatures."""
        known = {r.digest for r in of.configurations.revisions()}
        waiting = [laid for laid in of.proposed.listed() if laid.digest not in known]
        told = [
            {"person": laid.person, "at_ns": laid.at_ns, "standing": of.configurations.standing(laid.digest, laid.site.policy.revision)}
            for laid in waiting
        ]
        return json({"in_force": of.configurations.revisions(), "proposed": told})

    @get("/v1/configurations/{digest:str}")
    async def one(request: Req) -> Response[bytes]:
        """A configuration's files, where the gate still has them."""
        digest = str(request.path_params["digest"])
        laid, site = of.proposed.get(digest), site_of(gate, digest)
        files = dict(laid.files) if laid else {}
        facts = {"digest": digest, "revision": site.policy.revision, "main": laid.main if laid else "", "files": files}
        return json({**facts, "active": digest == gate.compiled.digest})

    @post("/v1/configurations/review", status_code=200, large=True, request_max_body_size=FILES_BYTES_MAX)
    async def reviewed(request: Req) -> Response[bytes]:
        """What `policy check`, `policy test` and `policy diff` say of it. Changes nothing."""
        wanted = await _large(request, REVIEWED)
        if wanted.files is None:
            laid = of.proposed.get(wanted.digest)
            which = gate.compiled.digest, wanted.digest, digest(laid.files) if laid else ""  # laid anew, it may come with other cases
            if which not in told:  # the same two say the same, and a page asks each time that it is opened
                found = await beside_the_gate(_review_of(gate, wanted.digest, laid))
                while len(told) >= REVIEWS_KEPT_MAX:
                    del told[next(iter(told))]
                told[which] = json(found).content
            return Response(told[which], media_type="application/json")
        main, files = wanted.main, _demand_plain(wanted.main, wanted.files or {})
        return json(await beside_the_gate(lambda: _reviewed(gate.site, main, files)))

    @get("/v1/configurations/{digest:str}/replay", query=(whole("days", "How far back.", 1, DAYS_MAX),))
    async def replay(request: Req) -> Response[bytes]:
        """What it would have decided otherwise, of the last days' decisions."""
        site = site_of(gate, str(request.path_params["digest"]))
        days = number(request, "days", 1)
        if not 1 <= days <= DAYS_MAX:
            raise HTTPException(status_code=400, detail=f"days: {days}; from 1 to {DAYS_MAX}")
        since_ns = gate.clock.now_ns() - days * 24 * 3600 * SECOND_NS
        file = gate.log.state.path
        try:
            return json(await beside_the_gate(lambda: _replayed(site, file, since_ns)))
        except (RecordError, StateError, OSError) as error:
            raise HTTPException(status_code=409, detail=str(error), extra={"code": "record.replay"}) from None

    @post("/v1/configurations/propose", status_code=200, large=True, request_max_body_size=FILES_BYTES_MAX)
    async def propose(request: Req) -> Response[bytes]:
        """Lay a configuration's files before those who sign, with the person's password."""
        laid = await _large(request, LAID)
        await unlock(laid.person, laid.password)
        files = _demand_plain(laid.main, laid.files)
        try:
            found = await beside_the_gate(lambda: loaded(laid.main, files))
        except (SiteError, ValueError) as error:
            raise _wrong(error) from None
        return json(_answer(lambda: of.propose(found, laid.main, files, laid.person)))

    @post("/v1/configurations/sign", status_code=200)
    async def sign(request: Req) -> Response[bytes]:
        """Sign for a configuration, with the person's password."""
        wanted = await read(request, SIGNING)
        key = await unlock(wanted.person, wanted.password)
        return json(_answer(lambda: of.sign(wanted.digest, wanted.person, key, role=wanted.role)))

    @post("/v1/configurations/activate", status_code=200)
    async def activate(request: Req) -> Response[bytes]:
        """Sign, and put it in force where nothing more is wanted."""
        wanted = await read(request, SIGNING)
        key = await unlock(wanted.person, wanted.password)
        standing = _answer(lambda: of.activate(wanted.digest, wanted.person, key, role=wanted.role))
        await _look_at_disk(gate)
        return json(standing)

    @post("/v1/configurations/rollback", status_code=200)
    async def rollback(request: Req) -> Response[bytes]:
        """Sign for going back to the configuration before."""
        wanted = await read(request, BACK)
        key = await unlock(wanted.person, wanted.password)
        standing = _answer(lambda: of.rollback(wanted.person, key, role=wanted.role))
        await _look_at_disk(gate)
        return json(standing)

    return [listed, one, reviewed, replay, propose, sign, activate, rollback]


async def _look_at_disk(gate: Gatekeeper) -> None:
    """Say anew how the site file on the disk differs from what is in force."""
    file, site = gate.site_file, gate.compiled
    if file is not None:
        gate.on_disk = await asyncio.to_thread(said_of, file, site.digest, site.site.policy.revision)


async def _large(request: Req, adapter: TypeAdapter[T]) -> T:
    """A message that carries files: `messages.read` bounds its texts at what people type."""
    try:
        return adapter.validate_json(await request.body())
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'message'}: {e['msg']}" for e in error.errors()[:PROBLEMS_TOLD_MAX]]
        raise HTTPException(status_code=400, detail="; ".join(problems)) from None


def _demand_plain(main: str, files: Mapping[str, str]) -> Mapping[str, str]:
    if why := refusal(main, files):
        raise HTTPException(status_code=400, detail=why, extra={"code": "configuration.files"})
    return files


def site_of(gate: Gatekeeper, digest: str) -> Site:
    """A configuration that is proposed or was in force. Raises HTTPException 404."""
    laid = gate.activation.proposed.get(digest)
    if laid is not None:
        return laid.site
    kept = gate.activation.configurations.kept(digest)
    if kept is None:
        raise HTTPException(status_code=404, detail=f"no configuration {digest[:16]!r}; `GET /v1/configurations` lists those that are kept")
    return kept.site


def _answer(what: Callable[[], Standing]) -> Standing:
    try:
        return what()
    except (ConfigurationError, SiteError) as error:
        raise _wrong(error) from None


def _wrong(error: Exception) -> HTTPException:
    code = error.code if isinstance(error, ConfigurationError) else "configuration.site" if isinstance(error, SiteError) else ""
    facts = error.facts if isinstance(error, ConfigurationError) else {}
    return HTTPException(status_code=409 if code else 400, detail=str(error), extra={"code": code, "facts": facts})


def _review_of(gate: Gatekeeper, of: str, laid: proposed.Laid | None) -> Callable[[], dict[str, Any]]:
    """The review of a configuration that the gate knows, for a thread. Raises HTTPException 404."""
    now = gate.site
    if laid is not None:
        return lambda: _reviewed(now, laid.main, dict(laid.files))
    site = site_of(gate, of)
    return lambda: {**_changes(now, site), "problems": review(site, "policy"), "cases": []}


def _changes(old: Site, new: Site) -> dict[str, Any]:
    found = difference(old, new)
    return {"changes": found, "widens": sum(c.widens for c in found), "restart": needs_restart(old, new)}


def _reviewed(old: Site, main: str, files: Mapping[str, str]) -> dict[str, Any]:
    """What `policy check`, `policy test` and `policy diff` say. Never raises for what the files say: that is the answer."""
    nothing: dict[str, Any] = {"digest": "", "revision": 0, "cases": [], "changes": [], "widens": 0, "restart": []}
    with tempfile.TemporaryDirectory(prefix="holdfast-review-") as folder:
        try:
            spread(Path(folder), files)
            found = load(Path(folder) / main)
            problems = review(found.site, found.policy_file)
            facts = {"digest": found.digest, "revision": found.site.policy.revision, "problems": _at_home(problems, folder)}
            if any(p.severity == "error" for p in problems):
                return {**nothing, **facts}
            return {**facts, **_changes(old, found.site), "cases": _cases(found.site, beside(found.policy_file or main))}
        except SiteError as error:
            return {**nothing, "problems": _at_home(error.problems, folder)}
        except ValueError as error:
            return {**nothing, "problems": [{"file": main, "line": 1, "what": str(error), "cure": "", "severity": "error"}]}


def _at_home(problems: Any, folder: str) -> list[dict[str, Any]]:
    """Problems as the person's own files have them, not ours."""
    return [
        {"file": p.file.removeprefix(f"{folder}/"), "line": p.line, "what": p.what, "cure": p.cure, "severity": p.severity}
        for p in problems
    ]


def _cases(site: Site, file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    compiled = compile_site(site)
    return [
        {"name": v.case.name, "expect": v.case.expect, "verdict": v.verdict, "roles": v.roles, "failed": v.failed, "missed": v.missed}
        for v in (judge(case, compiled) for case in read_cases(file.read_bytes(), file.name, site, compiled))
    ]


def _replayed(site: Site, file: Path, since_ns: int) -> dict[str, Any]:
    """Decisions since then, decided again; through a connection of its own. Raises RecordError, StateError, OSError."""
    compiled = compile_site(site)
    found: list[Any] = []
    whole = True
    with cured(file), opened(file) as db:
        for (leaf,) in db.execute("SELECT bytes FROM leaf ORDER BY seq DESC"):
            record = record_of(leaf)
            if record.at_ns < since_ns:
                break
            if len(found) >= DECISIONS_MAX:
                whole = False
                break
            if record.kind == "decision":
                found.append(recorded(record.seq, record.body))
    changed = worst_first(turned(reversed(found), compiled))
    freed = sum(t.before == "refuse" and t.after == "permit" for t in changed)
    return {"decisions": len(found), "whole": whole, "changed": changed, "refuse_to_permit": freed}
