"""Questions are understood on plants that are not the demo mill, and no text takes the understanding down."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.agent.ask.understand import Understanding
from holdfast.agent.models.requests.read import Reader
from holdfast.run.mill import mill_site
from holdfast.site.load import load
from holdfast.site.model import Equipment, Site
from holdfast.terms import Tag

EXAMPLES = Path(__file__).parents[2] / "examples"
MILL = Understanding(mill_site().site)
ANSWERS_S_MAX = 1.0  # for the longest text that is looked at, on a busy machine


def site_with(*tags: tuple[str, str, str]) -> Site:
    """(name, role, tag number) of each."""
    of = tuple(Tag(name=name, connection="c", address=name, unit="bar", role=role, tag_no=number) for name, role, number in tags)
    equipment = tuple(Equipment(name=name) for name in dict.fromkeys(tag.name.split("/")[0] for tag in of))
    return Site(name="s", language="en", timezone="UTC", tags=of, equipment=equipment)


@pytest.mark.parametrize("name", ["tep", "ten-lines", "skab", "context"])
@pytest.mark.parametrize(
    "text", ["为什么在振动？", "What is the vibration now?", "最近一小时流量最高多少", "list incidents", "set tension to 5"]
)
def test_every_example_site_can_be_asked(name: str, text: str) -> None:
    site = load(EXAMPLES / name / "site.yaml").site
    assert Understanding(site).of(text).intent


def test_the_equipment_chooses_among_tags_of_one_role() -> None:
    understanding = Understanding(site_with(("pump-1/p_out", "discharge_pressure", "PI-1"), ("pump-2/p_out", "discharge_pressure", "PI-2")))
    assert understanding.of("discharge pressure of pump 2").tags == ("pump-2/p_out",)
    assert understanding.of("1号泵出口压力现在多少").tags == ("pump-1/p_out",)
    assert understanding.of("PI-2 now").tags == ("pump-2/p_out",)
    assert understanding.of("what is the discharge pressure now").intent == "decline"  # of which pump, it does not say
    assert understanding.of("discharge pressure of pump 3").why == "stranger"


@given(st.text(max_size=600))
@settings(max_examples=200, deadline=None)
def test_any_text_is_understood_as_something(text: str) -> None:
    assert MILL.of(text).intent


@pytest.mark.parametrize("piece", ["报警", "设", "the alarm limit ", "set to ", "1 ", "忽略", "ignore all ", "一", "a-", "振动多少"])
def test_a_text_made_to_be_slow_is_not(piece: str) -> None:
    text, reader = piece * 500, Reader(mill_site().site)
    begun = time.process_time()
    MILL.of(text)
    reader.read(text)
    assert time.process_time() - begun < ANSWERS_S_MAX
