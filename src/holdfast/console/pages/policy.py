"""The configuration in force, what it was before and what it may become: compared, tried on what happened, and signed into force.

Proposing puts nothing in force: the files are laid before the gate, which shows what they would change; then people sign.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile

from holdfast.console.changes import Told, told
from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.names import Names, names_of
from holdfast.console.visit import Req, Visit
from holdfast.terms import Word

FILES_MAX = 200
FILES_BYTES_MAX = 9 << 20  # the gate takes 8 MiB; this leaves room for the form around them
DAYS = (1, 3, 7, 14, 31)
SLOW_S = 90.0  # reading a configuration, or deciding days of records again
REPLAYED_MAX = 100  # shown of what would have come out otherwise
DIGEST_CHARS = 64
CHANGED = "gate:activated from:body, gate:configuration from:body, gate:back from:body"


class Board(Word):
    """`revisions` as the gate tells them, the newest first; `proposed` with their standing."""

    active: Mapping[str, Any]
    revisions: tuple[Mapping[str, Any], ...]
    proposed: tuple[Mapping[str, Any], ...]
    on_disk: str
    may_go_back: bool


class Turns(Word):
    """What would have come out otherwise. `refused`: permitted or asked then; `allowed`: refused then; `asked`: permitted then."""

    days: int
    decisions: int
    whole: bool
    refused: int
    allowed: int
    asked: int
    otherwise: int  # asks other people, or now needs nobody
    rows: tuple[Mapping[str, Any], ...]
    more: int


class View(Word):
    """A configuration that is kept or proposed, beside the one in force."""

    digest: str
    revision: int
    active: bool
    proposed: Mapping[str, Any] | None
    changes: tuple[Told, ...]
    widens: int
    restart: tuple[str, ...]
    problems: tuple[Mapping[str, Any], ...]
    cases: tuple[Mapping[str, Any], ...]
    files: tuple[tuple[str, str], ...]

    @property
    def missed(self) -> int:
        return sum(bool(case["missed"]) for case in self.cases)


def routes(house: House) -> list[Any]:
    return [*_looking(house), *_proposing(house), *_signing(house)]


def _looking(house: House) -> list[Any]:
    @get("/policy")
    async def policy(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.page("policy", visit, request, board=await _board(house, visit), on=CHANGED)

    @get("/policy/list")
    async def listed(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("policy_list", visit, request, board=await _board(house, visit))

    @get("/policy/compare")
    async def compare(request: Req) -> Response[str]:
        """Two that were in force, side by side; the elder is the left one, whichever was named first."""
        visit = await house.visit(request)
        board = await _board(house, visit)
        asked = [request.query_params.get(side, "")[:DIGEST_CHARS] for side in ("old", "new")]
        at = {revision["digest"]: revision["generation"] for revision in reversed(board.revisions)}
        old, new = sorted(asked, key=lambda digest: at.get(digest, -1))
        if old == new or not {old, new} <= set(at):
            return await house.page("policy_compare", visit, request, code=400, board=board, found=None, old=old, new=new)
        found = await house.gate.get(f"/v1/configurations/{new}/against/{old}", token=visit.token)
        names, shown = await names_of(house, visit.token), house.shown(visit, None)
        rows = tuple(told(change, shown, names) for change in found["changes"])
        return await house.page("policy_compare", visit, request, board=board, found={**found, "rows": rows}, old=old, new=new)

    @get("/policy/of/{digest:str}")
    async def one(request: Req) -> Response[str]:
        return await _one(house, await house.visit(request), request, "", 200)

    return [policy, listed, compare, one]


def _proposing(house: House) -> list[Any]:
    @get("/policy/propose")
    async def proposing(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await _propose_page(house, visit, request, "", (), 200)

    @post("/policy/propose", request_max_body_size=FILES_BYTES_MAX)
    async def propose(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        if form.get("from") == "disk":
            disk = await _disk(house, visit)
            main, files = str(disk["main"]), disk["files"]
            if disk["digest"] != form.get("digest"):
                return await _propose_page(house, visit, request, house.shown(visit, None).t("policy.disk_changed"), (), 409)
        else:
            files = await _uploaded(request)
            main = form.get("main", "") or next((name for name in files if name.startswith("site.")), next(iter(files), ""))
        if not files:
            return await _propose_page(house, visit, request, house.shown(visit, None).t("policy.no_files"), (), 400)
        wanted = {"main": main, "files": files, "person": visit.person, "password": form.get("password", "")}
        try:
            standing = await house.gate.post("/v1/configurations/propose", wanted, token=visit.token, timeout_s=SLOW_S)
        except GateError as error:
            said = _said(house, visit, error)
            problems = await _problems(house, visit, main, files) if error.status in (400, 409) else ()
            return await _propose_page(house, visit, request, said, problems, error.status)
        return house.to(f"/policy/of/{standing['digest']}")

    return [proposing, propose]


def _signing(house: House) -> list[Any]:
    @post("/policy/of/{digest:str}/sign")
    async def sign(request: Req) -> Response[Any]:
        """A signature. In force with the last one that is asked for."""
        visit = await house.visit(request)
        form = await house.form(request, visit)
        digest = str(request.path_params["digest"])[:DIGEST_CHARS]
        person = form.get("person") or visit.person
        wanted = {"digest": digest, "person": person, "password": form.get("password", "")}
        act = "activate" if form.get("act") == "activate" else "sign"
        try:
            await house.gate.post(f"/v1/configurations/{act}", wanted, token=visit.token, timeout_s=SLOW_S)
        except GateError as error:
            return await _one(house, visit, request, _said(house, visit, error), error.status)
        return house.to(f"/policy/of/{digest}")

    @get("/policy/rollback")
    async def going_back(request: Req) -> Response[str]:
        return await _rollback(house, await house.visit(request), request, "", 200)

    @post("/policy/rollback")
    async def go_back(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        wanted = {"person": form.get("person") or visit.person, "password": form.get("password", "")}
        try:
            standing = await house.gate.post("/v1/configurations/rollback", wanted, token=visit.token, timeout_s=SLOW_S)
        except GateError as error:
            return await _rollback(house, visit, request, _said(house, visit, error), error.status)
        if standing["adopted"]:
            return house.to("/policy")
        roles = house.shown(visit, None).roles(standing["missing"])
        return await _rollback(house, visit, request, house.shown(visit, None).t("policy.signed_back", roles=roles), 200)

    return [sign, going_back, go_back]


async def _board(house: House, visit: Visit) -> Board:
    found = await house.gate.get("/v1/configurations", token=visit.token)
    revisions = tuple(sorted(found["in_force"], key=lambda r: -int(r["generation"])))
    active = next((r for r in revisions if r["active"]), revisions[0])
    status = await house.status()
    return Board(
        active=active,
        revisions=revisions,
        proposed=tuple(found["proposed"]),
        on_disk=str((status or {}).get("on_disk", "")),
        may_go_back=bool(active["former"]) and any(r["digest"] == active["former"] for r in revisions),
    )


async def _one(house: House, visit: Visit, request: Req, said: str, code: int) -> Response[str]:
    digest = str(request.path_params["digest"])[:DIGEST_CHARS]
    view = await _view(house, visit, digest)
    days = request.query_params.get("days", "")
    turns = await _turns(house, visit, digest, int(days)) if days in map(str, DAYS) else None
    return await house.page(
        "policy_one", visit, request, code=code, view=view, turns=turns, days=DAYS, said=said, on=CHANGED
    )  # fmt: skip


async def _view(house: House, visit: Visit, digest: str) -> View:
    kept = await house.gate.get(f"/v1/configurations/{digest}", token=visit.token)
    review = await house.gate.post("/v1/configurations/review", {"digest": digest}, token=visit.token, timeout_s=SLOW_S)
    listed = await house.gate.get("/v1/configurations", token=visit.token)
    names, shown = await names_of(house, visit.token), house.shown(visit, None)
    return View(
        digest=digest,
        revision=int(kept["revision"]),
        active=bool(kept["active"]),
        proposed=next((p for p in listed["proposed"] if p["standing"]["digest"] == digest), None),
        changes=_changes(review["changes"], shown, names),
        widens=int(review["widens"]),
        restart=tuple(review["restart"]),
        problems=tuple(review["problems"]),
        cases=tuple(review["cases"]),
        files=tuple(kept["files"].items()),
    )


def _changes(found: list[Mapping[str, Any]], shown: Any, names: Names) -> tuple[Told, ...]:
    return tuple(told(change, shown, names) for change in found)


async def _turns(house: House, visit: Visit, digest: str, days: int) -> Turns:
    content = await house.gate.content(f"/v1/configurations/{digest}/replay", {"days": days}, token=visit.token, timeout_s=SLOW_S)
    found = json.loads(content)
    ways = [(turn["before"], turn["after"]) for turn in found["changed"]]
    refused = sum(after == "refuse" and before != "refuse" for before, after in ways)
    allowed = sum(before == "refuse" and after != "refuse" for before, after in ways)
    asked = sum((before, after) == ("permit", "ask") for before, after in ways)
    return Turns(
        days=days, decisions=int(found["decisions"]), whole=bool(found["whole"]), refused=refused, allowed=allowed, asked=asked,
        otherwise=len(ways) - refused - allowed - asked, rows=tuple(found["changed"][:REPLAYED_MAX]),
        more=max(len(ways) - REPLAYED_MAX, 0),
    )  # fmt: skip


async def _disk(house: House, visit: Visit) -> Mapping[str, Any]:
    return json.loads(await house.gate.content("/v1/disk", token=visit.token, timeout_s=SLOW_S))


async def _propose_page(
    house: House, visit: Visit, request: Req, said: str, problems: tuple[Mapping[str, Any], ...], code: int
) -> Response[str]:
    board = await _board(house, visit)
    disk = await _disk(house, visit) if board.on_disk else None
    return await house.page("policy_propose", visit, request, code=code, board=board, disk=disk, said=said, problems=problems)


async def _problems(house: House, visit: Visit, main: str, files: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    """What the files themselves say, each with its line; () where they can't be looked at."""
    try:
        body = {"main": main, "files": files}
        found = await house.gate.post("/v1/configurations/review", body, token=visit.token, timeout_s=SLOW_S)
    except GateError:
        return ()
    return tuple(found["problems"])


async def _uploaded(request: Req) -> dict[str, str]:
    """By name. What is no UTF-8 (a tag list in GB18030) goes byte for byte."""
    files: dict[str, str] = {}
    for name, value in list((await request.form()).multi_items())[: FILES_MAX + 8]:
        if name != "files" or not isinstance(value, UploadFile) or not value.filename:
            continue
        content = await value.read()
        try:
            files[value.filename] = content.decode()
        except UnicodeDecodeError:
            files[value.filename] = f"base64:{base64.b64encode(content).decode()}"
    return files


async def _rollback(house: House, visit: Visit, request: Req, said: str, code: int) -> Response[str]:
    board = await _board(house, visit)
    view = await _view(house, visit, str(board.active["former"])) if board.may_go_back else None
    return await house.page("policy_rollback", visit, request, code=code, board=board, view=view, said=said)


def _said(house: House, visit: Visit, error: GateError) -> str:
    if error.status in (401, 503):
        raise error
    return house.refusal(error, visit)
