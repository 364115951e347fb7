"""A question answered by the rules first and then by a model, over the demo mill's real tools."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from scripted_engine import Scripted, endpoint

from holdfast.agent.ask.answer import Answer, Step
from holdfast.agent.ask.duty import Duty
from holdfast.agent.ask.modelled import Modelled, asker_of
from holdfast.agent.tools.listed import tools
from holdfast.agent.tools.tool import Tool
from holdfast.evals.ask.day import Day, mill_day
from holdfast.language import LANGUAGES, say
from holdfast.link import Answered, AnswerStep, QuestionTold
from holdfast.site.model import Endpoint, Site
from holdfast.terms import Label

pytestmark = pytest.mark.asyncio(loop_scope="module")
TAG = "stand-4/tension.pv"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Day]:
    async with mill_day(tmp_path_factory.mktemp("day"), seconds=60) as opened:
        yield opened


def made(day: Day, *says: object, **of: Any) -> tuple[Modelled, Scripted]:
    engine = Scripted(*says)
    end = endpoint("llm", **({"context_tokens": 200_000, "timeout_s": 20.0} | of))
    site: Site = dataclasses.replace(day.site, models=(end,))
    return asker_of(tools_of(day, site), site, clock=day.clock, engines={"llm": engine}), engine


def tools_of(day: Day, site: Site) -> Callable[[Label], Sequence[Tool[Any]]]:
    return lambda clearance: tools(day.link, site, day.home, clock=day.clock, clearance=clearance)


async def test_what_a_model_may_not_see_is_not_even_named_to_it(day: Day) -> None:
    """A restricted tag has no name for a model that is cleared for the site's data: neither in a reading nor in an error."""
    tags = tuple(dataclasses.replace(one, label="restricted") if one.name == TAG else one for one in day.site.tags)
    engine = Scripted(call("read_tags", tags=[TAG]), final("x", "1.1"), final("x", "1.1"))
    site = dataclasses.replace(day.site, tags=tags, models=(endpoint("llm", "site", context_tokens=200_000, timeout_s=20.0),))
    asker = asker_of(tools_of(day, site), site, clock=day.clock, engines={"llm": engine})
    await asker.answer("How is the line?")
    told = engine.got[1][-1].text
    assert f"There is no tag {TAG}. Near it: " in told  # it is told back what it asked, and of no such tag
    assert TAG not in told.partition("Near it: ")[2]
    assert all(TAG not in turn.text for turn in engine.got[0])


async def test_what_one_call_returned_is_cut_to_what_a_short_context_holds(day: Day) -> None:
    asker, engine = made(day, call("read_tags", equipment="stand-4"), final("x", "1.1"), context_tokens=6_000)
    await asker.answer("How is stand 4?")
    assert engine.got[1][-1].text.endswith("… (cut)")
    assert len(engine.got[1][-1].text) < 3_300


def call(tool: str, **arguments: Any) -> str:
    return json.dumps({"tool": tool, "arguments": arguments})


def final(text: str, *cites: str) -> str:
    return json.dumps({"answer": {"text": text, "declined": False, "citations": list(cites)}})


async def test_a_model_reads_real_tags_and_its_answer_stands_with_their_citation(day: Day) -> None:
    asker, engine = made(day, call("read_tags", tags=[TAG]), final("4号机架的张力正常。", "1.1"))
    told = [one async for one in asker.ask("4号机架的张力现在是多少？")]
    answer = told[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "4号机架的张力正常。\n[由语言模型 llm@m 根据所引内容写成；未用大模型试过]"
    assert answer.made_by == "model:llm@m"
    assert [one.ref for one in answer.citations] == [TAG]
    assert any(isinstance(one, Step) and "read_tags" in one.text for one in told)
    assert asker.last is not None
    assert asker.last.code == "llm.answered"
    assert TAG in engine.got[1][-1].text


async def test_a_model_that_talks_nonsense_leaves_the_rules_answer(day: Day) -> None:
    asker, _ = made(day, "nonsense")
    *steps, answer = [one async for one in asker.ask("What does the tension of stand 4 read now?")]
    assert isinstance(answer, Answer)
    assert answer.made_by == ""
    assert [one.ref for one in answer.citations]
    assert isinstance(steps[-1], Step)
    assert steps[-1].text == "the rules' answer stands: no model answered: no model can answer in time; what needs no model stands"
    assert asker.last is not None
    assert asker.last.code == "llm.none"


async def test_a_model_that_gives_a_number_of_its_own_leaves_the_rules_answer(day: Day) -> None:
    lie = final("The tension is 87654.3 kN.", "1.1")
    asker, _ = made(day, call("read_tags", tags=[TAG]), lie, lie)
    answer = await asker.answer("What does the tension of stand 4 read now?")
    assert answer.made_by == ""
    assert asker.last is not None
    assert asker.last.code == "llm.numbers"


async def test_a_model_is_offered_no_tool_that_acts(day: Day) -> None:
    asker, engine = made(day, call("propose", kind="notify", target="x", text="y", reason="z"))
    await asker.answer("Lower the tension of stand 4 by 5 kN.")
    assert asker.last is not None
    assert asker.last.code == "llm.none"
    assert "propose" not in (engine.schemas[0] or "")
    assert "- propose" not in engine.got[0][0].text


async def test_a_model_below_the_label_of_the_question_sees_none_of_it(day: Day) -> None:
    asker, engine = made(day, final("x", "1.1"), clearance="partner")
    assert (await asker.answer("What does the tension of stand 4 read now?")).made_by == ""
    assert engine.got == []


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ((), "llm.not_listed"),
        ((endpoint("r", skills=("rerank",)),), "llm.not_listed"),
        ((Endpoint(name="far", engine="openai", url="http://10.0.0.1/v1", model="m", dialect="vllm", skills=("ask",)),), "llm.no_way"),
        ((endpoint("odd"),), "llm.no_engine"),
    ],
)
async def test_without_a_way_to_a_model_the_rules_answer_and_it_is_told_why(day: Day, models: tuple[Endpoint, ...], why: str) -> None:
    site = dataclasses.replace(day.site, models=models)
    asker = asker_of(tools_of(day, site), site, clock=day.clock)
    assert (asker.why, (await asker.answer("What does the tension of stand 4 read now?")).made_by) == (why, "")
    assert all(why not in say(why, {}, language) for language in LANGUAGES)


async def test_a_way_that_is_not_there_yet_is_told_and_the_rules_answer(day: Day, tmp_path: Path) -> None:
    end = Endpoint(
        name="far", engine="openai", url="http://10.0.0.1/v1", model="m", dialect="vllm", clearance="site", skills=("ask",),
        languages=("en",), context_tokens=200_000,
    )  # fmt: skip
    site = dataclasses.replace(day.site, models=(end,))
    asker = asker_of(tools_of(day, site), site, clock=day.clock, sockets=tmp_path)
    assert (asker.why, (await asker.answer("What does the tension of stand 4 read now?")).made_by) == ("", "")
    assert asker.last is not None
    assert [one.code for one in asker.last.passed] == ["engine.unreachable"]
    await asker.aclose()


class Waiting:
    """The gate's door for questions, with one that waits."""

    def __init__(self, text: str) -> None:
        self.waiting = [QuestionTold(id="q-1", proposal="", person="ann", text=text, at_ns=1)]
        self.answers: list[Answered] = []
        self.answered = asyncio.Event()

    async def questions(self) -> tuple[QuestionTold, ...]:
        return tuple(self.waiting)

    async def answer(self, answer: Answered) -> None:
        self.answers.append(answer)
        self.waiting.clear()
        self.answered.set()

    async def answering(self, step: AnswerStep) -> None: ...


async def test_on_duty_a_models_answer_is_made_beside_the_agents_own_work(day: Day) -> None:
    asker, engine = made(day, call("read_tags", tags=[TAG]), final("The tension was read.", "1.1"))
    engine.gate = asyncio.Event()
    door = Waiting("What does the tension of stand 4 read now?")
    prepared = asyncio.Event()

    async def prepare() -> None:
        prepared.set()

    duty = Duty(door, asker, prepare)  # type: ignore[arg-type]
    assert await duty.step() == 0
    await engine.began.wait()
    assert await duty.step() == 0  # the model thinks; the agent goes on
    assert (door.answers, prepared.is_set()) == ([], True)
    engine.gate.set()
    await asyncio.wait_for(door.answered.wait(), 10)
    assert [one.text.splitlines()[0] for one in door.answers] == ["The tension was read."]
    assert "written by the language model llm@m" in door.answers[0].text
