"""`holdfast detect`: a detector on a user's own CSV: learn the quiet stretch, set the limit, score every row, tell what was found."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.detect_answer import Job, Quiet, Told, answer_of
from holdfast.cli.render import Answer, fail, render

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.agent.perception.calibrate import RowLimit
    from holdfast.agent.perception.gradual import Gradual
    from holdfast.agent.perception.over_file import Pass
    from holdfast.agent.perception.recording import Layout, Recording
    from holdfast.agent.perception.trace import Trace
    from holdfast.ports import Detector

    Matrix = NDArray[np.float64]

FIT_CELLS_MAX = 20_000_000  # rows x tags learned from
FIT_ROWS_MAX = 100_000
CALIBRATE_ROWS_MAX = 5_000_000  # of one file; the limit does not get better from more
PICTURE_COLUMNS_MAX = 512
NORMAL = 0.9  # quantile of quiet scores that an onset is walked back to


def register(app: typer.Typer) -> None:
    app.command()(detect)


def detect(
    fit: Annotated[Path, typer.Option(help="CSV (.csv.gz too) with a quiet stretch to learn from.")],
    data: Annotated[Path, typer.Option(help="CSV to score.")],
    out: Annotated[Path, typer.Option(help="CSV to write: sample,score,alarm.")],
    fit_rows: Annotated[int | None, typer.Option(help="Learn from the first so many rows of the fit file.", min=1)] = None,
    calibrate: Annotated[list[Path] | None, typer.Option(help="Quiet CSV to set the limit on; may be repeated.")] = None,
    columns: Annotated[str, typer.Option(help="Columns to watch, by name, separated by commas. Default: all numeric tags.")] = "",
    detector: Annotated[str, typer.Option(help="Which detector; auto chooses by the quiet stretch and says why.")] = "auto",
    far: Annotated[float, typer.Option(help="Share of quiet rows that may be above the limit.")] = 0.01,
    confirm: Annotated[int, typer.Option(help="Rows in a row above the limit that make a finding.", min=1, max=600)] = 5,
    limit: Annotated[
        list[str] | None, typer.Option(help="A limit of the plant, COLUMN=VALUE, to draw and to foretell; may be repeated.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="HTML page to write: scores, findings, limits and contributing columns.")] = None,
    json: Annotated[bool, typer.Option(help="Print one JSON object.")] = False,
) -> None:
    """Find trouble in a recording: learn a quiet stretch, set the limit, score every row."""
    if not 0 < far < 1:
        fail(f"--far must be between 0 and 1, not {far}", json=json)
    if plot is not None and plot.suffix.lower() not in (".html", ".htm"):
        fail(
            f"--plot {plot}: pictures are HTML pages that load nothing: give a name that ends in .html and print it to PNG there", json=json
        )
    try:
        job = Job(
            fit=fit,
            fit_rows=fit_rows,
            calibrate=tuple(calibrate or ()),
            data=data,
            columns=tuple(name.strip() for name in columns.split(",") if name.strip()),
            detector=detector,
            far=far,
            confirm_rows=confirm,
            limits=tuple(_limit_of(text) for text in limit or ()),
            out=out,
            plot=plot,
        )
        answer = _detect(job)
    except (ValueError, OSError) as error:
        fail(str(error), json=json)
    render(answer, json=json)


def _limit_of(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(f"--limit {text}: write COLUMN=VALUE, the value a plain number") from None


def _detect(job: Job) -> Answer:
    import numpy as np

    from holdfast.agent.perception.named import detector_named
    from holdfast.agent.perception.over_file import Pass
    from holdfast.agent.perception.recording import Recording, Unreadable
    from holdfast.cli.detect_words import say, warn_of_file, warn_of_quiet

    for written in (job.out, job.plot):
        if (
            written is not None
            and written.exists()
            and any(written.samefile(path) for path in (job.fit, job.data, *job.calibrate) if path.exists())
        ):
            raise Unreadable(f"{written}: --{'out' if written == job.out else 'plot'} is one of the inputs: give another name")
    model = detector_named(job.detector)
    shapes, columns = _columns(job)
    quiet = _quiet(job, shapes[job.fit], columns)
    unknown = [name for name, _ in job.limits if name not in quiet.columns]
    if unknown:
        raise Unreadable(f"--limit names {', '.join(unknown)}, which is not watched: there are {', '.join(quiet.columns)}")
    warn_of_quiet(quiet.columns, quiet.rows)
    with _progress("setting the limit") as told:
        streams = _quiet_scores(job, model, quiet, shapes, told)
        limit = _limit(job, streams)
    chosen, why = _choice(model)
    for sentence in why:
        say(sentence)
    normal = float(np.quantile(np.concatenate(streams), NORMAL))
    over = Pass(model, quiet.columns, limit.limit, normal=normal, confirm_rows=job.confirm_rows)
    recording = Recording(shapes[job.data], quiet.columns)
    slopes = _slopes(job, quiet)
    with _progress("scoring", job.data.stat().st_size) as told:
        traces = _score(job, over, recording, quiet, slopes, told)
    if not recording.rows:
        raise Unreadable(f"{job.data}: no rows to score")
    warn_of_file(job.data, recording, quiet.columns)
    if job.plot is not None:
        _draw(job, quiet, limit.limit, over, traces)
    remaining = slopes.remaining(dict(job.limits)) if slopes is not None else ()
    return answer_of(job, Told(quiet=quiet, limit=limit, recording=recording, over=over, why=why, chosen=chosen, remaining=remaining))


def _columns(job: Job) -> "tuple[dict[Path, Layout], tuple[str, ...]]":
    """The layouts of all files and the columns to watch: numeric in all of them, no time, counter or label."""
    from holdfast.agent.perception.recording import Unreadable, layout
    from holdfast.cli.detect_words import say

    shapes = {path: layout(path) for path in dict.fromkeys((job.fit, *job.calibrate, job.data))}
    fit = shapes[job.fit]
    if job.columns:
        for shape in shapes.values():
            for name in job.columns:
                if name not in shape.columns:
                    raise Unreadable(f"{shape.path}: no column {name!r}: it has {', '.join(shape.columns)}")
        if len(set(job.columns)) != len(job.columns):
            raise Unreadable("--columns names a column twice")
        return shapes, job.columns
    aside = dict(fit.set_aside)
    used: list[str] = []
    ignored: list[str] = []
    for name in fit.columns:
        # Numbers are asked of the fit file alone: in the first rows of another, a tag may have nothing but gaps.
        if name not in fit.numeric:
            ignored.append(f"{name} (no numbers)")
        elif name in aside:
            ignored.append(f"{name} ({aside[name]})")
        elif absent := [path.name for path, shape in shapes.items() if name not in shape.columns]:
            ignored.append(f"{name} (not in {', '.join(absent)})")
        else:
            used.append(name)
    for path, shape in shapes.items():
        ignored += [f"{name} (only in {path.name})" for name in shape.columns if name not in fit.columns]
    if ignored:
        say(f"ignored: {', '.join(dict.fromkeys(ignored))}")
    if not used:
        raise Unreadable(f"{job.fit}: no numeric column that all files have: name some with --columns")
    say(f"watching {len(used)} columns: {', '.join(used)}")
    return shapes, tuple(used)


def _quiet(job: Job, shape: "Layout", columns: tuple[str, ...]) -> Quiet:
    """The quiet stretch, without columns that have no value in it."""
    import numpy as np

    from holdfast.agent.perception.recording import Recording, Unreadable
    from holdfast.cli.detect_words import say, warn_of_file

    bound = min(FIT_ROWS_MAX, FIT_CELLS_MAX // len(columns))
    most = bound if job.fit_rows is None else min(job.fit_rows, bound)
    recording = Recording(shape, columns)
    blocks: list[Matrix] = []
    starts: list[int] = []
    with _progress("reading the quiet stretch", job.fit.stat().st_size) as told:
        for block in recording.blocks(rows_max=most, told=told):
            starts += [recording.rows - block.shape[0] + start for start in recording.starts]
            blocks.append(block)
    if not blocks:
        raise Unreadable(f"{job.fit}: no rows to learn from")
    rows = np.concatenate(blocks)
    if job.fit_rows is not None and rows.shape[0] < min(job.fit_rows, bound):
        say(f"{job.fit} has {rows.shape[0]} rows, fewer than --fit-rows {job.fit_rows}: learning from all of them")
    elif rows.shape[0] == bound:
        say(f"learning from the first {bound} rows of {job.fit}: no more are used for {len(columns)} columns")
    if starts:
        say(f"{job.fit}: {len(starts) + 1} runs, told apart by {shape.unit or shape.count}")
    warn_of_file(job.fit, recording, columns)
    empty = recording.gaps == recording.rows
    if empty.any():
        names = ", ".join(name for name, none in zip(columns, empty.tolist(), strict=True) if none)
        if job.columns or empty.all():
            raise Unreadable(f"{job.fit}: no number in column {names} of the quiet stretch: leave it out or choose another stretch")
        say(f"ignored: {names} (no number in the quiet stretch)")
        columns = tuple(name for name, none in zip(columns, empty.tolist(), strict=True) if not none)
        rows = rows[:, ~empty]
    return Quiet(columns=columns, rows=rows, starts=tuple(starts))


def _quiet_scores(job: Job, model: "Detector", quiet: Quiet, shapes: "dict[Path, Layout]", told: Callable[[int], None]) -> "list[Matrix]":
    """Fit `model` on the quiet stretch; scores of the calibration files, else of held-out parts of the stretch."""
    from holdfast.agent.perception.learning import held_out_scores
    from holdfast.agent.perception.recording import Recording
    from holdfast.agent.perception.runs import cut, fitted
    from holdfast.cli.detect_words import warn_of_file

    if not job.calibrate:
        return held_out_scores(model, quiet.rows, quiet.columns, told, starts=quiet.starts)
    fitted(model, cut(quiet.rows, quiet.starts), quiet.columns)
    streams: list[Matrix] = []
    for path in job.calibrate:
        recording = Recording(shapes[path], quiet.columns)
        model.reset()
        for block in recording.blocks(rows_max=CALIBRATE_ROWS_MAX, told=told):
            for start, run in enumerate(cut(block, recording.starts)):
                if start or 0 in recording.starts:
                    model.reset()
                streams.append(model.score(run))
        warn_of_file(path, recording, quiet.columns)
    return streams


def _limit(job: Job, streams: "Sequence[Matrix]") -> "RowLimit":
    from holdfast.agent.perception.calibrate import limit_for_rate
    from holdfast.cli.detect_words import say

    limit = limit_for_rate(streams, job.far)
    if limit.rows * job.far < 1:
        say(f"only {limit.rows} quiet rows to set the limit on: too few for a rate of {job.far:g}; the limit is the highest score seen")
    if not limit.limit > 0:
        say(f"the limit is {limit.limit:.3g}, not above 0: rows in alarm are told, findings are not; give a longer quiet stretch")
    return limit


def _choice(model: "Detector") -> tuple[str, tuple[str, ...]]:
    """What `auto` chose and why, in words."""
    from holdfast.language import say as words

    why: tuple[tuple[str, dict[str, str]], ...] = getattr(model, "why", ())
    return str(getattr(model, "chosen", model.name)), tuple(words(code, facts, "en") for code, facts in why)


def _slopes(job: Job, quiet: Quiet) -> "Gradual | None":
    """What foretells when a limit of the plant is met, where one was given."""
    from holdfast.agent.perception.gradual import Gradual

    if not job.limits:
        return None
    slopes = Gradual()
    slopes.fit(quiet.rows, quiet.columns)
    return slopes


def _score(
    job: Job, over: "Pass", recording: "Recording", quiet: Quiet, slopes: "Gradual | None", told: Callable[[int], None]
) -> "tuple[Trace, Trace] | None":
    """Write the output whole or not at all. Gives the traces of scores and of columns where a picture is wanted."""
    from holdfast.agent.perception.recording import Unreadable
    from holdfast.agent.perception.trace import Trace
    from holdfast.cli.detect_words import warn_of_units

    if job.plot is not None and len(quiet.columns) > PICTURE_COLUMNS_MAX:
        raise Unreadable(f"--plot takes at most {PICTURE_COLUMNS_MAX} columns, not {len(quiet.columns)}: name some with --columns")
    traces = (Trace(1), Trace(len(quiet.columns))) if job.plot is not None else None
    at = 0
    beside = job.out.with_name(job.out.name + ".part")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write("sample,score,alarm\n")
            for block in recording.blocks(told=told):
                if not at:
                    warn_of_units(job.data, quiet.columns, quiet.rows, block)
                for rows, scores in over.feed(block, recording.starts):
                    above = scores > over.limit
                    file.writelines(
                        f"{at + i},{score!r},{int(alarm)}\n"
                        for i, (score, alarm) in enumerate(zip(scores.tolist(), above.tolist(), strict=True))
                    )
                    at += scores.shape[0]
                    if slopes is not None:
                        slopes.score(rows)
                    if traces is not None:
                        traces[0].add(scores[:, None])
                        traces[1].add(rows)
        beside.replace(job.out)
    finally:
        beside.unlink(missing_ok=True)
    return traces


def _draw(job: Job, quiet: Quiet, limit: float, over: "Pass", traces: "tuple[Trace, Trace] | None") -> None:
    import numpy as np

    from holdfast.cli.detect_picture import write

    assert job.plot is not None and traces is not None  # noqa: S101, PT018  the caller has asked
    given: dict[str, list[float]] = {}
    for name, value in job.limits:
        given.setdefault(name, []).append(value)
    finite = np.where(np.isfinite(quiet.rows), quiet.rows, np.nan)
    centre, spread = np.nanmean(finite, axis=0), np.nanstd(finite, axis=0)
    write(
        job.plot,
        title=f"{job.data.name}: {over.alarms} of {over.rows} rows in alarm; findings: {len(over.found)}",
        score=traces[0],
        limit=limit,
        tags=quiet.columns,
        values=traces[1],
        rules=(centre - 3 * spread, centre + 3 * spread),
        given=given,
        found=over.found,
    )


@contextlib.contextmanager
def _progress(what: str, total: int | None = None) -> Generator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
