"""At most once: intent is durable before the wire, a write whose fate is unknown is only read, and a person frees what froze."""

import asyncio
from pathlib import Path

import apsw
import pytest
from small_plant import ASKING, PASSWORD, F, T, World, proposal, site

from holdfast.gate.actuation import eyes, wire
from holdfast.gate.actuation.transitions import BUSY, ENDED, TRANSITIONS, Impossible, after
from holdfast.gate.identity.seal import opened
from holdfast.terms import Order, Proposal, canonical

SP, FLOW = f"{T}.sp", f"{F}.sp"


async def asked_and_signed(folder: Path, **changes: object) -> World:
    world = World(folder, site(rules=ASKING, **changes))  # type: ignore[arg-type]
    world.gate.people.add("ann", ["operator"], PASSWORD)
    await world.run(3)
    assert world.propose(103.0).verdict == "ask"
    return world


def test_every_state_is_either_busy_or_over_and_every_busy_one_has_a_way_out() -> None:
    states = {of for of, _ in TRANSITIONS} | set(TRANSITIONS.values())
    assert states == BUSY | ENDED | {"proposed"}
    assert not BUSY & ENDED
    assert {of for of, _ in TRANSITIONS} == BUSY | {"proposed"}
    reachable = {s: {to for (of, _), to in TRANSITIONS.items() if of == s} for s in states}
    for start in BUSY:
        seen: set[str] = set()
        todo = [start]
        while todo:
            at = todo.pop()
            todo += [n for n in reachable[at] if n not in seen]
            seen |= reachable[at]
        assert seen & ENDED, start


def test_no_state_leads_back_to_before_the_wire() -> None:
    for (state, _), to in TRANSITIONS.items():
        if state in ("intent", "sent", "verified", "indeterminate"):
            assert to not in ("proposed", "asked", "approved", "intent")
    with pytest.raises(Impossible):
        after("sent", "stands")


async def test_intent_is_in_the_file_when_the_first_byte_goes_out(tmp_path: Path) -> None:
    world = World(tmp_path, durable=True)
    await world.run(3)
    found: list[tuple[str, list[str], int]] = []

    def look(tag: str, value: float) -> None:
        other = apsw.Connection(str(tmp_path / "state.db"), flags=apsw.SQLITE_OPEN_READONLY)
        (state,) = other.execute("SELECT state FROM job WHERE proposal='p1'").fetchone()  # type: ignore[misc]
        kinds = [k for (k,) in other.execute("SELECT json_extract(bytes, '$.kind') FROM leaf ORDER BY seq DESC LIMIT 1")]
        (moves,) = other.execute("SELECT count(*) FROM moves").fetchone()  # type: ignore[misc]
        found.append((str(state), kinds, int(str(moves))))

    world.plc.on_write = look
    world.propose(103.0)
    await world.run(1)
    assert found == [("intent", ["intent"], 1)]


async def test_a_write_whose_fate_is_unknown_is_read_and_never_sent_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.answers = ["unknown"]  # it did arrive
    world.propose(103.0)
    await world.run(5)
    assert (world.state(), len(world.plc.written)) == ("done", 1)


async def test_a_lost_write_freezes_its_tag_until_a_person_says_what_happened(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.gate.people.add("ann", ["operator"], PASSWORD)
    await world.run(3)
    world.plc.answers = ["lost"]
    world.propose(103.0)
    await world.run(30)
    assert (world.state(), len(world.plc.written)) == ("indeterminate", 1)
    assert world.failed(world.propose(101.0, id="p2")) == {"busy.busy"}
    world.again()
    await world.run(3)
    assert "busy.busy" in world.failed(world.propose(101.0, id="p3"))
    attempt = world.gate.people.begin("Ann")
    key = opened(attempt.seal, PASSWORD)
    assert key is not None
    world.gate.acts.resolve("p1", "Ann", world.gate.people.finish(attempt, key), result="failed", reason="looked at the PLC")
    assert world.state() == "failed"
    assert world.propose(101.0, id="p4").verdict == "ask"  # a fault lowered it; only a person raises it
    (record,) = world.records("resolved")
    assert (record["person"], record["result"], record["reason"]) == ("ann", "failed", "looked at the PLC")
    signature = bytes.fromhex(record.pop("signature"))
    key.public_key().verify(signature, canonical(record))


async def test_only_what_is_indeterminate_can_be_resolved(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.gate.people.add("ann", ["operator"], PASSWORD)
    await world.run(3)
    world.propose(103.0)
    attempt = world.gate.people.begin("ann")
    key = opened(attempt.seal, PASSWORD)
    assert key is not None
    for id in ("p1", "no-such"):
        with pytest.raises(ValueError, match="nothing to resolve"):
            world.gate.acts.resolve(id, "ann", key, result="verified", reason="")


async def test_a_rejected_write_has_failed_and_its_budget_is_used_all_the_same(tmp_path: Path) -> None:
    from holdfast.site.model import Writes

    world = World(tmp_path, site(tension={"writes": Writes(max=1, per_s=3600.0)}))
    await world.run(3)
    world.plc.answers = ["rejected"]
    world.propose(103.0)
    await world.run(3)
    assert (world.state(), len(world.plc.written)) == ("failed", 1)
    assert world.failed(world.propose(102.0, id="p2")) == {"envelope.writes.over"}


async def test_a_device_that_said_yes_and_did_nothing_has_failed(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.on_write = lambda tag, value: setattr(world.plc.blocks[T], "mode", 1)
    world.propose(103.0)
    await world.run(30)
    assert (world.state(), len(world.plc.written)) == ("failed", 1)


async def test_a_connector_that_raises_after_sending_leaves_the_fate_unknown(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)

    def burst(tag: str, value: float) -> None:
        world.plc.blocks[T].sp_ext = value
        raise RuntimeError("a plug-in's defect")

    world.plc.on_write = burst
    world.propose(103.0)
    await world.run(5)
    assert (world.state(), len(world.plc.written)) == ("done", 1)


async def test_a_connector_that_hangs_in_a_write_is_given_up_and_the_fate_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "WRITE_TIMEOUT_S", 0.025)
    world = World(tmp_path)
    await world.run(3)
    world.plc.on_write = lambda tag, value: asyncio.sleep(60)
    world.propose(103.0)
    await world.run(30)
    assert (world.state(), len(world.plc.written)) == ("indeterminate", 1)


async def test_a_connector_that_hangs_or_breaks_in_a_read_stops_the_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eyes, "READ_TIMEOUT_S", 0.05)
    for case in ("hangs", "breaks"):
        world = World(tmp_path / case)
        await world.run(3)
        world.propose(103.0)

        def broken() -> object:
            raise RuntimeError("a plug-in's defect")

        world.plc.on_read = broken if case == "breaks" else lambda: asyncio.sleep(60)
        await world.run(2)
        assert (world.state(), world.plc.written) == ("refused", [])


async def test_a_group_stops_at_its_first_failure(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.answers = ["rejected"]
    world.gate.propose("ann-agent", proposal((SP, 103.0), (FLOW, 103.0)))
    await world.run(3)
    assert (world.state(), world.plc.written) == ("failed", [(SP, 103.0)])


async def test_a_group_does_not_go_on_past_a_write_whose_fate_is_unknown(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.answers = ["unknown"]
    world.gate.propose("ann-agent", proposal((SP, 103.0), (FLOW, 103.0)))
    await world.run(3)
    assert world.plc.written == [(SP, 103.0)]
    assert world.state() == "indeterminate"


async def test_half_a_group_is_told_to_a_person(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.answers = ["acked", "rejected"]
    world.gate.propose("ann-agent", proposal((SP, 103.0), (FLOW, 103.0)))
    await world.run(3)
    assert (world.state(), len(world.plc.written)) == ("indeterminate", 2)
    assert world.records("outcome")[0]["outcome"]["code"] == "write.partial"


async def test_stop_pressed_during_the_second_look_is_obeyed(tmp_path: Path) -> None:
    for scope in ("*", "stand"):
        world = World(tmp_path / scope.replace("*", "all"))
        await world.run(3)
        assert world.propose(103.0).verdict == "permit"
        world.plc.on_read = lambda: world.gate.acts.press_stop(scope, "someone")  # noqa: B023 - run before the next round
        await world.run(2)
        assert world.plc.written == []


async def test_stop_pressed_by_another_process_between_two_writes_of_a_group_is_obeyed(tmp_path: Path) -> None:
    from holdfast.gate.actuation.stop import StopSwitch

    world = World(tmp_path)
    await world.run(3)
    world.plc.on_write = lambda tag, value: StopSwitch(tmp_path / "stop.switch").press("stand", "command line")
    world.gate.propose("ann-agent", proposal((SP, 103.0), (FLOW, 103.0)))
    await world.run(2)
    assert world.plc.written == [(SP, 103.0)]


async def test_an_operator_who_takes_over_between_two_writes_of_a_group_wins(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)

    def takes_flow(tag: str, value: float) -> None:
        world.plc.blocks[F].ext_permit = False
        world.see()

    world.plc.on_write = takes_flow
    world.gate.propose("ann-agent", proposal((SP, 103.0), (FLOW, 103.0)))
    await world.run(2)
    assert world.plc.written == [(SP, 103.0)]


async def test_an_operator_who_acts_between_yes_and_write_wins(tmp_path: Path) -> None:
    for act in ("setpoint", "permit", "mode"):
        world = await asked_and_signed(tmp_path / act)
        assert world.sign() == "approved"
        block = world.plc.blocks[T]
        if act == "setpoint":
            block.sp_ext = 101.0
            block.scan(1.0)
        elif act == "permit":
            block.ext_permit = False
        else:
            block.mode = 1
        await world.gate.advance()  # no frame came: the second look reads it from the device
        assert (world.state(), world.plc.written) == ("voided", [])


async def test_a_yes_for_another_world_is_refused(tmp_path: Path) -> None:
    from holdfast.gate.approval.inbox import ApprovalError

    world = await asked_and_signed(tmp_path)
    world.plc.bad = {f"{T}.mode"}
    await world.run(1)
    with pytest.raises(ApprovalError):
        world.sign()
    assert world.plc.written == []


async def test_a_yes_that_is_used_too_late_is_not_used(tmp_path: Path) -> None:
    world = await asked_and_signed(tmp_path)
    world.sign()
    world.clock.advance(301.0)
    world.see()
    await world.gate.advance()
    assert (world.state(), world.plc.written) == ("expired", [])


async def test_a_permit_that_runs_out_during_the_second_look_is_not_used(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.propose(103.0, valid_s=2.0)

    def slow() -> None:
        world.clock.advance(2.5)
        world.see()

    world.plc.on_read = slow
    await world.gate.advance()
    assert (world.state(), world.plc.written) == ("expired", [])


async def test_a_person_who_was_removed_after_signing_answers_for_nothing_and_the_gate_goes_on(tmp_path: Path) -> None:
    world = await asked_and_signed(tmp_path)
    world.sign()
    world.gate.people.remove("ann")
    await world.run(2)
    assert (world.state(), world.plc.written) == ("refused", [])
    assert world.records("fell")[0]["reasons"][0]["code"] in ("approval.signature", "stands.unsigned")
    assert world.propose(104.0, id="p2").verdict == "ask"


async def test_no_signature_no_write(tmp_path: Path) -> None:
    world = await asked_and_signed(tmp_path)
    await world.run(5)
    assert (world.state(), world.plc.written) == ("asked", [])
    assert world.sign(yes=False) == "refused"
    await world.run(5)
    assert world.plc.written == []


async def test_an_order_that_nobody_carries_out_is_said_to_have_failed(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    order = Order(kind="notify", target="stand", text="look at it")
    assert world.gate.propose("ann-agent", Proposal(id="p1", incident="i", action=order, reason="r")).verdict == "permit"
    await world.run(1)
    assert (world.state(), world.records("outcome")[0]["outcome"]["code"]) == ("failed", "action.no_carrier")


async def test_a_tag_without_a_readback_of_its_own_is_read_itself(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension={"readback": None}))
    await world.run(3)
    world.propose(103.0)
    await world.run(3)
    assert (world.state(), world.records("outcome")[0]["outcome"]["result"]) == ("done", "verified")


async def test_the_same_proposal_twice_is_one_write_and_anothers_under_its_id_is_another(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    first = world.propose(103.0)
    assert world.propose(103.0) == first
    stolen = world.propose(104.0, author="other")
    assert (stolen.verdict, world.failed(stolen)) == ("refuse", {"busy.busy"})
    assert stolen.proposal.startswith("p1!")
    await world.run(5)
    assert world.propose(103.0) == first
    assert world.plc.written == [(SP, 103.0)]
    assert world.gate.progress("p1").decision.author == "ann-agent"  # type: ignore[union-attr]


async def test_shadow_sends_nothing_and_keeps_counters_of_its_own(tmp_path: Path) -> None:
    world = World(tmp_path, site(autonomy="shadow"))
    await world.run(3)
    assert world.propose(103.0).would
    await world.run(5)
    assert (world.state(), world.plc.written) == ("shadow", [])
    assert [m.shadow for m in world.gate.moves_since(0)] == [True]
