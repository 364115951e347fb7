"""Every code is said in both languages, with the same facts."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from holdfast.language import duration, explain, flat, say

ROOMS = sorted({f.name.split(".")[0] for f in files("holdfast.words").iterdir() if f.name.endswith(".toml")})
CODE = re.compile(r'(?:passed|failed)\(\s*"([a-z_.]+)"')
GUARD = Path(__file__).parents[2] / "src/holdfast/gate/guard"


def room(name: str, language: str) -> dict[str, str]:
    return flat(tomllib.loads((files("holdfast.words") / f"{name}.{language}.toml").read_text(encoding="utf-8")), "")


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_says_the_same_codes_with_the_same_facts_in_both_languages(name: str) -> None:
    english, chinese = room(name, "en"), room(name, "zh")
    assert english.keys() == chinese.keys()
    for code, text in english.items():
        assert set(re.findall(r"\{[^}]*\}", text)) == set(re.findall(r"\{[^}]*\}", chinese[code])), code


def test_no_two_rooms_say_one_code() -> None:
    codes = [code for name in ROOMS for code in room(name, "en")]
    assert len(codes) == len(set(codes))


def test_every_code_that_the_guard_gives_has_words() -> None:
    given = {code for file in GUARD.glob("*.py") for code in CODE.findall(file.read_text(encoding="utf-8"))}
    assert len(given) > 60
    assert given - room("guard", "en").keys() == set()


def test_a_refusal_reads_as_a_person_would_say_it() -> None:
    facts = {"value": "135", "unit": "kN", "low": "90", "high": "115", "state": "grade DC01"}
    assert say("envelope.range.above.state", facts, "en") == "135 kN is above the range 90…115 kN that applies for grade DC01."
    assert say("envelope.range.above.state", facts, "zh") == "135 kN 高于 grade DC01 适用的范围 90…115 kN。"


def test_an_unknown_code_is_said_as_it_is() -> None:
    assert say("no.such", {"a": "1"}, "en") == "no.such (a=1)"
    assert say("no.such", {}, "zh") == "no.such"


def test_an_unknown_language_reads_english() -> None:
    assert say("busy", {"tag": "a"}, "fr") == say("busy", {"tag": "a"}, "en")


def test_a_missing_fact_is_a_question_mark_and_no_error() -> None:
    assert say("busy", {}, "en") == "No other action on ? is under way."


def test_a_fact_is_text_and_no_template() -> None:
    assert say("busy", {"tag": "{tag} {0.__class__}"}, "en") == "No other action on {tag} {0.__class__} is under way."


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        ("600", "10 min", "10 分钟"),
        ("3600", "1 h", "1 小时"),
        ("86400", "1 d", "1 天"),
        ("90", "90 s", "90 秒"),
        ("2.5", "2.5 s", "2.5 秒"),
    ],
)
def test_seconds_are_said_as_a_person_does(seconds: str, english: str, chinese: str) -> None:
    assert (duration(seconds, "en"), duration(seconds, "zh")) == (english, chinese)


def test_what_is_no_number_of_seconds_is_shown() -> None:
    assert duration("soon", "en") == "soon"


def test_a_reason_is_explained_with_its_tag() -> None:
    assert explain("busy", passed=True, tag="a", facts=(), language="en") == "No other action on a is under way."
    facts = (("input", 'tag("a")'), ("why", "age"), ("rules", "r"))
    assert (
        explain("policy.missing", passed=False, tag="a", facts=facts, language="en")
        == 'The rule r needs tag("a"), and its value is too old.'
    )


def test_an_error_in_a_check_is_told_as_one() -> None:
    told = explain("fresh", passed=False, tag="", facts=(("error", "KeyError"),), language="en")
    assert told == "The check fresh could not be made (KeyError), so it refuses."
