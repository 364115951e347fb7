"""Whatever comes in whatever order, faults, people, operators, restarts: at most one request an intent, and everything ends or waits."""

import asyncio
import contextlib
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from small_plant import PASSWORD, F, T, World, envelope, proposal, site

from holdfast.gate.actuation.transitions import BUSY, WAIT_FOR_PERSON
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.ledger.checkpoint import PUBLIC, read_public
from holdfast.gate.ledger.verify import verify
from holdfast.site.model import Rule, Settles, Writes

SP, FLOW = f"{T}.sp", f"{F}.sp"
RULES = (
    Rule(id="tension moves freely", effect="permit", agents=("*",), tags=(SP,)),
    Rule(id="flow by leave", effect="ask", agents=("*",), tags=(FLOW,), approvals=("operator",)),
)
SETTLED_S = 340  # longer than any question is open and any read-back is tried


class Saga(RuleBasedStateMachine):
    @initialize()
    def opens(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="holdfast-machine-")
        loose = {"rate": None, "writes": Writes(max=500, per_s=3600.0), "yield_s": 5.0}
        settles = Settles(tag=f"{T}.pv", within=1.0, after_s=2.0)
        of = site(rules=RULES, envelopes=(envelope(T, restore=True, settles=settles, **loose), envelope(F, restore=True, **loose)))
        self.runner = asyncio.Runner()
        self.world = World(Path(self.folder.name), of)
        self.world.gate.people.add("ann", ["operator"], PASSWORD)
        self.number = 0
        self.moves = 0
        self.run(3)

    def run(self, seconds: int) -> None:
        self.runner.run(self.world.run(seconds))

    @rule(sets=st.sampled_from(((SP,), (FLOW,), (SP, FLOW))), seconds=st.integers(0, 2))
    def proposes(self, sets: tuple[str, ...], seconds: int) -> None:
        self.propose_now(sets)
        self.run(seconds)

    def propose_now(self, sets: tuple[str, ...]) -> None:
        self.number += 1
        offset = 1.0 + self.number / 1024  # every value is wanted once
        at = {tag: self.world.plc.blocks[tag.removesuffix(".sp")].sp_active for tag in sets}
        wanted = [(tag, 100.0 + offset if at[tag] < 102.0 else 98.0 + offset) for tag in sets]
        with contextlib.suppress(ApprovalError):
            self.world.gate.propose("ann-agent", proposal(*wanted, id=f"p{self.number}", valid_s=60.0))

    @rule(yes=st.booleans(), seconds=st.integers(0, 2))
    def a_person_answers(self, yes: bool, seconds: int) -> None:
        for job in self.world.gate.jobs.open():
            if job.state == "asked":
                with contextlib.suppress(ApprovalError):
                    self.world.sign(job.proposal.id, yes=yes)
        self.run(seconds)

    @rule(seconds=st.integers(1, 70))
    def time_passes(self, seconds: int) -> None:
        self.run(seconds)

    @rule(answers=st.lists(st.sampled_from(("acked", "rejected", "unknown", "lost")), min_size=1, max_size=3))
    def the_device_will_answer(self, answers: list[str]) -> None:
        self.world.plc.answers = list(answers)

    @rule(loop=st.sampled_from((T, F)))
    def the_operator_moves(self, loop: str) -> None:
        self.world.plc.blocks[loop].sp_ext = self.world.plc.blocks[loop].sp_active + 0.5

    @rule(loop=st.sampled_from((T, F)), permit=st.sampled_from((True, True, False)))
    def the_operator_permits(self, loop: str, permit: bool) -> None:
        self.world.plc.blocks[loop].ext_permit = permit

    @rule(up=st.sampled_from((True, True, False)))
    def the_link(self, up: bool) -> None:
        self.world.plc.up = up

    @rule(follows=st.booleans())
    def the_process_answers(self, follows: bool) -> None:
        self.world.plc.pv[T] = self.world.plc.blocks[T].sp_active if follows else 60.0

    @rule(stop=st.sampled_from((False, False, True)))
    def stopped_or_resumed(self, stop: bool) -> None:
        if stop:
            self.world.gate.acts.press_stop("stand", "someone")
        else:
            self.world.gate.acts.resume("stand", "ann", b"", self.world.clock.now_ns())

    @rule(after_s=st.floats(0.0, 100.0))
    def restarted(self, after_s: float) -> None:
        self.world.again(after_s=after_s)

    @rule()
    def killed_in_the_next_write(self) -> None:
        def ends(tag: str, value: float) -> None:
            raise asyncio.CancelledError

        self.run(1)
        self.propose_now((SP,))
        self.world.plc.on_write = ends
        with contextlib.suppress(asyncio.CancelledError):
            self.run(1)
        self.world.plc.on_write = lambda tag, value: None
        self.world.again(after_s=1.0)

    @invariant()
    def at_most_one_request_an_intent(self) -> None:
        wanted = Counter((s["tag"], s["wanted"]) for kind in ("intent", "retreat") for r in self.world.records(kind) for s in r["steps"])
        for key, requests in Counter(self.world.plc.written).items():
            assert requests <= wanted[key], f"{key}: {requests} requests, {wanted[key]} intents"
        assert max(Counter(r["proposal"] for r in self.world.records("intent")).values(), default=0) <= 1
        assert max(Counter(r["proposal"] for r in self.world.records("retreat")).values(), default=0) <= 1

    @invariant()
    def one_action_a_tag(self) -> None:
        held = Counter(tag for job in self.world.gate.jobs.open() if job.state in BUSY for tag in job.tags)
        assert max(held.values(), default=0) <= 1, held

    @invariant()
    def counters_never_shrink(self) -> None:
        ours = sum(m.ours for m in self.world.gate.moves.since(0))
        assert ours >= self.moves
        self.moves = ours
        steps = sum(len(r["steps"]) for kind in ("intent", "retreat") for r in self.world.records(kind))
        assert ours == steps

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.plc.up = True
        self.run(SETTLED_S)
        waiting = {job.state for job in self.world.gate.jobs.open()} - WAIT_FOR_PERSON
        assert waiting == set()
        self.world.gate.checkpoint()
        self.world.gate.close()
        folder = Path(self.folder.name)
        assert verify(folder, read_public(folder / PUBLIC)).ok
        self.runner.close()
        self.folder.cleanup()


Saga.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
)
TestSaga = Saga.TestCase
