"""`holdfast replay`: the whole pipeline on a recording, as fast as it goes; nothing is opened and nothing is written."""

import asyncio
import contextlib
import json as jsonlib
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render
from holdfast.terms import plain

if TYPE_CHECKING:
    from holdfast.run.replay import Replayed, Replaying

TOLD_ROWS = 30  # of findings, proposals and alarms for people; --json has all


def register(app: typer.Typer) -> None:
    app.command("replay")(replay)


def replay(
    site: Annotated[Path, typer.Argument(help="The site file, with a connection of type replay.")],
    data: Annotated[Path | None, typer.Option(help="The recording, CSV or .csv.gz; without it the one that the site file names.")] = None,
    connection: Annotated[str | None, typer.Option(help="Which connection --data stands for, where there are several.")] = None,
    fit: Annotated[Path | None, typer.Option(help="A recording of quiet running to learn from, instead of the first quiet_rows.")] = None,
    far: Annotated[
        float | None, typer.Option(help="Set each limit so that this share of held-out quiet rows is above it; the site file's without.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Where the record goes; a new folder without.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for summary.json and scores.csv.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the whole pipeline on a recording, on the recording's own clock: what would have been found, said and proposed."""
    from holdfast.gate.history.store import HistoryError
    from holdfast.gate.ledger.checkpoint import KeyFileError
    from holdfast.gate.ledger.store import StateError
    from holdfast.plugins import PluginError
    from holdfast.ports import ConnectionLost
    from holdfast.run.recorded import ReplayError
    from holdfast.run.replay import Replaying
    from holdfast.site.model import SiteError
    from holdfast.site.secrets import SecretError

    if not site.is_file():
        fail(f"{site}: there is no such file; name a site file with a connection of type replay", json=json)
    try:
        with _progress() as told:
            playing = Replaying(site, data, fit=fit, far=far, connection=connection, told=told)
            where = home or Path(tempfile.mkdtemp(prefix="holdfast-replay-"))
            began_s = time.perf_counter()
            replayed = asyncio.run(playing.run(where)) if out is None else _written(playing, where, out)
        took_s = time.perf_counter() - began_s
    except (ReplayError, ConnectionLost, SiteError, PluginError, SecretError, StateError, HistoryError, KeyFileError, ValueError) as error:
        fail(str(error), json=json)
    except OSError as error:
        fail(f"{error.filename or home or out}: {error.strerror}; check the path and the disk", json=json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    answer = _answer(replayed, round(replayed.rows / max(took_s, 1e-9)))
    if out is not None:
        (out / "summary.json").write_text(jsonlib.dumps(plain(answer.data), ensure_ascii=False, indent=1) + "\n", "utf-8")
    render(answer, json=json)


def _written(playing: "Replaying", home: Path, out: Path) -> "Replayed":
    """With scores.csv, which appears whole or not at all."""
    from holdfast.run.replay import utc

    out.mkdir(parents=True, exist_ok=True)
    beside = out / "scores.csv.part"
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write("row,time,score,incident\n")

            def score(row: int, at_ns: int, value: float, incident: bool) -> None:
                file.write(f"{row},{utc(at_ns)},{value!r},{int(incident)}\n")

            replayed = asyncio.run(playing.run(home, score))
        beside.replace(out / "scores.csv")
    finally:
        beside.unlink(missing_ok=True)
    return replayed


@contextlib.contextmanager
def _progress() -> "Generator[Callable[[str, int, int | None], None]]":
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


def _answer(found: "Replayed", rows_per_s: int) -> Answer:
    never = tuple(d.detector for d in found.detectors if not d.learned)
    data = {**plain(found), "rows_per_s": rows_per_s}
    ended = [f"{name} never learned: its quiet stretch holds gaps it can't learn from; give another one with --fit" for name in never]
    ledger = found.ledger
    lines = (
        *(f"warning: {text}" for text in (*found.warnings, *ended)),
        f"record  {ledger.path}: {ledger.records} records, root {ledger.root}",
        f"verify  holdfast ledger verify {ledger.path} --key {ledger.key}",
    )
    title = (
        f"{found.site}: {', '.join(Path(s.path).name for s in found.data)}, {found.rows} rows of {found.tags} tags at {rows_per_s} rows/s"
    )
    code = DONE if ledger.verified and not never else NO
    return Answer(data=data, title=title, columns=("when", "row", "what", ""), rows=tuple(_rows(found)), lines=lines, code=code)


def _rows(found: "Replayed") -> Generator[tuple[str, str, str, str]]:
    yield _when(0.0), "0", "first row", f"{found.first}, autonomy {found.autonomy}: nothing is written"
    for detector in found.detectors:
        yield (
            "",
            "",
            "learned",
            f"{detector.detector}: {detector.of}, {detector.tags} tags, limit {detector.limit:.4g} ({detector.limit_from})",
        )
    told: list[tuple[float, int, str, str]] = []
    for alarm in found.alarms:
        often = f", {alarm.times} times in all" if alarm.times > 1 else ""
        told.append(
            (alarm.at_s, alarm.row, "plant alarm", f"{alarm.tag} {alarm.limit}: {alarm.value:g} (limit {alarm.threshold:g}){often}")
        )
    for finding in found.findings:
        tags = ", ".join(f"{tag} {share:.0%}" for tag, share in finding.tags)
        cause = f"; {finding.cause} ({finding.probability:.0%})" if finding.probability is not None else ""
        told.append((finding.at_s, finding.row, "finding", f"{tags}{cause}"))
    for proposal in found.proposals:
        sets = ", ".join(f"{tag} = {value:g}" for tag, value in proposal.sets)
        failed = f" ({', '.join(proposal.failed)})" if proposal.failed else ""
        told.append((proposal.at_s, proposal.row, "proposal", f"{sets}: {proposal.verdict}{failed}"))
    told.sort(key=lambda one: one[:2])
    for at_s, row, what, text in told[:TOLD_ROWS]:
        yield _when(at_s), str(row), what, text
    if len(told) > TOLD_ROWS:
        yield "", "", "", f"and {len(told) - TOLD_ROWS} more: see --json"
    yield _when(found.span_s), str(found.rows - 1), "last row", found.last
    yield "", "", "lead", _lead(found)


def _lead(found: "Replayed") -> str:
    if found.first_finding_s is None:
        return "nothing was found" if found.alarm_s is None else "nothing was found; the plant alarmed"
    if found.lead_s is None:
        return "no plant alarm to lead"
    side = "before" if found.lead_s >= 0 else "after"
    return f"first finding {_when(abs(found.lead_s)).lstrip('+')} {side} the first plant alarm"


def _when(seconds: float) -> str:
    """Plant time since the first row."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"+{hours}:{minutes:02d}:{rest:04.1f}" if rest % 1 else f"+{hours}:{minutes:02d}:{int(rest):02d}"
