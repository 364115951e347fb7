"""A yes is one person's, for one role, for exactly this, for a while, and once."""

import random
import re
from pathlib import Path
from typing import get_args

import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.approval.inbox import WAITING_MAX, ApprovalError, Inbox
from holdfast.gate.approval.inbox import __file__ as inbox_file
from holdfast.gate.approval.signatures import genuine, signed_bytes
from holdfast.gate.approval.standing import Standing
from holdfast.gate.identity.people import People, WrongPassword
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.language import say
from holdfast.terms import Approval, Decision

GOOD = "brass kettle orchard"
BINDS = "ab" * 32


class Desk:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(1_000_000_000)
        self.state = State(folder, durable=False, reserve_bytes=0)
        self.log = Log(self.state, self.clock)
        self.people = People(self.state, self.log, self.clock, random.Random(6).randbytes, cost=Cost(passes=1, memory_kib=8, lanes=1))
        self.people.add("ann", ["operator"], GOOD)
        self.people.add("bob", ["process-engineer", "operator"], GOOD)
        self.people.add("eve", ["visitor"], GOOD)
        self.inbox = self.after_boot("one")

    def after_boot(self, boot: str) -> Inbox:
        return Inbox(self.state, self.log, self.people, self.clock, boot=boot)

    def asked(
        self, proposal: str = "p1", roles: tuple[str, ...] = ("operator",), author: str = "mill-agent", tags: tuple[str, ...] = ()
    ) -> None:
        self.inbox.open(decision(proposal, roles, author), 300.0, tags=tags)

    def yes(self, person: str, role: str, proposal: str = "p1", *, binds: str = BINDS, password: str = GOOD, yes: bool = True) -> Approval:
        return self.inbox.sign(proposal, person, role, password, yes, "looks right", binds=binds)

    def refused(self, person: str, role: str, proposal: str = "p1", *, binds: str = BINDS) -> str:
        with pytest.raises(ApprovalError) as caught:
            self.yes(person, role, proposal, binds=binds)
        return caught.value.code

    def unused(self, proposal: str = "p1", *, binds: str = BINDS, roles: tuple[str, ...] = ()) -> str:
        with pytest.raises(ApprovalError) as caught:
            self.inbox.consume(proposal, binds=binds, roles=roles)
        return caught.value.code


def decision(proposal: str = "p1", roles: tuple[str, ...] = ("operator",), author: str = "mill-agent", *, binds: str = BINDS) -> Decision:
    return Decision(
        proposal=proposal, binds=binds, configuration="c", snapshot="s", author=author, at_ns=0, verdict="ask", reasons=(), roles=roles
    )


@pytest.fixture
def desk(tmp_path: Path):
    desk = Desk(tmp_path)
    yield desk
    desk.state.close()


def test_a_signed_yes_approves_and_is_in_the_ledger_with_its_signature(desk: Desk):
    desk.asked()
    assert desk.inbox.state("p1") == "waiting"
    approval = desk.yes("ann", "operator")
    assert desk.inbox.state("p1") == "approved"
    ann = desk.people.get("ann")
    assert ann
    assert genuine(approval, ann.public)
    last = desk.log.read()[-1]
    assert (last.kind, last.body["person"], last.body["signature"]) == ("approval", "ann", approval.signature.hex())
    assert desk.inbox.signed("p1") == (approval,)


def test_the_signed_bytes_are_stated_to_the_letter():
    assert signed_bytes(binds="d1", person="李伟", role="operator", yes=True, reason='say "go"') == (
        '{"binds":"d1","person":"李伟","reason":"say \\"go\\"","role":"operator","yes":true}'.encode()
    )


def test_an_approval_is_used_once(desk: Desk):
    desk.asked()
    approval = desk.yes("ann", "operator")
    assert desk.inbox.consume("p1", binds=BINDS) == (approval,)
    assert desk.inbox.state("p1") == "consumed"
    assert desk.unused() == "approval.consumed"
    desk.inbox.open(decision(), 300.0)  # asking again does not revive it
    assert desk.unused() == "approval.consumed"


def test_a_use_that_is_rolled_back_was_none(desk: Desk):
    desk.asked()
    desk.yes("ann", "operator")

    def use_and_fail() -> None:
        with desk.state.transaction():
            desk.inbox.consume("p1", binds=BINDS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use_and_fail()
    assert desk.inbox.state("p1") == "approved"


def test_two_roles_need_two_people(desk: Desk):
    desk.asked(roles=("operator", "process-engineer"))
    desk.yes("bob", "operator")
    assert desk.refused("bob", "process-engineer") == "approval.twice"
    assert desk.refused("ann", "operator") == "approval.signed"
    assert desk.refused("ann", "process-engineer") == "approval.role"
    assert desk.inbox.state("p1") == "waiting"
    assert desk.unused() == "approval.missing"


def test_who_has_no_such_role_or_was_not_asked_can_not_sign(desk: Desk):
    desk.asked()
    assert desk.refused("eve", "operator") == "approval.role"
    assert desk.refused("bob", "process-engineer") == "approval.not_asked"
    assert desk.refused("nobody", "operator") == "approval.role"


@pytest.mark.parametrize("author", ["ann", "Ann", "ＡＮＮ"])
def test_who_proposed_can_not_approve(desk: Desk, author: str):
    desk.asked(author=author)
    assert desk.refused("ann", "operator") == "approval.self"
    assert desk.refused("ANN", "operator") == "approval.self"


def test_one_no_refuses_for_good(desk: Desk):
    desk.asked(roles=("operator", "process-engineer"))
    desk.yes("ann", "operator", yes=False)
    assert desk.inbox.state("p1") == "refused"
    assert desk.refused("bob", "process-engineer") == "approval.refused"
    assert desk.unused() == "approval.refused"


def test_time_runs_out_to_the_nanosecond(desk: Desk):
    desk.asked()
    desk.clock.advance_to(desk.clock.monotonic_ns() + 300_000_000_000 - 1)
    assert desk.inbox.state("p1") == "waiting"
    desk.yes("ann", "operator")
    desk.clock.advance_to(desk.clock.monotonic_ns() + 1)
    assert desk.inbox.state("p1") == "expired"
    assert desk.unused() == "approval.expired"
    assert desk.inbox.sweep() == ("p1",)
    assert desk.inbox.sweep() == ()
    assert desk.inbox.state("p1") == "expired"
    assert [r.body["why"] for r in desk.log.read() if r.kind == "void"] == ["approval.expired"]


def test_a_reboot_ends_what_was_asked_before(desk: Desk):
    desk.asked()
    desk.yes("ann", "operator")
    assert desk.after_boot("two").state("p1") == "expired"


def test_what_changed_since_can_be_neither_signed_nor_used(desk: Desk):
    desk.asked()
    assert desk.refused("ann", "operator", binds="cd" * 32) == "approval.changed"
    desk.yes("ann", "operator")
    assert desk.unused(binds="cd" * 32) == "approval.changed"
    with pytest.raises(ApprovalError) as caught:
        desk.inbox.open(decision(binds="cd" * 32), 300.0)
    assert caught.value.code == "approval.changed"


def test_a_second_decision_that_asks_for_more_is_not_satisfied(desk: Desk):
    desk.asked()
    desk.yes("ann", "operator")
    assert desk.unused(roles=("operator", "process-engineer")) == "approval.missing"
    assert desk.inbox.consume("p1", binds=BINDS, roles=("operator",))


def test_the_operators_move_voids_what_touches_the_tag_and_nothing_else(desk: Desk):
    desk.asked("p1", tags=("stand-4/tension.sp",))
    desk.asked("p2", tags=("stand-4/emulsion.sp",))
    desk.yes("ann", "operator", "p1")
    assert desk.inbox.void_tags(["stand-4/tension.sp"], "moved.by_operator") == ("p1",)
    assert (desk.inbox.state("p1"), desk.inbox.state("p2")) == ("voided", "waiting")
    assert desk.unused("p1") == "approval.voided"
    assert desk.log.read()[-1].body == {"proposal": "p1", "why": "moved.by_operator"}
    assert not desk.inbox.void("p1", "again")


def test_a_wrong_password_signs_nothing(desk: Desk):
    desk.asked()
    with pytest.raises(WrongPassword):
        desk.yes("ann", "operator", password="not the password")
    assert desk.inbox.state("p1") == "waiting"


def test_an_answer_signed_elsewhere_is_taken_only_if_it_is_genuine(desk: Desk):
    desk.asked()
    message = signed_bytes(binds=BINDS, person="ann", role="operator", yes=False, reason="")
    signature = desk.people.sign("ann", GOOD, message)

    def answer(*, yes: bool, person: str = "ann") -> Approval:
        return Approval(proposal="p1", binds=BINDS, person=person, role="operator", yes=yes, reason="", at_ns=0, signature=signature)

    for forged in (answer(yes=True), answer(yes=False, person="bob"), answer(yes=False, person="ANN")):
        with pytest.raises(ApprovalError) as caught:
            desk.inbox.record(forged)
        assert caught.value.code == "approval.signature"
    desk.inbox.record(answer(yes=False))
    assert desk.inbox.state("p1") == "refused"


def test_one_person_under_two_spellings_is_not_two_people(desk: Desk):
    desk.asked(roles=("operator", "process-engineer"))
    desk.yes("bob", "operator")
    assert desk.refused("BOB", "process-engineer") == "approval.twice"
    message = signed_bytes(binds=BINDS, person="BOB", role="process-engineer", yes=True, reason="")
    signature = desk.people.sign("BOB", GOOD, message)  # genuine, but the record knows no BOB
    approval = Approval(
        proposal="p1", binds=BINDS, person="BOB", role="process-engineer", yes=True, reason="", at_ns=0, signature=signature
    )
    with pytest.raises(ApprovalError) as caught:
        desk.inbox.record(approval)
    assert caught.value.code == "approval.signature"
    assert desk.inbox.state("p1") == "waiting"


def test_who_was_removed_since_no_longer_answers_for_it(desk: Desk):
    desk.asked()
    desk.yes("ann", "operator")
    desk.people.remove("ann")
    assert desk.unused() == "approval.signature"
    desk.people.add("ann", ["operator"], GOOD)  # the same name with another key
    assert desk.unused() == "approval.signature"


def test_a_flood_of_questions_is_refused_and_time_makes_room(desk: Desk):
    for i in range(WAITING_MAX):
        desk.asked(f"q{i}")
    with pytest.raises(ApprovalError) as caught:
        desk.asked("one more")
    assert caught.value.code == "approval.flood"
    desk.clock.advance(301.0)
    desk.asked("one more")
    assert [a.proposal for a in desk.inbox.open_asks()] == ["one more"]


def test_a_decision_that_asks_nobody_is_no_question(desk: Desk):
    with pytest.raises(ValueError, match="asks nobody"):
        desk.inbox.open(decision(roles=()), 300.0)
    for valid_s in (0.0, float("nan"), 1e9):
        with pytest.raises(ValueError, match="open for"):
            desk.inbox.open(decision(), valid_s)


def test_what_was_never_asked_can_not_be_answered_or_used(desk: Desk):
    assert desk.inbox.state("nothing") is None
    assert desk.refused("ann", "operator", "nothing") == "approval.unknown"
    assert desk.unused("nothing") == "approval.unknown"


def test_every_refusal_says_what_is_the_matter_in_both_languages():
    source = "".join(p.read_text() for p in Path(inbox_file).parent.glob("*.py"))
    codes = set(re.findall(r"\"(approval\.[a-z_]+)\"", source)) | {f"approval.{s}" for s in get_args(Standing) if s != "waiting"}
    assert len(codes) == 15
    for code in codes:
        assert say(code, {}, "en").endswith(".")
        assert say(code, {}, "zh").endswith("。")
