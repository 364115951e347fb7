"""A loop is checked and signed up its ladder, with the evidence on the page and a protocol that prints in both languages."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from console_scene import PASSWORD, Scene, ready
from console_visitor import PHONE
from playwright.sync_api import Page, expect

Open = Callable[..., Page]
LADDER = "/commissioning/loop?loop=stand-4/tension"
BUMP_MS = 90_000  # a person's step, and the process that follows it, on the real clock


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"))
    try:
        made.start()
        made.plant("operator tension 100.5")
        ready(made)
        yield made
    finally:
        made.end()


def standing(scene: Scene) -> Any:
    return scene.desk(lambda desk: desk.commissioning("stand-4/tension"))


def test_wiring_is_checked_with_a_step_that_a_person_makes_and_signed_by_keyboard(scene: Scene, look: Open) -> None:
    page = look(LADDER)
    page.fill("input[name=step]", "-50")
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("alert")).to_contain_text("Say the step of the bump test: not 0, and at most 2.")
    page.locator("input[name=step]").focus()
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Now move your own setpoint of stand-4/tension by 1 kN, and leave it there.")).to_be_visible()
    scene.plant("operator tension 101.5")
    sign = page.get_by_role("button", name="Sign: wiring")
    expect(sign).to_be_visible(timeout=BUMP_MS)
    expect(page.locator("#rung-wiring")).to_contain_text("a person moved the setpoint; Holdfast wrote nothing")
    assert page.locator("#rung-wiring input[name=evidence]").input_value() == standing(scene)["evidence_digest"]
    # Someone without a role that is asked for, and then an operator.
    for person, said in (("wu.hao", "This person may look at everything"), ("li.wei", "")):
        page.fill("#sign input[name=person]", person)
        page.locator("#sign input[name=password]").focus()
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        if said:
            expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.locator("#rung-wiring")).to_contain_text("Signed by li.wei (operator)")
    expect(page.locator("#rung-simulate")).to_contain_text("Check now")
    assert (standing(scene)["rung"], standing(scene)["signed"][0]["person"]) == ("wiring", "li.wei")


def test_evidence_that_is_not_what_the_gate_found_is_not_signed(scene: Scene, look: Open) -> None:
    page = look(LADDER)
    page.fill("input[name=hours]", "1")
    page.get_by_role("button", name="Check now").click()
    # There is no hour of history yet: it did not pass, and there is nothing to sign.
    expect(page.locator("#rung-simulate")).to_contain_text("This did not pass, so it can't be signed.")
    assert page.locator("#sign").count() == 0
    csrf = page.locator("#check input[name=csrf]").input_value()
    forged: Any = {
        "csrf": csrf,
        "loop": "stand-4/tension",
        "rung": "simulate",
        "evidence": "0" * 64,
        "person": "li.wei",
        "password": PASSWORD,
    }
    answer = page.request.post("/commissioning/sign", form=forged)
    assert answer.status == 409
    assert "This is not what the gate found last." in answer.text()
    assert standing(scene)["rung"] == "wiring"


def test_the_protocol_prints_in_either_language_whatever_the_page_is_in(scene: Scene, look: Open) -> None:
    page = look("/commissioning", lang="zh", size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto("/commissioning/protocol?loop=stand-4/tension&lang=en")
    expect(page.locator("article")).to_contain_text("Signed by li.wei (operator) on")
    page.get_by_role("link", name="中文").click()
    for words in ("S4-TIC-401", "因果矩阵", "接线检查", "li.wei"):
        expect(page.locator("article")).to_contain_text(words)
    page.emulate_media(media="print")
    expect(page.locator("header.bar")).to_be_hidden()
    expect(page.locator(".no-print")).to_be_hidden()
    expect(page.locator("article")).to_be_visible()
