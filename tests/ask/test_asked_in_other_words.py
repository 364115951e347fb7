"""The same is understood in other words; what a passage has other words of by chance is no answer."""

import pytest

from holdfast.agent.ask.cues import answering, lacking, searched
from holdfast.agent.ask.parts import parts_of
from holdfast.agent.ask.understand import Understanding
from holdfast.run.mill import mill_site

MILL = Understanding(mill_site().site)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("乳液这会儿开了多大流量", "stand-4/emulsion.pv"),
        ("vibration on 4?", "stand-4/vibration"),
    ],
)
def test_values_are_asked_for_in_many_ways(text: str, tag: str) -> None:
    assert [(one.intent, one.tags) for one in parts_of(text, MILL)] == [("now", (tag,))]


@pytest.mark.parametrize("text", ["so what's to blame for the trouble", "4架出问题的根源是什么", "what lies behind the vibration"])
def test_causes_are_asked_for_in_many_ways(text: str) -> None:
    assert MILL.of(text).intent == "why"


def test_a_book_is_asked_beside_a_record() -> None:
    found = parts_of("when was the bearing last changed, and which type is the bearing?", MILL)
    assert [one.intent for one in found] == ["cases", "manual"]


def test_every_fourteen_days_is_no_length_of_time() -> None:
    assert lacking("how long is it cleaned", "It is cleaned every 14 days.")
    assert not lacking("how long is it cleaned", "Clean it for 15 minutes.")
    assert answering("which type is the bearing", "bearings HF-4R-310")
    assert "place" in searched("in the stores where are the nozzles")
