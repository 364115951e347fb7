"""What a loop showed since a rung was signed, told from the record alone: what was decided, asked, done, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from holdfast.terms import Record, plain


def count(records: Iterable[Record], tag: str) -> Counter[str]:
    """Counts of one tag's: would_permit, would_ask, would_refuse, permitted, asked, refused, yes, no, taken, verified, failed,
    indeterminate, effect_expected, effect_none, effect_wrong."""
    counts: Counter[str] = Counter()
    about: set[str] = set()
    for record in records:
        body: Mapping[str, Any] = plain(record.body)
        match record.kind:
            case "decision":
                if any(name == tag for name, _ in body["proposal"]["action"].get("sets") or ()):
                    about.add(body["proposal"]["id"])
                    decision = body["decision"]
                    counts[f"would_{decision['verdict']}" if decision["would"] else _DECIDED[decision["verdict"]]] += 1
            case "approval":
                answer = body.get("approval", body)
                if answer.get("proposal") in about:
                    counts["yes" if answer.get("yes") else "no"] += 1
            case "taken":
                counts["taken"] += body["tag"] == tag and body.get("phase") not in ("ended", "perhaps")
            case "outcome" | "effect":
                if body["proposal"] in about:
                    outcome = body["outcome"]
                    key = outcome["result"] if record.kind == "outcome" else f"effect_{outcome['effect']}"
                    counts[key] += 1
            case _:
                pass
    return counts


_DECIDED = {"permit": "permitted", "ask": "asked", "refuse": "refused"}
