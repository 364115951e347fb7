"""Every code is said in both languages, with the same facts."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from holdfast.language import duration, explain, flat, number, say

ROOMS = sorted({f.name.split(".")[0] for f in files("holdfast.words").iterdir() if f.name.endswith(".toml")})
CODE = re.compile(r'(?:passed|settled|failed)\(\s*"([a-z_.]+)"')
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
        ("29.42418988", "29 s", "29 秒"),
        ("0.1234567", "0.123 s", "0.123 秒"),
        ("1799.475485", "29 min 59 s", "29 分钟 59 秒"),
        ("7325.5", "2 h 2 min", "2 小时 2 分钟"),
        ("3700", "1 h 1 min 40 s", "1 小时 1 分钟 40 秒"),
        ("nan", "nan s", "nan 秒"),
    ],
)
def test_seconds_are_said_as_a_person_does(seconds: str, english: str, chinese: str) -> None:
    assert (duration(seconds, "en"), duration(seconds, "zh")) == (english, chinese)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("98.48716253", "98.49"),
        ("0.000123456", "0.0001235"),
        ("12345.678", "12346"),
        ("123456", "123456"),
        ("2.0", "2"),
        ("1e-09", "1e-09"),
        ("0.0", "0"),
        ("grade DC01", "grade DC01"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_a_number_is_shown_to_four_digits_and_text_as_it_is(value: str, shown: str) -> None:
    assert number(value) == shown


def test_two_different_numbers_never_look_the_same() -> None:
    facts = {"value": "115.0001", "unit": "kN", "low": "90", "high": "115"}
    assert say("envelope.range.above", facts, "en") == "115.0001 kN is above the range 90…115 kN."
    assert say("envelope.dwell.early", {"since_s": "59.97", "dwell_s": "60"}, "en").startswith("The last move was only 59.97 s ago; 1 min")
    late = {"of": "a", "age_s": "2.0004", "max_s": "2"}
    assert say("fresh.age", late, "en") == "a is 2.0004 s old; 2 s is the most."


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
