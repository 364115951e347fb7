"""The two doors over real Unix sockets: strict, bounded, and each answer says in clear words what is wrong."""

import asyncio
import contextlib
import stat
from pathlib import Path
from typing import Any

import pytest
from people_door import Served, serving
from small_plant import PASSWORD, T, proposal

from holdfast.gate.api.messages import BODY_BYTES_MAX
from holdfast.link import LinkError
from holdfast.link.http import HttpLink
from holdfast.terms import Diagnosis, Finding, canonical, plain

SP = f"{T}.sp"


def message(**changes: Any) -> dict[str, Any]:
    return {**plain(proposal((SP, 103.0))), **changes}


async def test_the_link_carries_every_call(served: Served) -> None:
    link = HttpLink(f"unix:{served.link}", served.agent_token)
    found = await link.site()
    assert (found.name, found.connections) == ("small", ())
    (table,) = served.gate.tables
    frame = await link.frames(table, -1)
    assert frame is not None
    assert frame.rows == 3
    assert await link.frames(table, 2) is None
    assert (await link.history(table, 0, 2**62)).rows == 3
    assert await link.alarms() == ()
    await link.find(Finding(id="f", incident="i", detector="d", onset_ns=0, found_ns=1, confidence=1.0, score=1.0, shares=()))
    await link.diagnose(Diagnosis(id="d", incident="i", at_ns=1, causes=()))
    decision = await link.propose(proposal((SP, 103.0)))
    assert (decision.verdict, decision.author) == ("ask", "ann-agent")
    progress = await link.progress("p1")
    assert progress is not None
    assert progress.state == "asked"
    assert await link.progress("nothing") is None
    assert [r["author"] for r in (*served.records("finding"), *served.records("diagnosis"))] == ["ann-agent", "ann-agent"]
    (told,) = await link.incidents(5)
    assert (told.id, told.incident, told.agent, told.state) == ("f", "i", "ann-agent", "asked")
    assert told.diagnosis is not None
    assert told.diagnosis.id == "d"
    await link.close()


async def test_a_frame_is_waited_for_and_told_at_once(served: Served) -> None:
    link = HttpLink(f"unix:{served.link}", served.agent_token)
    (table,) = served.gate.tables
    waiting = asyncio.create_task(link.frames(table, 2, wait_s=10.0))
    await link.alarms()  # by now the gate has the other question too
    await served.run(1)
    frame = await waiting
    assert frame is not None
    assert (frame.seq, frame.rows) == (3, 1)
    await link.close()


@pytest.mark.parametrize("token", [b"-", b"wrong", b"\xc3\xbc", b"\xff", b"a" * 5000])
async def test_a_wrong_token_is_nobody(served: Served, token: bytes) -> None:
    status, said = await served.post("/v1/proposals", message(), token=token)
    assert status == 401
    assert "holdfast agents add" in said


async def test_no_token_is_nobody_for_every_route(served: Served) -> None:
    async with served.client(served.link) as http:
        for path in ("site", "frames", "history", "alarms", "moves", "incidents", "proposals/x"):
            assert (await http.get(f"/v1/{path}")).status_code == 401
        for path in ("findings", "diagnoses", "proposals", "stop"):
            assert (await http.post(f"/v1/{path}", content=b"{}")).status_code == 401


async def test_the_agents_door_does_nothing_that_is_a_persons(served: Served) -> None:
    for path in ("approvals", "resume", "autonomy", "resolve", "session"):
        assert (await served.post(f"/v1/{path}", {}))[0] == 404


BAD = {
    "a truth value for a number": (message(valid_s=True), "valid_s"),
    "text for a number": (message(valid_s="300"), "valid_s"),
    "an unknown field": (message(verdict="permit"), "verdict"),
    "an author of its own": (message(author="ann"), "author"),
    "no action": ({k: v for k, v in message().items() if k != "action"}, "action"),
    "a truth value to write": (message(action={"kind": "write", "sets": [[SP, True]]}), "sets"),
    "an unknown kind": (message(action={"kind": "format_disk"}), "action"),
    "three in a pair": (message(action={"kind": "write", "sets": [[SP, 1.0, 2.0]]}), "sets"),
    "a long text": (message(reason="x" * 4001), "4001"),
    "many items": (message(evidence=[{"kind": "alarm", "ref": "r", "quote": ""}] * 513), "513"),
    "not a number": (canonical(message()).replace(b"103.0", b"NaN"), "sets"),
    "infinity": (canonical(message()).replace(b"103.0", b"Infinity"), "sets"),
    "a huge number": (canonical(message()).replace(b"103.0", b"1e999"), "sets"),
    "a lone surrogate": (canonical(message()).replace(b"because", b"\\ud800"), ""),
    "no JSON": (b"{", ""),
    "not UTF-8": (b'{"id": "\xff"}', ""),
    "a list": (b"[]", ""),
    "nothing": (b"", ""),
    "deep": (b"[" * 20_000, ""),
}


@pytest.mark.parametrize("case", list(BAD))
async def test_a_bad_message_is_refused_with_a_clear_word_and_leaves_no_record(served: Served, case: str) -> None:
    body, word = BAD[case]
    before = served.gate.log.size
    status, said = await served.post("/v1/proposals", body)
    assert status == 400, said
    assert word in said
    assert said
    assert served.gate.log.size == before


@pytest.mark.parametrize("valid_s", [-1.0, 0.0, 0.5, 86_401.0, 1e300])
async def test_a_strange_validity_is_decided_and_refused(served: Served, valid_s: float) -> None:
    status, _ = await served.post("/v1/proposals", message(valid_s=valid_s))
    assert status == 200
    assert served.state() == "refused"


async def test_an_oversize_message_is_not_read(served: Served) -> None:
    status, said = await served.post("/v1/findings", b" " * (BODY_BYTES_MAX + 1))
    assert status == 413
    assert said


async def test_a_finding_with_huge_texts_is_refused(served: Served) -> None:
    good = plain(Finding(id="f", incident="i", detector="d", onset_ns=0, found_ns=1, confidence=1.0, score=1.0, shares=()))
    assert (await served.post("/v1/findings", good))[0] == 204
    assert (await served.post("/v1/findings", {**good, "detector": "d" * 5000}))[0] == 400
    assert (await served.post("/v1/findings", {**good, "shares": [["t", 0.1]] * 600}))[0] == 400


async def test_a_flood_ends_before_the_record_and_hurts_only_its_author() -> None:
    async with serving(burst=5.0) as world:
        other = world.agents.add("other")
        before = world.gate.log.size
        good = plain(Finding(id="f", incident="i", detector="d", onset_ns=0, found_ns=1, confidence=1.0, score=1.0, shares=()))
        answers = [(await world.post("/v1/findings", good))[0] for _ in range(8)]
        assert answers == [204] * 5 + [429] * 3
        assert world.gate.log.size == before + 5
        assert (await world.post("/v1/findings", good, token=other.encode()))[0] == 204
        assert (await world.post("/v1/stop", {}))[0] == 204  # stop is never too much
        world.clock.advance(1.0)
        assert (await world.post("/v1/findings", good))[0] == 204


async def test_any_agent_may_stop_and_none_may_resume(served: Served) -> None:
    for _ in range(20):
        assert (await served.post("/v1/stop", {"scope": "stand"}))[0] == 204
    assert served.gate.stop.stopped() == ("stand",)
    assert len(served.records("stop")) == 1  # the same again is nothing new
    status, said = await served.post("/v1/stop", {"scope": "stnad"})
    assert status == 400
    assert "stand, furnace" in said


async def test_a_full_disk_is_said_without_telling_of_the_inside(served: Served) -> None:
    served.fill_disk()
    status, said = await served.post("/v1/proposals", message())
    assert status == 503
    assert "disk" in said
    assert str(served.folder) not in said


# ---- people ----------------------------------------------------------------------------------------------------------


def vote(**changes: Any) -> dict[str, Any]:
    return {"proposal": "p1", "person": "ann", "password": PASSWORD, "yes": True, "reason": "fine", **changes}


async def test_a_wrong_password_signs_nothing_and_many_lock_out(served: Served) -> None:
    served.propose(103.0)
    status, said = await served.post("/v1/approvals", vote(password="not the one"), door="people")
    assert (status, said) == (403, "Name and password don't belong together. Try again.")
    assert served.state() == "asked"
    for _ in range(4):
        await served.post("/v1/approvals", vote(password="not the one"), door="people")
    status, said = await served.post("/v1/approvals", vote(), door="people")
    assert status == 403
    assert "Wait" in said
    assert served.state() == "asked"
    await served.run(6)
    assert (await served.post("/v1/approvals", vote(), door="people"))[0] == 200


async def test_who_proposed_can_not_approve(served: Served) -> None:
    served.gate.people.add("ann-agent", ["operator"], PASSWORD)
    served.propose(103.0)
    status, said = await served.post("/v1/approvals", vote(person="ANN-AGENT"), door="people")
    assert status == 409
    assert "can't approve" in said
    assert served.state() == "asked"


async def test_a_yes_leads_to_a_write_and_only_one(served: Served) -> None:
    served.propose(103.0)
    assert (await served.post("/v1/approvals", vote(), door="people"))[0] == 200
    status, said = await served.post("/v1/approvals", vote(), door="people")
    assert (status, bool(said)) == (409, True)
    await served.run(4)
    assert served.plc.written == [(SP, 103.0)]


async def test_stop_needs_no_name_and_resume_needs_a_person(served: Served) -> None:
    assert (await served.post("/v1/stop", {}, door="people"))[0] == 204
    assert served.gate.stop.stopped() == ("*",)
    nobody = {"scope": "*", "person": "eve", "password": PASSWORD}
    assert (await served.post("/v1/resume", nobody, door="people"))[0] == 403
    assert served.gate.stop.stopped() == ("*",)
    status, said = await served.post("/v1/resume", {**nobody, "person": "ann", "scope": "stand"}, door="people")
    assert status == 409
    assert "'stand' is not stopped" in said
    assert (await served.post("/v1/resume", {**nobody, "person": "ANN"}, door="people"))[0] == 204
    assert served.gate.stop.stopped() == ()
    (record,) = served.records("resume")
    person = served.gate.people.get("ann")
    assert person is not None
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    act = {"act": "resume", "scope": "*", "at_ns": record["at_ns"]}
    Ed25519PublicKey.from_public_bytes(person.public).verify(bytes.fromhex(record["signature"]), canonical(act))
    assert record["by"] == "ann"


async def test_only_a_person_raises_autonomy(served: Served) -> None:
    wanted = {"scope": SP, "level": "observe", "person": "ann", "password": PASSWORD}
    assert (await served.post("/v1/autonomy", wanted, door="people"))[0] == 204
    assert served.failed(served.propose(103.0)) == {"autonomy.observe"}
    with pytest.raises(ValueError, match="only a person"):
        served.gate.acts.set_autonomy(SP, "act", "a fault", "fault")
    status, said = await served.post("/v1/autonomy", {**wanted, "scope": "nothing"}, door="people")
    assert status == 400
    assert SP in said
    assert (await served.post("/v1/autonomy", {**wanted, "level": "godlike"}, door="people"))[0] == 400


async def test_a_person_resolves_what_froze(served: Served) -> None:
    served.propose(103.0)
    served.plc.answers = ["lost"]
    served.sign()
    await served.run(30)
    assert served.state() == "indeterminate"
    wanted = {"proposal": "p1", "result": "failed", "person": "ann", "password": PASSWORD}
    assert (await served.post("/v1/resolve", {**wanted, "password": "not the one"}, door="people"))[0] == 403
    assert (await served.post("/v1/resolve", wanted, door="people"))[0] == 200
    assert served.state() == "failed"
    assert (await served.post("/v1/resolve", wanted, door="people"))[0] == 409


async def test_both_sockets_are_closed_to_the_world(served: Served) -> None:
    for path in (served.link, served.people):
        mode = path.stat().st_mode
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o660)


async def _events(served: Served, after: int, count: int) -> list[int]:
    found: list[int] = []
    async with served.client(served.people) as http, http.stream("GET", f"/v1/events?after={after}") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                found.append(int(line[4:]))
            if len(found) == count:
                break
    return found


async def _listens(served: Served) -> None:
    """Until a stream of events is open: asking for anything at that door lets the gate come to it."""
    async with served.client(served.people) as http:
        for _ in range(100):
            if served.gate.listeners:
                return
            await http.get("/health")
    raise AssertionError("nobody listens")


async def test_events_resume_where_they_were_cut_off_and_miss_nothing(served: Served) -> None:
    size = served.gate.log.size
    assert await _events(served, 0, size) == list(range(1, size + 1))
    waiting = asyncio.create_task(_events(served, size, 3))
    await _listens(served)
    for i in range(3):
        served.propose(103.0, id=f"e{i}")
    assert await waiting == [size + 1, size + 2, size + 3]


async def test_a_reader_of_events_that_leaves_is_forgotten(served: Served) -> None:
    waiting = asyncio.create_task(_events(served, served.gate.log.size, 1))
    await _listens(served)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    async with served.client(served.people) as http:
        for _ in range(100):
            await http.get("/health")
            if not served.gate.listeners:
                break
    assert served.gate.listeners == []


async def test_one_slow_listener_does_not_hide_a_record_from_another(served: Served) -> None:
    told: list[int] = []

    def slow(_: object) -> None:
        served.gate.listeners.remove(slow)

    served.gate.listeners += [slow, lambda record: told.append(record.seq)]
    size = served.gate.log.size
    served.propose(103.0)
    assert told == list(range(size + 1, served.gate.log.size + 1))


async def test_a_dead_gate_is_said_to_be_dead(tmp_path: Path) -> None:
    link = HttpLink(f"unix:{tmp_path / 'nothing.sock'}", "t")
    with pytest.raises(LinkError, match="is `holdfast run` up"):
        await link.alarms()
    await link.close()
