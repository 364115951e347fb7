"""`holdfast detectors`: what each detector learned and which of it is in force; have one learn anew, put a version back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.asking import ask, password_of
from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import DONE, NO, Answer, render

if TYPE_CHECKING:
    from holdfast.run.desk import Desk

ASK_AGAIN_S = 1.0
WAIT_S_MAX = 900.0  # a request that was not answered by then is over
SHORT = 12  # characters of a digest that are shown
NameArgument = Annotated[str, typer.Argument(help="The detector's name, as the site file has it.")]
AsOption = Annotated[str, typer.Option("--as", help="Your name, as `holdfast people list` has it.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is signed with the act.")]
LanguageOption = Annotated[str, typer.Option(help="en or zh.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What detectors learned: look, learn anew, put back.")
    group.command("list")(list_)
    group.command("relearn")(relearn)
    group.command("put-back")(put_back)
    app.add_typer(group, name="detectors")


def list_(home: HomeOption = HOME, language: LanguageOption = "en", json: JsonOption = False) -> None:
    """Each detector of the running gate: the state in force, since when and by whom, the versions, and the drift of its normal state."""
    found = ask(home, lambda desk: desk.detectors(), json=json)
    rows = tuple(_row(one, language) for one in found)
    columns = ("detector", "kind", "in force", "since (UTC)", "by", "versions", "drift", "")
    lines = () if found else ("the site file names no detector under `perception`",)
    render(Answer(data={"detectors": found}, columns=columns, rows=rows, lines=(*lines, *_told(found, language))), json=json)


def relearn(
    name: NameArgument,
    person: AsOption,
    home: HomeOption = HOME,
    reason: ReasonOption = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the agent's answer; 0 for none.", min=0, max=WAIT_S_MAX)] = 90.0,
    language: LanguageOption = "en",
    json: JsonOption = False,
) -> None:
    """Have a detector learn its normal state from its last quiet rows. What it learns is in force only once people approve it.

    Exit 1 where now is no time to learn from, or the stretch is none: the answer says why.
    """
    body = {"name": name, "person": person, "password": password_of(person, json=json), "reason": reason}

    async def asked(desk: "Desk") -> Any:
        request = await desk.act("/v1/detectors/relearn", body)
        return await _answered(desk, request, wait)

    found = ask(home, asked, json=json)
    from holdfast.language import say

    if not found["ended"]:
        line, code = f"{name} is asked to learn anew; `holdfast detectors list` shows the answer", DONE
    else:
        line = say(found["ended"], dict(found["facts"]), language)
        code = DONE if found["ended"] == "learned.offered" else NO
    more = ("`holdfast approvals list` shows what waits, `holdfast approve ID` answers",) if found["ended"] == "learned.offered" else ()
    render(Answer(data={"asked": found}, lines=(line, *more), code=code), json=json)


def put_back(
    name: NameArgument,
    digest: Annotated[str, typer.Argument(help="The version's digest, or its first characters, 8 or more.")],
    person: AsOption,
    home: HomeOption = HOME,
    reason: ReasonOption = "",
    json: JsonOption = False,
) -> None:
    """Put a learned state back that was in force before. Agents follow within a minute."""
    body = {"name": name, "digest": digest, "person": person, "password": password_of(person, json=json), "reason": reason}
    found = ask(home, lambda desk: desk.act("/v1/detectors/put-back", body), json=json)
    line = f"{found['digest'][:SHORT]} is in force for {name} again"
    render(Answer(data={"in_force": found}, lines=(line,)), json=json)


async def _answered(desk: "Desk", request: Any, wait_s: float) -> Any:
    """The request as it stands once it was answered, or after wait_s."""
    import asyncio

    found = request
    for _ in range(round(wait_s / ASK_AGAIN_S)):
        await asyncio.sleep(ASK_AGAIN_S)
        now = [one["asked"] for one in await desk.detectors() if one["asked"] and one["asked"]["relearn"] == request["relearn"]]
        found = now[0] if now else found
        if found["ended"]:
            break
    return found


def _row(one: Any, language: str) -> tuple[str, ...]:
    from holdfast.language import say

    now = one["in_force"]
    told = [said for _, said in one["told"]]
    learning = [said["learning"] for said in told if not said["digest"]]
    drift = max((said["drift"] for said in told if said["drift"] is not None), default=None)
    state = "drifted" if any(said["drifted"] for said in told) else f"learning {min(learning):.0%}" if learning and not now else ""
    return (
        one["name"],
        one["detector"],
        now["digest"][:SHORT] if now else "",
        _utc(now["since_ns"]) if now else "",
        f"{now['by']} ({say('console.value.' + now['how'], {}, language)})" if now else "",
        str(len(one["versions"])),
        "" if drift is None else f"{drift:.1f}",
        state,
    )


def _told(found: list[Any], language: str) -> tuple[str, ...]:
    """Versions, troubles and answers, a line each."""
    from holdfast.language import say

    lines: list[str] = []
    for one in found:
        now = one["in_force"]["digest"] if one["in_force"] else ""
        for version in one["versions"]:
            mark = "*" if version["digest"] == now else " " if version["adopted_ns"] else "?"
            span = f"{version['rows']} rows, {_utc(version['from_ns'])} to {_utc(version['to_ns'])}"
            lines.append(f"{mark} {one['name']} {version['digest'][:SHORT]} {span}{'' if version['fits'] else ', of other tags'}")
        for agent, said in one["told"]:
            if said["trouble"]:
                lines.append(f"{agent}: {one['name']}: {say(said['trouble'], {}, language)}")
            if said["drifted"]:
                moved = ", ".join(f"{tag} {wanders:+.1f}" for tag, wanders in said["tags"])
                lines.append(f"{agent}: {one['name']}: {say('learned.drifted', {'moved': moved}, language)}")
        if one["due_ns"]:
            lines.append(f"{one['name']}: {say('learned.due', {'at': _utc(one['due_ns'])}, language)}")
        if one["asked"]:
            ended = "learned.adopted" if now and one["asked"]["digest"] == now else one["asked"]["ended"]
            said = say(ended, dict(one["asked"]["facts"]), language) if ended else "…"
            person = one["asked"]["person"] or say("learned.by_schedule", {}, language)
            lines.append(f"{person}, {_utc(one['asked']['at_ns'])}: {one['name']}: {said}")
    return tuple(lines)


def _utc(ns: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
