"""One loop from its wiring to acting: every rung with the gate's own evidence and a person's signature, none skipped."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from small_plant import PASSWORD, F, T, World, site  # pyright: ignore[reportMissingImports]

from holdfast.gate.actuation.commissioning import CommissionError
from holdfast.gate.identity.seal import opened
from holdfast.sim.loop_block import AUTO, EXTERNAL
from holdfast.site.model import Settles
from holdfast.terms import Tag, canonical, digest

SP = f"{T}.sp"
SETTLES = Settles(tag=f"{T}.pv", within=0.5, after_s=50.0)  # effects are judged on the mean of 30 s


class Mill(World):  # pyright: ignore[reportUntypedBaseClass]
    """The process follows its setpoint: first order, 4 s, so that a bump test sees a loop."""

    async def run(self, seconds: int = 1, *, agent: bool = True) -> None:
        for _ in range(seconds):
            for at in (T, F):
                self.plc.pv[at] += (self.plc.blocks[at].sp_active - self.plc.pv[at]) / 4.0
            await super().run(1, agent=agent)

    def auto(self) -> None:
        self.plc.blocks[T].mode = AUTO

    @property
    def standing(self) -> Any:
        return json.loads(canonical(self.gate.commissioning.standing(T)))

    def key(self, person: str = "ann") -> Ed25519PrivateKey:
        attempt = self.gate.people.begin(person)
        return self.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))

    async def check(self, rung: Any, *, step: float = 1.0, within_s: float = 120.0, hours: float = 1.0) -> Any:
        await self.gate.commissioning.check(T, rung, step=step, within_s=within_s, hours=hours)
        return self.standing

    def sign_rung(self, rung: Any, person: str = "ann") -> None:
        found = self.standing["evidence_digest"] or ""
        self.gate.commissioning.sign(T, rung, found, person, self.key(person), reason="seen")

    def failed_codes(self) -> list[str]:
        return [c["code"] for c in self.standing["evidence"]["checks"] if not c["passed"]]

    async def wired(self) -> None:
        """The wiring rung, with the operator's bump, signed."""
        self.auto()
        await self.run(40)
        await self.check("wiring")
        self.plc.blocks[T].sp_op += 1.0
        await self.run(40)
        self.sign_rung("wiring")

    async def to(self, rung: str) -> None:
        await self.wired()
        if rung == "wiring":
            return
        await self.check("simulate")
        self.sign_rung("simulate")
        if rung == "simulate":
            return
        await self.check("shadow")
        self.sign_rung("shadow")
        self.plc.blocks[T].mode = EXTERNAL
        await self.run(700)  # the operator's own moves are yielded to


def mill(folder: Path, **changes: Any) -> Mill:
    world = Mill(folder, site(tension={"settles": SETTLES, **changes}, commissioning=True))
    world.gate.people.add("ann", ["operator"], PASSWORD)
    world.gate.people.add("bob", ["visitor"], PASSWORD)
    return world


async def test_a_bump_made_by_a_person_tells_gain_and_time_constant(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    assert (await world.check("wiring"))["waiting"] == {"for": "bump", "step": 1.0, "left_s": 120.0}
    await world.run(5)
    world.plc.blocks[T].sp_op = 101.0
    await world.run(40)
    found = world.standing
    assert (found["passed"], world.failed_codes()) == (True, [])
    figures = {k: float(v) for k, v in found["evidence"]["figures"]}
    assert (figures["step"], figures["before"]) == (1.0, 100.0)
    assert figures["gain"] == pytest.approx(1.0, abs=0.05)
    # 1 - 0.75^n reaches 0.632 with n = 4 samples; the first is taken with the setpoint's movement's own second or the next.
    assert figures["time_constant_s"] in (3.0, 4.0)


async def test_nobody_moving_the_loop_in_the_stated_time_fails_the_wiring(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    await world.check("wiring", within_s=30.0)
    await world.run(31)
    assert world.failed_codes() == ["bump.none"]
    with pytest.raises(CommissionError, match="did not pass"):
        world.sign_rung("wiring")


async def test_a_process_that_goes_the_other_way_fails_the_bump(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    await world.check("wiring", within_s=60.0)
    world.plc.blocks[T].sp_op = 101.0
    for _ in range(61):
        world.plc.pv[T] = 99.0
        await World.run(world, 1)
    assert set(world.failed_codes()) == {"bump.does_not_follow", "bump.not_settled"}


async def test_another_step_than_the_stated_one_fails_the_bump(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    await world.check("wiring")
    world.plc.blocks[T].sp_op = 103.0
    await world.run(40)
    assert world.failed_codes() == ["bump.other_step"]


async def test_a_loop_that_is_selected_by_the_plc_is_not_bumped(tmp_path: Path) -> None:
    world = mill(tmp_path)
    await world.run(40)
    found = await world.check("wiring")
    assert (found["waiting"], world.failed_codes()) == (None, ["wiring.selected"])


async def test_an_external_setpoint_that_does_not_follow_is_found(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    world.plc.on_read = lambda: setattr(world.plc.blocks[T], "sp_ext", 90.0)
    await world.check("wiring")
    assert world.failed_codes() == ["wiring.tracks_not"]


async def test_a_tag_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    world.plc.bad.add(f"{T}.pv")
    found = await world.check("wiring")
    assert [(c["code"], c["tag"]) for c in found["evidence"]["checks"] if not c["passed"]] == [("wiring.unread", f"{T}.pv")]


async def test_a_unit_that_the_server_says_otherwise_is_found(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)

    async def browse(under: str = "") -> AsyncIterator[Tag]:
        yield Tag(name="x", connection="plc", address=f"{T}.pv", unit="MN")
        yield Tag(name="y", connection="plc", address=f"{T}.sp", unit="kN")

    world.plc.browse = browse  # type: ignore[method-assign]
    await world.check("wiring")
    assert world.failed_codes() == ["wiring.unit_differs"]


async def test_a_heartbeat_that_the_plc_does_not_count_is_found(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    world.plc.on_read = lambda: setattr(world.plc.blocks[T], "ext_hb", 7)
    await world.check("wiring")
    assert world.failed_codes() == ["wiring.heartbeat_differs"]


async def test_a_scaling_that_does_not_come_back_is_found(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    world.plc.wire_value = lambda tag, value: value + 0.5  # type: ignore[method-assign]
    await world.check("wiring")
    assert world.failed_codes() == ["wiring.scale_differs"]


async def test_no_rung_can_be_skipped_and_no_evidence_can_be_brought(tmp_path: Path) -> None:
    world = mill(tmp_path)
    with pytest.raises(CommissionError, match="skipped"):
        await world.check("simulate")
    with pytest.raises(CommissionError, match="skipped"):
        world.sign_rung("shadow")
    with pytest.raises(CommissionError, match="check again"):
        world.gate.commissioning.sign(T, "wiring", "00" * 32, "ann", world.key(), reason="")


async def test_a_person_without_the_role_can_not_sign(tmp_path: Path) -> None:
    world = mill(tmp_path)
    world.auto()
    await world.run(40)
    await world.check("wiring")
    world.plc.blocks[T].sp_op += 1.0
    await world.run(40)
    with pytest.raises(CommissionError, match="operator"):
        world.sign_rung("wiring", "bob")
    world.sign_rung("wiring")
    assert world.standing["rung"] == "wiring"


async def test_each_signature_is_the_persons_own_over_the_digest_of_what_was_found(tmp_path: Path) -> None:
    world = mill(tmp_path)
    await world.to("wiring")
    (record,) = world.records("commission")
    assert (record["person"], record["role"], record["rung"]) == ("ann", "operator", "wiring")
    found, signature = record.pop("found"), bytes.fromhex(record.pop("signature"))
    assert record["evidence"] == digest(found)
    world.key().public_key().verify(signature, canonical(record))


async def test_a_loop_without_signatures_is_only_observed_where_commissioning_is_required(tmp_path: Path) -> None:
    world = mill(tmp_path)
    await world.run(3)
    assert world.failed(world.propose(101.0)) == {"autonomy.observe"}
    with pytest.raises(ValueError, match="commissioned up to observe"):
        world.gate.acts.set_autonomy(SP, "act", "ann", "person")
    assert World(tmp_path / "free").gate.autonomy.all() == ()


async def test_up_the_whole_ladder_each_rung_lets_the_loop_go_one_further(tmp_path: Path) -> None:
    world = mill(tmp_path, rate=None, writes=None)
    await world.to("shadow")
    assert world.propose(102.0, id="s0").would
    for n in range(2):
        assert world.propose(102.0 + n, id=f"s{n + 1}").would
    found = await world.check("ask")
    assert (found["passed"], dict(found["evidence"]["figures"])["would_permit"]) == (True, "3")
    world.sign_rung("ask")
    for n in range(3):
        assert world.propose(102.0 + n, id=f"a{n}").verdict == "ask"
        world.sign(f"a{n}")
        await world.run(70)
        assert world.state(f"a{n}") == "done"
    found = await world.check("act")
    assert found["passed"], found["evidence"]
    world.sign_rung("act")
    assert world.propose(101.0, id="z").verdict == "permit"
    assert [s["rung"] for s in world.standing["signed"]] == ["wiring", "simulate", "shadow", "ask", "act"]
    assert world.standing["next"] is None


async def test_shadow_that_showed_nothing_does_not_carry_to_ask(tmp_path: Path) -> None:
    world = mill(tmp_path)
    await world.to("shadow")
    await world.check("ask")
    assert world.failed_codes() == ["ask.too_few", "ask.useless"]


async def test_history_in_which_the_operator_never_offered_the_loop_still_tells_what_else_would_have_refused(tmp_path: Path) -> None:
    world = mill(tmp_path)
    await world.to("wiring")
    found = await world.check("simulate")
    figures = dict(found["evidence"]["figures"])
    # In auto all along: refused for the mode alone, each of the two steps at each time.
    assert found["passed"]
    assert figures["refuse"] == figures["but_his"] == figures["decisions"] == str(2 * int(figures["times"]))


async def test_a_changed_envelope_voids_all_rungs_on_record(tmp_path: Path) -> None:
    world = mill(tmp_path)
    await world.to("simulate")
    world.site = site(tension={"settles": SETTLES, "step": 4.0}, commissioning=True)
    world.again()
    assert (world.standing["rung"], world.standing["signed"]) == ("", [])
    back = world.records("commission")[-1]
    assert (back["act"], back["from"], back["to"], back["code"]) == ("set_back", "simulate", "", "commission.changed")
    world.again()
    assert world.records("commission")[-1] == back  # said once


async def test_a_restart_and_a_change_elsewhere_keep_the_rungs(tmp_path: Path) -> None:
    world = mill(tmp_path)
    await world.to("simulate")
    world.site = site(tension={"settles": SETTLES}, commissioning=True, timezone="Asia/Shanghai")
    world.again()
    assert world.standing["rung"] == "simulate"


async def test_a_fault_sets_the_rung_back_to_what_it_still_allows(tmp_path: Path) -> None:
    world = mill(tmp_path)
    await world.to("shadow")
    with world.gate._state.transaction():
        world.gate.faults.lower(SP, "observe", "fault.indeterminate", "p1")
    assert world.standing["rung"] == "simulate"
    assert world.records("commission")[-1]["code"] == "fault.indeterminate"
    with pytest.raises(ValueError, match="commissioned up to observe"):
        world.gate.acts.set_autonomy(SP, "shadow", "ann", "person")


async def test_the_matrix_has_every_bound_and_every_rule_of_the_loop(tmp_path: Path) -> None:
    world = mill(tmp_path)
    rows = [(row["code"], row["leads"]) for row in world.standing["matrix"]]
    assert rows == [
        ("matrix.stop", "refuse"),
        ("matrix.autonomy", "refuse"),
        ("matrix.enable", "refuse"),
        ("matrix.mode", "refuse"),
        ("matrix.fresh", "refuse"),
        ("matrix.range", "refuse"),
        ("matrix.step", "refuse"),
        ("matrix.rate", "refuse"),
        ("matrix.writes", "refuse"),
        ("matrix.yield", "refuse"),
        ("matrix.busy", "refuse"),
        ("matrix.rule", "permit"),
        ("matrix.no_rule", "refuse"),
    ]
