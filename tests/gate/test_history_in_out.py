"""A plant's past comes in once, however often it is interrupted, goes out as it came, and each wrong thing has a clear word."""

import datetime as dt
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import typer
from history_writer import TABLE, frame
from typer.testing import CliRunner

from holdfast.cli import history as cli
from holdfast.gate.history import bring as bringing
from holdfast.gate.history import tabular
from holdfast.gate.history.bring import alone, bring, mapped
from holdfast.gate.history.file import HistoryError
from holdfast.gate.history.rows import BAD_NO_DATA
from holdfast.gate.history.store import History
from holdfast.gate.history.tabular import time_ns
from holdfast.terms import BAD_DECODING_ERROR, SECOND_NS

SITE = """\
holdfast: 1
site: {name: small, language: en, timezone: Asia/Shanghai}
connections:
  plc: {type: modbus, host: 127.0.0.1, port: 1502, unit_id: 1}
equipment:
  pump:
    tags:
      vibration: {on: plc, address: "40001:uint16", unit: mm/s, tag_no: VT-101}
      flow: {on: plc, address: "40002:uint16", unit: L/min}
      mode: {on: plc, address: "40003:uint16", states: {0: manual, 1: auto}}
      slow: {on: plc, address: "40004:uint16", unit: bar, every: 10s}
"""
NINE = 1_767_229_200 * SECOND_NS  # 2026-01-01 09:00 in Shanghai, 01:00 UTC


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE)
    return tmp_path


def ran(place: Path, *arguments: object) -> tuple[int, dict[str, Any], str]:
    app = typer.Typer()
    cli.register(app)
    given = [str(a) for a in arguments]
    home = ["--home", str(place / "home")]
    site = ["--site", str(place / "site.yaml")] if given[0] == "import" else []
    result = CliRunner().invoke(app, ["history", *given, *home, *site, "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout.splitlines()[-1]), result.output


def rows(place: Path, table: str, columns: int) -> Any:
    history = History(place / "home" / "gate" / "history.db", durable=False)
    found = history.read(table, 0, 2**62, 10**6, columns)
    history.close()
    return found


def test_a_csv_comes_in_with_bad_cells_bad_and_states_by_name(place: Path) -> None:
    (place / "a.csv").write_text(
        "时间,VT-101,pump/mode,pump/slow,note\n"
        "2026-01-01 09:00:00,1.25,auto,3.5,x\n"
        "2026-01-01 09:00:01.5,,manual,,\n"
        "2026/01/01 09:00:02,broken,1,,\n"
        "nonsense,1,1,1,\n",
        encoding="gb18030",
    )
    code, said, _ = ran(place, "import", place / "a.csv")
    (file,) = said["files"]
    assert code == 1  # a row without a time and a cell that is no number are told
    assert (file["rows"], file["new"], file["no_time"], file["no_number"]) == (4, 4, 1, [["VT-101", 1]])
    assert file["left"] == ["note"]
    found = rows(place, "plc@1", 3)
    assert found.received_ns.tolist() == [NINE, NINE + 1_500_000_000, NINE + 2 * SECOND_NS]
    assert found.values[0].tolist() == [1.25, pytest.approx(float("nan"), nan_ok=True), 1.0]
    assert found.status.tolist() == [[0, BAD_NO_DATA, 0], [BAD_NO_DATA, BAD_NO_DATA, 0], [BAD_DECODING_ERROR, BAD_NO_DATA, 0]]
    assert rows(place, "plc@10", 1).values.tolist() == [[3.5]]


def test_brought_in_twice_or_from_another_file_it_is_there_once(place: Path) -> None:
    text = "time,pump/flow\n" + "".join(f"{NINE // SECOND_NS + n},{n}\n" for n in range(5))
    (place / "a.csv").write_text(text)
    (place / "b.csv").write_text(text + f"{NINE // SECOND_NS + 5},5\n")
    assert ran(place, "import", place / "a.csv")[1]["files"][0]["new"] == 5
    again = ran(place, "import", place / "a.csv")[1]["files"][0]
    assert (again["before"], again["new"]) == (5, 0)
    longer = ran(place, "import", place / "b.csv")[1]["files"][0]
    assert (longer["known"], longer["new"]) == (5, 1)
    found = rows(place, "plc@1", 3)
    assert found.values[:, 1].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_two_files_of_one_table_become_one_row_a_time(place: Path) -> None:
    (place / "a.csv").write_text(f"time,pump/flow\n{NINE},1\n{NINE + SECOND_NS},2\n")
    (place / "b.csv").write_text(f"time,pump/vibration\n{NINE},3\n{NINE + 2 * SECOND_NS},4\n")
    assert ran(place, "import", place / "a.csv", place / "b.csv")[0] == 0
    found = rows(place, "plc@1", 3)
    assert found.received_ns.tolist() == [NINE, NINE + SECOND_NS, NINE + 2 * SECOND_NS]
    assert found.values[0, :2].tolist() == [3.0, 1.0]
    assert found.status[:, :2].tolist() == [[0, 0], [BAD_NO_DATA, 0], [0, BAD_NO_DATA]]


def test_interrupted_in_the_middle_it_goes_on_without_doubles(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "BATCH_ROWS", 100)
    path = place / "a.csv"
    path.write_text("time,tag-0,tag-1\n" + "".join(f"{n},{n},{n / 4}\n" for n in range(1_000)))
    file = place / "h.db"
    of = mapped(path, [TABLE], "", {})

    def breaks(share: float, _: str) -> None:
        if share > 0 and history.brought_before(bringing._digest(of, ZoneInfo("UTC"))) >= 500:
            raise KeyboardInterrupt

    history = History(file, durable=True, tables=[TABLE])
    with pytest.raises(KeyboardInterrupt):
        bring(history, file, of, [TABLE], ZoneInfo("UTC"), breaks)
    history.close()
    history = History(file, durable=True, tables=[TABLE])
    found = bring(history, file, of, [TABLE], ZoneInfo("UTC"), lambda *_: None)
    assert (found.before, found.new, found.known, found.rows) == (500, 500, 0, 1_000)
    history.settle(lambda *_: None)
    kept = history.read("t", 0, 2**62, 10_000, 4)
    assert kept.values[:, 0].tolist() == [float(n) for n in range(1_000)]
    assert history._db.execute("SELECT count(*) FROM segment").fetchall() == [(1,)]
    history.close()


def test_a_dry_run_says_all_and_changes_nothing(place: Path) -> None:
    (place / "a.csv").write_text(f"when;flow\n{NINE};1\n{NINE + SECOND_NS};x\n")
    code, said, _ = ran(place, "import", place / "a.csv", "--dry-run", "--time", "when", "--map", "flow=pump/flow")
    assert (code, said["dry_run"], said["files"][0]["new"], said["files"][0]["no_number"]) == (1, True, 2, [["flow", 1]])
    assert not (place / "home").exists()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_goes_out_comes_in_bit_for_bit(place: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(size=40), [0.1 + 0.2, 1e-310, -0.0, 1.7e308]])
    text = "".join(f"{NINE + n * 3 * 60 * SECOND_NS + n},{v!r}\n" for n, v in enumerate(values.tolist()))  # over two hours
    (place / "a.csv").write_text("time,pump/flow\n" + text)
    assert ran(place, "import", place / "a.csv")[0] == 0
    out = place / f"out.{form}"
    code, said, _ = ran(place, "export", "--out", out, "--tags", "pump/fl*", "--timezone", "Asia/Shanghai")
    assert (code, said["rows"], said["tags"]) == (0, 44, ["pump/flow"])
    before = rows(place, "plc@1", 3)
    (place / "home" / "gate" / "history.db").unlink()
    for name in ("history.db-wal", "history.db-shm"):
        (place / "home" / "gate" / name).unlink(missing_ok=True)
    assert ran(place, "import", out)[0] == 0
    after = rows(place, "plc@1", 3)
    assert after.received_ns.tolist() == before.received_ns.tolist()
    assert after.values[:, 1].view(np.uint64).tolist() == values.view(np.uint64).tolist()


def test_an_export_has_bad_values_as_empty_cells_and_codes_beside_if_asked(place: Path) -> None:
    (place / "a.csv").write_text("time,pump/flow,pump/slow\n2026-01-01T09:00:00,1.5,\n2026-01-01T09:00:10,?,7\n")
    ran(place, "import", place / "a.csv")
    code, _, _ = ran(place, "export", "--out", place / "o.csv", "--tags", "pump/flow,pump/slow", "--status", "--timezone", "Asia/Shanghai")
    assert code == 0
    assert (place / "o.csv").read_text().splitlines() == [
        "time,pump/flow,pump/slow,pump/flow status,pump/slow status",
        "2026-01-01T09:00:00+08:00,1.5,,0x00000000,0x809B0000",
        "2026-01-01T09:00:10+08:00,,7.0,0x80070000,0x00000000",
    ]
    code, said, _ = ran(place, "export", "--out", place / "o.csv", "--from", "2026-01-01T01:00:05Z", "--tags", "pump/flow")
    assert (code, said["rows"]) == (0, 1)
    assert ran(place, "export", "--out", place / "o.csv", "--from", "2027-01-01")[0] == 1


def test_parquet_times_without_a_zone_are_local(place: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    wall = dt.datetime(2026, 1, 1, 9)  # noqa: DTZ001 - a wall clock's time is what is tested
    table = pa.table({"time": pa.array([wall], pa.timestamp("us")), "pump/mode": ["auto"], "pump/flow": pa.array([3], pa.int32())})
    parquet.write_table(table, place / "a.parquet")
    assert ran(place, "import", place / "a.parquet")[0] == 0
    found = rows(place, "plc@1", 3)
    assert found.received_ns.tolist() == [NINE]
    assert found.values[0, 1:].tolist() == [3.0, 1.0]


def test_stat_tells_rows_bytes_span_and_gaps_sealed_or_not(place: Path) -> None:
    file = place / "home" / "gate" / "history.db"
    file.parent.mkdir(parents=True)
    history = History(file, durable=False, tables=[TABLE])
    for seq in [*range(100), *range(130, 200)]:  # 300 s are missing
        history.append(frame(seq))
    history.seal(1_000 * SECOND_NS)
    history.append(frame(200))
    code, said, _ = ran(place, "stat")
    history.close()
    assert (code, said["samples"]) == (0, 171 * 4)
    tag = said["tags"][1]
    assert (tag["tag"], tag["rows"], tag["from_ns"], tag["to_ns"]) == ("tag-1", 171, 0, 2_000 * SECOND_NS)
    assert (tag["gaps"], tag["gap_s"]) == (1, 310.0)
    assert said["unsealed"] == 4 * tag["unsealed"]
    assert tag["unsealed"] == 71  # what came up to 1,000 s is sealed


@pytest.mark.parametrize(
    ("content", "more", "word"),
    [
        ("", [], "empty"),
        ("only\n1\n", [], "no comma"),
        ("a,b\n1,2\n", [], "--time"),
        ("time,x\n1,2\n", [], "no column is called as a tag"),
        ("time,pump/flow,pump/flow\n1,2,3\n", [], "occur twice"),
        ("time,pump/flow,f\n1,2,3\n", ["--map", "f=pump/flow"], "same tag"),
        ("time,pump/flow\n1,2\n", ["--map", "f=pump/flow"], "no column f"),
        ("time,f\n1,2\n", ["--map", "f=pump/no"], "has no tag"),
        ("time,f\n1,2\n", ["--map", "f"], "COLUMN=TAG"),
        ("time,pump/flow\n1,2\n", ["--timezone", "Mars/Base"], "IANA"),
        ("time,pump/flow\n1,2\n", ["--time", "when"], "no column 'when'"),
    ],
)
def test_what_cannot_be_brought_in_has_a_clear_word(place: Path, content: str, more: list[str], word: str) -> None:
    (place / "a.csv").write_text(content)
    code, said, _ = ran(place, "import", place / "a.csv", *more)
    assert code == 2
    assert word in said["error"]


def test_no_file_no_history_no_such_tag_and_a_folder_that_is_not_there_are_told(place: Path) -> None:
    assert "no.csv" in ran(place, "import", place / "no.csv")[1]["error"]
    assert "no history here" in ran(place, "stat")[1]["error"]
    (place / "a.csv").write_text("time,pump/flow\n1,2\n")
    ran(place, "import", place / "a.csv")
    assert "no tag pump/none" in ran(place, "export", "--out", place / "o.csv", "--tags", "pump/none")[1]["error"]
    assert "can't be written" in ran(place, "export", "--out", place / "no" / "o.csv")[1]["error"]
    assert "ends in .csv" in ran(place, "export", "--out", place / "o.txt")[1]["error"]
    assert "is no time" in ran(place, "export", "--out", place / "o.csv", "--from", "soon")[1]["error"]
    (place / "a.parquet").write_bytes(b"PAR1 no")
    assert "no Parquet file" in ran(place, "import", place / "a.parquet")[1]["error"]


def test_while_a_gate_runs_nothing_is_brought_in(place: Path) -> None:
    (place / "a.csv").write_text("time,pump/flow\n1,2\n")
    with alone(place / "home" / "gate"):
        code, said, _ = ran(place, "import", place / "a.csv")
    assert (code, "a gate runs here" in said["error"]) == (2, True)
    with pytest.raises(HistoryError), alone(place / "g"), alone(place / "g"):
        pass


def test_without_pyarrow_parquet_says_what_to_install(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (place / "a.parquet").write_bytes(b"x")
    assert "holdfast[parquet]" in ran(place, "import", place / "a.parquet")[1]["error"]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1767229200", NINE),
        ("1767229200.000000001", NINE + 1),
        ("1767229200123", NINE + 123_000_000),
        ("1767229200123456", NINE + 123_456_000),
        ("1767229200123456789", NINE + 123_456_789),
        ("2026-01-01 09:00:00", NINE),
        ("2026/01/01 09:00", NINE),
        ("2026-01-01T01:00:00Z", NINE),
        ("2026-01-01T01:00:00.123456789+00:00", NINE + 123_456_789),
        ("2026-01-01T02:00:00.5+01:00", NINE + 500_000_000),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("soon", None),
        ("nan", None),
        ("-5", None),
    ],
)
def test_times_are_read_as_people_and_programs_write_them(text: str, ns: int | None) -> None:
    assert time_ns(text, ZoneInfo("Asia/Shanghai")) == ns
