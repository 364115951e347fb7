"""Who may do what at the people's door with no more than a session: who only looks changes nothing, and shelving takes a role."""

import pytest
from people_door import Served
from small_plant import PASSWORD, T

from holdfast.gate.alarms.board import alarm_id

PV = f"{T}.pv"
ALARM = f"/v1/alarms/{alarm_id(PV, 'hi')}"
SHELVE = {"for_s": 60.0, "reason": "the gauge is being changed"}


@pytest.fixture(autouse=True)
def _people(served: Served) -> None:
    served.gate.people.add("wu", ["auditor"], PASSWORD)
    served.gate.people.add("max", ["maintenance"], PASSWORD)
    served.plc.pv[T] = 131.0  # its limit is 130
    served.see()


async def test_only_a_role_that_the_site_asks_by_default_takes_an_alarm_out_of_sight(served: Served) -> None:
    refused = await served.ask("POST", f"{ALARM}/shelve", SHELVE, token=await served.sign_in("max"))
    assert (refused.status, refused.body["code"], refused.body["facts"]) == (403, "alarm.role", {"roles": "operator"})
    assert served.records("alarm.shelved") == []
    assert (await served.ask("POST", f"{ALARM}/shelve", SHELVE, token=await served.sign_in("ann"))).status == 204
    assert [r["person"] for r in served.records("alarm.shelved")] == ["ann"]


async def test_anybody_who_does_more_than_look_acknowledges_and_unshelves(served: Served) -> None:
    assert (await served.ask("POST", f"{ALARM}/acknowledge", token=await served.sign_in("max"))).status == 204
    await served.ask("POST", f"{ALARM}/shelve", SHELVE, token=await served.sign_in("ann"))
    assert (await served.ask("POST", f"{ALARM}/unshelve", token=await served.sign_in("max"))).status == 204


@pytest.mark.parametrize("act", ["acknowledge", "shelve", "unshelve"])
async def test_who_only_looks_changes_no_alarm_and_that_is_on_record(served: Served, act: str) -> None:
    refused = await served.ask("POST", f"{ALARM}/{act}", SHELVE if act == "shelve" else None, token=await served.sign_in("wu"))
    assert (refused.status, refused.body["code"]) == (403, "identity.reader")
    await served.ask("GET", "/health")  # what was refused is recorded before the next request
    assert [(r["person"], r["act"], r["why"]) for r in served.records("refused.act")] == [
        ("wu", f"POST /v1/alarms/{{alarm}}/{act}", "identity.reader")
    ]


async def test_a_check_of_a_rung_is_nobodys_who_only_looks_nor_whose_session_has_ended(served: Served) -> None:
    wanted = {"loop": T, "rung": "shadow"}  # not the next one: whoever may ask hears that
    answers = [
        await served.ask("POST", "/v1/commission/check", wanted, token=token)
        for token in (await served.sign_in("wu"), "no such session", await served.sign_in("ann"), "")
    ]
    assert [(a.status, a.body["code"]) for a in answers] == [
        (403, "identity.reader"), (401, "identity.session"), (409, "commission.order"), (409, "commission.order"),
    ]  # fmt: skip
    assert answers[2].body["facts"] == {"rung": "wiring"}
    assert [r.kind for r in served.gate.log.read(0) if r.kind.startswith("commission")] == []
