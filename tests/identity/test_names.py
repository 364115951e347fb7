"""One person has one name: a second one that looks like it is not taken, and names of both languages are."""

import random
from pathlib import Path

import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.names import IdentityError, alike, checked
from holdfast.gate.identity.people import People
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State

GOOD = "brass kettle orchard"


@pytest.fixture
def state(tmp_path: Path):
    state = State(tmp_path, durable=False, reserve_bytes=0)
    yield state
    state.close()


@pytest.fixture
def people(state: State) -> People:
    clock = VirtualClock(0)
    return People(state, Log(state, clock), clock, random.Random(4).randbytes, cost=Cost(passes=1, memory_kib=8, lanes=1))


@pytest.mark.parametrize(
    "name",
    ["ann", "Wang-Wei", "wang.wei", "李伟", "李伟2", "Li Wei (李伟)", "O'Neil", "José", "Łukasz", "Nguyễn Văn Ân", "m.weber@mill", "阿·里"],
)
def test_names_of_both_languages_can_be_borne(name: str):
    assert checked(name, "person") == name


@pytest.mark.parametrize(
    "name",
    [
        "\u0430nn",  # Cyrillic a
        "\u0410nn",
        "\u0430\u0441\u0435",  # all Cyrillic, and reads `ace`
        "b\u03bfb",  # Greek omicron
        "\u0391nn",
        "\u13aann",  # Cherokee
        "\ua4eenn",  # Lisu
        "\u0251nn",  # the phonetic alphabet's a
        "b\u01c0",  # a click that looks like l
        "李\u30fb",  # kana
        "\u30cf\u53e3",
        "an\u0660",  # an Arabic zero
        "ann\u0332",  # a line below, for which there is no letter
        "a\u200cnn",
        "a\u3164nn",  # a Hangul letter that nobody sees
        "ann\u2019",
        "ann\u2010b",
        "--",
    ],
)
def test_a_letter_that_may_look_like_another_is_refused(name: str):
    with pytest.raises(IdentityError):
        checked(name, "person")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann", "ANN"),
        ("ann", "ａｎｎ"),
        ("ann", "\u00e1nn"),
        ("will", "wiIl"),
        ("will1", "willl"),
        ("bob0", "bobo"),
        ("marner", "mamer"),
        ("wang-wei", "wang_wei"),
        ("wang wei", "wang  wei"),
        ("Lukasz", "Łukasz"),
        ("王士", "王土"),
        ("李已", "李己"),
        ("黄一", "黃-"),
        ("weber", "vveber"),
    ],
)
def test_names_of_one_look_are_one(one: str, other: str):
    assert alike(one, other)


@pytest.mark.parametrize(("one", "other"), [("ann", "anna"), ("李伟", "李维"), ("line-1-2", "line-12"), ("Lia", "Ila"), ("wei2", "wei3")])
def test_names_that_can_be_told_apart_are_two(one: str, other: str):
    assert not alike(one, other)


@pytest.mark.parametrize("second", ["\u0430nn", "ann\u0332", "\u00e0nn", "AИN"])
def test_nobody_becomes_a_second_person_by_another_spelling(people: People, second: str):
    people.add("ann", ["operator"], GOOD)
    with pytest.raises(IdentityError):
        people.add(second, ["engineer"], GOOD)
    assert [person.name for person in people.list()] == ["ann"]


def test_a_person_whose_name_only_looks_taken_is_told_whose_it_looks_like(people: People):
    people.add("will", ["operator"], GOOD)
    with pytest.raises(IdentityError, match="will") as caught:
        people.add("wil1", ["engineer"], GOOD)
    assert caught.value.code == "identity.taken"


def test_an_agent_gets_no_second_token_under_a_name_that_looks_like_anothers(state: State):
    agents = Agents(state, Log(state, VirtualClock(0)), random.Random(5).randbytes)
    token = agents.add("mill-1")
    for second in ("mill-l", "m\u0456ll-1", "mill_I"):
        with pytest.raises(IdentityError):
            agents.add(second)
    assert agents.verify(token) == "mill-1"
    agents.add("MILL-1")  # the same agent: its token is renewed
    assert agents.verify(token) is None
