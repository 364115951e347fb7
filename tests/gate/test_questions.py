"""A person asks about a proposal, its author answers: bounded, on record, and shown as the agent's claim."""

from contextlib import closing

import apsw
import pytest
from people_door import Answer, Served
from small_plant import F

from holdfast.gate.approval import questions as room
from holdfast.gate.ledger.agree import agreement
from holdfast.gate.ledger.store import FILE
from holdfast.gate.ledger.verify import opened


@pytest.fixture(autouse=True)
def _proposed(served: Served) -> None:
    served.propose(103.0)


async def asked(served: Served, text: str = "why so much?", proposal: str = "p1") -> Answer:
    token = await served.sign_in("ann")
    return await served.ask("POST", "/v1/questions", {"proposal": proposal, "text": text}, token=token)


async def test_a_question_is_asked_answered_and_told_with_its_author(served: Served) -> None:
    question = (await asked(served)).body
    assert (question["person"], question["author"], question["answered_ns"]) == ("ann", "ann-agent", 0)
    (waiting,) = (await served.ask("GET", "/v1/questions", token=served.agent_token, door=served.link)).body
    assert waiting == question
    message = {"question": question["id"], "text": "the strip is thick"}
    answered = await served.ask("POST", "/v1/answers", message, token=served.agent_token, door=served.link)
    assert answered.status == 200
    (told,) = (await served.ask("GET", "/v1/questions?proposal=p1")).body
    assert (told["answer"], told["answered_by"], told["answered_ns"] > 0) == ("the strip is thick", "ann-agent", True)
    assert (await served.ask("GET", "/v1/questions", token=served.agent_token, door=served.link)).body == []
    assert [r["text"] for r in (*served.records("question"), *served.records("answer"))] == ["why so much?", "the strip is thick"]
    again = await served.ask("POST", "/v1/answers", message, token=served.agent_token, door=served.link)
    assert again.status == 409


async def test_nobody_asks_without_being_signed_in_nor_about_nothing(served: Served) -> None:
    assert (await served.ask("POST", "/v1/questions", {"proposal": "p1", "text": "?"})).status == 401
    assert (await asked(served, proposal="nothing")).status == 404
    for text in ("", "  ", "x" * (room.TEXT_CHARS_MAX + 1)):
        assert (await asked(served, text=text)).status == 409
    assert served.records("question") == []


async def test_only_the_proposals_author_is_asked_and_may_answer(served: Served) -> None:
    question = (await asked(served)).body
    other = served.agents.add("other")
    assert (await served.ask("GET", "/v1/questions", token=other, door=served.link)).body == []
    message = {"question": question["id"], "text": "trust me"}
    assert (await served.ask("POST", "/v1/answers", message, token=other, door=served.link)).status == 409
    assert (await served.ask("POST", "/v1/answers", message, door=served.link)).status == 401
    assert served.records("answer") == []


async def test_questions_are_bounded_for_each_proposal(served: Served) -> None:
    served.propose(101.0, id="p2", tag=f"{F}.sp")
    for number in range(room.OF_ONE_MAX):
        assert (await asked(served, text=f"{number}?")).status == 200
    assert (await asked(served)).body["error"].startswith("p1: 8 questions were asked")
    assert (await asked(served, proposal="p2")).status == 200


async def test_a_question_changed_by_hand_is_found(served: Served) -> None:
    assert (await asked(served)).status == 200
    assert differences(served) == []
    with closing(apsw.Connection(str(served.folder / FILE))) as db:
        db.execute("UPDATE question SET text = 'fine?'")
    assert differences(served) == [("question", "is not what was asked and answered")]
    with closing(apsw.Connection(str(served.folder / FILE))) as db:
        db.execute("DELETE FROM question")
    assert differences(served) == [("question", "was asked, and is not there")]


def differences(served: Served) -> list[tuple[str, str]]:
    with opened(served.folder / FILE) as db:
        return [(found.table, found.detail) for found in agreement(db).differences]
