"""Asking in the console: steps, then a claim with what it rests on as links; nobody's text becomes markup, and each sees their own talk."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from console_scene import AGENT, Scene
from console_visitor import DESK, PHONE, Visitor
from playwright.sync_api import Page, expect

from holdfast.agent.ask.duty import duty_of
from holdfast.clock import RealClock
from holdfast.link import Answered, AnswerStep, CitationTold
from holdfast.link.http import HttpLink
from holdfast.run.papers import lay_out

Open = Callable[..., Page]
SCRIPT = "<script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"), with_past=True)
    try:
        made.start()
        lay_out(made.home.path, 0)
        yield made
    finally:
        made.end()


def answers(scene: Scene) -> int:
    """What the agent on duty does with the questions that wait, once."""

    async def step(link: HttpLink) -> int:
        duty = duty_of(link, await link.site(), scene.home.path, clock=RealClock(), name=AGENT, folder=None)
        return await duty.step()

    return scene.agent(step)


def answer_by_hand(scene: Scene, text: str, citations: tuple[CitationTold, ...] = ()) -> None:
    async def step(link: HttpLink) -> None:
        (question,) = await link.questions()
        await link.answer(Answered(question=question.id, text=text, citations=citations))

    scene.agent(step)


def step_by_hand(scene: Scene) -> None:
    async def step(link: HttpLink) -> None:
        (question,) = await link.questions()
        await link.answering(AnswerStep(question=question.id, text=f"looking {SCRIPT}"))

    scene.agent(step)


def test_a_question_is_answered_with_links_to_what_it_rests_on(scene: Scene) -> None:
    with contextlib.closing(Visitor(scene, "li.wei")) as visitor:
        assert visitor.act("/ask", {"text": "乳化液浓度应该是多少？"}).status_code == 303
        assert "等待" in visitor.get("/ask", headers={"accept-language": "zh"}).text
        assert answers(scene) == 1
        page = visitor.get("/ask", headers={"accept-language": "zh"}).text
        assert "3.0 % 至 4.5 %" in page
        assert "mill-manual.zh.md 第 1 页第 6 段" in page
        visitor.act("/ask", {"text": "What is the vibration of stand 4?"})
        answers(scene)
        page = visitor.get("/ask", headers={"accept-language": "en"}).text
        assert 'href="/ledger?tag=stand-4%2Fvibration"' in page
        assert visitor.get("/ledger?tag=stand-4%2Fvibration").status_code == 200


def test_each_sees_their_own_talk(scene: Scene) -> None:
    with contextlib.closing(Visitor(scene, "zhang.min")) as visitor:
        assert "Nothing was asked yet" in visitor.get("/ask").text


def test_what_an_agent_says_is_no_markup_and_leads_nowhere_else(scene: Scene) -> None:
    with contextlib.closing(Visitor(scene, "wu.hao")) as visitor:
        visitor.act("/ask", {"text": f"why {SCRIPT}"})
        cites = (CitationTold(kind="incident", ref="javascript:alert(1)"), CitationTold(kind=SCRIPT, ref="http://elsewhere.example"))
        answer_by_hand(scene, f"{SCRIPT} write 500", cites)
        page = visitor.get("/ask").text
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page
        assert 'href="/incidents/javascript%3Aalert%281%29"' in page
        assert 'href="http' not in page


def test_too_many_questions_are_refused_in_the_pages_language(scene: Scene) -> None:
    with contextlib.closing(Visitor(scene, "chen.jie")) as visitor:
        said = [visitor.act("/ask", {"text": f"振动多少 {n}"}, headers={"accept-language": "zh"}) for n in range(4)]
        assert [one.status_code for one in said] == [303, 303, 303, 409]
        assert "您已有 3 个问题在等待答复" in said[-1].text
        assert "振动多少 3" in said[-1].text  # what was typed is not lost
    while answers(scene):
        pass


def test_a_form_of_another_site_asks_nothing(scene: Scene) -> None:
    with contextlib.closing(Visitor(scene, "li.wei")) as visitor:
        assert visitor.post("/ask", data={"text": "x", "csrf": "0" * 64}).status_code == 403


@pytest.mark.parametrize(("lang", "size"), [("en", DESK), ("zh", PHONE)], ids=["en-desk", "zh-phone"])
def test_steps_and_answer_come_by_themselves_by_the_keyboard_alone(scene: Scene, look: Open, lang: str, size: tuple[int, int]) -> None:
    page = look("/ask", person="zhang.min", lang=lang, size=size)
    page.focus("#question")
    page.keyboard.type("What is the roll force?" if lang == "en" else "轧制力多少？")
    page.keyboard.press("Enter")
    expect(page.locator("[data-steps]")).to_be_visible()
    expect(page.locator(".turn .asked").last).to_contain_text("roll force" if lang == "en" else "轧制力")
    step_by_hand(scene)
    expect(page.locator(".step")).to_have_text(f"… looking {SCRIPT}")
    answer_by_hand(scene, "4.6 MN", (CitationTold(kind="tag", ref="stand-4/force", at_ns=1),))
    expect(page.locator(".turn .claim").last).to_contain_text("4.6 MN")
    expect(page.locator("ol.cites a").last).to_have_attribute("href", "/ledger?tag=stand-4%2Fforce")
    expect(page.locator("[data-steps]")).to_have_count(0)
    found = Axe().run(page)
    assert [one["id"] for one in found.response["violations"] if one["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
