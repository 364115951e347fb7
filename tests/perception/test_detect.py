"""`holdfast detect` on users' files: what it writes, what it leaves out, and what it says when it can't."""

import csv
import gzip
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from holdfast.cli import detect

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_tep = pytest.mark.skipif(not (DATA / "tep").is_dir(), reason=f"the Tennessee Eastman recordings are not in {DATA}")
needs_skab = pytest.mark.skipif(not (DATA / "skab").is_dir(), reason=f"the SKAB recordings are not in {DATA}")


def call(*arguments: object) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    detect.register(app)
    return CliRunner().invoke(app, ["detect", *map(str, arguments)])


def written(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["sample", "score", "alarm"]
    assert [row[0] for row in rows[1:]] == [str(i) for i in range(len(rows) - 1)]
    return np.array([float(row[1]) for row in rows[1:]]), np.array([int(row[2]) for row in rows[1:]])


def table(path: Path, rows: int = 400, *, seed: int = 1, separator: str = ",", step: float = 0.0, extra: str = "") -> Path:
    """time, pressure, flow and temperature; flow follows pressure; pressure steps in the second half."""
    rng = np.random.default_rng(seed)
    pressure, temperature = rng.normal(5, 0.2, rows), rng.normal(80, 1, rows)
    pressure[rows // 2 :] += step
    flow = 3 * pressure + rng.normal(0, 0.1, rows)
    lines = [separator.join(["time", "pressure", "flow", "temperature"]) + extra]
    lines += [
        separator.join([f"2026-01-01 00:{i // 60:02}:{i % 60:02}", f"{pressure[i]:.4f}", f"{flow[i]:.4f}", f"{temperature[i]:.3f}"])
        + (extra and f"{separator}0")
        for i in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_step_in_a_users_file_is_found_and_the_summary_says_so(tmp_path: Path) -> None:
    quiet, data, out = table(tmp_path / "quiet.csv"), table(tmp_path / "data.csv", seed=2, step=1.0), tmp_path / "out.csv"
    got = call("--fit", quiet, "--data", data, "--out", out, "--json")
    assert got.exit_code == 0, got.output
    scores, alarms = written(out)
    assert alarms[200:].mean() > 0.95
    assert alarms[:200].mean() < 0.05
    answer = json.loads(got.stdout.splitlines()[-1])
    assert answer["name"] == "detect"
    assert answer["data"] == {"path": str(data), "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    assert answer["figures"]["columns"] == ["pressure", "flow", "temperature"]
    assert answer["figures"]["alarms"] == alarms.sum()
    assert (alarms == (scores > answer["figures"]["limit"])).all()


def test_any_separator_gzip_a_decimal_comma_and_chinese_names_are_read_alike(tmp_path: Path) -> None:
    plain = table(tmp_path / "a.csv", step=1.0)
    text = plain.read_text()
    (tmp_path / "comma.csv").write_text(text.replace(",", ";").replace(".", ","))
    (tmp_path / "tab.csv").write_text(text.replace(",", "\t"))
    (tmp_path / "gbk.csv").write_bytes(text.replace("pressure", "压力").encode("gb18030"))
    with gzip.open(tmp_path / "z.csv.gz", "wt") as file:
        file.write(text)
    outs: list[bytes] = []
    for name in ("a.csv", "comma.csv", "tab.csv", "gbk.csv", "z.csv.gz"):
        got = call("--fit", tmp_path / name, "--fit-rows", 200, "--data", tmp_path / name, "--out", tmp_path / "out.csv")
        assert got.exit_code == 0, got.output
        outs.append((tmp_path / "out.csv").read_bytes())
    assert len(set(outs)) == 1


def test_gaps_words_and_short_rows_get_a_score_and_a_word(tmp_path: Path) -> None:
    quiet, data, out = table(tmp_path / "quiet.csv"), table(tmp_path / "data.csv", seed=2), tmp_path / "out.csv"
    lines = data.read_text().splitlines()
    for at, cells in ((50, "2026-01-01 00:00:49,,15.1,80.0"), (60, "2026-01-01 00:00:59,Bad,nan,80.0"), (70, "2026-01-01 00:01:09,5.0")):
        lines[at] = cells
    data.write_text("\n".join(lines) + "\n\n")
    got = call("--fit", quiet, "--data", data, "--out", out)
    assert got.exit_code == 0, got.output
    scores, _ = written(out)
    assert scores.shape == (400,)
    assert np.isfinite(scores).all()
    assert "no number in pressure (2 of 400 rows), flow (2 of 400 rows), temperature (1 of 400 rows)" in got.stderr


def test_labels_counters_times_and_columns_of_one_file_are_left_out_and_named(tmp_path: Path) -> None:
    quiet = table(tmp_path / "quiet.csv", extra=",anomaly")
    data = table(tmp_path / "data.csv", seed=2)
    got = call("--fit", quiet, "--data", data, "--out", tmp_path / "out.csv")
    assert "ignored: time (no numbers), anomaly (label by its name)" in got.stderr
    numbered = tmp_path / "numbered.csv"
    numbered.write_text(
        "\n".join(f"{i if i else 'lfd'},{7 * i + 3 if i else 'clock'},{line}" for i, line in enumerate(data.read_text().splitlines()))
    )
    got = call("--fit", numbered, "--data", numbered, "--out", tmp_path / "out.csv")
    assert "lfd (counter: it moves by the same step on every row), clock (counter" in got.stderr
    assert "watching 3 columns: pressure, flow, temperature" in got.stderr


def test_a_constant_tag_is_watched_and_said(tmp_path: Path) -> None:
    quiet = table(tmp_path / "quiet.csv")
    rows = [line.rsplit(",", 1)[0] + (",temperature" if i == 0 else ",75.0") for i, line in enumerate(quiet.read_text().splitlines())]
    quiet.write_text("\n".join(rows))
    rows[300] = rows[300].replace(",75.0", ",76.0")
    (tmp_path / "data.csv").write_text("\n".join(rows))
    got = call("--fit", quiet, "--data", tmp_path / "data.csv", "--out", tmp_path / "out.csv")
    assert "constant in the quiet stretch: temperature" in got.stderr
    scores, alarms = written(tmp_path / "out.csv")
    assert int(scores.argmax()) == 299
    assert alarms[299] == 1


def test_time_that_runs_backwards_is_said_with_its_row(tmp_path: Path) -> None:
    data = table(tmp_path / "data.csv")
    lines = data.read_text().splitlines()
    lines[101], lines[102] = lines[102], lines[101]
    data.write_text("\n".join(lines))
    got = call("--fit", data, "--data", data, "--out", tmp_path / "out.csv")
    assert got.exit_code == 0
    assert "time runs backwards at row 101" in got.stderr


def test_few_rows_for_many_columns_warn_and_far_too_few_are_refused(tmp_path: Path) -> None:
    wide = tmp_path / "wide.csv"
    rng = np.random.default_rng(1)
    np.savetxt(wide, rng.normal(size=(80, 70)), delimiter=",", header=",".join(f"t{i}" for i in range(70)), comments="", fmt="%.4f")
    got = call("--fit", wide, "--fit-rows", 60, "--data", wide, "--out", tmp_path / "out.csv")
    assert got.exit_code == 0, got.output
    assert "fewer quiet rows (60) than columns (70)" in got.stderr
    got = call("--fit", wide, "--fit-rows", 10, "--data", wide, "--out", tmp_path / "out.csv")
    assert "10 quiet rows are fewer than the 40 that a covariance needs: fixed limits" in got.stderr
    got = call("--fit", wide, "--fit-rows", 10, "--data", wide, "--out", tmp_path / "out.csv", "--detector", "dynamic")
    assert got.exit_code == 2
    assert "at least 30 are needed" in got.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--fit": "absent.csv"}, "absent.csv: can't be read: No such file"),
        ({"--data": "noise.bin"}, "noise.bin: this is no text"),
        ({"--data": "cut.csv.gz"}, "cut.csv.gz: can't be read"),
        ({"--data": "empty.csv"}, "empty.csv: no table"),
        ({"--data": "header.csv"}, "header.csv: a header and no rows"),
        ({"--columns": "pressure,speed"}, "no column 'speed': it has time, pressure, flow, temperature"),
        ({"--detector": "oracle"}, 'no detector "oracle" is installed; installed: auto'),
        ({"--far": "1.5"}, "--far must be between 0 and 1"),
        ({"--out": "quiet.csv"}, "--out is one of the inputs"),
        ({"--out": "no/such/folder/out.csv"}, "No such file or directory"),
        ({"--fit": "nan.csv", "--columns": "pressure"}, "no number in column pressure of the quiet stretch"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_clear_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = table(tmp_path / "quiet.csv")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(plain.read_bytes())[:-200])
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("time,pressure\n")
    (tmp_path / "nan.csv").write_text("pressure,flow\n" + "nan,1.5\nnan,1.7\n" * 50)
    arguments = {"--fit": "quiet.csv", "--data": "quiet.csv", "--out": "out.csv"} | change
    got = call(*(part for pair in arguments.items() for part in pair))
    assert got.exit_code == 2, got.output
    assert words in got.stderr.replace("\n", "")
    assert not (tmp_path / "out.csv").exists()
    assert not list(tmp_path.glob("*.part"))


def test_every_detector_by_name_and_its_contract_limit(tmp_path: Path) -> None:
    quiet, data = table(tmp_path / "quiet.csv"), table(tmp_path / "data.csv", seed=2, step=2.0)
    got = call("--fit", quiet, "--data", data, "--out", tmp_path / "out.csv", "--detector", "limits", "--json")
    assert got.exit_code == 0, got.output
    _, alarms = written(tmp_path / "out.csv")
    assert alarms[200:].mean() > 0.9


@needs_tep
def test_a_tennessee_eastman_fault_is_found_at_once_with_few_false_alarms(tmp_path: Path) -> None:
    tep, out = DATA / "tep", tmp_path / "out.csv"
    for fault, latest in ((1, 6), (4, 2), (5, 2)):
        arguments = ("--fit", tep / "normal_train.csv.gz", "--calibrate", tep / "normal_test_a.csv.gz", "--out", out)
        got = call(*arguments, "--data", tep / f"fault_{fault:02}_test.csv.gz")
        assert got.exit_code == 0, got.output
        _, alarms = written(out)
        assert alarms[:160].mean() <= 0.05
        assert int(alarms[160:].argmax()) <= latest
        assert alarms[160:].mean() > 0.98


@needs_skab
def test_a_skab_experiment_is_judged_on_its_own_first_rows_without_its_labels(tmp_path: Path) -> None:
    path, out = DATA / "skab" / "valve1" / "3.csv.gz", tmp_path / "out.csv"
    got = call("--fit", path, "--fit-rows", 400, "--data", path, "--out", out)
    assert "datetime (no numbers), anomaly (label by its name), changepoint (label by its name)" in got.stderr
    _, alarms = written(out)
    with gzip.open(path, "rt") as file:
        truth = np.array([float(row["anomaly"]) for row in csv.DictReader(file, delimiter=";")]) > 0.5
    assert alarms[truth].mean() > 0.7
    assert alarms[400:][~truth[400:]].mean() < 0.135


def test_a_finding_is_told_with_its_start_its_end_and_the_tags_that_moved(tmp_path: Path) -> None:
    quiet, data = table(tmp_path / "quiet.csv"), table(tmp_path / "data.csv", seed=2)
    lines = data.read_text().splitlines()
    for at in range(201, 251):  # rows 200 to 249: a temperature that is 20 degrees higher, and nothing else
        cells = lines[at].split(",")
        lines[at] = ",".join([*cells[:3], str(float(cells[3]) + 20)])
    data.write_text("\n".join(lines))
    got = call("--fit", quiet, "--data", data, "--out", tmp_path / "out.csv", "--json")
    (found,) = json.loads(got.stdout.splitlines()[-1])["figures"]["findings"]
    assert found["found"] == 204
    assert 197 <= found["onset"] <= 200  # a noisy row before it may belong to it
    assert 250 < found["cleared"] < 400  # the longest memory forgets twenty deviations in a hundred rows
    assert found["shares"][0][0] == "temperature"
    assert found["shares"][0][1] > 0.9
    assert 0.5 < found["confidence"] < 1
    shown = call("--fit", quiet, "--data", data, "--out", tmp_path / "out.csv").stdout
    assert f"from sample {found['onset']}" in shown
    assert "temperature" in shown.split("from sample")[1]


def test_rows_of_a_finding_are_those_of_the_row_that_confirmed_it_however_the_file_is_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    quiet, rows = rng.normal(size=(500, 4)), rng.normal(size=(9000, 4))
    rows[8190:8260, 2] += 12.0  # across the edge of what is read at once
    for name, values in (("quiet", quiet), ("data", rows)):
        np.savetxt(tmp_path / f"{name}.csv", values, delimiter=",", header="a,b,c,d", comments="", fmt="%.6f")
    got = call("--fit", tmp_path / "quiet.csv", "--data", tmp_path / "data.csv", "--out", tmp_path / "out.csv", "--far", 0.001, "--json")
    found = [one for one in json.loads(got.stdout.splitlines()[-1])["figures"]["findings"] if one["found"] > 8000]
    assert [(one["found"], one["shares"][0][0]) for one in found] == [(8194, "c")]
    assert 8170 <= found[0]["onset"] <= 8190


def test_a_picture_loads_nothing_and_shows_findings_limits_and_the_tag(tmp_path: Path) -> None:
    quiet, data, page = table(tmp_path / "quiet.csv"), table(tmp_path / "data.csv", seed=2, step=2.0), tmp_path / "page.html"
    got = call("--fit", quiet, "--data", data, "--out", tmp_path / "out.csv", "--plot", page, "--limit", "pressure=8")
    assert got.exit_code == 0, got.output
    text = page.read_text()
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text
    assert text.count("<svg") == 4  # score, pressure, flow, temperature
    assert 'class="found"' in text
    assert 'class="limit"' in text
    for name, words in (("page.png", "pictures are HTML pages"), ("no/such/page.html", "No such file")):
        refused = call("--fit", quiet, "--data", data, "--out", tmp_path / "out.csv", "--plot", tmp_path / name)
        assert refused.exit_code == 2
        assert words in refused.stderr.replace("\n", " ")


def test_when_a_limit_will_be_met_is_foretold_with_an_interval(tmp_path: Path) -> None:
    quiet, data = table(tmp_path / "quiet.csv"), table(tmp_path / "data.csv", seed=2)
    lines = data.read_text().splitlines()
    for at in range(1, 401):  # 0.05 degrees a row: 100 at row 400, 110 after 200 more
        cells = lines[at].split(",")
        lines[at] = ",".join([*cells[:3], f"{float(cells[3]) + 0.05 * at:.3f}"])
    data.write_text("\n".join(lines))
    got = call("--fit", quiet, "--data", data, "--out", tmp_path / "out.csv", "--limit", "temperature=110", "--json")
    (found,) = json.loads(got.stdout.splitlines()[-1])["figures"]["remaining"]
    assert found["low_rows"] < 200 < found["high_rows"]
    assert found["rows"] == pytest.approx(200, abs=40)
    for text, words in (("speed=1", "--limit names speed, which is not watched"), ("pressure=high", "write COLUMN=VALUE")):
        refused = call("--fit", quiet, "--data", data, "--out", tmp_path / "out.csv", "--limit", text)
        assert refused.exit_code == 2
        assert words in refused.stderr


def test_units_of_a_file_are_each_held_against_their_own_beginning(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lines = ["engine,cycle,speed,heat"]
    for engine in range(12):
        own = 10 * rng.normal(size=2)
        lines += [f"{engine},{c + 1},{a:.4f},{b:.4f}" for c, (a, b) in enumerate(own + rng.normal(size=(50, 2)))]
    (tmp_path / "healthy.csv").write_text("\n".join(lines))
    rows = rng.normal(size=(400, 2)) + np.repeat([[30.0, -30.0], [-25.0, 10.0]], 200, axis=0)
    rows[300:, 1] += 8.0  # the second engine, from its row 100 on
    lines = ["engine,cycle,speed,heat"] + [f"{50 + i // 200},{1 + i % 200},{a:.4f},{b:.4f}" for i, (a, b) in enumerate(rows)]
    (tmp_path / "engines.csv").write_text("\n".join(lines))
    got = call("--fit", tmp_path / "healthy.csv", "--data", tmp_path / "engines.csv", "--out", tmp_path / "out.csv", "--json")
    assert "12 runs, told apart by engine" in got.stderr
    assert "each unit is scored against its own first 5 rows" in got.stderr
    figures = json.loads(got.stdout.splitlines()[-1])["figures"]
    assert figures["runs"] == 2
    assert [one["onset"] for one in figures["findings"]] == [300]
    _, alarms = written(tmp_path / "out.csv")
    assert alarms[:300].mean() < 0.05
    assert alarms[305:].mean() > 0.95


def test_mixed_and_changed_units_are_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    bar = rng.normal(5, 0.1, 200)
    mixed = np.where(np.arange(200) % 4 == 0, bar * 100, bar)  # kPa now and then
    np.savetxt(tmp_path / "quiet.csv", np.column_stack([mixed, bar]), delimiter=",", header="p,q", comments="", fmt="%.4f")
    body = [f"{a:.4f},{1000 * b:.2f}" for a, b in zip(mixed, bar, strict=True)]
    body[5] = "5.1 bar,5100.0"
    (tmp_path / "data.csv").write_text("\n".join(["p,q", *body]))
    got = call("--fit", tmp_path / "quiet.csv", "--data", tmp_path / "data.csv", "--out", tmp_path / "out.csv")
    assert got.exit_code == 0, got.output
    assert "values of p lie in two groups a power of ten apart: mixed units?" in got.stderr
    assert "the middle of q (" in got.stderr
    assert "numbers with a unit beside them in p ('5.1 bar')" in got.stderr
