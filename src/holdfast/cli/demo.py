"""The demo: a simulated rolling mill and an agent that keeps it in bounds, live or as fast as it goes."""

import asyncio
import dataclasses
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.render import NO, Answer, fail, render

SPEED = 20.0


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
    where = home or Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    if headless or wire:
        render(_headless(scenario, seed, for_, level, agent, wire, where, quiet=json), json=json)
    from rich.console import Console

    from holdfast.run.demo import Stage, story
    from holdfast.run.supervise import Home, StartError

    async def live() -> None:
        stage = Stage(Home(path=where.absolute()), Console(highlight=False, stderr=json), scenario, seed, speed)
        try:
            await story(stage, level, for_s=for_, with_agent=agent)
        finally:
            await stage.fall()

    try:
        asyncio.run(live())
    except StartError as error:
        fail(str(error), json=json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(0)


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
    shown = {n: "never" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for n, v in data.items()}
    rows = tuple(shown.items())
    return Answer(data=data, columns=("", ""), rows=rows, code=0 if ran.ledger.verified and not ran.writes_outside else NO)
