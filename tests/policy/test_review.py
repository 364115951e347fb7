"""`policy check` says what is certainly wrong with a policy that loads, `policy diff` what certainly changes."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from holdfast.cli import policy as commands
from holdfast.gate.guard.difference import Change, difference
from holdfast.gate.guard.intervals import Span, region, universe, within
from holdfast.gate.guard.review import review
from holdfast.run.mill import site_file
from holdfast.site.load import load
from holdfast.site.model import ContextTable, Envelope, Policy, Range, Rate, Rule, Site

SITE = load(site_file()).site
KNOWN = universe(SITE)
SP, FLOW = "stand-4/tension.sp", "stand-4/emulsion.sp"
PERMIT = Rule(id="trim", effect="permit", agents=("mill-agent",), tags=(SP,), when="proposed < 112.0")


def ruled(*rules: Rule, revision: int = 1) -> Site:
    return dataclasses.replace(SITE, policy=Policy(revision=revision, rules=rules))


def rule(when: str, effect: str = "permit", **more: Any) -> Rule:
    return dataclasses.replace(PERMIT, when=when, effect=effect, **more)  # type: ignore[arg-type]


def bounded(**changes: Any) -> Site:
    return dataclasses.replace(SITE, envelopes=tuple(dataclasses.replace(e, **changes) if e.tag == SP else e for e in SITE.envelopes))


def spans(condition: str, of: str = "proposed") -> list[str]:
    return [str(clause.spans.get(of, Span())) for clause in region(condition, KNOWN)]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("proposed < 115.0", ["(−∞, 115)"]),
        ("115.0 >= proposed", ["(−∞, 115]"]),
        ("proposed > 90.0 && proposed <= 115.0", ["(90, 115]"]),
        ("!(proposed < 90.0) && proposed != 100.0", ["[90, 100)", "(100, ∞)"]),
        ("proposed < 90.0 || proposed > 115.0", ["(−∞, 90)", "(115, ∞)"]),
        ("proposed < 90.0 && proposed >= 90.0", []),
        ("proposed >= 90.0 && proposed <= 90.0", ["[90, 90]"]),
        ("proposed < -4.5", ["(−∞, -4.5)"]),
        ("abs(proposed - present) > 1.0", ["(−∞, ∞)"]),
        ("(proposed - present) > 1.0 && proposed < 5.0", ["(−∞, 5)"]),
    ],
)
def test_a_simple_condition_lets_exactly_these_numbers_through(condition: str, wanted: list[str]) -> None:
    assert spans(condition) == wanted


@pytest.mark.parametrize(
    ("inner", "outer", "is_within"),
    [
        ("proposed < 100.0", "proposed < 100.0", True),
        ("proposed < 100.0", "proposed <= 100.0", True),
        ("proposed <= 100.0", "proposed < 100.0", False),
        ("proposed < 100.0 && present > 1.0", "proposed < 100.0", True),
        ("proposed < 100.0", "proposed < 100.0 && present > 1.0", False),
        ("abs(proposed) < 1.0 && proposed < 5.0", "proposed < 5.0", True),
        ("proposed < 5.0", "abs(proposed) < 1.0 && proposed < 5.0", False),
        ('tag("line/grade") == "DC01"', 'tag("line/grade") in ["DC01", "SPCC"]', False),
        ('tag("line/grade") == "DC01"', 'tag("line/grade") != "SPCC"', True),
        ('tag("line/key_switch")', "true", True),
        ("false", "proposed < 1.0", True),
    ],
)
def test_one_region_is_within_another_only_where_that_is_certain(inner: str, outer: str, is_within: bool) -> None:
    assert within(region(inner, KNOWN), region(outer, KNOWN)) is is_within


def warned(*rules: Rule) -> list[str]:
    return [p.what for p in review(ruled(*rules), "policy")]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ((rule("proposed < 90.0 && proposed > 95.0"),), "can never hold"),
        ((rule("proposed > 120.0"),), "outside every envelope"),
        ((rule("proposed < 130.0"),), "wider than the envelope"),
        ((rule("true", tags=("furnace/strip_temp.sp",)),), "never applies"),
        ((rule("proposed < 100.0"), rule("true", "forbid", id="all", agents=("*",), tags=("*",))), "never reached: forbid 'all'"),
        ((rule("proposed < 100.0"), rule("proposed < 110.0", "ask", id="ask")), "never reached: ask 'ask'"),
        ((rule("proposed < 110.0"), rule("proposed < 100.0", id="again")), "never reached: permit 'trim'"),
    ],
)
def test_a_rule_that_does_nothing_or_too_much_is_named(rules: tuple[Rule, ...], said: str) -> None:
    assert any(said in what for what in warned(*rules)), warned(*rules)


@pytest.mark.parametrize(
    "rules",
    [
        SITE.policy.rules,
        (rule("proposed > 119.0"), rule("proposed < 120.0", id="other")),
        (rule("proposed < 100.0"), rule("proposed < 99.0", "forbid", id="some")),
        (rule("proposed < 100.0"), rule("abs(proposed) < 110.0", "forbid", id="some")),
    ],
)
def test_nothing_is_said_of_a_policy_where_each_rule_matters(rules: tuple[Rule, ...]) -> None:
    assert warned(*rules) == []


def fed(when: str, *tables: ContextTable) -> list[str]:
    site = dataclasses.replace(ruled(rule(when)), context=tables)
    return [p.what for p in review(site, "policy") if "nobody feeds" in p.what]


def health_by(source: Literal["tag", "csv"], kind: Literal["health", "inventory"] = "health") -> ContextTable:
    options = (("tag", "stand-4/vibration"), ("as", "stand-4/bearing")) if source == "tag" else (("file", "health.csv"),)
    return ContextTable(name="h", kind=kind, source=source, options=options, newer_than_s=60.0)


def test_a_health_that_nobody_feeds_is_named() -> None:
    (said,) = fed('health("stand-4/bearing") < 0.7 && health("stand-4/bearing") > 0.1')
    assert said == "rule 'trim': nobody feeds health('stand-4/bearing'), so whatever the rule applies to is refused"
    assert fed('health("stand-4/other") < 0.7', health_by("tag"))
    assert fed('health("stand-4/bearing") < 0.7', health_by("csv", "inventory"))


def test_nothing_is_said_of_a_health_that_a_table_brings_or_may_bring() -> None:
    assert fed('health("stand-4/bearing") < 0.7', health_by("tag")) == []
    assert fed('health("stand-4/bearing") < 0.7', health_by("csv")) == []
    assert fed("proposed < 100.0") == []


def changed(new: Site, old: Site = SITE) -> dict[str, tuple[str, bool]]:
    return {c.of: (c.how, c.widens) for c in difference(old, new)}


@pytest.mark.parametrize(
    ("new", "of", "how"),
    [
        (bounded(step=2.5), f"{SP} step", "wider"),
        (bounded(step=1.9999999999999998), f"{SP} step", "narrower"),
        (bounded(step=None), f"{SP} step", "wider"),
        (bounded(dwell_s=59.0), f"{SP} dwell", "wider"),
        (bounded(yield_s=3600.0), f"{SP} yield", "narrower"),
        (bounded(rate=Rate(max=10.0, per_s=300.0)), f"{SP} rate", "wider"),
        (bounded(rate=Rate(max=8.0, per_s=300.0)), f"{SP} rate", "changed"),
        (bounded(autonomy="ask"), f"{SP} autonomy", "narrower"),
        (bounded(requires=()), f"{SP} requires", "wider"),
        (bounded(range=Range(by="line/grade", rows=(("DC01", (90.0, 135.0)), ("SPCC", (80.0, 120.0))))), f"{SP} range DC01", "wider"),
        (bounded(range=Range(by="line/grade", rows=(("DC01", (95.0, 116.0)), ("SPCC", (80.0, 120.0))))), f"{SP} range DC01", "changed"),
        (bounded(range=Range(by="line/grade", rows=(("SPCC", (80.0, 120.0)),))), f"{SP} range DC01", "removed"),
    ],
)
def test_each_bound_is_compared_exactly(new: Site, of: str, how: str) -> None:
    assert changed(new) == {of: (how, how not in ("narrower", "removed"))}


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        (rule("proposed < 112.0"), rule("proposed < 113.0"), "wider"),
        (rule("proposed < 112.0"), rule("proposed <= 111.0"), "narrower"),
        (rule("proposed < 112.0"), rule("present < 112.0"), "changed"),
        (rule("proposed < 112.0", "forbid"), rule("proposed < 113.0", "forbid"), "narrower"),
        (rule("proposed < 112.0"), rule("proposed < 112.0", tags=("stand-4/*",)), "wider"),
        (rule("proposed < 112.0"), rule("proposed < 112.0", "ask"), "changed"),
        (rule("proposed < 112.0"), rule("proposed < 112.0", "forbid"), "narrower"),
    ],
)
def test_a_rule_is_wider_or_narrower_where_that_is_certain(before: Rule, after: Rule, how: str) -> None:
    assert changed(ruled(after), ruled(before))["rule 'trim'"][0] == how


def test_rules_that_come_and_go_are_told_and_what_may_allow_more_comes_first() -> None:
    found: tuple[Change, ...] = difference(ruled(PERMIT), ruled(rule("true", "forbid", id="no"), rule("true", id="yes"), revision=2))
    assert [(c.of, c.how, c.widens) for c in found] == [
        ("rule 'yes'", "added", True),
        ("rule 'no'", "added", False),
        ("revision", "changed", False),
        ("rule 'trim'", "removed", False),
    ]


def test_an_envelope_that_comes_widens() -> None:
    fewer: tuple[Envelope, ...] = tuple(e for e in SITE.envelopes if e.tag != FLOW)
    assert changed(SITE, dataclasses.replace(SITE, envelopes=fewer)) == {f"{FLOW} envelope": ("added", True)}


# ---- the commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Path]:
    def copy(name: str, *changes: tuple[str, str, str]) -> Path:
        folder = tmp_path / name
        shutil.copytree(site_file().parent, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        for file, before, after in changes:
            text = (folder / file).read_text()
            assert before in text
            (folder / file).write_text(text.replace(before, after))
        return folder / "site.yaml"

    return copy


def said(*arguments: str | Path) -> tuple[int, Any]:
    import typer

    app = typer.Typer()
    commands.register(app)
    app.callback()(lambda: None)
    found = CliRunner().invoke(app, ["policy", *map(str, arguments), "--json"], env=dict(os.environ))
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, json.loads(found.stdout.strip().splitlines()[-1])


def test_check_passes_the_demo_and_fails_a_wrong_type(plant: Callable[..., Path]) -> None:
    assert said("check", plant("good"))[0] == 0
    code, found = said("check", plant("bad", ("policy.yaml", "proposed > 112.0", "proposed > 112")))
    assert (code, found["ok"]) == (1, False)
    assert "112.0" in found["problems"][0]["cure"]


def test_strict_turns_warnings_into_errors(plant: Callable[..., Path]) -> None:
    wide = plant("wide", ("policy.yaml", "proposed > 112.0", "proposed > 112.0 && proposed < 130.0"))
    assert said("check", wide)[0] == 0
    assert said("check", wide, "--strict")[0] == 1


def test_every_case_of_the_demo_comes_out_as_it_says(plant: Callable[..., Path]) -> None:
    code, found = said("test", plant("good"))
    assert (code, found["missed"], len(found["cases"])) == (0, 0, 12)


def test_a_case_that_comes_out_otherwise_is_named(plant: Callable[..., Path]) -> None:
    code, found = said("test", plant("other", ("policy.yaml", "proposed > 112.0", "proposed > 113.0")))
    assert code == 1
    assert [c["name"] for c in found["cases"] if c["missed"]] == ["high tension asks the operator"]


@pytest.mark.parametrize(
    ("before", "after", "in_error"),
    [
        ("expect: permit}", "expect: maybe}", "expect"),
        ("line/state: stopped", "line/stat: stopped", "line/stat"),
        ("cases:", "cases", "cases"),
    ],
)
def test_cases_that_cannot_be_read_are_wrong_use(plant: Callable[..., Path], before: str, after: str, in_error: str) -> None:
    code, found = said("test", plant("odd", ("policy.cases.yaml", before, after)))
    assert code == 2
    assert in_error in found["error"]


def test_diff_names_the_bound_that_grew(plant: Callable[..., Path]) -> None:
    code, found = said("diff", plant("old"), plant("new", ("site.yaml", "DC01: [90, 115]", "DC01: [90, 135]")))
    assert code == 0
    (change,) = found["changes"]
    assert (change["of"], change["how"], change["before"], change["after"]) == (f"{SP} range DC01", "wider", "[90, 115]", "[90, 135]")
