"""Broken site files: each is refused at the right line, in words that say what is wrong and what would be right."""

from pathlib import Path

import pytest

from holdfast.site.load import load
from holdfast.site.model import Problem, SiteError

BASE = """\
holdfast: 1
site: {name: mill, language: en, timezone: Asia/Shanghai}
objective: {minimise: line/defects, keep: {line/speed: ">= 98% of line/speed_ref"}}
connections:
  plc: {type: opcua, url: opc.tcp://h:4840, security: Basic256Sha256, server: file:s.der, login: env:LOGIN, writes: true}
  aux: {type: modbus, host: h}
templates:
  loop:
    sp: {address: "{at}.SP", unit: "{unit}", access: write}
    sp_now: {address: "{at}.Now", unit: "{unit}"}
    pv: {address: "{at}.PV", unit: "{unit}"}
    mode: {address: "{at}.Mode", states: {0: manual, 2: external}}
    permit: {address: "{at}.Permit", type: bool}
    heartbeat: {address: "{at}.HB", type: integer, access: write}
equipment:
  line:
    tags:
      speed: {on: plc, address: Line.Speed, unit: m/min}
      speed_ref: {on: plc, address: Line.SpeedRef, unit: m/min}
      defects: {on: plc, address: Line.Defects, unit: /km}
      grade: {on: plc, address: Line.Grade, states: {0: DC01, 1: SPCC}}
      trip: {on: plc, address: Line.Trip, type: bool, sis: true}
  stand:
    maintenance: {tag: line/trip, is: 1}
    loops:
      tension: {template: loop, on: plc, at: S4.T, unit: kN, roles: {pv: tension}}
    tags:
      vibration: {on: plc, address: S4.Vib, unit: mm/s}
      oil: {on: aux, address: 40001, unit: °C, scale: {raw: [0, 100], eng: [0, 10]}}
    alarms:
      vibration: {hi: 4.5, hihi: 7.1, deadband: 0.3, delay: 3s, priority: high}
    envelopes:
      tension.sp:
        autonomy: shadow
        enable: {tag: tension.permit, is: 1}
        range: {by: line/grade, DC01: [90, 115], SPCC: [80, 120]}
        step: 2.0
        rate: {max: 5.0, per: 10min}
        writes: {max: 6, per: 1h}
        dwell: 60s
        rests_on: {tags: [tension.pv, vibration], newer_than: 2s, moves_within: 5min}
        readback: {tag: tension.sp_now, within: 0.05, after: 1s}
        settles: {tag: tension.pv, within: 1.0, after: 5s}
        expect: {tag: vibration, falls_by: 0.3, within: 60s}
        requires: {tension.mode: external}
        yield: 30min
perception: [{name: watch, detector: dynamic, tags: [stand/*]}]
agents: {mill-agent: {autonomy: ask}}
default_approvals: [operator]
"""


def written(folder: Path, text: str, **files: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return path


def refused(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(SiteError) as caught:
        load(path)
    assert all(p.line >= 1 and p.what and p.cure and p.file for p in caught.value.problems), caught.value
    return caught.value.problems


def test_the_file_that_is_broken_below_is_whole(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, BASE))
    assert loaded.warnings == ()
    assert [t.name for t in loaded.site.tags if t.writable] == ["stand/tension.sp", "stand/tension.heartbeat"]


# (what is replaced, by what, line, words of the problem, words of its cure)
BROKEN = [
    ("holdfast: 1", "holdfast: 2", 1, '`holdfast` can\'t be "2"', "up to 1"),
    ("timezone: Asia/Shanghai", "timezone: Asia/Shangai", 2, 'unknown timezone "Asia/Shangai"', "Asia/Shanghai"),
    ("language: en", "langauge: en", 2, 'unknown key "langauge"', 'did you mean "language"?'),
    ("minimise: line/defects", "minimise: line/defect", 3, 'unknown tag "line/defect"', 'did you mean "line/defects"?'),
    (">= 98% of line/speed_ref", "at least 98%", 3, "can't be", ">= 98% of"),
    (">= 98% of line/speed_ref", ">= 98% of line/sped_ref", 3, 'unknown tag "line/sped_ref"', "line/speed_ref"),
    ("type: opcua", "type: opc-ua", 5, 'no connector "opc-ua" is installed', 'did you mean "opcua"?'),
    (", server: file:s.der", "", 5, "not pinned", "file:SERVER.der"),
    ("security: Basic256Sha256, ", "", 5, "does not say how it is secured", "security: none"),
    ("login: env:LOGIN", "login: 'env:'", 5, "names nothing", "env:NAME"),
    (", login: env:LOGIN, writes: true", "", 9, 'connection "plc", which does not write', "writes: true"),
    ("  aux:", "  plc:", 6, '"plc" stands twice', "the first is in line 5"),
    ('sp: {address: "{at}.SP"', 'sp: {address: "{att}.SP"', 26, "lacks att", "line 9"),
    ("{template: loop,", "{template: lop,", 26, 'unknown template "lop"', 'did you mean "loop"?'),
    ("unit: kN, roles", "unitt: kN, unit: kN, roles", 26, 'unknown key "unitt" in a loop', 'did you mean "unit"?'),
    ("roles: {pv: tension}", "roles: {vp: tension}", 26, 'no part "vp"', 'did you mean "pv"?'),
    ("unit: kN,", "unit: kNN,", 26, '"kNN" is no unit', 'did you mean "kN"?'),
    ("speed: {on: plc", "speed: {on: plx", 18, 'unknown connection "plx"', 'did you mean "plc"?'),
    ("speed: {on: plc,", "speed: {", 18, "lacks `on`", "plc, aux"),
    ("address: Line.Speed,", "adress: Line.Speed,", 18, 'unknown key "adress"', 'did you mean "address"?'),
    ("address: Line.Speed,", "adress: Line.Speed,", 18, "lacks `address`", "where it is"),
    ("Line.Speed, unit: m/min", "Line.Speed, unit: m/mim", 18, '"m/mim" is no unit', 'did you mean "m/min"?'),
    ("states: {0: DC01", "states: {zero: DC01", 21, 'state "zero" is no whole number', "1: running"),
    ("1: SPCC", "1: DC01", 21, 'two states are named "DC01"', "its own name"),
    ("type: bool, sis: true", "type: bool, sis: true, access: write", 22, "safety system", "never written"),
    ("sis: true", "sis: 1", 22, "`sis` can't be", "true or false"),
    ("maintenance: {tag: line/trip", "maintenance: {tag: line/trap", 24, 'unknown tag "line/trap"', 'did you mean "line/trip"?'),
    ("maintenance: {tag: line/trip, is: 1}", "maintenance: {tag: line/trip, is: 2}", 24, "a switch", "0 or 1"),
    ("unit: mm/s}", "unit: mm/s, access: write}", 28, "writable and has no envelope", "`envelopes`"),
    ("raw: [0, 100]", "raw: [100, 0]", 29, "upside down", "[0, 100]"),
    ("raw: [0, 100]", "raw: [0, 0]", 29, "upside down", "two different ends"),
    ("hi: 4.5, hihi: 7.1", "hi: 7.1, hihi: 4.5", 31, "hi (7.1) is not below hihi (4.5)", "lolo < lo < hi < hihi"),
    ("hi: 4.5, hihi: 7.1", "lo: 4.5, hi: 4.5", 31, "lo (4.5) is not below hi (4.5)", "lolo < lo < hi < hihi"),
    ("hi: 4.5, hihi: 7.1, ", "", 31, "has no limit", "lolo, lo, hi, hihi"),
    ("      vibration: {hi", "      vibratoin: {hi", 31, 'unknown tag "vibratoin" in "stand"', 'did you mean "vibration"?'),
    ("deadband: 0.3", "deadband: -0.3", 31, "`deadband` can't be", "from 0"),
    ("delay: 3s", "delay: 3", 31, "`delay` can't be", "3s"),
    ("priority: high", "priority: hihg", 31, "`priority` can't be", 'did you mean "high"?'),
    ("      tension.sp:", "      tension.pv:", 33, "read-only", "access: write"),
    ("autonomy: shadow", "autonomy: full", 34, "`autonomy` can't be", "observe, shadow, ask, act"),
    ("        enable: {tag: tension.permit, is: 1}\n", "", 33, "lacks `enable`", "write enable"),
    ("enable: {tag: tension.permit, is: 1}", "enable: none", 35, "`enable` can't be", "tag"),
    ("enable: {tag: tension.permit", "enable: {tag: tension.heartbeat", 35, "can't be an interlock", "operator"),
    ("        range: {by: line/grade, DC01: [90, 115], SPCC: [80, 120]}\n", "", 33, "lacks `range`", "none"),
    ("range: {by: line/grade, DC01: [90, 115]", "range: {by: line/grade, DC01: [115, 90]", 36, "upside down", "[90, 115]"),
    ("DC01: [90", "DC02: [90", 36, 'no state "DC02"', 'did you mean "DC01"?'),
    ("by: line/grade", "by: line/speed", 36, "needs a state tag", "states"),
    ("        step: 2.0\n", "", 33, "lacks `step`", "none"),
    ("step: 2.0", "step: 0", 37, "`step` can't be", "above 0"),
    ("step: 2.0", "step: .inf", 37, "`step` can't be", "a number"),
    ("step: 2.0", "step: .nan", 37, "`step` can't be", "a number"),
    ("step: 2.0", "step: true", 37, "`step` can't be", "a number"),
    ("step: 2.0", "step:", 37, "`step` can't be", "none"),
    ("        rate: {max: 5.0, per: 10min}\n", "", 33, "lacks `rate`", "none"),
    ("rate: {max: 5.0, per: 10min}", "rate: {max: 5.0}", 38, "lacks `per`", "write per"),
    ("        writes: {max: 6, per: 1h}\n", "", 33, "lacks `writes`", "none"),
    ("writes: {max: 6,", "writes: {max: 6.5,", 39, "`max` can't be", "whole number"),
    ("        dwell: 60s\n", "", 33, "lacks `dwell`", "none"),
    ("dwell: 60s", "dwell: 60 s", 40, "`dwell` can't be", "10min"),
    ("        rests_on: {tags: [tension.pv, vibration], newer_than: 2s, moves_within: 5min}\n", "", 33, "lacks `rests_on`", "none"),
    ("moves_within: 5min", "", 41, "lacks `moves_within`", "none"),
    ("[tension.pv, vibration]", "[]", 41, "has 0 entries", "1 or more"),
    ("newer_than: 2s", "newer_than: 500ms", 41, "sampled every 1s", "more often"),
    ("        readback: {tag: tension.sp_now, within: 0.05, after: 1s}\n", "", 33, "lacks `readback`", "none"),
    (
        "readback: {tag: tension.sp_now, within: 0.05, after: 1s}",
        "readback: {tag: tension.sp_now, within: 0.05, after: 0s}",
        42,
        "`after`",
        "above 0",
    ),
    ("readback: {tag: tension.sp_now", "readback: {tag: vibration", 42, "is in mm/s, but stand/tension.sp is in kN", "same unit"),
    ("settles: {tag: tension.pv", "settles: {tag: oil", 43, "is in Cel, but stand/tension.sp is in kN", "same unit"),
    ("falls_by: 0.3, within", "falls: 0.3, within", 44, 'unknown key "falls"', 'did you mean "falls_by"?'),
    ("falls_by: 0.3,", "falls_by: 0.3, rises_by: 0.3,", 44, "either falls_by or rises_by", "falls_by"),
    ("tension.mode: external", "tension.mode: externl", 45, 'no state "externl"', 'did you mean "external"?'),
    ("tension.mode: external", "tension.mode: 1", 45, 'no state "1"', "manual, external"),
    ("tension.mode: external", "vibration: external", 45, "is a number", "states"),
    ("yield: 30min", "yeild: 30min", 46, 'unknown key "yeild"', 'did you mean "yield"?'),
    ("detector: dynamic", "detector: dinamic", 47, 'no detector "dinamic"', 'did you mean "dynamic"?'),
    ("tags: [stand/*]", "tags: [stnd/*]", 47, 'no number tag fits "stnd/*"', 'did you mean "stand/*"?'),
    ("agents: {mill-agent: {autonomy: ask}}", "agents: {mill-agent: {}}", 48, "lacks `autonomy`", "write autonomy"),
    ("default_approvals: [operator]", "default_approvals: []", 49, "has 0 entries", "1 or more"),
    ("default_approvals: [operator]", "default_approvals: [operator", 50, "not YAML", "bracket"),
    ("default_approvals: [operator]", "policy: nowhere.yaml", 49, "nowhere.yaml can't be read", "relative to the site file"),
    ("      oil: {on: aux, address: 40001", "      oil: {on: plc, address: S4.T.SP", 29, "one address", "delete one"),
    ("      oil:", "      Ｖibration:", 29, 'can be taken for "stand/vibration"', "another name"),
    ("      oil:", "      vibrаtion:", 29, 'can be taken for "stand/vibration"', "another name"),
    ("      oil:", "      a/oil:", 29, "can't name a tag", "slash"),
    ("      oil:", "      o\u202eil:", 29, "invisible character", "letters"),
]


@pytest.mark.parametrize(("old", "new", "line", "what", "cure"), BROKEN, ids=[f"{i}-{c[3][:30]}" for i, c in enumerate(BROKEN)])
def test_a_mistake_is_told_with_its_line_and_cure(tmp_path: Path, old: str, new: str, line: int, what: str, cure: str) -> None:
    assert BASE.count(old) >= 1, old
    problems = refused(written(tmp_path, BASE.replace(old, new, 1)))
    assert any(p.line == line and what in p.what and cure in p.cure for p in problems), "\n".join(map(str, problems))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = BASE.replace("language: en", "language: fr").replace("step: 2.0", "step: -2").replace("yield: 30min", "yield: soon")
    assert [p.line for p in refused(written(tmp_path, text))] == [2, 37, 46]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("[1, 2]\n", 1, "a list"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("holdfast: 1\n\tsite: x\n", 2, "not YAML"),
        ("holdfast: !!python/object:os.system 1\n", 1, "YAML tag"),
        ("holdfast: 1\nsite: *s\n", 2, "*s stands for nothing"),
        ("a: \x07\n", 1, "control character"),
        ("[" * 100, 1, "levels deep"),
        (
            "a: &a [x, x]\nb: &b [*a, *a]\n" + "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 9)),
            3,
            "stands for nothing",
        ),
        ("l0: &l0 [x, x]\n" + "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 9)), 7, "values"),
        ("a: &a {b: 1}\n" + "".join(f"k{i}: *a\n" for i in range(201)), 202, "aliases"),
        ("x: 1\n" * 3 + "#" * (4 * 1024 * 1024), 1, "larger than"),
    ],
)
def test_a_file_that_is_no_site_file_or_a_bomb_is_refused(tmp_path: Path, text: str, line: int, what: str) -> None:
    assert any(p.line == line and what in p.what for p in refused(written(tmp_path, text)))


def test_bytes_that_are_no_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(b"holdfast: 1\nsite: {name: \xff}\n")
    assert [(p.line, "UTF-8" in p.cure) for p in refused(path)] == [(2, True)]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.yaml")[0].what


# ---- tag lists -------------------------------------------------------------------------------------------------------

LISTED = "holdfast: 1\nsite: {name: m}\nconnections: {plc: {type: opcua, url: 'opc.tcp://h:1'}}\nequipment: {line: {tags: line.csv}}\n"


@pytest.mark.parametrize(
    ("csv", "line", "what"),
    [
        ("", 1, "empty"),
        ("name,unit\nspeed,m/s\n", 1, 'no column "address"'),
        ("name,address,units\n", 1, 'unknown column "units"'),
        ("name,address\nspeed\n", 2, "1 cells, but 2 columns"),
        ("name,address,unit\nspeed,A,m/s\nspeed,B,m/s\n", 3, "is there twice"),
        ("name,address,unit\nspeed,A,m/z\n", 2, "is no unit"),
        ("name,address,low,high\nspeed,A,9,1\n", 2, "upside down"),
        ("name,address,low,high\nspeed,A,9,\n", 2, "`eu_range` can't be"),
        ("name,address,every\nspeed,A,1\n", 2, "`every` can't be"),
        ('name,address\nspeed,"A\n', 2, "not a CSV row"),
    ],
)
def test_a_mistake_in_a_tag_list_is_told_with_its_row(tmp_path: Path, csv: str, line: int, what: str) -> None:
    problems = refused(written(tmp_path, LISTED, line__csv=csv))
    assert any(p.file.endswith("line.csv") and p.line == line and what in p.what for p in problems), "\n".join(map(str, problems))


# ---- policy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "line", "what"),
    [
        ("", 1, "empty"),
        ("rules: []\n", 1, "lacks `revision`"),
        ("revision: -1\nrules: []\n", 1, "`revision` can't be"),
        ("revision: 1\nrules:\n  - {id: a, effect: allow, tags: ['*']}\n", 3, "`effect` can't be"),
        ("revision: 1\nrules:\n  - {id: a, effect: permit}\n", 3, "lacks `tags`"),
        ("revision: 1\nrules:\n  - {id: a, effect: permit, tags: [stand/tensoin.sp]}\n", 3, 'unknown tag "stand/tensoin.sp"'),
        ("revision: 1\nrules:\n  - {id: a, effect: permit, tags: [nothing/*]}\n", 3, 'no tag fits "nothing/*"'),
        ("revision: 1\nrules:\n  - {id: a, effect: permit, tags: ['*'], agents: [mil-agent]}\n", 3, 'unknown agent "mil-agent"'),
        ("revision: 1\nrules:\n  - {id: a, effect: permit, tags: ['*'], approvals: [operator]}\n", 3, "has approvals"),
        ("revision: 1\nrules:\n  - {id: a, effect: ask, tags: ['*'], approvals: []}\n", 3, "has 0 entries"),
        (
            "revision: 1\nrules:\n  - {id: a, effect: ask, tags: ['*']}\n  - {id: a, effect: ask, tags: ['*']}\n",
            4,
            'two rules have the id "a"',
        ),
        ("revision: 1\nrules:\n  - {id: a, effect: ask, tags: ['learned/*']}\n", 3, 'no tag fits "learned/*"'),
    ],
)
def test_a_mistake_in_the_policy_is_told_with_its_line(tmp_path: Path, policy: str, line: int, what: str) -> None:
    problems = refused(written(tmp_path, BASE + "policy: policy.yaml\n", policy__yaml=policy))
    assert any(p.file.endswith("policy.yaml") and p.line == line and what in p.what for p in problems), "\n".join(map(str, problems))
