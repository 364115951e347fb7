"""The tool of an agent finds by meaning, said as such; a question that the rules decline for want of words stays declined."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from holdfast.agent.ask.asker import Asker
from holdfast.agent.knowledge.manuals.embed import embed
from holdfast.agent.knowledge.manuals.fused import ByMeaning
from holdfast.agent.knowledge.manuals.index import NAME, Index
from holdfast.agent.knowledge.manuals.meaning import Embedder, NoMeaning
from holdfast.agent.knowledge.manuals.passage import Manual, Passage
from holdfast.agent.models.embeddings.described import described
from holdfast.agent.models.embeddings.encoder import Encoder
from holdfast.agent.models.embeddings.tokens import Tokens
from holdfast.agent.tools.listed import tools
from holdfast.clock import RealClock
from holdfast.evals.ask.day import Day, mill_day
from holdfast.evals.bench.manuals.encoder import write_encoder

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONCEPTS = (("轴承座", "bearing housing"), ("螺栓", "bolt"), ("力矩", "torque"))
PASSAGE = Passage(page=2, paragraph=1, heading="4 Housings", text="The torque of each bolt of the bearing housing is 40 N·m.")
QUESTION = "轴承座螺栓的力矩是多少？"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Day]:
    async with mill_day(tmp_path_factory.mktemp("day")) as opened:
        yield opened


@pytest.fixture(scope="module")
def embedder(day: Day, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """What made the vectors of the one manual that there is."""
    folder: Path = tmp_path_factory.mktemp("encoder")
    weights, split, told = write_encoder(folder, CONCEPTS, 32, 1, similar_min=0.5)
    how = described(told.read_bytes())
    made = Encoder(weights, Tokens(split.read_bytes(), how.max_tokens), how, "ab" * 32)
    with contextlib.closing(Index(day.home / NAME)) as index:
        index.add("mill.pdf", "00", 1, Manual(pages=2, passages=(PASSAGE,)), 1)
        embed(index, made, 1)
    return made


def looking(day: Day, embedder: Embedder | None) -> tuple[Any, ...]:
    def give() -> Embedder:
        if embedder is None:
            raise NoMeaning("manuals.no_model")
        return embedder

    return tools(day.link, day.site, day.home, clock=day.clock, near=ByMeaning(give, RealClock()))


async def found(day: Day, embedder: Embedder | None, **more: object) -> Any:
    tool = next(tool for tool in looking(day, embedder) if tool.name == "search_manuals")
    return await tool.use({"question": QUESTION, **more})


async def test_an_agent_finds_by_meaning_and_is_told_how_it_was_found(day: Day, embedder: Encoder) -> None:
    told = await found(day, embedder)
    assert (told.body.ranked_by, told.body.why) == ("words+vectors", "")
    (hit,) = told.body.hits
    assert (hit.ref, hit.found_by, hit.covers) == ("mill.pdf#p2.1", "vectors", 0.0)
    assert [(cite.kind, cite.ref, cite.quote) for cite in told.citations] == [("document", "mill.pdf#p2.1", PASSAGE.text)]


async def test_an_agent_may_ask_for_words_alone_and_has_no_more_where_no_model_is_in_force(day: Day, embedder: Encoder) -> None:
    assert (await found(day, embedder, words_only=True)).body.hits == ()
    told = await found(day, None)
    assert (told.body.hits, told.body.ranked_by, told.body.why) == ((), "words", "manuals.no_model")


async def test_what_the_rules_decline_for_want_of_words_they_decline_with_vectors_too(day: Day, embedder: Encoder) -> None:
    for one in (None, embedder):
        answer = await Asker(looking(day, one), day.site, clock=day.clock).answer(QUESTION)
        assert (answer.declined, answer.citations) == (True, ())
    answer = await Asker(looking(day, embedder), day.site, clock=day.clock).answer("What is the torque of the bolt of the bearing housing?")
    assert answer.citations[0].ref == "mill.pdf#p2.1"
