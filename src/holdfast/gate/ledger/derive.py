"""What the state must be, by the leaves alone: read in order, they say who there is, what was asked, sent and counted.

It knows the kinds of records, not the code that writes them, so that a fault there is found here. Where records leave a
choice (a job is `verified` until its effect is due, then `done`), every state they allow is told.
"""

import dataclasses
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

SECOND_NS = 1_000_000_000


def folded(name: str) -> str:
    """As names are compared: NFKC, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


@dataclasses.dataclass
class ToldJob:
    """What the records say of one proposal. `states`: those that its row may be in."""

    seq: int  # of the latest record that says so
    decision: Mapping[str, Any]
    proposal: Mapping[str, Any]
    author: str
    states: frozenset[str]
    steps: list[tuple[str, float, float]] | None = None  # (tag, former, wanted)


@dataclasses.dataclass
class ToldAsk:
    seq: int
    body: Mapping[str, Any]
    closed: frozenset[str]
    approvals: dict[str, tuple[int, Mapping[str, Any]]]  # by role


@dataclasses.dataclass
class ToldMove:
    """One change of a setpoint by Holdfast; it counts from `at_ns` on or later."""

    seq: int
    proposal: str
    by: str
    before: float
    after: float
    at_ns: int


@dataclasses.dataclass
class ToldOrder:
    """What is to be carried to one target. `seq`: of the intent."""

    seq: int
    state: str
    tries: int


@dataclasses.dataclass
class ToldModel:
    """A model that people put in force for a role. `seq`: of that record."""

    seq: int
    digest: str
    name: str
    version: str
    evaluations: Any
    person: str


MODELS_MAX = 8  # kept of one role, as gate/actuation/promotions.py keeps them

# Outcomes that say that an order never came into the outbox.
NEVER_QUEUED = ("action.no_carrier", "outbox.full")


class Derived:
    """The state as of the last record that was given to `take`."""

    def __init__(self) -> None:
        self.people: dict[str, tuple[int, Mapping[str, Any]]] = {}  # by folded name
        self.agents: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self.autonomy: dict[str, tuple[int, str]] = {}
        self.asks: dict[str, ToldAsk] = {}
        self.jobs: dict[str, ToldJob] = {}
        self.moves: dict[str, list[ToldMove]] = {}  # ours, by tag
        self.yields: dict[str, tuple[int, int]] = {}  # by tag: (seq, until at least)
        self.taken: dict[str, tuple[int, int]] = {}  # by tag: (seq, time) of the latest change by others
        self.questions: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self.rungs: dict[str, tuple[int, str]] = {}  # by tag: (record, rung that stands)
        self.rungs_signed: dict[int, tuple[str, str]] = {}  # by record: (tag, rung)
        self.set_backs: dict[str, int] = {}  # by root, hex
        self.outbox: dict[tuple[str, str], ToldOrder] = {}  # by (proposal, target)
        self.signed_for: dict[
            tuple[str, int, str], tuple[int, int, str, str]
        ] = {}  # (digest, generation, fold): (record, time, role, person)
        self.peak = 0  # the highest revision of a policy that was in force
        self.shelved: dict[tuple[str, str], tuple[int, int]] = {}  # (tag, limit): (record, until)
        self.configuration: tuple[int, str] | None = None  # digest in force
        self.learned: dict[str, tuple[int, str, str]] = {}  # by detector: (record, digest in force, what it was learned of)
        self.causes: dict[str, tuple[int, str, str, str]] = {}  # by incident: (record, mode, told, person), the latest last
        self.models: dict[str, list[ToldModel]] = {}  # by role: what is in force last, what it replaced before it
        self._do: dict[str, Callable[[int, int, Any], None]] = {
            "person": self._person,
            "agent": self._agent,
            "autonomy": self._autonomy,
            "ask": self._ask,
            "approval": self._approval,
            "void": self._void,
            "decision": self._decision,
            "intent": self._intent,
            "retreat": self._retreat,
            "outcome": self._outcome,
            "resolved": self._resolved,
            "escalated": self._escalated,
            "taken": self._taken,
            "set_back": self._set_back,
            "clock": self._clock,
            "activated": self._activated,
            "configuration.signed": self._configuration_signed,
            "alarm.shelved": self._shelved,
            "alarm.unshelved": self._unshelved,
            "commission": self._commission,
            "delivery": self._delivery,
            "question": self._question,
            "answer": self._answer,
            "learned": self._learned,
            "cause": self._cause,
            "model": self._model,
        }

    def take(self, leaf: bytes) -> None:
        """The next record. Raises ValueError, KeyError or TypeError for one that its kind doesn't allow."""
        record = json.loads(leaf)
        kind, seq, at_ns, body = record["kind"], record["seq"], record["at_ns"], record["body"]
        if (do := self._do.get(kind)) is not None:
            do(seq, at_ns, body)
        elif kind in AFTER and (job := self.jobs.get(body.get("proposal", ""))) is not None:
            job.seq, job.states = seq, AFTER[kind]

    # ---- who there is ------------------------------------------------------------------------------------------------

    def _person(self, seq: int, at_ns: int, body: Any) -> None:
        _known(self.people, seq, body)

    def _agent(self, seq: int, at_ns: int, body: Any) -> None:
        _known(self.agents, seq, body)

    def _autonomy(self, seq: int, at_ns: int, body: Any) -> None:
        self.autonomy[body["scope"]] = seq, body["level"]

    def _activated(self, seq: int, at_ns: int, body: Any) -> None:
        self.configuration = seq, body["digest"]
        self.peak = max(self.peak, body.get("revision", 0))
        self.signed_for.clear()

    def _configuration_signed(self, seq: int, at_ns: int, body: Any) -> None:
        place = body["action"]["digest"], body["after"]["generation"], folded(body["person"])
        self.signed_for[place] = seq, at_ns, body["role"], body["person"]

    def _shelved(self, seq: int, at_ns: int, body: Any) -> None:
        self.shelved[body["tag"], body["limit"]] = seq, body["until_ns"]

    def _unshelved(self, seq: int, at_ns: int, body: Any) -> None:
        self.shelved.pop((body["tag"], body["limit"]), None)

    def _learned(self, seq: int, at_ns: int, body: Any) -> None:
        self.learned[body["name"]] = seq, body["digest"], body["basis"]

    def _cause(self, seq: int, at_ns: int, body: Any) -> None:
        self.causes.pop(body["incident"], None)
        if body["act"] == "confirm":
            self.causes[body["incident"]] = seq, body["mode"], body["told"], body["person"]

    def _model(self, seq: int, at_ns: int, body: Any) -> None:
        stack = self.models.setdefault(body["role"], [])
        if body["act"] == "promote":
            stack.append(ToldModel(seq, body["digest"], body["name"], body["version"], body["evaluations"], body["person"]))
            del stack[:-MODELS_MAX]
        else:
            stack.pop()

    def _question(self, seq: int, at_ns: int, body: Any) -> None:
        self.questions[f"q{seq}"] = seq, {**body, "at_ns": at_ns, "answer": "", "answered_by": "", "answered_ns": 0}

    def _answer(self, seq: int, at_ns: int, body: Any) -> None:
        asked, known = self.questions[body["question"]]
        answered = {"answer": body["text"], "answered_by": body["author"], "answered_ns": at_ns}
        self.questions[body["question"]] = asked, {**known, **answered}

    # ---- what was asked ----------------------------------------------------------------------------------------------

    def _ask(self, seq: int, at_ns: int, body: Any) -> None:
        self.asks[body["proposal"]] = ToldAsk(seq, body, frozenset({""}), {})

    def _approval(self, seq: int, at_ns: int, body: Any) -> None:
        ask = self.asks[body["proposal"]]
        ask.approvals[body["role"]] = seq, body
        job = self.jobs.get(body["proposal"])
        if not body["yes"]:
            ask.seq, ask.closed = seq, frozenset({"refused"})
            self._now(job, seq, "refused")
        elif set(ask.body["roles"]) <= ask.approvals.keys():
            self._now(job, seq, "approved")

    def _void(self, seq: int, at_ns: int, body: Any) -> None:
        ask, job = self.asks[body["proposal"]], self.jobs.get(body["proposal"])
        late = body["why"] == "approval.expired"
        ask.seq, ask.closed = seq, frozenset({"voided", "expired"} if late else {"voided"})
        if job is not None and job.states & {"asked", "approved"}:  # a job that expires is told by a record of its own
            self._now(job, seq, *({*job.states, "expired", "voided"} if late else {"voided"}))

    # ---- what was done -----------------------------------------------------------------------------------------------

    def _decision(self, seq: int, at_ns: int, body: Any) -> None:
        decision = body["decision"]
        state = {"refuse": "refused", "ask": "asked", "permit": "approved"}[decision["verdict"]]
        if decision["would"] and state != "refused":
            state = "shadow"
        proposal = body["proposal"]
        self.jobs[proposal["id"]] = ToldJob(seq, decision, proposal, decision["author"], frozenset({state}))

    def _intent(self, seq: int, at_ns: int, body: Any) -> None:
        job, ask = self.jobs[body["proposal"]], self.asks.get(body["proposal"])
        if ask is not None:
            ask.seq, ask.closed = seq, frozenset({"consumed"})
        self._now(job, seq, "intent", "sent")
        job.steps = self._moved(seq, at_ns, body)
        for target in body.get("targets", ()):
            self.outbox[body["proposal"], target] = ToldOrder(seq, "queued", 0)

    def _retreat(self, seq: int, at_ns: int, body: Any) -> None:
        self._now(self.jobs[body["proposal"]], seq, "retreat", "retreating")
        self._moved(seq, at_ns, body)

    def _moved(self, seq: int, at_ns: int, body: Any) -> list[tuple[str, float, float]]:
        steps = [(step["tag"], step["former"], step["wanted"]) for step in body["steps"]]
        for tag, former, wanted in steps:
            move = ToldMove(seq, body["proposal"], body["author"], former, wanted, at_ns)
            self.moves.setdefault(tag, []).append(move)
        return steps

    def _outcome(self, seq: int, at_ns: int, body: Any) -> None:
        if body["outcome"].get("code") in NEVER_QUEUED:
            for place in [place for place in self.outbox if place[0] == body["proposal"]]:
                del self.outbox[place]
        states = {"verified": ("verified", "done"), "failed": ("failed",), "indeterminate": ("indeterminate",)}
        self._now(self.jobs.get(body["proposal"]), seq, *states[body["outcome"]["result"]])

    def _delivery(self, seq: int, at_ns: int, body: Any) -> None:
        state = "queued" if body["result"] == "failed" else body["result"]
        order = self.outbox[body["proposal"], body["target"]]
        order.state, order.tries = state, body["tries"]

    def _commission(self, seq: int, at_ns: int, body: Any) -> None:
        if body["act"] == "set_back":
            self.rungs[body["tag"]] = seq, body["to"]
        else:
            self.rungs[body["tag"]] = seq, body["rung"]
            self.rungs_signed[seq] = body["tag"], body["rung"]

    def _resolved(self, seq: int, at_ns: int, body: Any) -> None:
        self._now(self.jobs.get(body["proposal"]), seq, "done" if body["result"] == "verified" else "failed")

    def _escalated(self, seq: int, at_ns: int, body: Any) -> None:
        self._now(self.jobs.get(body["proposal"]), seq, "escalated" if body.get("waits", True) else "done")

    # ---- what others did, and what counts ------------------------------------------------------------------------------

    def _taken(self, seq: int, at_ns: int, body: Any) -> None:
        tag = body["tag"]
        if body["phase"] == "ended":
            return
        self.yields[tag] = seq, max(body["yield_until_ns"], self.yields.get(tag, (0, 0))[1])
        if body["what"] == "setpoint":
            self.taken[tag] = seq, body.get("at_ns", at_ns)

    def _set_back(self, seq: int, at_ns: int, body: Any) -> None:
        for one in body["behind"]:
            if one["root"]:
                self.set_backs[one["root"]] = seq
        for tag, until_ns in body["yields"]:
            self.yields[tag] = seq, max(until_ns, self.yields.get(tag, (0, 0))[1])

    def _clock(self, seq: int, at_ns: int, body: Any) -> None:
        """All that is counted is set with the clock, whichever way."""
        step_ns = round(body["step_s"] * SECOND_NS)
        for moves in self.moves.values():
            for move in moves:
                move.at_ns += step_ns
        for of in (self.yields, self.taken):
            of.update({tag: (told, when + step_ns) for tag, (told, when) in of.items()})

    @staticmethod
    def _now(job: ToldJob | None, seq: int, *states: str) -> None:
        if job is not None:
            job.seq, job.states = seq, frozenset(states)


# Records that name a proposal and say by their kind alone what became of it.
AFTER: Mapping[str, frozenset[str]] = {
    "expired": frozenset({"expired"}),
    "voided": frozenset({"voided"}),
    "fell": frozenset({"refused"}),
    "reconciling": frozenset({"sent", "retreating"}),
    "effect": frozenset({"done"}),
    "restored": frozenset({"restored"}),
}


def _known(known: dict[str, tuple[int, Mapping[str, Any]]], seq: int, body: Any) -> None:
    fold = folded(body["name"])
    if body["change"] in ("removed", "revoked"):
        known.pop(fold, None)
        return
    before = known.get(fold)
    if body["change"] != "added" and before is None:
        raise KeyError(f"{body['name']} was changed before being added")
    # Whether a person is disabled is told by the latest record that says so, and outlives a change of roles or password.
    disabled = {"added": False, "disabled": True, "enabled": False}.get(
        body["change"], before is not None and before[1].get("disabled", False)
    )
    known[fold] = seq, {**body, "disabled": disabled}


def derived(leaves: Iterable[bytes]) -> Derived:
    """The state that records 1, 2, 3 … lead to. Raises ValueError that names the first record that can't be followed."""
    found = Derived()
    seq = 0
    try:
        for leaf in leaves:
            seq += 1
            found.take(leaf)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"record {seq} can't be followed ({type(error).__name__}: {error})") from error
    return found
