"""`bench history`: how quickly a plant's values are durable, sealed and read again, and how many bytes each costs.

The values are the demo mill's, with its sensors' own noise and resolution (sim/mill/plant.py): what is shown is a decimal of the
instrument or a count of the analogue input (10,000 or 27,648 over the range), so a column has some tens to hundreds of different
values in an hour. Beside it, in the same run and on the same disk, a row a sample in SQLite and DuckDB. Set TMPDIR to the disk
that is meant; what is read was written just before, so it comes from the system's cache.
"""

import contextlib
import importlib.util
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.evals.bench.history_rivals import DuckRows, Rival, SqliteRows
from holdfast.evals.bench.quantiles import spread
from holdfast.evals.suites import Figures, Options, SuiteError
from holdfast.gate.history.file import HOUR_NS, opened_to_read, whole
from holdfast.gate.history.stat import SAMPLE_BYTES, stat
from holdfast.gate.history.store import History
from holdfast.gate.history.trend import trend
from holdfast.sim.mill.plant import Mill
from holdfast.sim.mill.points import POINTS
from holdfast.terms import SECOND_NS, Frame, Tag, TagTable

START_NS = 1_700_000_000 * SECOND_NS // HOUR_NS * HOUR_NS
LINES = 5  # mills side by side: 195 tags in a frame
DAYS = 30
DAY_S = 86_400  # simulated once, and kept as each of the days
HOT_SECONDS = 3 * 3600
GROUP = 256  # frames in a commit: at 500,000 samples/s that many come in the 0.1 s that the gate waits (gate/process.py)
FEW = 10  # and at 20,000
BLOCK_ROWS = 600  # the gate seals ten minutes at a time
RIVAL_TAGS, RIVAL_GROUPS = 2, 10
READS, WARM_UP = 200, 10
POINTS_READ = 1_000
TICKS, TICK_S = 1_500, 0.001
HOT_PER_S_MIN, SEALED_PER_S_MIN, BYTES_MAX, HOUR_MS_MAX, MONTH_MS_MAX = 500_000.0, 5e6, 2.0, 10.0, 20.0
Matrix = NDArray[np.float64]


def run(options: Options) -> Figures:
    if importlib.util.find_spec("duckdb") is None:
        raise SuiteError("duckdb is not installed; it is measured beside: pip install duckdb")
    days = options.n or DAYS
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        figures = _measured(Path(folder), days, options)
    return Figures(name="history", seed=options.seed, figures=figures, pass_=good(figures))


def good(figures: dict[str, Any]) -> bool:
    quick = figures["hot"]["samples_per_s"] >= HOT_PER_S_MIN and figures["sealing"]["samples_per_s"] >= SEALED_PER_S_MIN
    read = figures["read_ms"]["last_hour"]["p50"] <= HOUR_MS_MAX and figures["read_ms"]["all_days"]["p50"] <= MONTH_MS_MAX
    return quick and read and figures["bytes_a_sample"]["measured_tags"] <= BYTES_MAX and figures["bit_exact"]


def _measured(folder: Path, days: int, options: Options) -> dict[str, Any]:
    options.progress(0.0, "the mill's day")
    day = _simulated(options.seed, DAY_S)
    wide = np.concatenate([_simulated(options.seed + 1 + line, HOT_SECONDS) for line in range(LINES)], axis=1)
    changing = np.flatnonzero((day != day[0]).any(axis=0))
    options.progress(0.15, "frames into hot")
    hot = _hot(folder / "hot.db", wide, GROUP)
    few = _hot(folder / "few.db", wide[: len(wide) // 4], FEW)
    options.progress(0.25, "sealing, and ticks beside it")
    shutil.copyfile(folder / "hot.db", folder / "pieces.db")
    sealing = _sealing(folder / "hot.db", wide, 10 * 3600)
    pieces = _sealing(folder / "pieces.db", wide, BLOCK_ROWS)
    beside = _beside(folder / "beside.db", wide)
    options.progress(0.35, "all tags of a day")
    all_tags = _kept(folder / "all.db", day, 1, options, (0.35, 0.4))
    options.progress(0.4, f"{days} days")
    measured = np.ascontiguousarray(day[:, changing])
    kept = _kept(folder / "days.db", measured, days, options, (0.4, 0.7))
    options.progress(0.7, "reading")
    reads = _reads(folder / "days.db", measured, days, options.seed)
    options.progress(0.8, "rows in SQLite, and DuckDB")
    rivals = {
        name: _rival(make, measured, wide, days)
        for name, make in (
            ("sqlite_rows", lambda: SqliteRows(folder / "rows.db")),
            ("duckdb", lambda: DuckRows(folder / "rows.duckdb")),
        )
    }
    return {
        "days": days,
        "tags": {"measured": len(changing), "all": day.shape[1], "in_hot": wide.shape[1]},
        "different_values_in_an_hour": {
            "median": int(np.median([len(np.unique(measured[:3600, c])) for c in range(len(changing))])),
            "most": max(len(np.unique(measured[:3600, c])) for c in range(len(changing))),
        },
        "hot": hot,
        "hot_in_small_commits": few,
        "sealing": sealing,
        "sealing_in_pieces": pieces,
        "tick_late_ms": beside,
        "bytes_a_sample": {
            "measured_tags": kept["bytes"],
            "of_it_rollups": kept["rollups"],
            "all_tags": all_tags["bytes"],
            "tags_of_beside": kept["rivals_tags"],
        },
        "bit_exact": bool(reads.pop("bit_exact")) and sealing.pop("bit_exact") and pieces.pop("bit_exact"),
        "read_ms": reads,
        "beside": rivals,
        "load": round(os.getloadavg()[0], 2),
        "aim": {
            "hot_samples_per_s_min": HOT_PER_S_MIN,
            "sealed_samples_per_s_min": SEALED_PER_S_MIN,
            "bytes_a_sample_max": BYTES_MAX,
            "last_hour_p50_ms_max": HOUR_MS_MAX,
            "all_days_p50_ms_max": MONTH_MS_MAX,
        },
    }


def _simulated(seed: int, seconds: int) -> Matrix:
    """(seconds, tags) of a quiet mill as its servers show it."""
    mill = Mill.quiet(seed)
    rows = np.empty((seconds, len(POINTS)))
    for second in range(seconds):
        mill.step(1.0)
        rows[second] = mill.row
    return rows


def _table(columns: int) -> TagTable:
    return TagTable(
        id="t",
        connection="c",
        period_s=1.0,
        tags=tuple(Tag(name=f"tag-{n}", connection="c", address=str(n), unit="1") for n in range(columns)),
    )


def _frame(values: Matrix, first: int) -> Frame:
    """Rows a second apart, row `first` of all."""
    times = START_NS + np.arange(first, first + len(values), dtype=np.int64) * SECOND_NS
    source = np.repeat(times[:, None], values.shape[1], axis=1)
    return Frame(table="t", seq=first, received_ns=times, source_ns=source, values=values, status=np.zeros(values.shape, np.uint32))


def _hot(path: Path, wide: Matrix, group: int) -> dict[str, Any]:
    """Frames of one row, `group` of them in a durable commit."""
    history = History(path, durable=True, tables=[_table(wide.shape[1])])
    frames = [_frame(wide[n : n + 1], n) for n in range(len(wide))]
    taken: list[int] = []
    for first in range(0, len(frames), group):
        began_ns = time.perf_counter_ns()
        history.append(*frames[first : first + group])
        taken.append(time.perf_counter_ns() - began_ns)
    history.close()
    return {"samples_per_s": round(wide.size * 1e9 / sum(taken)), "frames_a_commit": group, "commit_ms": spread(taken)}


def _sealing(path: Path, wide: Matrix, every_s: int) -> dict[str, Any]:
    """All of hot, from its frames on the disk to durable chunks on the disk, `every_s` of it at a time."""
    history = History(path, durable=True)
    samples = 0
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    for now_s in (*range(every_s, len(wide), every_s), len(wide) + 3 * 3600):
        samples += history.seal(START_NS + now_s * SECOND_NS, all_=True).samples
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    found = history.read("t", 0, 2**62, len(wide), wide.shape[1])
    history.close()
    same = bool((found.values.view(np.uint64) == wide.view(np.uint64)).all())
    return {"samples_per_s": round(samples / took_s), "samples_per_cpu_s": round(samples / cpu_s), "samples": samples, "bit_exact": same}


def _beside(path: Path, wide: Matrix) -> dict[str, Any]:
    """How late a thread that wants to run each millisecond is, alone and while another seals as the gate does."""
    history = History(path, durable=True, tables=[_table(wide.shape[1])])
    for first in range(0, len(wide), BLOCK_ROWS):
        history.append(_frame(wide[first : first + BLOCK_ROWS], first))
    alone = _ticks(lambda: False)
    sealing = threading.Thread(target=lambda: history.seal(START_NS + 10 * HOUR_NS, all_=True, breathe=lambda: time.sleep(TICK_S)))
    sealing.start()
    beside = _ticks(lambda: not sealing.is_alive())
    sealing.join()
    history.close()
    return {"alone": spread(alone), "while_sealing": spread(beside)}


def _ticks(done: Callable[[], bool]) -> list[int]:
    late: list[int] = []
    for _ in range(TICKS):
        due_ns = time.perf_counter_ns() + round(TICK_S * 1e9)
        time.sleep(TICK_S)
        late.append(max(time.perf_counter_ns() - due_ns, 0))
        if done():
            break
    return late


def _kept(path: Path, day: Matrix, days: int, options: Options, part: tuple[float, float]) -> dict[str, float]:
    """The same day again and again, but for the last hour sealed hour by hour; the last hour as a running gate leaves it."""
    history = History(path, durable=False, tables=[_table(day.shape[1])], bytes_max=10**12)
    rows = days * DAY_S
    for first in range(0, rows, BLOCK_ROWS):
        at = first % DAY_S
        history.append(_frame(day[at : at + BLOCK_ROWS], first))
        now_ns = START_NS + (first + BLOCK_ROWS) * SECOND_NS
        if (first + BLOCK_ROWS) % 3600 == 0 and first + BLOCK_ROWS < rows:
            history.seal(now_ns, all_=True)  # an hour at once: what its pieces, put together, come to
            options.progress(part[0] + (part[1] - part[0]) * first / rows, f"day {first // DAY_S + 1}")
        elif rows - 3600 < first + BLOCK_ROWS < rows:
            history.seal(now_ns)
    history.close()
    found = stat(path)
    samples = found.samples - found.unsealed
    with contextlib.closing(opened_to_read(path)) as db:
        ((rolls,),) = db.execute("SELECT sum(length(data)) FROM roll").fetchall()
    two = [tag.bytes_a_sample or 0.0 for tag in found.tags if tag.tag in {f"tag-{n}" for n in range(RIVAL_TAGS)}]
    return {
        "bytes": round((found.bytes_used - found.unsealed * SAMPLE_BYTES) / samples, 3),
        "rollups": round(whole(rolls) / samples, 3),
        "rivals_tags": round(float(np.mean(two)), 3),
    }


def _reads(path: Path, day: Matrix, days: int, seed: int) -> dict[str, Any]:
    """One tag at a time, each at random, as the API reads it: a connection opened, a Trend made."""
    rng = np.random.default_rng(seed)
    table = _table(day.shape[1])
    end_ns = START_NS + days * DAY_S * SECOND_NS

    def one(from_ns: int) -> dict[str, float | None]:
        taken: list[int] = []
        for n in range(WARM_UP + READS):
            tag = table.tags[int(rng.integers(len(table.tags)))].name
            began_ns = time.perf_counter_ns()
            trend(path, {"t": table}, [tag], from_ns, end_ns, POINTS_READ)
            if n >= WARM_UP:
                taken.append(time.perf_counter_ns() - began_ns)
        return spread(taken)

    column = int(rng.integers(day.shape[1]))
    found = trend(path, {"t": table}, [table.tags[column].name], START_NS, end_ns, POINTS_READ)
    with contextlib.closing(opened_to_read(path)) as db:
        pieces = whole(db.execute("SELECT count(*) FROM segment WHERE hour_ns>=?", (end_ns - HOUR_NS,)).fetchall()[0][0])
    return {
        "last_hour": one(end_ns - HOUR_NS),
        "all_days": one(START_NS),
        "all_days_points": len(found.at_ns),
        "pieces_of_last_hour": pieces,
        "reads": READS,
        "bit_exact": found.min[0][0] == float(day[: found.width_ns // SECOND_NS, column].min()),
    }


def _rival(make: Callable[[], Rival], day: Matrix, wide: Matrix, days: int) -> dict[str, Any]:
    """Durable groups of whole rows, as many as take a moment; then all days of RIVAL_TAGS tags to be read."""
    rival = make()
    width = wide.shape[1]
    taken: list[int] = []
    for group in range(RIVAL_GROUPS):
        rows = slice(group * GROUP, (group + 1) * GROUP)
        ns = np.repeat(np.arange(rows.start, rows.stop, dtype=np.int64), width)
        tags = np.tile(np.arange(1_000, 1_000 + width, dtype=np.int64), GROUP)
        values = wide[rows].reshape(-1)
        began_ns = time.perf_counter_ns()
        rival.keep(tags, ns, values)
        taken.append(time.perf_counter_ns() - began_ns)
    before = rival.bytes_used()
    seconds = days * DAY_S
    for tag in range(RIVAL_TAGS):
        ns = START_NS + np.arange(seconds, dtype=np.int64) * SECOND_NS
        rival.keep(np.full(seconds, tag, np.int64), ns, np.tile(day[:, tag], days))
    used = rival.bytes_used() - before
    end_ns = START_NS + seconds * SECOND_NS
    hour, month = (
        [_timed(rival, n % RIVAL_TAGS, from_ns, end_ns) for n in range(reads)] for from_ns, reads in ((end_ns - HOUR_NS, 20), (START_NS, 6))
    )
    rival.close()
    return {
        "hot_samples_per_s": round(RIVAL_GROUPS * GROUP * width * 1e9 / sum(taken)),
        "bytes_a_sample": round(used / (seconds * RIVAL_TAGS), 2),
        "read_ms": {"last_hour": spread(hour), "all_days": spread(month)},
    }


def _timed(rival: Rival, tag: int, from_ns: int, to_ns: int) -> int:
    began_ns = time.perf_counter_ns()
    rival.buckets(tag, from_ns, to_ns, POINTS_READ)
    return time.perf_counter_ns() - began_ns
