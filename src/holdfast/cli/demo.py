"""The demo: a simulated rolling mill and an agent that keeps it in bounds, live or as fast as it goes."""

import asyncio
import contextlib
import dataclasses
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.render import NO, Answer, fail, render
from holdfast.language import duration

if TYPE_CHECKING:
    from holdfast.run.headless import Ran

SPEED = 20.0
SPEED_MAX = 1000.0  # more than any machine keeps up with
FOR_S_MAX = 86_400.0 * 31


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    scenario: Annotated[str, typer.Option(help="normal, chatter, bearing, frozen-sensor, lost-link or operator")] = "chatter",
    seed: Annotated[int, typer.Option(help="of the plant's physics and noise")] = 1,
    speed: Annotated[float, typer.Option(help="plant seconds a second, live")] = SPEED,
    for_: Annotated[float | None, typer.Option("--for", help="plant seconds")] = None,
    autonomy: Annotated[str | None, typer.Option(help="observe, shadow, ask or act")] = None,
    agent: Annotated[
        bool, typer.Option("--agent/--no-agent", help="without: the scripted operator alone, who slows the line at the alarm")
    ] = True,
    headless: Annotated[bool, typer.Option("--headless", help="as fast as it goes, on a virtual clock")] = False,
    wire: Annotated[bool, typer.Option("--wire", help="headless with the real servers between")] = False,
    home: Annotated[Path | None, typer.Option(help="where all that the run keeps goes")] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object last")] = False,
) -> None:
    """Run a simulated rolling mill with an agent that keeps it in bounds."""
    from holdfast.sim.mill.scenarios import NAMES
    from holdfast.terms import AUTONOMIES

    if scenario not in NAMES:
        fail(f"no scenario {scenario!r}; there are {', '.join(NAMES)}", json=json)
    level = next((one for one in AUTONOMIES if one == (autonomy or ("act" if headless or wire else "ask"))), None)
    if level is None:
        fail(f"no autonomy {autonomy!r}; there are {', '.join(AUTONOMIES)}", json=json)
    if not 0 < speed <= SPEED_MAX:
        fail(f"--speed must be above 0 and at most {SPEED_MAX:g} plant seconds a second, not {speed:g}", json=json)
    if for_ is not None and not 0 < for_ <= FOR_S_MAX:
        fail(f"--for must be above 0 and at most {FOR_S_MAX:g} plant seconds, not {for_:g}", json=json)
    where = home or Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    if headless or wire:
        with _told(where, json=json):
            answer = _headless(scenario, seed, for_, level, agent, wire, where, quiet=json)
        render(answer, json=json)
    from rich.console import Console

    from holdfast.run.demo import Stage, story
    from holdfast.run.supervise import Home

    async def live() -> None:
        stage = Stage(Home(path=where.absolute()), Console(highlight=False, soft_wrap=True, stderr=json), scenario, seed, speed)
        try:
            await story(stage, level, for_s=for_, with_agent=agent)
        finally:
            await stage.fall()

    with _told(where, json=json):
        asyncio.run(live())
    raise typer.Exit(0)


@contextlib.contextmanager
def _told(home: Path, *, json: bool) -> Generator[None]:
    """What a run can't start for, said with what to do; Ctrl-C ends it quietly."""
    from holdfast.gate.history.store import HistoryError
    from holdfast.gate.ledger.checkpoint import KeyFileError
    from holdfast.gate.ledger.store import StateError
    from holdfast.run.supervise import StartError

    try:
        yield
    except (StartError, StateError, HistoryError, KeyFileError) as error:
        fail(str(error), json=json)
    except OSError as error:
        fail(f"{error.filename or home}: {error.strerror or error}. Give a folder that is yours to write with --home.", json=json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _headless(scenario: str, seed: int, for_s: float | None, level: Any, agent: bool, wire: bool, home: Path, *, quiet: bool) -> Answer:
    from rich.console import Console
    from rich.progress import Progress

    from holdfast.run.headless import run_headless

    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task(f"{scenario}, seed {seed}", total=1.0)
        ran = asyncio.run(
            run_headless(
                scenario, seed, seconds=for_s, autonomy=level, with_agent=agent, home=home, wire=wire,
                progress=lambda share: bar.update(task, completed=share),
            )
        )  # fmt: skip
    data = dataclasses.asdict(ran)
    lines = (f"repeat it: holdfast ledger verify {ran.ledger.path} --key {ran.ledger.key}",)
    return Answer(
        data=data, columns=("", ""), rows=_rows(ran), lines=lines, code=0 if ran.ledger.verified and not ran.writes_outside else NO
    )


def _rows(ran: "Ran") -> tuple[tuple[str, str], ...]:
    """The run in a person's words; --json has every field."""

    def at(seconds: float | None) -> str:
        return "never" if seconds is None else duration(str(seconds), "en")

    rates, ledger = ran.false_alarm_rate, ran.ledger
    alone = ran.without_agent
    return (
        ("scenario", f"{ran.scenario}, seed {ran.seed}, {duration(str(ran.seconds), 'en')} of plant time, {ran.frames} frames"),
        ("first finding", at(ran.first_finding_s)),
        ("plant alarm", f"{at(ran.alarm_s)}; without the agent {at(alone.alarm_s)}" if alone else at(ran.alarm_s)),
        ("lead", "none to tell" if ran.lead_s is None else at(ran.lead_s)),
        ("false episodes", f"per plant hour: alarms {rates.alarms:.3g}, detector {rates.detector:.3g}, on {rates.hours:g} normal hours"),
        ("proposals", f"{ran.proposals}: {ran.permitted} permitted, {ran.asked} asked, {ran.refused} refused"),
        ("refused for", ", ".join(f"{code} ({count})" for code, count in ran.refusals) or "nothing"),
        ("writes", f"{ran.writes_sent} sent, {ran.writes_verified} verified, {ran.indeterminate} indeterminate"),
        ("outside envelopes", str(ran.writes_outside)),
        ("defects", f"{ran.defect_rate:.4g} a km" + (f"; without the agent {alone.defect_rate:.4g}" if alone else "")),
        ("rolled", f"{ran.tonnes:.4g} t" + (f"; without the agent {alone.tonnes:.4g}" if alone else "")),
        ("ledger", f"{ledger.records} records, root {ledger.root[:16]}…: {'verified' if ledger.verified else 'NOT VERIFIED'}"),
    )
