"""A recording replayed: the same record every time, found before the plant's alarm, nothing opened, nothing written."""

import asyncio
import csv
import dataclasses
import gzip
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from mill_recording import CONNECTIONS, recorded_site, write_rows
from typer.testing import CliRunner

from holdfast.cli import replay as group
from holdfast.gate.connectors.replay import Replay
from holdfast.run.recorded import Played, moments, past
from holdfast.run.replay import Replaying
from holdfast.run.replayed import Replayed
from holdfast.sim.mill.plant import Mill
from holdfast.terms import Tag, TagTable

REPO = Path(__file__).parents[2]
DATA = Path(os.environ.get("HOLDFAST_DATA", REPO.parent / "shared" / "data"))
EPOCH_2000_NS = 946_684_800_000_000_000  # date -u -d 2000-01-01 +%s
SEED, QUIET_ROWS, CHATTER_ROWS = 3, 1200, 2100


@dataclasses.dataclass(frozen=True)
class Recorded:
    site: Path
    quiet: Path
    chatter: Path
    replayed: Replayed


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("mill")
    site = recorded_site(folder)
    quiet = write_rows(folder / "quiet.csv", Mill.quiet(SEED), QUIET_ROWS)
    chatter = write_rows(folder / "rec.csv", Mill(SEED, "chatter"), CHATTER_ROWS)
    return Recorded(site, quiet, chatter, asyncio.run(Replaying(site, chatter, fit=quiet).run(folder / "home")))


def command(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    group.register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["replay", *map(str, arguments)])
    return result.exit_code, result.output


# ---- what it says


def test_the_finding_comes_before_the_plants_alarm_and_names_the_cause(mill: Recorded) -> None:
    found = mill.replayed
    assert found.first_finding_s is not None
    assert found.alarm_s is not None
    assert found.first_finding_s < found.alarm_s
    assert found.lead_s == found.alarm_s - found.first_finding_s
    assert found.findings[0].cause == "lubrication_loss"
    assert found.findings[0].probability is not None
    assert found.findings[0].probability > 0.5
    assert any(tag.startswith("stand-4/") for tag, _ in found.findings[0].tags)


def test_the_alarm_is_where_the_recording_crosses_the_plants_limit(mill: Recorded) -> None:
    with mill.chatter.open(encoding="utf-8") as file:
        vibration = [float(row["Stand4.VibRMS"]) for row in csv.DictReader(file)]
    # hi 4.5 with a delay of 3 s and a row a second: the fourth row above it in a row.
    row = next(i for i in range(3, len(vibration)) if min(vibration[i - 3 : i + 1]) > 4.5)
    first = mill.replayed.alarms[0]
    assert (first.tag, first.limit, first.row) == ("stand-4/vibration", "hi", row)
    assert first.at_s == float(row)
    assert first.value == pytest.approx(vibration[row])


def test_nothing_is_written_whatever_the_site_allows(mill: Recorded) -> None:
    assert "autonomy: act" in mill.site.read_text("utf-8")
    assert mill.replayed.autonomy == "shadow"
    assert mill.replayed.writes_sent == 0
    verdicts = {proposal.verdict for proposal in mill.replayed.proposals}
    assert "would permit" in verdicts
    assert verdicts <= {"would permit", "would ask", "would refuse", "refuse"}


async def test_a_played_connection_rejects_every_write() -> None:
    played = Played("rec", Replay(name="rec", file="nowhere.csv"))
    tag = Tag(name="line/sp", connection="rec", address="sp", unit="kN", writable=True)
    assert await played.write(tag, 1.0, timeout_s=1.0) == "rejected"


# ---- the same every time


def test_twice_gives_the_same_root_also_in_another_process(mill: Recorded, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-c", "from holdfast.cli.main import main; main()", "replay", mill.site,
            "--data", mill.chatter, "--fit", mill.quiet, "--home", tmp_path / "home", "--json",
        ],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True, text=True, check=True, timeout=50,
    )  # fmt: skip
    again = json.loads(done.stdout.splitlines()[-1])["ledger"]
    assert again["verified"]
    assert again["root"] == mill.replayed.ledger.root
    assert again["records"] == mill.replayed.ledger.records > 5


async def test_another_recording_gives_another_root(mill: Recorded, tmp_path: Path) -> None:
    lines = mill.chatter.read_text("utf-8").splitlines()
    (tmp_path / "rec.csv").write_text("\n".join(lines[:900]) + "\n", "utf-8")
    other = await Replaying(mill.site, tmp_path / "rec.csv", fit=mill.quiet).run(tmp_path / "home")
    assert other.ledger.verified
    assert other.ledger.root != mill.replayed.ledger.root


async def test_a_replay_makes_no_socket(mill: Recorded, tmp_path: Path) -> None:
    lines = mill.chatter.read_text("utf-8").splitlines()
    (tmp_path / "rec.csv").write_text("\n".join(lines[:60]) + "\n", "utf-8")
    port = "env:HOLDFAST_NO_SUCH_PORT"  # a connection of the site that no recording stands for is not even made
    site = recorded_site(tmp_path, connections=CONNECTIONS + f"  away: {{type: modbus, host: 127.0.0.1, port: {port}}}\n")
    seen: list[str] = []
    sys.addaudithook(lambda event, _: seen.append(event) if watching and event.startswith("socket.") else None)
    watching = True
    found = await Replaying(site, tmp_path / "rec.csv", fit=mill.quiet).run(tmp_path / "home")
    watching = False
    assert seen == []
    assert found.rows == 59


# ---- bad input: exit 2, and what to do


def rows_of(mill: Recorded, count: int = 400) -> list[list[str]]:
    with mill.chatter.open(encoding="utf-8") as file:
        return [row for row, _ in zip(csv.reader(file), range(count), strict=False)]


def blanked(rows: list[list[str]], column: str) -> None:
    place = rows[0].index(column)
    for row in rows[1:]:
        row[place] = "NaN"


def swapped(rows: list[list[str]]) -> None:
    rows[10], rows[11] = rows[11], rows[10]


def without(rows: list[list[str]], column: str) -> None:
    place = rows[0].index(column)
    for row in rows:
        del row[place]


def worded(rows: list[list[str]]) -> None:
    rows[5][3] = "hot"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (swapped, "time runs backwards"),
        (lambda rows: without(rows, "Stand4.VibRMS"), "column 'Stand4.VibRMS': 1 columns are missing"),
        (lambda rows: without(rows, "second"), "column 'second': the time column is missing"),
        (lambda rows: blanked(rows, "Stand4.VibRMS"), "column 'Stand4.VibRMS': no value in the whole recording"),
        (worded, "'hot' is no number"),
        (lambda rows: rows.clear(), "is empty"),
        (lambda rows: rows.__delitem__(slice(1, None)), "no rows"),
    ],
    ids=["time backwards", "column missing", "time column missing", "NaN column", "no number", "empty", "header alone"],
)
def test_a_recording_that_cannot_be_used_is_refused(
    mill: Recorded, tmp_path: Path, spoil: Callable[[list[list[str]]], None], message: str
) -> None:
    rows = rows_of(mill)
    spoil(rows)
    data = tmp_path / "bad.csv"
    data.write_text("".join(",".join(row) + "\n" for row in rows), "utf-8")
    code, told = command(mill.site, "--data", data, "--fit", mill.quiet, "--home", tmp_path / "home")
    assert code == 2
    assert message in told
    assert "bad.csv" in told
    assert not (tmp_path / "home").exists()  # read whole before anything is put on record


def test_a_broken_gzip_is_refused(mill: Recorded, tmp_path: Path) -> None:
    whole = gzip.compress(mill.chatter.read_bytes())
    for name, content in (("cut.csv.gz", whole[: len(whole) // 2]), ("plain.csv.gz", mill.chatter.read_bytes())):
        (tmp_path / name).write_bytes(content)
        code, told = command(mill.site, "--data", tmp_path / name, "--fit", mill.quiet)
        assert code == 2
        assert name in told
        assert "copy the recording again" in told or "check that it is what its name says" in told


def test_what_is_no_csv_is_refused(mill: Recorded, tmp_path: Path) -> None:
    (tmp_path / "photo.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    code, told = command(mill.site, "--data", tmp_path / "photo.csv")
    assert code == 2
    assert "not UTF-8" in told


def test_an_absent_recording_is_named(mill: Recorded, tmp_path: Path) -> None:
    for option in ("--data", "--fit"):
        code, told = command(mill.site, option, tmp_path / "nowhere.csv")  # rec.csv lies beside the site file
        assert code == 2
        assert "nowhere.csv: can't be read" in told
    code, told = command(tmp_path / "nowhere.yaml", "--data", mill.chatter)
    assert code == 2
    assert "there is no such file" in told


def test_an_unknown_connection_is_refused(mill: Recorded) -> None:
    code, told = command(mill.site, "--data", mill.chatter, "--connection", "kiln")
    assert code == 2
    assert "no connection of type replay is called 'kiln'; there are: rec" in told


def test_a_site_without_a_recording_is_refused(tmp_path: Path, mill: Recorded) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "holdfast: 1\nsite: {name: kiln, language: en, timezone: UTC}\nconnections:\n  plc: {type: modbus, host: 127.0.0.1}\n"
        "equipment:\n  kiln: {tags: {draught: {on: plc, address: '40001:int16', unit: Pa}}}\nagents: {watcher: {autonomy: observe}}\n"
    )
    code, told = command(site, "--data", mill.chatter)
    assert code == 2
    assert "no connection of type replay; write one, such as" in told


def test_a_recording_shorter_than_the_quiet_stretch_is_refused(mill: Recorded, tmp_path: Path) -> None:
    code, told = command(mill.site, "--data", mill.chatter, "--home", tmp_path / "home")
    assert code == 2
    assert "has 2100 rows, and chatter precursor learns from the first 3600" in told
    assert "--fit" in told


def test_a_quiet_recording_without_a_watched_value_is_refused(mill: Recorded, tmp_path: Path) -> None:
    rows = rows_of(mill)
    blanked(rows, "Stand4.RollForce")
    (tmp_path / "quiet.csv").write_text("".join(",".join(row) + "\n" for row in rows), "utf-8")
    code, told = command(mill.site, "--data", mill.chatter, "--fit", tmp_path / "quiet.csv")
    assert code == 2
    assert "quiet.csv:1, column 'Stand4.RollForce': no value of stand-4/force in the quiet stretch" in told


def test_a_rate_that_is_none_is_refused(mill: Recorded) -> None:
    code, told = command(mill.site, "--data", mill.chatter, "--fit", mill.quiet, "--far", 1.5)
    assert code == 2
    assert "--far must be between 0 and 1" in told


def test_a_home_with_a_record_is_left_alone(mill: Recorded) -> None:
    home = Path(mill.replayed.ledger.path).parents[1]
    before = Path(mill.replayed.ledger.path).read_bytes()
    code, told = command(mill.site, "--data", mill.chatter, "--fit", mill.quiet, "--home", home)
    assert code == 2
    assert "holds a record already" in told
    assert Path(mill.replayed.ledger.path).read_bytes() == before


# ---- details


def test_the_limit_can_be_set_on_held_out_quiet_rows_and_scores_are_written(mill: Recorded, tmp_path: Path) -> None:
    lines = mill.chatter.read_text("utf-8").splitlines()
    (tmp_path / "rec.csv").write_text("\n".join(lines[:301]) + "\n", "utf-8")
    arguments = (mill.site, "--data", tmp_path / "rec.csv", "--fit", mill.quiet, "--far", 0.01, "--out", tmp_path / "out")
    code, told = command(*arguments, "--home", tmp_path / "home", "--json")
    assert code == 0, told
    found = json.loads(told.splitlines()[-1])
    (detector,) = found["detectors"]
    assert detector["limit_from"].startswith("--far 0.01: 12 of 1200 held-out quiet rows above it")  # floor(0.01 x 1200)
    assert json.loads((tmp_path / "out" / "summary.json").read_text("utf-8")) == found
    with (tmp_path / "out" / "scores.csv").open(encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    assert [int(row["row"]) for row in scores] == list(range(300))
    assert scores[1]["time"] == "2000-01-01T00:00:01Z"
    assert {row["incident"] for row in scores} <= {"0", "1"}


def test_people_get_a_table_and_the_way_to_verify(mill: Recorded, tmp_path: Path) -> None:
    lines = mill.chatter.read_text("utf-8").splitlines()
    (tmp_path / "rec.csv").write_text("\n".join(lines[:61]) + "\n", "utf-8")
    code, told = command(mill.site, "--data", tmp_path / "rec.csv", "--fit", mill.quiet, "--home", tmp_path / "home")
    assert code == 0, told
    assert "60 rows of" in told
    assert f"holdfast ledger verify {tmp_path / 'home' / 'gate' / 'state.db'} --key" in told
    assert "nothing was found" in told


def test_progress_is_told_in_rows(mill: Recorded, tmp_path: Path) -> None:
    lines = mill.chatter.read_text("utf-8").splitlines()
    (tmp_path / "rec.csv").write_text("\n".join(lines[:301]) + "\n", "utf-8")
    told: list[tuple[str, int, int | None]] = []
    playing = Replaying(mill.site, tmp_path / "rec.csv", fit=mill.quiet, told=lambda *one: told.append(one))
    asyncio.run(playing.run(tmp_path / "home"))
    assert [one for one in told if one[0] == "replaying"] == [("replaying", 0, 300), ("replaying", 100, 300), ("replaying", 200, 300)]


def table(name: str, *columns: str, connection: str = "rec", period_s: float = 1.0) -> TagTable:
    tags = tuple(Tag(name=f"line/{column}", connection=connection, address=column, unit="1") for column in columns)
    return TagTable(id=name, connection=connection, period_s=period_s, tags=tags)


def test_rows_of_several_recordings_come_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,a\n0,1\n2,2\n2,3\n")
    (tmp_path / "b.csv").write_text("t,b\n1,10\n2,20\n")
    replays = {n: Replay(name=n, file=tmp_path / f"{n}.csv", time="t", time_unit="s") for n in ("a", "b")}
    tables = (table("a@1", "a", connection="a"), table("b@1", "b", connection="b"))
    seen = [
        ((at - EPOCH_2000_NS) // 1_000_000_000, [(f.table, float(f.values[0, 0])) for f in frames])
        for at, frames in moments(replays, tables)
    ]
    assert [(at, [v for pair in held for v in pair[1:]]) for at, held in seen if at < 2] == [(0, [1.0]), (1, [10.0])]
    rest = [pair for at, held in seen if at == 2 for pair in held]
    assert sorted(rest) == [("a@1", 2.0), ("a@1", 3.0), ("b@1", 20.0)]
    assert rest.index(("a@1", 2.0)) < rest.index(("a@1", 3.0))


def test_the_past_is_the_quiet_recordings_last_rows_a_period_apart(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("a\n" + "".join(f"{i}\n" for i in range(1300)))
    frames = list(past(Replay(name="rec", file=tmp_path / "q.csv"), table("rec@180", "a", period_s=180.0), EPOCH_2000_NS, 700))
    values = [v for f in frames for v in f.values[:, 0].tolist()]
    times = [t for f in frames for t in f.received_ns.tolist()]
    assert values == [float(i) for i in range(600, 1300)]
    assert times[-1] == EPOCH_2000_NS
    assert {b - a for a, b in itertools.pairwise(times)} == {180_000_000_000}
    assert frames[0].seq == 0


# ---- the recordings that everybody knows


def shared(*parts: str) -> Path:
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {'/'.join(parts)} under HOLDFAST_DATA")
    return path


async def test_a_tennessee_eastman_fault_is_found_soon_after_it_begins(tmp_path: Path) -> None:
    data, fit = shared("tep", "fault_01_test.csv.gz"), shared("tep", "normal_train.csv.gz")
    found = await Replaying(REPO / "examples" / "tep" / "site.yaml", data, fit=fit, far=0.01).run(tmp_path)
    assert found.rows == 960
    assert found.tags == 52
    assert 160 <= found.findings[0].row < 170  # the fault begins with row 160
    assert found.findings[0].cause == "none of these"  # there are failure modes for a rolling mill alone
    assert found.ledger.verified
    assert found.proposals == ()


async def test_a_quiet_tennessee_eastman_recording_has_no_finding(tmp_path: Path) -> None:
    data, fit = shared("tep", "normal_test_a.csv.gz"), shared("tep", "normal_train.csv.gz")
    found = await Replaying(REPO / "examples" / "tep" / "site.yaml", data, fit=fit, far=0.01).run(tmp_path)
    assert found.findings == ()
    assert found.lead_s is None


async def test_skabs_valve_is_found_within_its_own_recording(tmp_path: Path) -> None:
    data = shared("skab", "valve1", "0.csv.gz")
    with gzip.open(data, "rt", encoding="utf-8") as file:
        labels = [float(row["anomaly"]) for row in csv.DictReader(file, delimiter=";")]
    found = await Replaying(REPO / "examples" / "skab" / "site.yaml", data, far=0.01).run(tmp_path)
    begins = labels.index(1.0)
    assert found.rows == len(labels)
    assert begins <= found.findings[0].row < begins + 60
    assert found.findings[0].tags[0][0] == "loop/flow"
