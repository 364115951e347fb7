"""The questions that were written by hand, as `holdfast eval ask` judges them."""

import pytest

from holdfast.evals.ask import run
from holdfast.evals.suites import Options


@pytest.mark.slow
def test_the_hand_written_questions_are_answered_and_declined_as_the_brief_asks() -> None:
    answers: dict[str, dict[str, object]] = {}
    found = run(Options(answer=lambda id, answer: answers.__setitem__(id, answer)))
    assert found.pass_
    assert found.figures["answerable"] + found.figures["unanswerable"] >= 200
    assert found.figures["unanswerable"] >= 40
    assert all("ask." not in str(one["text"])[:4] for one in answers.values())
