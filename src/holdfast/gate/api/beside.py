"""What can be laid beside the configuration in force: another revision, and the site file that lies on the disk. Reads only."""

import asyncio
from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.exceptions import HTTPException

from holdfast.gate.actuation.proposed import collected
from holdfast.gate.api.configurations import site_of
from holdfast.gate.api.messages import Req, json
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.guard.cases import beside
from holdfast.gate.guard.difference import difference
from holdfast.site.load import load
from holdfast.site.model import SiteError

PROBLEMS_MAX = 50


def beside_handlers(gate: Gatekeeper) -> list[Any]:
    """Routes for `people_app`; reading needs no name."""
    turn = asyncio.Semaphore(1)  # each takes a core for a moment

    @get("/v1/configurations/{digest:str}/against/{old:str}")
    async def against(request: Req) -> Response[bytes]:
        """What changes from `old` to `digest`, both kept here."""
        old, new = site_of(gate, str(request.path_params["old"])), site_of(gate, str(request.path_params["digest"]))
        async with turn:
            found = await asyncio.to_thread(difference, old, new)
        facts = {"old": old.policy.revision, "new": new.policy.revision}
        return json({**facts, "changes": found, "widens": sum(c.widens for c in found)})

    @get("/v1/disk")
    async def disk() -> Response[bytes]:
        """The site file on the disk with all it names, as `propose` takes them. `files` is empty where it can't be read."""
        file = gate.site_file
        if file is None:
            raise HTTPException(status_code=404, detail="this gate was started without a site file on the disk")
        async with turn:
            return json(await asyncio.to_thread(_on_disk, file))

    return [against, disk]


def _on_disk(file: Path) -> dict[str, Any]:
    try:
        found = load(file)
        main, files = collected(found)
        cases = beside(found.policy_file or str(file))
        if cases.is_file() and cases.parent == file.parent:
            files = {**files, cases.name: cases.read_text(encoding="utf-8")}
    except SiteError as error:
        problems = [{"file": p.file, "line": p.line, "what": p.what, "cure": p.cure, "severity": p.severity} for p in error.problems]
        return {"digest": "", "revision": 0, "main": file.name, "files": {}, "problems": problems[:PROBLEMS_MAX]}
    except (OSError, ValueError) as error:
        problem = {"file": file.name, "line": 1, "what": str(error), "cure": "", "severity": "error"}
        return {"digest": "", "revision": 0, "main": file.name, "files": {}, "problems": [problem]}
    return {"digest": found.digest, "revision": found.site.policy.revision, "main": main, "files": dict(files), "problems": []}
