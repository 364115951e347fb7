"""A gate's answers as a person reads them: each fact of the status in a line of its own, each reason as a sentence."""

from collections.abc import Mapping
from typing import Any

from holdfast.language import duration, explain, number, say

Rows = tuple[tuple[str, str], ...]
NS_S = 1e9


def place(scope: str) -> str:
    return "the whole plant" if scope == "*" else scope


def status_rows(found: Mapping[str, Any]) -> Rows:
    """What runs, what is stopped, what waits; what is wrong is in capitals."""
    now_ns = found["at_ns"]
    rows = [
        ("writes", _writes(found)),
        ("autonomy", ", ".join(f"{place(scope)}: {level}" for scope, level in found["autonomy"]) or "as the site file says"),
        *(("LOWERED", f"{place(scope)}: {level}; {say(code, {}, 'en')}") for scope, level, code in found.get("lowered", ())),
        ("agent", "NOT HEARD: no heartbeat goes to the PLC" if found["agent_lost"] else "heard"),
    ]
    brought = found.get("rows", {})
    for name, health in found["connections"].items():
        rows.append((f"connection {name}", _connection(health, sum(n for table, n in brought.items() if table.rpartition("@")[0] == name))))
    alarms = [a for a in found["alarms"] if a["active"]]
    rows += [("ALARM", _alarm(a, now_ns)) for a in alarms] or [("alarms", "none")]
    rows += [
        ("stands off", f"{tag}: someone else moved it; for another {_time((until_ns - now_ns) / NS_S)}")
        for tag, until_ns in found["yields"]
        if until_ns > now_ns
    ]
    rows += [(job["state"], f"{job['proposal']} on {', '.join(job['tags']) or 'no tag'}") for job in found["jobs"]] or [
        ("waiting", "nothing")
    ]
    if found.get("on_disk"):
        rows.append(("NOT USED", str(found["on_disk"])))
    rows.append(("records", str(found["records"])))
    return tuple(rows)


def _writes(found: Mapping[str, Any]) -> str:
    if found["fault"]:
        return f"NONE: {found['fault']}"
    if found["stopped"]:
        return f"STOPPED: {', '.join(place(scope) for scope in found['stopped'])}"
    return "within the envelopes, as the autonomy allows"


def _connection(health: Mapping[str, float], rows: int) -> str:
    state = "connected" if health.get("connected") else "LOST, trying again"
    parts = [state, f"{rows} rows in all"]
    parts += [
        f"{number(repr(value))} {name.replace('_', ' ')}"
        for name, value in health.items()
        if value and name in ("gaps", "unreadable", "exceptions", "late_answers")
    ]
    if abs(offset_s := health.get("clock_offset_s") or 0.0) >= 1.0:
        parts.append(f"its clock is {_time(offset_s)} off")
    return ", ".join(parts)


def _alarm(alarm: Mapping[str, Any], now_ns: int) -> str:
    value, threshold = number(repr(float(alarm["value"]))), number(repr(float(alarm["threshold"])))
    return f"{alarm['tag']} {alarm['limit']}: {value} against {threshold}, for {_time((now_ns - alarm['since_ns']) / NS_S)}"


def _time(seconds: float) -> str:
    return duration(str(abs(seconds)), "en")


def sentence(reason: Mapping[str, Any]) -> str:
    facts = tuple((str(name), str(value)) for name, value in reason["facts"])
    return explain(reason["code"], passed=bool(reason["passed"]), tag=reason["tag"], facts=facts, language="en")


def wanted_of(proposal: Mapping[str, Any]) -> str:
    action = proposal["action"]
    return ", ".join(f"{tag} → {number(repr(float(value)))}" for tag, value in action.get("sets", ())) or str(action["kind"])


def verdict_of(decision: Mapping[str, Any]) -> str:
    failed = sum(not r["passed"] for r in decision["reasons"])
    return (
        f"{'would ' if decision['would'] else ''}{decision['verdict']}: {len(decision['reasons']) - failed} checks passed, {failed} failed"
    )
