"""The console's bench counts what it says it counts, and falls short where an aim is missed."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.evals.bench import console as bench
from holdfast.evals.bench.console import Ran
from holdfast.evals.bench.console.looking import STAMP, Seen
from holdfast.evals.bench.console.written import site_text
from holdfast.site.load import load
from holdfast.site.tables import tables

MS = 1_000_000


def ran(*, console_s: float = 0.2, values: int = 1_000, seen: Seen | None = None) -> Ran:
    return Ran(
        values=values,
        late_ns=[2 * MS, 4 * MS],
        seconds=10.0,
        console_s=console_s,
        gate_s=0.5,
        load=(0.5, 0.75),
        seen=seen,
        skipped="" if seen else "skipped: no chromium",
    )


def seen(*, frames_ms: list[float], late_ms: list[float], tags: int = 200) -> Seen:
    return Seen(frames_ms=frames_ms, late_ms=late_ms, tags=tags, floor_frames_ms=[0.0, 10.0, 20.0])


def test_all_200_tags_come_five_times_a_second_in_one_table(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(site_text(502))
    site = load(tmp_path / "site.yaml").site
    (table,) = tables(site)
    assert (len(table.tags), table.period_s, len(site.loops)) == (200, 0.2, 3)
    assert len({tag.address for tag in table.tags}) == 200


def test_shares_and_rates_are_by_the_second_and_by_the_client() -> None:
    told = bench.judged(ran(seen=seen(frames_ms=[0.0, 20.0, 40.0, 60.0], late_ms=[100.0, 200.0])))
    assert (told["rows_per_s_a_client"], told["console_share_of_a_core"], told["gate_share_of_a_core"]) == (5.0, 0.02, 0.05)
    assert told["browser"]["frames_per_s"] == 50.0
    assert told["browser"]["floor_frames_per_s"] == 100.0
    assert told["browser"]["sample_to_pixel_ms"]["p99"] == 200.0
    assert bench.good(told)


@pytest.mark.parametrize(
    "short",
    [
        {"console_s": 0.31},
        {"values": 900},
        {"seen": seen(frames_ms=[0.0, 21.0], late_ms=[100.0])},
        {"seen": seen(frames_ms=[0.0, 20.0], late_ms=[251.0])},
        {"seen": seen(frames_ms=[0.0, 20.0], late_ms=[100.0], tags=199)},
    ],
)
def test_each_aim_that_is_missed_is_a_no(short: dict[str, Any]) -> None:
    assert bench.good(bench.judged(ran()))
    assert not bench.good(bench.judged(ran(**short)))


def test_without_a_browser_it_says_so() -> None:
    assert bench.judged(ran())["browser"] == "skipped: no chromium"


def test_a_row_is_known_by_the_time_in_the_stream() -> None:
    chunk = b'event: state\ndata: {"t":1}\n\nevent: values\ndata: {"table":"plant@0.2","t":1700000000123,"v":[1]}\n\n'
    assert STAMP.findall(chunk) == [b"1700000000123"]
