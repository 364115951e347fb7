"""A record in words: what happened, who did it, the numbers with their units, and the reasons that the gate gave.

Most kinds are one sentence made from the body's own fields; those of an action's chain have a function each. What an agent
or a person wrote is kept apart as a claim, never mixed into a sentence of ours.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from holdfast.console import modes
from holdfast.console.cited import Cited
from holdfast.console.names import Names
from holdfast.console.reports.document import MODEL
from holdfast.console.shown import Shown
from holdfast.terms import Word

Body = Mapping[str, Any]
SHARES_MAX, CAUSES_MAX, EVIDENCE_MAX, LIST_MAX = 8, 6, 12, 12
LIST_CHARS_MAX = 300
DIGEST_CHARS = 12

# Which field says what happened, so that each has a sentence of its own: `console.said.session.begun`.
TURNS = {
    "activated": "how", "agent": "change", "alarm": "active",
    "alarm.flood": "state", "alarm.unshelved": "by", "autonomy": "kind", "commission": "act",
    "connection": "state", "context": "usable", "delivery": "result", "egress": "state", "fault": "code",
    "model": "act", "person": "change",
    "resolved": "result", "session": "change", "taken": "phase",
}  # fmt: skip
WRONG = {"alarm", "escalated", "fault", "set_back", "refused.act", "stop"}  # what a person should look at, wherever it stands


class Share(Word):
    """How much one tag adds to a finding; `part` 0 to 1."""

    tag: str
    name: str
    part: float
    width: float  # of a drawing 100 wide


class Check(Word):
    passed: bool
    text: str


class Claim(Word):
    """Text that somebody else wrote."""

    who: str
    text: str
    expects: bool = False
    model: str = ""  # that wrote it; "" for a person or an agent's own rules


class Told(Word):
    """One record for people. `tone`: "", "good", "waits" or "wrong", for a shape beside the words."""

    seq: int
    at_ns: int
    kind: str
    name: str
    title: str
    tone: str = ""
    lines: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    claims: tuple[Claim, ...] = ()
    shares: tuple[Share, ...] = ()
    proposal: str = ""
    incident: str = ""
    author: str = ""


class Teller:
    """For one visitor's language and one configuration's names."""

    def __init__(self, shown: Shown, names: Names, *, brief: bool = False) -> None:
        """`brief`: for a list, which shows no check that passed: putting them into words is most of the work."""
        self.shown = shown
        self.names = names
        self.brief = brief
        self.cited = Cited(shown, modes.names())

    def tell(self, record: Mapping[str, Any]) -> Told:
        """Never raises for what a body holds: a record that can't be put into words is still shown, with its fields."""
        kind = str(record["kind"])
        body: Body = record["body"] if isinstance(record["body"], Mapping) else {}
        parts: dict[str, Any]
        try:
            parts = PARTS[kind](self, body) if kind in PARTS else self.plainly(kind, body)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            parts = {"title": self.shown.t("said.unreadable")}
        parts.setdefault("tone", "wrong" if kind in WRONG and body.get("active", True) else "")
        proposal = body.get("proposal", "")
        return Told(
            seq=int(record["seq"]),
            at_ns=int(record["at_ns"]),
            kind=kind,
            name=self.kind(kind),
            proposal=str(proposal.get("id", "") if isinstance(proposal, Mapping) else proposal),
            author=str(body.get("author", "")),
            **parts,
        )

    def kind(self, kind: str) -> str:
        """The name of a kind of record; a kind without one is called as it is."""
        said = self.shown.t(f"kind.{kind}")
        return kind if said == f"console.kind.{kind}" else said

    # ---- one sentence ------------------------------------------------------------------------------------------------

    def plainly(self, kind: str, body: Body) -> dict[str, Any]:
        turn = str(body.get(TURNS[kind], "")).lower() if kind in TURNS else ""
        facts = self.facts(body)
        for code in (f"said.{kind}.{turn}", f"said.{kind}"):
            said = self.shown.t(code, **facts)
            if not said.startswith(f"console.{code}"):
                break
        else:
            said = self.fields(body)
        text = body.get("reason") or body.get("text") or ""
        who = str(body.get("person") or body.get("answered_by") or body.get("author") or body.get("by") or "")
        return {"title": said, "claims": (Claim(who=who, text=str(text)),) if isinstance(text, str) and text else ()}

    def fields(self, body: Body) -> str:
        return "; ".join(f"{name}: {value}" for name, value in self.facts(body).items() if not name.endswith("_words"))

    def facts(self, body: Body) -> dict[str, str]:
        """A body's fields as a sentence takes them: times in the site's zone, values with their tag's unit, codes as words too."""
        tag = str(body.get("tag", ""))
        found: dict[str, str] = {}
        for name, value in body.items():
            if name.endswith("_ns") and isinstance(value, int):
                found[name] = self.shown.moment(value)
            elif name in ("tag", "loop"):
                found[name] = self.names.name(str(value))
            elif name in ("value", "threshold", "before", "after") and tag and isinstance(value, int | float):
                found[name] = self.moved(tag, str(body.get("what", "")), value)
            elif name == "by" and not value:
                found[name] = self.shown.t("said.nobody")
            elif name == "digest":
                found[name] = str(value)[:DIGEST_CHARS]
            elif name == "roles" and isinstance(value, list):
                found[name] = self.shown.roles(map(str, value))
            elif name == "scope":
                found[name] = self.shown.t("stop.plant") if value == "*" else self.names.name(str(value))
            elif name in ("level", "limit", "priority", "from", "to", "rung", "result", "what", "how", "role") and isinstance(value, str):
                found[name] = self.value(name, value)
            elif isinstance(value, list | tuple):
                found[name] = self.listed(value)
            elif isinstance(value, str | int | float):
                found[name] = str(value)
            if name in ("code", "why") and isinstance(value, str):
                found[f"{name}_words"] = self.code(value)
        return found

    def moved(self, tag: str, what: str, value: float) -> str:
        """A value of a tag, or of the switch beside a setpoint that somebody turned."""
        if what in ("mode", "permit"):
            return self.names.state(f"{tag.rpartition('.')[0]}.{what}", value)
        return self.shown.quantity(value, self.names.unit(tag))

    def value(self, name: str, value: str) -> str:
        """A field's value from a short list, in words where it has some."""
        if name == "role":
            return self.shown.role(value)
        said = self.shown.t(f"value.{value}")
        return value if said.startswith("console.value.") else said

    def code(self, code: str) -> str:
        """The words of any room's code; the code itself where it has none."""
        said = self.shown.word(code)
        return self.value("", code) if said == code else said

    def listed(self, values: Sequence[Any]) -> str:
        texts = [
            " ".join(map(str, v))
            if isinstance(v, list | tuple)
            else (f"{v['host']}:{v['port']} ({v['of']})" if {"host", "port", "of"} <= v.keys() else self.fields(v))
            if isinstance(v, Mapping)
            else str(v)
            for v in values[:LIST_MAX]
        ]
        return (", ".join(texts) or "–")[:LIST_CHARS_MAX]

    # ---- pieces that several kinds share --------------------------------------------------------------------------------

    def checks(self, reasons: Sequence[Body]) -> tuple[Check, ...]:
        wanted = [r for r in reasons if not (self.brief and r["passed"])]
        return tuple(Check(passed=bool(r["passed"]), text=self.shown.reason(r)) for r in wanted)

    def steps(self, steps: Sequence[Body]) -> tuple[str, ...]:
        """Setpoints from their former to the wanted value."""
        return tuple(self.shown.t("said.step", tag=self.names.name(s["tag"]), **self._from_to(s)) for s in steps)

    def readback(self, samples: Sequence[Body]) -> tuple[str, ...]:
        return tuple(
            self.shown.t(
                "said.readback" if s["status"] == 0 else "said.readback.bad",
                tag=self.names.name(s["tag"]),
                value=self.shown.quantity(s["value"], self.names.unit(s["tag"]))
                if isinstance(s["value"], int | float)
                else str(s["value"]),
            )
            for s in samples
        )

    def wants(self, action: Body) -> tuple[str, ...]:
        """What a proposal wants, a line a setpoint."""
        if action["kind"] == "write":
            return tuple(
                self.shown.t("said.set", tag=self.names.name(tag), value=self.shown.quantity(value, action["unit"] or self.names.unit(tag)))
                for tag, value in action["sets"]
            )
        target = str(action.get("target") or action.get("method") or action.get("name") or "")
        return (f"{self.shown.t('action.' + action['kind'])}: {self.names.name(target)}",)

    def shares(self, shares: Sequence[Sequence[Any]]) -> tuple[Share, ...]:
        return tuple(
            Share(tag=str(tag), name=self.names.name(str(tag)), part=float(part), width=round(100 * min(max(float(part), 0.0), 1.0), 1))
            for tag, part in shares[:SHARES_MAX]
        )

    def detector(self, name: str) -> str:
        """What kind of detector it was, without the digest of its learned state."""
        short = name.split("@", maxsplit=1)[0]
        said = self.shown.t(f"detector.{short}")
        return short if said.startswith("console.detector.") else said

    def percent(self, part: float) -> str:
        return f"{100 * part:.0f}"

    def _from_to(self, step: Body) -> dict[str, str]:
        unit = self.names.unit(step["tag"])
        return {"former": self.shown.quantity(step["former"], unit), "wanted": self.shown.quantity(step["wanted"], unit)}


def _finding(teller: Teller, body: Body) -> dict[str, Any]:
    """Why it fired: how far over the detector's limit, since when, how sure, and which tags carry it."""
    finding, t = body["finding"], teller.shown.t
    late_s = max(0.0, (finding["found_ns"] - finding["onset_ns"]) / 1e9)
    mainly = ", ".join(f"{share.name} ({teller.percent(share.part)} %)" for share in teller.shares(finding["shares"])[:3])
    return {
        "title": t("said.finding", detector=teller.detector(finding["detector"]), tag=teller.names.name(finding["shares"][0][0]))
        if finding["shares"]
        else t("said.finding.bare", detector=teller.detector(finding["detector"])),
        "tone": "wrong",
        "lines": (
            t("said.finding.score", score=finding["score"], confidence=teller.percent(finding["confidence"])),
            t("said.finding.onset", onset=teller.shown.moment(finding["onset_ns"]), late_s=f"{late_s:.3g}"),
            *((t("said.finding.mainly", tags=mainly),) if mainly else ()),
        ),
        "shares": teller.shares(finding["shares"]),
        "incident": str(finding["incident"]),
    }


def _diagnosis(teller: Teller, body: Body) -> dict[str, Any]:
    diagnosis, t = body["diagnosis"], teller.shown.t
    causes, who = diagnosis["causes"][:CAUSES_MAX], str(body["author"])
    said = [{"mode": teller.cited.mode(str(c["mode"])), "percent": teller.percent(c["probability"])} for c in causes]
    claims = [
        Claim(who=who, text=f"{mark} {teller.cited.quote(one) or one['ref']}")
        for side, mark in (("supporting", "+"), ("opposing", "−"))
        for one in (causes[0][side] if causes else ())[:EVIDENCE_MAX]
    ]
    return {
        "title": t("said.diagnosis", **said[0]) if said else "",
        "lines": tuple(t("said.cause", **one) for one in said),
        "claims": tuple(claims),
        "incident": str(diagnosis["incident"]),
    }


def _report(teller: Teller, body: Body) -> dict[str, Any]:
    """Its texts in the visitor's language, else in the languages that there are."""
    texts, who = body["report"]["texts"], str(body["author"])
    here = [text for text in texts if text["language"] in ("", teller.shown.language)] or texts
    claims = tuple(
        Claim(who=who, text=str(text["text"]), model=text["made_by"] if str(text["made_by"]).startswith(MODEL) else "") for text in here
    )
    return {"title": teller.shown.t("said.report"), "claims": claims, "incident": str(body["report"]["incident"])}


def _decision(teller: Teller, body: Body) -> dict[str, Any]:
    decision, proposal = body["decision"], body["proposal"]
    would = "would." if decision["would"] else ""
    checks = teller.checks(decision["reasons"])
    author = str(decision["author"])
    claims = [Claim(who=author, text=proposal["reason"])]
    if proposal["expect"]:
        claims.append(Claim(who=author, text=proposal["expect"], expects=True))
    return {
        "title": teller.shown.t(f"said.decision.{would}{decision['verdict']}", roles=teller.shown.roles(decision["roles"])),
        "tone": {"refuse": "wrong", "ask": "waits"}.get(decision["verdict"], ""),
        "lines": (*teller.wants(proposal["action"]), *(c.text for c in checks if not c.passed)),
        "checks": checks,
        "claims": tuple(claims),
        "incident": str(proposal["incident"]),
    }


def _ask(teller: Teller, body: Body) -> dict[str, Any]:
    said = teller.shown.t("said.ask", roles=teller.shown.roles(body["roles"]), valid_s=body["valid_s"])
    return {"title": said, "tone": "waits"}


def _approval(teller: Teller, body: Body) -> dict[str, Any]:
    code = "said.approval.yes" if body["yes"] else "said.approval.no"
    return {
        "title": teller.shown.t(code, person=body["person"], role=teller.shown.role(body["role"])),
        "tone": "good" if body["yes"] else "wrong",
        "claims": (Claim(who=body["person"], text=body["reason"]),) if body["reason"] else (),
    }


def _intent(teller: Teller, body: Body) -> dict[str, Any]:
    if body.get("targets"):
        return {"title": teller.shown.t("said.intent.order", targets=teller.listed(body["targets"]))}
    return {"title": teller.shown.t("said.intent"), "lines": teller.steps(body["steps"])}


def _retreat(teller: Teller, body: Body) -> dict[str, Any]:
    return {"title": teller.shown.t("said.retreat"), "tone": "wrong", "lines": teller.steps(body["steps"])}


def _restored(teller: Teller, body: Body) -> dict[str, Any]:
    return {"title": teller.shown.t("said.restored"), "tone": "good", "lines": teller.readback(body["readback"])}


def _outcome(teller: Teller, body: Body) -> dict[str, Any]:
    outcome = body["outcome"]
    tone = {"verified": "good", "failed": "wrong", "indeterminate": "wrong"}[outcome["result"]]
    why = teller.code(outcome["code"]) if outcome["code"] else ""
    title = teller.shown.t(f"said.outcome.{outcome['result']}", why=why)
    return {"title": title, "tone": tone, "lines": teller.readback(outcome["readback"])}


def _effect(teller: Teller, body: Body) -> dict[str, Any]:
    outcome = body["outcome"]
    effect = outcome["effect"] or "unjudged"
    tone = {"expected": "good", "wrong": "wrong"}.get(effect, "")
    return {"title": teller.shown.t(f"said.effect.{effect}", why=teller.code(outcome["code"]) if outcome["code"] else "–"), "tone": tone}


def _fell(teller: Teller, body: Body) -> dict[str, Any]:
    checks = tuple(c for c in teller.checks(body["reasons"]) if not c.passed)
    return {"title": teller.shown.t("said.fell"), "tone": "wrong", "lines": tuple(c.text for c in checks), "checks": checks}


def _escalated(teller: Teller, body: Body) -> dict[str, Any]:
    checks = tuple(c for c in teller.checks(body.get("reasons", ())) if not c.passed)
    title = teller.shown.t("said.escalated", why=teller.code(body["code"]))
    return {"title": title, "tone": "wrong", "lines": tuple(c.text for c in checks)}


def _ended(kind: str) -> Callable[[Teller, Body], dict[str, Any]]:
    def tell(teller: Teller, body: Body) -> dict[str, Any]:
        why = teller.code(str(body.get("why") or body.get("code") or ""))
        return {"title": teller.shown.t(f"said.{kind}", why=why), "tone": "wrong"}

    return tell


PARTS: Mapping[str, Callable[[Teller, Body], dict[str, Any]]] = {
    "finding": _finding,
    "diagnosis": _diagnosis,
    "report": _report,
    "decision": _decision,
    "ask": _ask,
    "approval": _approval,
    "intent": _intent,
    "retreat": _retreat,
    "restored": _restored,
    "outcome": _outcome,
    "effect": _effect,
    "fell": _fell,
    "escalated": _escalated,
    "void": _ended("void"),
    "voided": _ended("voided"),
    "expired": _ended("expired"),
}
