"""`holdfast eval standards` scores by overlap and exact form, and the finder holds its figures on both sets of lines."""

import json
import os
from pathlib import Path

import pytest

from holdfast.agent.knowledge.standards.find import find
from holdfast.evals.standards import OWN, Wanted, matched, read, run
from holdfast.evals.suites import Options, SuiteError

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "standard_refs" / "dev.jsonl"


def test_a_find_counts_once_and_only_with_the_exact_form() -> None:
    got = find("GB 50217-2018")
    right = Wanted(start=0, end=13, canonical="GB 50217—2018")
    assert matched(got, (right,)) == 1
    assert matched(got, (right, right)) == 1
    assert matched(got, (Wanted(start=0, end=13, canonical="GB 50217"),)) == 0
    assert matched(got, (Wanted(start=13, end=20, canonical="GB 50217—2018"),)) == 0
    assert matched((), (right,)) == 0


@pytest.mark.parametrize("path", [OWN, DATA], ids=["own", "dev"])
def test_the_finder_is_as_good_as_it_must_be(path: Path) -> None:
    if not path.exists():
        pytest.skip(f"no annotated lines at {path}: set HOLDFAST_DATA to the folder that holds standard_refs")
    answers: dict[str, object] = {}
    figures = run(Options(data=path, n=1, answer=lambda case, answer: answers.update({case: answer}))).figures
    assert figures["f1"] >= 0.97
    assert figures["negatives_clean"] == figures["negatives"]
    assert len(answers) == figures["lines"]


def test_lines_that_are_missed_or_dirty_lower_the_figures(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "text": "按GB 50217-2018", "refs": [{"start": 1, "end": 14, "canonical": "GB 50217—2018"}]},
        {"id": "b", "text": "按某标准一", "refs": [{"start": 0, "end": 2, "canonical": "GB 1—2000"}]},
        {"id": "c", "text": "ISO 9001", "refs": []},
    ]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    found = run(Options(data=path, n=1))
    assert (found.figures["precision"], found.figures["recall"], found.figures["f1"]) == (0.5, 0.5, 0.5)
    assert (found.figures["negatives"], found.figures["negatives_clean"]) == (1, 0)
    assert not found.pass_


@pytest.mark.parametrize(("content", "word"), [("", "no lines"), ("{", ":1:"), ('{"id": "a", "text": "x"}', "refs"), ("[]", ":1:")])
def test_bad_lines_are_named_with_file_line_and_cure(tmp_path: Path, content: str, word: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SuiteError, match=word):
        read(path)
    with pytest.raises(SuiteError, match="--data"):
        read(tmp_path / "none.jsonl")
