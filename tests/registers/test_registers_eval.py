"""The suite `registers`: what it counts, and that the project's own maps come out as they must."""

import json
import os
from pathlib import Path

import pytest

from holdfast.agent.models.registers.words import Abstention, Answer, Refusal
from holdfast.evals.registers import run, suite
from holdfast.evals.registers.naming import names
from holdfast.evals.registers.suite import OWN, Item, counted, load, score
from holdfast.evals.suites import Options, SuiteError

DATA = Path(os.environ.get("HOLDFAST_DATA", str(Path(__file__).resolve().parents[3] / "shared" / "data"))) / "register_maps" / "dev.jsonl"
MAP = "Wren W1, FC03, 0-based, write FC06\nFlow limit | 8 | UINT16 | l/h | RW"
WANTED = {"function_code": 3, "address": 8, "count": 1, "data_type": "uint16", "word_order": None, "scale": 1.0}


def _item(question: str, **expected: object) -> Item:
    return Item(id="x", description=MAP, question=question, style="verbatim", expected=expected)


def _verdict(item: Item, answer: Answer | None = None) -> str:
    from holdfast.agent.models.registers.read import by_rules

    return score(item, by_rules if answer is None else lambda _map, _question: answer)[1].verdict


def test_an_exact_answer_counts() -> None:
    assert _verdict(_item("Read the flow limit", **WANTED)) == "exact"


def test_an_abstention_on_an_answerable_item_is_a_miss() -> None:
    assert _verdict(_item("Read the flow limit", **WANTED), Abstention(why="disagree")) == "missed_abstained"
    assert _verdict(_item("Read the flow limit", **WANTED), Refusal(reason="incomplete", missing=())) == "missed_refused"


def test_a_write_of_another_value_is_a_wrong_write() -> None:
    assert _verdict(_item("Set the flow limit to 7 l/h", **WANTED | {"function_code": 6, "value_registers": [9]})) == "wrong_write"


def test_an_answer_where_none_can_be_is_wrong() -> None:
    refusal = {"refuse": True, "reason_code": "incomplete", "missing": ["scale"]}
    assert _verdict(_item("Read the flow limit", **refusal)) == "wrong_read"
    assert _verdict(_item("Set the flow limit to 7 l/h", **refusal)) == "wrong_write"


def test_a_refusal_must_name_what_is_missing() -> None:
    item = _item("Read the flow limit", refuse=True, reason_code="incomplete", missing=["address_base"])
    named = score(item, lambda _map, _question: Refusal(reason="incomplete", missing=("address_base", "data_type")))[1]
    other = score(item, lambda _map, _question: Refusal(reason="incomplete", missing=("data_type",)))[1]
    assert counted([named, other])["refusals_named"] == 0.5


def test_an_author_may_call_what_is_missing_by_other_words() -> None:
    assert names(("register_space",), ("function_code",))
    assert names(("register_for_quantity",), ("no register for the dew point",))
    assert names(("value_within_range",), ("flow limit max 40 l/h",))
    assert names(("data_type", "scale"), ("scale of the two tables differs",))
    assert not names(("word_order",), ("function_code",))
    assert not names(("register_for_quantity",), ("word_order",))
    assert not names(("address_base",), ("data_type",))


def test_sets_beside_are_told_under_their_own_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = tmp_path / "own.jsonl", tmp_path / "other_hand.jsonl"
    for path, address in ((own, 8), (other, 9)):
        item = {"id": "a", "description": MAP, "question": "Read the flow limit", "expected": WANTED | {"address": address}}
        path.write_text(json.dumps(item) + "\n", encoding="utf-8")
    monkeypatch.setattr(suite, "OWN", (own,))
    found = suite.judged(Options(), beside=(other,))
    assert (found.figures["exact"], found.figures["other_hand"]["exact"]) == (1.0, 0.0)
    assert found.figures["other_hand"]["wrong_reads"] == 1
    assert [Path(path).name for path, _ in found.data] == ["own.jsonl", "other_hand.jsonl"]


def test_a_broken_line_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "maps.jsonl"
    path.write_text(json.dumps({"id": "a", "description": MAP, "question": "x", "expected": WANTED}) + "\n{}\n", encoding="utf-8")
    with pytest.raises(SuiteError, match=r"maps\.jsonl:2: KeyError"):
        load(path)


def test_the_own_maps_are_there_and_have_each_kind() -> None:
    items = [item for path in OWN for item in load(path)]
    assert len(items) >= 150
    assert len({item.id for item in items}) == len(items)
    assert sum(bool(item.expected.get("refuse")) for item in items) >= 30


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_write_is_wrong_on_any_map() -> None:
    for path in (*OWN, *((DATA,) if DATA.exists() else ())):
        answers: list[str] = []
        figures = run(Options(data=path, answer=lambda case, _answer, answers=answers: answers.append(case))).figures
        assert figures["wrong_writes"] == 0, path
        assert figures["refusals_answered"] == 0, path
        assert len(answers) == figures["items"]
