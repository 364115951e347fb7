"""Recordings: clean ones row by row, broken ones with file, line and column."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from holdfast.gate.connectors.replay import BAD_NO_DATA, Replay
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NODE_ID_UNKNOWN, Scale, Tag, TagTable
from holdfast.testing import check_reader

SEMICOLONS = "datetime;flow;temp\n2020-03-01 15:44:06;1.5;20\n2020-03-01 15:44:07;;21\n\n2020-03-01 15:44:09;2.5;nan\n"
EPOCH_2000_NS = 946_684_800_000_000_000  # date -u -d 2000-01-01 +%s


def tag(column: str, **more: object) -> Tag:
    return Tag(name=f"line/{column}", connection="rec", address=column, unit="1", **more)  # type: ignore[arg-type]


def table(*tags: Tag) -> TagTable:
    return TagTable(id="rec@1", connection="rec", period_s=1.0, tags=tags)


def recording(folder: Path, text: str, **options: object) -> Replay:
    file = folder / "rec.csv"
    file.write_text(text)
    return Replay(name="rec", file=file, **options)  # type: ignore[arg-type]


async def test_the_reader_keeps_its_contract(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i * 2}\n" for i in range(5))
    rec = recording(tmp_path, "a,b\n" + rows)
    await check_reader(lambda: rec, table=table(tag("a"), tag("b")), bad=tag("c"))


def test_dates_make_the_clock_and_empty_cells_are_bad(tmp_path: Path) -> None:
    (frame,) = recording(tmp_path, SEMICOLONS, time="datetime").rows(table(tag("temp"), tag("flow")))
    start_ns = 1_583_077_446_000_000_000  # date -u -d '2020-03-01 15:44:06' +%s
    assert (frame.received_ns - start_ns).tolist() == [0, 1_000_000_000, 3_000_000_000]
    assert frame.values[:, 1][[0, 2]].tolist() == [1.5, 2.5]
    assert frame.status.tolist() == [[0, 0], [0, BAD_NO_DATA], [BAD_NO_DATA, 0]]
    assert math.isnan(frame.values[1, 1])
    assert frame.seq == 0


def test_without_a_time_column_rows_are_counted(tmp_path: Path) -> None:
    (frame,) = recording(tmp_path, "a\n1\n2\n3\n", period_s=180.0).rows(table(tag("a")))
    assert (frame.received_ns - EPOCH_2000_NS).tolist() == [0, 180_000_000_000, 360_000_000_000]


def test_a_numeric_time_needs_its_unit(tmp_path: Path) -> None:
    (frame,) = recording(tmp_path, "minute,a\n0,1\n3,2\n", time="minute", time_unit="min").rows(table(tag("a")))
    assert (frame.received_ns - EPOCH_2000_NS).tolist() == [0, 180_000_000_000]
    with pytest.raises(ConnectionLost, match=r"rec\.csv:2, column 'minute': '0' is no time: give `time_unit`"):
        list(recording(tmp_path, "minute,a\n0,1\n", time="minute").rows(table(tag("a"))))


def test_blocks_hold_six_hundred_rows_and_join_without_a_gap(tmp_path: Path) -> None:
    blocks = list(recording(tmp_path, "a\n" + "".join(f"{i}\n" for i in range(1300))).rows(table(tag("a"))))
    assert [(b.seq, b.rows) for b in blocks] == [(0, 600), (600, 600), (1200, 100)]
    assert np.concatenate([b.values[:, 0] for b in blocks]).tolist() == list(range(1300))


def test_a_packed_recording_reads_alike_and_scales(tmp_path: Path) -> None:
    file = tmp_path / "rec.csv.gz"
    with gzip.open(file, "wt") as out:
        out.write("a\tb\n5\t1\n")
    (frame,) = Replay(name="rec", file=file).rows(table(tag("a", scale=Scale(raw=(0, 10), eng=(0, 100)))))
    assert frame.values.tolist() == [[50.0]]
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(ConnectionLost, match=r"rec\.csv\.gz:\d+: .*: (copy the recording again|check that it is what its name says)"):
        list(Replay(name="rec", file=file).rows(table(tag("a"))))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, r"rec\.csv:1: is empty"),
        ("a,b\n1,2\n", {}, r"rec\.csv:1, column 'x': 1 columns are missing; there are: a, b"),
        ("a,a\n1,2\n", {}, r"rec\.csv:1, column 'a': is there twice"),
        ("x,b\n1,2\n1\n", {}, r"rec\.csv:3: 1 cells under 2 columns"),
        ("x,b\n1,2\nhot,2\n", {}, r"rec\.csv:3, column 'x': 'hot' is no number"),
        ("x,t\n1,2\n1,1\n", {"time": "t", "time_unit": "s"}, r"rec\.csv:3, column 't': time runs backwards at '1'"),
        ("x,t\n1,2\n", {"time": "when"}, r"rec\.csv:1, column 'when': the time column is missing; there are: x, t"),
    ],
)
def test_a_broken_recording_names_line_and_column(tmp_path: Path, text: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(ConnectionLost, match=message):
        list(recording(tmp_path, text, **options).rows(table(tag("x"))))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rec.csv"
    file.write_bytes(b"x\n\xff\xfe\n")
    with pytest.raises(ConnectionLost, match=r"rec\.csv:\d+: .*not UTF-8"):
        list(Replay(name="rec", file=file).rows(table(tag("x"))))


async def test_an_absent_recording_says_which(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLost, match=r"nowhere\.csv: can't be read \(No such file or directory\)"):
        await Replay(name="rec", file=tmp_path / "nowhere.csv").connect()


async def test_a_column_that_is_missing_is_bad_alone_and_nothing_can_be_written(tmp_path: Path) -> None:
    rec = recording(tmp_path, "a\n1\n")
    await rec.connect()
    samples = await rec.read([tag("a"), tag("b")])
    assert [s.status for s in samples] == [0, BAD_NODE_ID_UNKNOWN]
    assert await rec.write(tag("a"), 1.0, timeout_s=1.0) == "rejected"
    with pytest.raises(ValueError, match="recording"):
        rec.wire_value(tag("a"), 1.0)
    assert [t.address async for t in rec.browse()] == ["a"]


def test_bad_options_are_refused_at_once(tmp_path: Path) -> None:
    for options in ({"time_unit": "fortnight"}, {"period_s": 0}, {"epoch": "yesterday"}):
        with pytest.raises(ValueError, match=r"time_unit|period_s|epoch"):
            recording(tmp_path, "a\n", **options)
