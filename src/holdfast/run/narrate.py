"""The demo's voice: what each record means to somebody who watches the line, one line a record."""

import re
from typing import Any

from rich.console import Console
from rich.markup import escape

from holdfast.language import say
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Record

REASONS_MAX = 12
SPAN = re.compile(r"@(\d{16,})\.\.(\d{16,})")  # of evidence, in ns


class Narrator:
    def __init__(self, console: Console, site: Site, start_ns: int) -> None:
        self._console = console
        self._unit = {tag.name: tag.unit for tag in site.tags}
        self._states = {tag.name: dict(tag.states) for tag in site.tags if tag.states}
        self._modes = {loop.sp: loop.mode for loop in site.loops if loop.mode}
        self._start_ns = start_ns

    def chapter(self, title: str) -> None:
        self._console.print(f"\n[bold]── {escape(title)}[/bold]")

    def line(self, at_ns: int, what: str, text: str, style: str = "") -> None:
        self._console.print(f"[dim]{self._clock(at_ns):>6}[/dim]  [{style or 'default'}]{what:<10}[/] {escape(text)}", soft_wrap=True)

    def _clock(self, at_ns: int) -> str:
        """Plant minutes and seconds since the start."""
        seconds = max(at_ns - self._start_ns, 0) // SECOND_NS
        return f"{seconds // 60}:{seconds % 60:02d}"

    def record(self, record: Record) -> None:
        body: Any = record.body
        at = record.at_ns
        match record.kind:
            case "finding":
                finding = body["finding"]
                shares = ", ".join(f"{tag} {share:.0%}" for tag, share in finding["shares"][:3])
                self.line(at, "finding", f"abnormal, {finding['score']:.1f} × the limit; {shares}", "bold yellow")
            case "diagnosis":
                self._diagnosis(at, body["diagnosis"])
            case "decision":
                self._decision(at, body)
            case "ask":
                self.line(at, "asked", f"waits for: {', '.join(body['roles'])}", "bold magenta")
            case "approval":
                self.line(
                    at, "approval", f"{body['person']} ({body['role']}) signs {'yes' if body['yes'] else 'no'}: {body['reason']}", "magenta"
                )
            case "delivery":
                self.line(at, "order", f"{body['result']} to {body['target']}, try {body['tries']}", "green")
            case "intent" if not body["steps"]:
                self.line(at, "intent", f"on record before it is sent: an order for {', '.join(body['targets'])}", "bold green")
            case "intent":
                sets = ", ".join(
                    f"{s['tag']} {self._number(s['tag'], s['former'])} → {self._number(s['tag'], s['wanted'])}" for s in body["steps"]
                )
                self.line(at, "intent", f"on record before the wire: {sets}", "bold green")
            case "outcome":
                outcome = body["outcome"]
                seen = ", ".join(f"{s['tag']} = {s['value']:g}" for s in outcome["readback"])
                good = outcome["result"] == "verified"
                why = say(outcome["code"], {}, "en")
                what = "order" if outcome["code"].startswith("outbox.") else "read-back"
                self.line(at, what, f"{outcome['result']}: {seen}; {why}", "green" if good else "red")
            case "effect":
                good = body["outcome"]["effect"] == "expected"
                self.line(at, "effect", say(body["outcome"]["code"], {}, "en"), "green" if good else "yellow")
            case "taken" if body["phase"] == "perhaps":
                part = f"{self._told(body, 'before')} → {self._told(body, 'after')}"
                self.line(
                    at, "stands off", f"{body['tag']}: what we wrote is not there, so somebody may have put it back: {part}", "yellow"
                )
            case "taken" if body["phase"] != "ended" or body["what"] in ("setpoint", "external setpoint"):
                part = f"{body['what']} {self._told(body, 'before')} → {self._told(body, 'after')}"
                said = "; at rest now" if body["phase"] == "ended" else "; Holdfast stands off"
                self.line(at, "operator", f"took {body['tag']}: {part}{said}", "bold cyan")
            case "autonomy":
                self.line(at, "autonomy", f"{body['by']} sets {body['scope']} to {body['level']}", "cyan")
            case "alarm":
                self.line(at, "ALARM", f"{body['tag']} {body['limit']} {'active' if body['active'] else 'returned'}", "bold red")
            case "fell" | "expired" | "void":
                why = ", ".join(r["code"] for r in body.get("reasons", ())) or body.get("why", "")
                self.line(at, record.kind, f"{body['proposal']} {why}", "yellow")
            case _:
                pass

    def _diagnosis(self, at: int, diagnosis: Any) -> None:
        for cause in diagnosis["causes"][:2]:
            self.line(at, "cause", f"{cause['probability']:.0%} {cause['mode']}", "yellow")
            for sign, evidence in (("+", cause["supporting"]), ("-", cause["opposing"])):
                for cited in evidence[:3]:
                    ref = SPAN.sub(lambda m: f"@{self._clock(int(m[1]))}..{self._clock(int(m[2]))}", cited["ref"])
                    self.line(at, "", f"  {sign} {cited['quote'] or cited['kind']}  [{ref}]", "dim")

    def _decision(self, at: int, body: Any) -> None:
        decision, proposal = body["decision"], body["proposal"]
        sets = ", ".join(f"{tag} → {self._number(tag, value)}" for tag, value in proposal["action"].get("sets", ()))
        wanted = sets or f"{proposal['action']['kind']} {proposal['action'].get('target', '')}: {proposal['action'].get('text', '')}"
        self.line(at, "proposal", f"{wanted}  (claims: {proposal['reason']})", "blue")
        verdict = ("would " if decision["would"] else "") + decision["verdict"]
        failed = [r for r in decision["reasons"] if not r["passed"]]
        style = "bold red" if decision["verdict"] == "refuse" else "bold blue"
        passed = len(decision["reasons"]) - len(failed)
        self.line(at, "decision", f"{verdict}; {passed} checks passed, {len(failed)} failed", style)
        for reason in failed[:REASONS_MAX]:
            self.line(at, "", "✗ " + say(reason["code"], dict(reason["facts"]) | {"tag": reason["tag"]}, "en"), "red")

    def _told(self, body: Any, when: str) -> str:
        """A mode by its name, a permit as the operator's switch, a setpoint as a number."""
        value = float(body[when])
        match body["what"]:
            case "mode":
                return self._states.get(self._modes.get(body["tag"], ""), {}).get(round(value), f"{value:g}")
            case "permit":
                return "on" if value else "off"
            case _:
                return self._number(body["tag"], value)

    def _number(self, tag: str, value: float) -> str:
        return f"{value:g} {self._unit.get(tag, '')}".strip()
