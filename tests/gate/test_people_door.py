"""Signing in, the first administrator, and who may say who there is: over the real socket, each act and each refusal on record."""

import stat

import pytest
from people_door import Served
from small_plant import PASSWORD

from holdfast.gate.identity.setup import code_in

OTHER = "four other words here"
WRONG = "wrong wrong wrong"


async def set_up(served: Served) -> str:
    """An administrator `rosa` made with the code; returns a token of hers."""
    wanted = {"code": code_in(served.folder), "person": "rosa", "password": PASSWORD, "roles": ["engineer"]}
    answer = await served.ask("POST", "/v1/setup", wanted)
    assert (answer.status, answer.body) == (200, {"person": "rosa", "roles": ["administrator", "engineer"]})
    return await served.sign_in("rosa")


# ---- sessions --------------------------------------------------------------------------------------------------------


async def test_a_person_signs_in_is_known_by_the_token_and_signs_out(served: Served) -> None:
    answer = await served.ask("POST", "/v1/session", {"person": "ANN", "password": PASSWORD})
    told = answer.body
    assert answer.status == 200
    assert (told["person"], told["roles"], told["language"], told["idle_s"]) == ("ann", ["operator"], "en", 900.0)
    assert told["ends_ns"] == served.clock.now_ns() + 12 * 3600 * 10**9
    found = await served.ask("GET", "/v1/session", token=told["token"])
    assert (found.status, found.body["person"], found.body["idle_left_s"]) == (200, "ann", 900.0)
    assert (await served.ask("DELETE", "/v1/session", token=told["token"])).status == 204
    assert (await served.ask("GET", "/v1/session", token=told["token"])).status == 401
    assert [(r["change"], r["person"], r["why"]) for r in served.records("session")] == [
        ("begun", "ann", "signed_in"),
        ("ended", "ann", "signed_out"),
    ]


async def test_asking_who_is_signed_in_keeps_nobody_signed_in_and_an_act_does(served: Served) -> None:
    token = await served.sign_in("ann")
    served.clock.advance(600)
    assert (await served.ask("GET", "/v1/session?act=1", token=token)).body["idle_left_s"] == 900.0
    served.clock.advance(600)
    assert (await served.ask("GET", "/v1/session", token=token)).body["idle_left_s"] == 300.0
    served.clock.advance(300)
    assert (await served.ask("GET", "/v1/session", token=token)).status == 401
    assert served.records("session")[-1]["why"] == "idle"


async def test_a_wrong_password_and_a_name_that_nobody_has_are_refused_alike(served: Served) -> None:
    answers = [await served.ask("POST", "/v1/session", {"person": p, "password": WRONG}) for p in ("ann", "nobody")]
    assert answers[0].body == answers[1].body
    assert (answers[0].status, answers[0].body["code"], answers[0].body["retry_after_s"]) == (403, "identity.password", 0.0)
    for person in ("ann", "nobody"):
        for _ in range(4):
            await served.ask("POST", "/v1/session", {"person": person, "password": WRONG})
    locked = [await served.ask("POST", "/v1/session", {"person": p, "password": WRONG}) for p in ("ann", "nobody")]
    assert locked[0].body == locked[1].body
    assert (locked[0].body["code"], locked[0].body["retry_after_s"]) == ("identity.locked", 5.0)


async def test_refused_sign_ins_are_recorded_once_a_minute_and_never_what_was_typed_for_a_name(served: Served) -> None:
    for _ in range(3):
        await served.ask("POST", "/v1/session", {"person": "my secret phrase", "password": WRONG})
    await served.ask("POST", "/v1/session", {"person": "ann", "password": WRONG})
    first = [(r["person"], r["act"], r["why"], r["times"]) for r in served.records("refused.act")]
    assert first == [("", "POST /v1/session", "identity.password", 1), ("ann", "POST /v1/session", "identity.password", 1)]
    served.clock.advance(61)
    await served.ask("GET", "/health")
    assert [(r["person"], r["times"]) for r in served.records("refused.act")][2:] == [("", 2)]
    assert not any(b"secret" in (served.gate.log.leaf(seq) or b"") for seq in range(1, served.gate.log.size + 1))


async def test_a_token_that_was_never_given_is_nobody_and_a_new_sign_in_gives_a_new_one(served: Served) -> None:
    chosen = "A" * 43
    answer = await served.ask("POST", "/v1/session", {"person": "ann", "password": PASSWORD}, token=chosen)
    assert answer.body["token"] != chosen
    assert (await served.ask("GET", "/v1/session", token=chosen)).status == 401


async def test_a_vote_that_is_refused_is_on_record_with_the_person(served: Served) -> None:
    vote = {"proposal": "nothing", "person": "ann", "password": PASSWORD, "yes": True}
    answer = await served.ask("POST", "/v1/approvals", vote)
    assert (answer.status, answer.body["code"]) == (409, "approval.unknown")
    refused = served.records("refused.act")[-1]
    assert (refused["person"], refused["act"], refused["why"]) == ("ann", "POST /v1/approvals", "approval.unknown")


async def test_a_stop_names_the_person_who_is_signed_in_and_obeys_anyone(served: Served) -> None:
    token = await served.sign_in("ann")
    assert (await served.ask("POST", "/v1/stop", {"by": "x"}, token=token)).status == 204
    assert (await served.ask("POST", "/v1/stop", {"scope": "stand", "by": "a passer-by"}, token="of nobody")).status == 204
    assert [r["by"] for r in served.records("stop")] == ["ann", "a passer-by"]


# ---- the first administrator -----------------------------------------------------------------------------------------


async def test_the_first_administrator_comes_by_the_code_and_the_code_is_used_up(served: Served) -> None:
    code = code_in(served.folder)
    mode = stat.S_IMODE((served.folder / "setup.code").stat().st_mode)
    assert (mode, len(code)) == (0o600, 29)
    assert (await served.ask("GET", "/v1/setup")).body == {"open": True}
    await set_up(served)
    assert not (served.folder / "setup.code").exists()
    assert (await served.ask("GET", "/v1/setup")).body == {"open": False}
    again = await served.ask("POST", "/v1/setup", {"code": code, "person": "eve", "password": PASSWORD})
    assert again.status == 409
    assert (await served.ask("POST", "/v1/agents", {"name": "x", "code": code})).status == 403


async def test_wrong_codes_back_off(served: Served) -> None:
    wanted = {"code": "AAAA", "person": "eve", "password": PASSWORD}
    for _ in range(5):
        assert (await served.ask("POST", "/v1/setup", wanted)).body["code"] == "identity.code"
    right = {"code": code_in(served.folder).lower(), "person": "eve", "password": PASSWORD}
    answer = await served.ask("POST", "/v1/setup", right)
    assert (answer.status, answer.body["code"]) == (403, "identity.locked")
    served.clock.advance(5)
    assert (await served.ask("POST", "/v1/setup", right)).status == 200


async def test_a_gate_that_has_an_administrator_makes_no_code(served: Served) -> None:
    await set_up(served)
    await served.close_doors()
    served.again()
    served.open_doors()
    assert not (served.folder / "setup.code").exists()


# ---- people ----------------------------------------------------------------------------------------------------------


async def test_an_administrator_adds_a_person_who_can_sign_in(served: Served) -> None:
    token = await set_up(served)
    wanted = {"name": "李伟", "roles": ["operator"], "new_password": OTHER, "password": PASSWORD}
    answer = await served.ask("POST", "/v1/people", wanted, token=token)
    assert (answer.status, answer.body) == (200, {"name": "李伟", "roles": ["operator"], "disabled": False, "locked_until_ns": 0})
    await served.sign_in("李伟", OTHER)
    record = served.records("person")[-1]
    assert (record["change"], record["name"], record["by"]) == ("added", "李伟", "rosa")
    listed = await served.ask("GET", "/v1/people", token=token)
    assert [p["name"] for p in listed.body] == ["ann", "rosa", "李伟"]


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/people", {"name": "eve", "roles": ["administrator"], "new_password": OTHER}),
        ("/v1/people/ann/roles", {"roles": ["administrator"]}),
        ("/v1/people/rosa/disable", {}),
        ("/v1/people/rosa/remove", {}),
        ("/v1/people/rosa/password", {"new_password": OTHER}),
        ("/v1/agents", {"name": "spy"}),
        ("/v1/agents/ann-agent/revoke", {}),
    ],
)
async def test_nobody_else_may_and_each_attempt_is_on_record(served: Served, path: str, more: dict[str, object]) -> None:
    rosa = await set_up(served)
    ann = await served.sign_in("ann")
    before = [r.kind for r in served.gate.log.read()].count("person")
    refused = {
        "no name at all": await served.ask("POST", path, more),
        "an operator": await served.ask("POST", path, {**more, "password": PASSWORD}, token=ann),
        "an operator by name": await served.ask("POST", path, {**more, "person": "ann", "password": PASSWORD}),
        "an operator as another": await served.ask("POST", path, {**more, "person": "rosa", "password": PASSWORD}, token=ann),
        "without the password": await served.ask("POST", path, more, token=rosa),
        "a wrong password": await served.ask("POST", path, {**more, "password": WRONG}, token=rosa),
        "a wrong code": await served.ask("POST", path, {**more, "code": "AAAA"}),
        "an ended session": await served.ask("POST", path, {**more, "password": PASSWORD}, token="gone"),
    }
    assert {who: answer.status for who, answer in refused.items()} == {**dict.fromkeys(refused, 403), "an ended session": 401}
    assert [r.kind for r in served.gate.log.read()].count("person") == before
    assert {r["person"] for r in served.records("refused.act")} == {"", "ann", "rosa"}
    assert served.agents.list() == ("ann-agent",)


async def test_who_is_no_administrator_sees_neither_people_nor_agents(served: Served) -> None:
    await set_up(served)
    ann = await served.sign_in("ann")
    for path in ("/v1/people", "/v1/agents"):
        assert (await served.ask("GET", path)).status == 401
        assert (await served.ask("GET", path, token=ann)).status == 403
    assert served.records("refused.act")[-1]["act"] == "GET /v1/agents"


async def test_a_disabled_person_is_signed_out_and_comes_back_only_when_enabled(served: Served) -> None:
    rosa = await set_up(served)
    ann = await served.sign_in("ann")
    act = {"password": PASSWORD}
    assert (await served.ask("POST", "/v1/people/ann/disable", act, token=rosa)).body["disabled"] is True
    assert (await served.ask("GET", "/v1/session", token=ann)).status == 401
    assert (await served.ask("POST", "/v1/session", {"person": "ann", "password": PASSWORD})).status == 403
    assert (await served.ask("POST", "/v1/people/ann/enable", act, token=rosa)).body["disabled"] is False
    await served.sign_in("ann")


async def test_one_changes_ones_own_password_with_the_old_one_and_stays_signed_in_here_alone(served: Served) -> None:
    here, there = await served.sign_in("ann"), await served.sign_in("ann")
    before = served.gate.people.get("ann")
    wrong = await served.ask("POST", "/v1/people/ann/password", {"new_password": OTHER, "password": WRONG}, token=here)
    assert wrong.status == 403
    done = await served.ask("POST", "/v1/people/ann/password", {"new_password": OTHER, "password": PASSWORD}, token=here)
    assert done.status == 200
    after = served.gate.people.get("ann")
    assert before
    assert after
    assert before.public == after.public
    assert (await served.ask("GET", "/v1/session", token=here)).status == 200
    assert (await served.ask("GET", "/v1/session", token=there)).status == 401
    assert (await served.ask("POST", "/v1/session", {"person": "ann", "password": PASSWORD})).status == 403
    await served.sign_in("ann", OTHER)


async def test_an_administrator_gives_a_forgotten_password_anew_with_another_key(served: Served) -> None:
    rosa = await set_up(served)
    ann = await served.sign_in("ann")
    before = served.gate.people.get("ann")
    done = await served.ask("POST", "/v1/people/ann/password", {"new_password": OTHER, "password": PASSWORD}, token=rosa)
    assert done.status == 200
    after = served.gate.people.get("ann")
    assert before
    assert after
    assert before.public != after.public
    assert (await served.ask("GET", "/v1/session", token=ann)).status == 401
    record = served.records("person")[-1]
    assert (record["change"], record["by"]) == ("password", "rosa")


@pytest.mark.parametrize(
    ("path", "more", "code"),
    [
        ("/v1/people/rosa/roles", {"roles": ["operator"]}, "identity.last"),
        ("/v1/people/rosa/disable", {}, "identity.last"),
        ("/v1/people/nobody/disable", {}, "identity.unknown"),
        ("/v1/people", {"name": "ANN", "roles": ["operator"], "new_password": OTHER}, "identity.taken"),
        ("/v1/people", {"name": "bob", "roles": [], "new_password": OTHER}, "identity.role"),
        ("/v1/people", {"name": "bob", "roles": ["operator"], "new_password": "short"}, "identity.weak"),
        ("/v1/agents/nobody/revoke", {}, "identity.unknown"),
    ],
)
async def test_what_can_not_be_is_refused_with_its_code(served: Served, path: str, more: dict[str, object], code: str) -> None:
    rosa = await set_up(served)
    answer = await served.ask("POST", path, {**more, "password": PASSWORD}, token=rosa)
    assert answer.body["code"] == code
    assert answer.status in (400, 409)


async def test_an_administrator_gives_an_agent_a_token_and_ends_it(served: Served) -> None:
    rosa = await set_up(served)
    answer = await served.ask("POST", "/v1/agents", {"name": "other", "password": PASSWORD}, token=rosa)
    assert (await served.ask("GET", "/v1/alarms", token=answer.body["token"], door=served.link)).status == 200
    assert (await served.ask("POST", "/v1/agents/other/revoke", {"password": PASSWORD}, token=rosa)).status == 204
    assert (await served.ask("GET", "/v1/alarms", token=answer.body["token"], door=served.link)).status == 401
    record = served.records("agent")[-1]
    assert (record["change"], record["name"], record["by"]) == ("revoked", "other", "rosa")


async def test_the_agents_door_knows_nothing_of_people(served: Served) -> None:
    for path in ("/v1/session", "/v1/setup", "/v1/people", "/v1/agents"):
        assert (await served.ask("POST", path, {}, token=served.agent_token, door=served.link)).status == 404


async def test_whose_only_role_is_to_look_changes_nothing_whatever_the_password(served: Served) -> None:
    served.gate.people.add("wu", ["auditor"], PASSWORD)
    served.gate.acts.press_stop("*", "a test")
    who = {"person": "wu", "password": PASSWORD}
    for path, body in (
        ("/v1/autonomy", {**who, "scope": "*", "level": "act"}),
        ("/v1/resume", {**who, "scope": "*"}),
        ("/v1/resolve", {**who, "proposal": "p", "result": "verified"}),
    ):
        answer = await served.ask("POST", path, body)
        assert (answer.status, answer.body["code"]) == (403, "identity.reader"), path
    assert served.gate.stop.stopped() == ("*",)
    assert (await served.ask("POST", "/v1/resume", {**who, "person": "ann", "scope": "*"})).status == 204
