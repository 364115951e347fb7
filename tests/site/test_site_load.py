"""A whole site file becomes a Site: its numbers, its digest, and files beside it."""

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import holdfast
from holdfast.clock import RealClock
from holdfast.site import plugged, secrets
from holdfast.site.load import load
from holdfast.site.model import Connection, Equals, Expect, Problem, Range, Rate, Readback, RestsOn, Settles, SiteError, Writes
from holdfast.site.secrets import SecretError
from holdfast.terms import Scale

MILL = Path(holdfast.__file__).parent / "sim" / "mill"
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_demo_mill_loads_with_the_numbers_that_are_written() -> None:
    site = load(MILL / "site.yaml").site
    assert (len(site.tags), len(site.loops), len(site.envelopes), len(site.policy.rules)) == (36, 3, 2, 5)
    tension = site.envelope("stand-4/tension.sp")
    assert tension is not None
    assert tension.enable == Equals(tag="stand-4/tension.permit", value=1.0)
    assert tension.range == Range(by="line/grade", rows=(("DC01", (90.0, 115.0)), ("SPCC", (80.0, 120.0))))
    assert (tension.step, tension.dwell_s, tension.yield_s, tension.autonomy) == (2.0, 60.0, 1800.0, "act")
    assert tension.rate == Rate(max=10.0, per_s=600.0)
    assert tension.writes == Writes(max=12, per_s=3600.0)
    assert tension.rests_on == RestsOn(tags=("stand-4/tension.pv", "stand-4/vibration"), newer_than_s=3.0, moves_within_s=300.0)
    assert tension.readback == Readback(tag="stand-4/tension.sp_now", within=0.05, after_s=5.0)
    assert tension.settles == Settles(tag="stand-4/tension.pv", within=1.0, after_s=20.0)
    assert tension.expect == Expect(tag="stand-4/vibration", direction="falls", by=0.05, within_s=120.0)
    assert set(tension.requires) == {Equals(tag="stand-4/tension.mode", value=2.0), Equals(tag="line/state", value=1.0)}
    emulsion = site.envelope("stand-4/emulsion.sp")
    assert emulsion is not None
    assert emulsion.range == Range(by="", rows=(("", (200.0, 420.0)),))
    assert site.objective.keep == (("line/speed", ">=", 0.98, "line/speed_ref"),)
    assert site.perception[0].tags[0] == "line/speed", "in site order, not as listed"
    assert len(site.perception[0].tags) == 13


def test_a_template_makes_the_tags_of_a_loop() -> None:
    site = load(MILL / "site.yaml").site
    pv = site.tag("stand-4/tension.pv")
    assert pv is not None
    assert (pv.address, pv.unit, pv.role, pv.tag_no, pv.connection) == ("Stand4.Tension.PV", "kN", "tension", "S4-TIC-401", "mill")
    coolant = site.tag("stand-4/coolant_temp")
    assert coolant is not None
    assert (coolant.unit, coolant.scale, coolant.address) == ("Cel", Scale(raw=(0.0, 27648.0), eng=(0.0, 150.0)), "40021:int16")
    loop = site.loop_of("stand-4/tension.sp")
    assert loop is not None
    assert loop.permit == "stand-4/tension.permit"


def test_a_loop_without_an_envelope_is_only_watched() -> None:
    site = load(MILL / "site.yaml").site
    writable = {t.name for t in site.tags if t.writable}
    assert writable == {"stand-4/tension.sp", "stand-4/tension.heartbeat", "stand-4/emulsion.sp", "stand-4/emulsion.heartbeat"}


def test_secrets_stay_references() -> None:
    mill = load(MILL / "site.yaml").site.connections[0]
    assert (mill.option("url"), mill.option("login")) == ("env:HOLDFAST_MILL_URL", "file:mill.login")


# ---- digest ----------------------------------------------------------------------------------------------------------

SMALL = """\
holdfast: 1
site: {name: p, timezone: UTC}
connections: {plc: {type: modbus, host: h, security: none, writes: true}}
equipment:
  pump:
    tags:
      on: {address: "1", type: bool}
      flow: {address: "2", unit: L/min, every: 200ms}
      sp: {address: "3", unit: L/min, access: write}
    alarms:
      flow: {hi: 400, lo: 100, deadband: 5, delay: 3s}
    envelopes:
      sp:
        enable: {tag: on, is: 1}
        range: [100, 300]
        step: 10
        rate: {max: 50, per: 10min}
        writes: {max: 6, per: 1h}
        dwell: 1min
        rests_on: none
        readback: none
"""


def digest_of(folder: Path, text: str) -> str:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path).digest


def test_how_it_is_written_does_not_change_the_digest(tmp_path: Path) -> None:
    first = digest_of(tmp_path, SMALL)
    assert digest_of(tmp_path, "# a comment\n\n" + SMALL) == first
    assert digest_of(tmp_path, SMALL.replace("{hi: 400, lo: 100,", "{lo: 100.0, hi: 4e2,")) == first, "keys in another order"
    assert digest_of(tmp_path, SMALL.replace("unit: L/min, every: 200ms", "every: 0.2s, unit: 'L / min'")) == first
    lines = SMALL.splitlines(keepends=True)
    assert digest_of(tmp_path, "".join([lines[0], lines[2], lines[1], *lines[3:]])) == first, "blocks in another order"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hi: 400", "hi: 401"),
        ("lo: 100", "lo: 99.9"),
        ("deadband: 5", "deadband: 4"),
        ("delay: 3s", "delay: 4s"),
        ("[100, 300]", "[100, 300.0000001]"),
        ("step: 10", "step: 11"),
        ("max: 50", "max: 51"),
        ("per: 10min", "per: 11min"),
        ("max: 6", "max: 7"),
        ("per: 1h", "per: 2h"),
        ("dwell: 1min", "dwell: none"),
        ("is: 1", "is: 0"),
        ("200ms", "250ms"),
        ('"2"', '"4"'),
        ("host: h", "host: i"),
        ("name: p", "name: q"),
    ],
)
def test_every_number_changes_the_digest(tmp_path: Path, old: str, new: str) -> None:
    assert digest_of(tmp_path, SMALL.replace(old, new, 1)) != digest_of(tmp_path, SMALL)


def test_a_bound_that_is_not_wanted_is_none_and_told(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SMALL, encoding="utf-8")
    loaded = load(tmp_path / "site.yaml")
    assert (loaded.site.envelopes[0].rests_on, loaded.site.envelopes[0].readback) == (None, None)
    assert [(p.line, p.what) for p in loaded.warnings] == [
        (3, "plc writes without security"),
        (21, "pump/sp has no readback"),
    ]


# ---- beside the site file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_tag_list_may_be_chinese_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    csv = "name,address,unit,states,low,high,role,description\n速度,A.V,m/min,,0,1200,speed,带钢速度\n状态,A.S,,0=停止 1=运行,,,,\n"
    (tmp_path / "线.csv").write_bytes(csv.encode(encoding))
    connection = "connections: {plc: {type: opcua, url: 'opc.tcp://h:1'}}\n"
    text = "holdfast: 1\nsite: {name: 无锡, language: zh}\n" + connection + "equipment: {产线: {tags: 线.csv}}\n"
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    site = load(tmp_path / "site.yaml").site
    speed, state = site.tags
    assert (speed.name, speed.unit, speed.eu_range, speed.description) == ("产线/速度", "m/min", (0.0, 1200.0), "带钢速度")
    assert (state.type, state.states) == ("state", ((0, "停止"), (1, "运行")))


def test_an_environment_secret_is_looked_up_when_it_is_needed(tmp_path: Path) -> None:
    assert secrets.text("env:PASS", tmp_path, {"PASS": "p w"}) == "p w"
    with pytest.raises(SecretError, match="environment variable PASS is not set"):
        secrets.text("env:PASS", tmp_path, {})


def test_a_file_secret_lies_beside_the_site_file(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("user:pass\n", encoding="utf-8")
    assert secrets.text("file:login", tmp_path) == "user:pass"
    with pytest.raises(SecretError, match="gone can't be read: No such file"):
        secrets.text("file:gone", tmp_path)


def test_a_connector_gets_its_secrets_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("user:pass\n", encoding="utf-8")
    (tmp_path / "s.der").write_bytes(b"\x00")
    connection = Connection(
        name="plc",
        type="opcua",
        options=(("login", "file:login"), ("server", "file:s.der"), ("timeout_s", "env:T"), ("url", "env:URL")),
    )
    made = plugged.open_connector(connection, tmp_path, clock=RealClock(), state_dir=tmp_path, environ={"T": "7", "URL": "opc.tcp://h:1"})
    assert (getattr(made, "login"), getattr(made, "url"), getattr(made, "timeout_s")) == ("user:pass", "opc.tcp://h:1", 7.0)  # noqa: B009
    assert Path(getattr(made, "server")) == tmp_path / "s.der"  # noqa: B009


def test_an_option_that_a_connector_does_not_have_is_told(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SMALL.replace("host: h,", "hots: h, port: many,"), encoding="utf-8")
    told = {(p.what, p.cure) for p in plugged.problems(load(tmp_path / "site.yaml").site, "site.yaml")}
    assert ('connection plc: modbus has no option "hots"', 'did you mean "host"?') in told
    assert any("`port` can't be 'many'" in what for what, _ in told)
    assert any("lacks `host`" in what for what, _ in told)


# ---- anything at all -------------------------------------------------------------------------------------------------

DEMO = (MILL / "site.yaml").read_text(encoding="utf-8").replace("policy: policy.yaml", "")
PIECES = (
    "{",
    "}",
    "[",
    "]",
    ": ",
    ", ",
    "- ",
    "none",
    "null",
    "*a",
    "&a ",
    "!!x ",
    "'",
    '"',
    "\n",
    "  ",
    "-1",
    "1e999",
    ".nan",
    "true",
    "/",
    "*",
    "中",
    "\u202e",
    "{at}",
)


def problems_of(path: Path) -> tuple[Problem, ...]:
    """Loads, or tells why not; any other exception fails the test."""
    try:
        return load(path).warnings
    except SiteError as error:
        return error.problems or (Problem(file="", line=0, what="", cure=""),)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_of_a_site_file_ends_in_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    text = DEMO
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(PIECES) | st.text(max_size=3)) + text[at + cut :]
    path = tmp_path / "site.yaml"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    told = problems_of(path)
    assert all(p.line >= 1 and p.what and p.cure for p in told)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(alphabet='name,address;"\n\t=1铁 ', max_size=80).map(str.encode))
def test_no_tag_list_ends_in_a_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "site.yaml").write_text(
        "holdfast: 1\nsite: {name: m}\nconnections: {p: {type: modbus}}\nequipment: {l: {tags: t.csv}}\n", encoding="utf-8"
    )
    (tmp_path / "t.csv").write_bytes(b"name,address\n" + content)
    assert all(p.line >= 1 and p.what and p.cure for p in problems_of(tmp_path / "site.yaml"))


@pytest.mark.parametrize("name", ["tep", "skab", "ten-lines"])
def test_the_examples_load_without_a_warning(name: str) -> None:
    loaded = load(EXAMPLES / name / "site.yaml")
    assert loaded.warnings == ()
    assert list(plugged.problems(loaded.site, loaded.file)) == []
    assert loaded.site.envelopes == ()


def test_the_ten_line_example_has_ten_lines() -> None:
    assert len((EXAMPLES / "ten-lines" / "site.yaml").read_text(encoding="utf-8").splitlines()) == 10


def test_the_example_of_the_tennessee_eastman_process_has_every_column() -> None:
    addresses = {t.address for t in load(EXAMPLES / "tep" / "site.yaml").site.tags}
    assert addresses == {f"xmeas_{i:02d}" for i in range(1, 42)} | {f"xmv_{i:02d}" for i in range(1, 12)}


def test_an_example_has_the_columns_of_its_recording() -> None:
    import gzip

    data = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not data.is_dir():
        pytest.skip("the recordings are not here: set HOLDFAST_DATA to their folder")
    for name, file, separator in (("tep", "tep/normal_train.csv.gz", ","), ("skab", "skab/anomaly-free.csv.gz", ";")):
        with gzip.open(data / file, "rt", encoding="utf-8") as lines:
            header = set(next(lines).strip().split(separator))
        site = load(EXAMPLES / name / "site.yaml").site
        assert {t.address for t in site.tags} <= header
        assert site.connections[0].option("time") in header


def test_a_line_number_is_no_part_of_the_digest() -> None:
    site = load(MILL / "site.yaml").site
    from holdfast.terms import digest

    moved = dataclasses.replace(site, connections=tuple(dataclasses.replace(c, line=c.line + 7) for c in site.connections))
    assert digest(moved) == digest(site)
