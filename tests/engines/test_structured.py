"""Schemas beyond the safe subset are refused when they are loaded, and nothing is accepted that does not fit."""

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.agent.models.serving import schema as schemas
from holdfast.agent.models.serving.constrained import Constraint, ConstraintError, tokenizer_of
from holdfast.agent.models.serving.patterns import PatternFault, body_of
from holdfast.agent.models.serving.schema import SchemaError, load_schema, walk
from holdfast.agent.models.serving.structured import Answers, Unfit, strict_json
from holdfast.evals import structured
from holdfast.evals.structured.judge import Verdict
from holdfast.evals.suites import Options, SuiteError
from holdfast.language import LANGUAGES, say

CASES = structured.read(structured.OWN)
CAUSE: dict[str, Any] = {
    "type": "object",
    "properties": {"cause": {"type": "string", "enum": ["wear", "crack"]}, "why": {"type": "string", "maxLength": 20}},
    "required": ["cause"],
    "additionalProperties": False,
}


def test_the_suite_has_two_hundred_schemas_and_passes() -> None:
    found = structured.run(Options(n=1))
    assert len(CASES) >= structured.SCHEMAS_MIN
    assert (found.pass_, found.figures["faulty"], found.figures["accepted_is_valid"]) == (True, [], 1.0)
    assert found.figures["random_decoder"]["accepted"] > 100
    assert found.figures["mutants"]["accepted"] > 100


def test_the_suite_falls_short_where_open_objects_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = schemas._Reader.fault

    def deaf(self: Any, at: str, what: str, code: str, **facts: str) -> None:
        if code != "schema.open":
            taken(self, at, what, code, **facts)

    monkeypatch.setattr(schemas._Reader, "fault", deaf)
    found = structured.run(Options(n=1))
    assert not found.pass_
    assert any("open-object" in line for line in found.figures["faulty"])


def test_the_suite_falls_short_where_answers_are_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "read", lambda self, text: strict_json(text))
    found = structured.run(Options(n=1))
    assert not found.pass_
    assert found.figures["accepted_is_valid"] < 1.0
    assert found.figures["mutants"]["accepted_unfit"] > 0


def test_data_that_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text('{"id": "a", "schema": {}, "refuses": "type"}\n{"id": "b"}\n')
    with pytest.raises(SuiteError, match=r"cases\.jsonl:2"):
        structured.read(tmp_path / "cases.jsonl")


@pytest.mark.parametrize("case", [case for case in CASES if "refuses" in case], ids=lambda case: case["id"])
def test_every_refusal_says_what_and_what_to_do_in_both_languages(case: dict[str, Any]) -> None:
    with pytest.raises(SchemaError) as refused:
        load_schema(case["schema"])
    for fault in refused.value.faults:
        for language in LANGUAGES:
            codes = [fault.code, *(f"{name}.{value}" for name, value in fault.facts if name in ("cure", "pattern"))]
            assert all(say(code, {}, language) != code for code in codes), codes
            assert not any(code in fault.told(language) for code in codes)


def test_references_are_written_out_and_the_order_of_properties_is_kept() -> None:
    given = {
        "type": "object",
        "properties": {"b": {"$ref": "#/$defs/x"}, "a": {"$ref": "#/$defs/x"}},
        "required": [],
        "additionalProperties": False,
        "$defs": {"x": {"type": "integer", "minimum": 1, "title": "X", "$comment": "ours"}},
    }
    one = {"title": "X", "type": "integer", "minimum": 1}
    assert load_schema(given).plain() == {
        "type": "object",
        "properties": {"b": one, "a": one},
        "required": [],
        "additionalProperties": False,
    }
    assert list(load_schema(given).plain()["properties"]) == ["b", "a"]
    assert [at for at, _ in walk(load_schema(given).plain())] == ["", "/properties/b", "/properties/a"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"cause": "rust"}', "answer.does_not_fit"),
        ('{"cause": "wear"', "answer.not_json"),
        ('```json\n{"cause": "wear"}\n```', "answer.not_json"),
        ('{"cause": "wear", "cause": "crack"}', "answer.twice"),
        ('{"cause": NaN}', "answer.not_finite"),
        ('{"cause": "wear", "why": "\\ud83d"}', "answer.half_character"),
        ("[" * 40 + "]" * 40, "answer.deep"),
        ('"' + "x" * 70_000 + '"', "answer.long"),
        ('{"cause": ' + "9" * 5000 + "}", "answer.not_finite"),
    ],
)
def test_an_unfit_answer_has_a_code_and_words(text: str, code: str) -> None:
    with pytest.raises(Unfit) as unfit:
        Answers(load_schema(CAUSE)).read(text)
    assert unfit.value.code == code
    for language in LANGUAGES:
        assert code not in say(code, unfit.value.facts, language)


def test_a_fitting_answer_is_read_as_it_is() -> None:
    assert Answers(load_schema(CAUSE)).read(' {"cause": "wear", "why": "轴承"}\n') == {"cause": "wear", "why": "轴承"}


@pytest.mark.parametrize(
    ("pattern", "fits", "unfit"),
    [
        ("^(?:,[0-9]+)*$", (",1,22", ""), ("1", ",1,")),
        ("^a{2,}$", ("aa", "aaaa"), ("a",)),
        ("^[^a]$", ("b", "中"), ("a", "", "bb")),
        ("^\\.\\*$", (".*",), ("ab",)),
    ],
)
def test_a_pattern_is_matched_whole(pattern: str, fits: tuple[str, ...], unfit: tuple[str, ...]) -> None:
    answers = Answers(load_schema({"type": "string", "pattern": pattern}))
    assert all(answers.read(json.dumps(text)) == text for text in fits)
    for text in unfit:
        with pytest.raises(Unfit):
            answers.read(json.dumps(text))


@pytest.mark.parametrize(
    "pattern", ["^(a*)*$", "^(?:a|aa)+b*c*d*$", "^(?:[a-z]+,?)+$", "^x*y*z*$", "^(?:a{1,99}){1,99}$", "^(?:,.)*(?:a+)+$"]
)
def test_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(PatternFault):
        body_of(pattern)


def test_a_constraint_lets_through_what_fits_and_nothing_else() -> None:
    tokenizer = tokenizer_of()
    constraint = Constraint(load_schema(CAUSE), tokenizer)
    for token in b'{"cause":"':
        assert constraint.allowed()[token]
        constraint.take(token)
    assert sorted(chr(t) for t in constraint.allowed().nonzero()[0]) == ["c", "w"]
    with pytest.raises(ConstraintError):
        constraint.take(ord("x"))


def test_the_judge_of_the_suite_refuses_to_judge_what_it_does_not_know() -> None:
    with pytest.raises(KeyError):
        Verdict({"type": "string", "format": "date"}).fits("x")
    assert not Verdict({"const": 1}).fits(True)
