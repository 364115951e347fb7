"""What every attack on the console needs: a hostile text, a proposal that waits, and what the record says afterwards."""

import re
from pathlib import Path
from typing import Any, cast

from console_scene import PASSWORD, Scene, fresh_id
from litestar.routes import HTTPRoute

from holdfast.clock import RealClock
from holdfast.console.app import console_app
from holdfast.run.desk import Vote
from holdfast.terms import Evidence, Proposal, Write

EVIL = '<script>window.taken=1</script><img src=x onerror="window.taken=1">"\'><svg onload=window.taken=1>{{7*7}}'
SHOWN = '<script>window.taken=1</script><img src=x onerror="window.taken=1">'
SETPOINT = "stand-4/tension.sp"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def asks_for(scene: Scene, tension: float = 101.0, text: str = "vibration grows with tension") -> str:
    wanted = Proposal(
        id=fresh_id("trim"), incident="i-1", action=Write(sets=((SETPOINT, tension),)), reason=text,
        evidence=(Evidence(kind="finding", ref="f-1", quote=text),), expect=text, valid_s=300.0,
    )  # fmt: skip
    decision = scene.agent(lambda link: link.propose(wanted))
    assert decision.verdict == "ask", [reason for reason in decision.reasons if not reason.passed]
    return wanted.id


def refuse(scene: Scene, proposal: str, reason: str = "end of test") -> None:
    """By somebody whose role has not signed yet."""
    roles = {one["role"] for one in scene.desk(lambda desk: desk._ask("GET", f"/v1/approvals/{proposal}"))["signed"]}
    person, role = ("zhang.min", "process-engineer") if "operator" in roles else ("li.wei", "operator")
    no = Vote(proposal=proposal, person=person, password=PASSWORD, yes=False, reason=reason, role=role)
    scene.desk(lambda desk: desk.vote(no))


def bodies(scene: Scene, *kinds: str) -> list[dict[str, Any]]:
    return [record["body"] for record in all_records(scene) if record["kind"] in kinds]


def all_records(scene: Scene) -> list[dict[str, Any]]:
    return [cast(dict[str, Any], record) for record in scene.desk(lambda desk: desk.records(0))]


def refusals(scene: Scene) -> set[tuple[str, str, str]]:
    return {(one["person"], one["act"], one["why"]) for one in bodies(scene, "refused.act")}


def routes_of(proposal: str) -> tuple[set[str], set[str]]:
    """What GET and POST may be sent to, with something put in for each name."""
    app = console_app(Path("/nowhere"), RealClock(), b"k" * 32, language="en", secure=False)
    found: dict[str, set[str]] = {"GET": set(), "POST": set()}
    for route in app.routes:
        if isinstance(route, HTTPRoute) and not route.path.startswith(("/static", "/live", "/ledger/verify/run")):
            path = re.sub(r"{\w+}", lambda match: "2" if match[0] == "{seq}" else proposal, route.path_format)
            for handler in route.route_handlers:
                for method in handler.http_methods & found.keys():
                    found[str(method)].add(path)
    assert min(map(len, found.values())) > 10
    return found["GET"], found["POST"] - found["GET"]
