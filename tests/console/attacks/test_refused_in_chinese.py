"""Whatever the gate refuses is said in the language of the page: no sentence of English on a Chinese one."""

import html
import re
from collections.abc import Callable, Iterator, Mapping

import pytest
from console_scene import PASSWORD, Scene
from console_visitor import Visitor

from holdfast.console.visit import LANGUAGE_COOKIE

SAID = re.compile(r'<p class="said wrong"[^>]*>(.*?)</p>', re.DOTALL)
ENGLISH = re.compile(r"[A-Za-z]+(?: [A-Za-z']+){2,}")  # three words in a row: names and commands are shorter
LOOP = "stand-4/tension"
SIGN = {"person": "li.wei", "password": PASSWORD}
REFUSED: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "a wrong password": ("li.wei", "/approvals/{p}", {"answer": "yes", "binds": "x", **SIGN, "password": "wrong words"}),
    "what was not shown": ("li.wei", "/approvals/{p}", {"answer": "yes", "binds": "x", **SIGN}),
    "who only looks": ("wu.hao", "/approvals/{p}", {"answer": "yes", "binds": "x", **SIGN, "person": "wu.hao"}),
    "an empty question": ("li.wei", "/approvals/{p}/question", {"text": " "}),
    "a question that is too long": ("li.wei", "/approvals/{p}/question", {"text": "x" * 1500}),
    "a text beyond all bounds": ("li.wei", "/approvals/{p}/question", {"text": "x" * 9000}),
    "no such alarm": ("li.wei", "/alarms/none/acknowledge", {}),
    "shelving by an administrator": ("chen.jie", "/alarms/{a}/shelve", {"minutes": "15", "reason": "r"}),
    "shelving for ever": ("li.wei", "/alarms/{a}/shelve", {"minutes": "999999", "reason": "r"}),
    "not shelved": ("li.wei", "/alarms/{a}/unshelve", {}),
    "no step": ("li.wei", "/commissioning/check", {"loop": LOOP, "rung": "wiring"}),
    "no time": ("li.wei", "/commissioning/check", {"loop": LOOP, "rung": "wiring", "step": "1"}),
    "a rung that is skipped": ("li.wei", "/commissioning/check", {"loop": LOOP, "rung": "act"}),
    "other evidence": ("li.wei", "/commissioning/sign", {"loop": LOOP, "rung": "wiring", "evidence": "0" * 64, **SIGN}),
    "the same configuration": ("li.wei", "/policy/propose", {"from": "disk", "digest": "{d}", **SIGN}),
    "a name that is taken": ("chen.jie", "/people/add", {"name": "li.wei", "role.operator": "on", "new": "four other words here",
                             "again": "four other words here", "password": PASSWORD}),
    "a weak password": ("chen.jie", "/people/add", {"name": "new", "role.operator": "on", "new": "short", "again": "short",
                        "password": PASSWORD}),
    "no role": ("chen.jie", "/people/of/li.wei/roles", {"password": PASSWORD}),
    "the last administrator": ("chen.jie", "/people/of/chen.jie/remove", {"password": PASSWORD}),
    "adding as an operator": ("li.wei", "/people/add", {"name": "new", "role.operator": "on", "new": "four other words here",
                              "again": "four other words here", "password": PASSWORD}),
    "an agent without a name": ("chen.jie", "/people/agents/add", {"name": "-", "password": PASSWORD}),
    "a stop of nothing": ("li.wei", "/stop", {"scope": "nowhere"}),
    "a resume of what runs": ("li.wei", "/resume", {"scope": "stand-4", "password": PASSWORD}),
}  # fmt: skip


@pytest.fixture
def chinese(visitor: Callable[..., Visitor]) -> Iterator[Callable[[str], Visitor]]:
    """Somebody who reads Chinese, for the length of a test."""
    came: set[str] = set()

    def come(person: str) -> Visitor:
        found = visitor(person)
        came.add(person)
        found.cookies.set(LANGUAGE_COOKIE, "zh", domain="127.0.0.1")
        return found

    yield come
    for person in came:
        visitor(person).cookies.delete(LANGUAGE_COOKIE)


def test_every_refusal_is_said_in_chinese(scene: Scene, chinese: Callable[[str], Visitor], waiting: str) -> None:
    status = scene.desk(lambda desk: desk.status())
    alarm = scene.desk(lambda desk: desk._ask("GET", "/v1/alarms?all=1"))["alarms"][0]["id"]
    wrong: dict[str, str] = {}
    for what, (person, path, form) in REFUSED.items():
        sent = {name: value.replace("{d}", status["configuration"]) for name, value in form.items()}
        answer = chinese(person).act(path.format(p=waiting, a=alarm), sent)
        said = [html.unescape(re.sub(r"<[^>]+>", "", one)).strip() for one in SAID.findall(answer.text)]
        told = " ".join(one for one in said if one)
        if not 400 <= answer.status_code < 500 or not re.search("[\u4e00-\u9fff]", told) or ENGLISH.search(told):
            wrong[what] = f"{answer.status_code}: {told[:200]}"
    assert not wrong
