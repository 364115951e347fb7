"""A loop's last hours played to the guard: at sampled times, what would it have made of one step up and one step down?

Dry: nothing is recorded as decided, nothing is counted. What history does not keep is left out and said: other actions,
moves and budgets, and context tables (a rule that reads one fails). Stillness is judged on the sampled rows.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping

import numpy as np

from holdfast.gate.guard.compile import Bound, Compiled
from holdfast.gate.guard.decide import decide
from holdfast.ports import Connector
from holdfast.terms import BAD_NO_COMMUNICATION, SECOND_NS, Frame, Proposal, Reading, Snapshot, TagTable, Wire, Write

TIMES_MAX = 240  # sampled; each is two decisions
ROWS_MAX = 3_600  # read of each table, evenly thinned
TIMES_MIN = 30
# What the operator's own switches refuse: it says nothing against the loop that he did not offer it then.
HIS: tuple[str, ...] = ("enable", "requires", "maintenance")


class Rehearsed(Counter[str]):
    """Counts: times, decisions, permit, ask, refuse, `but_his` (refused for his switches alone), and `code:CODE` of each failed check."""


async def rehearse(
    compiled: Compiled,
    bound: Bound,
    author: str,
    *,
    tables: Mapping[str, TagTable],
    frames: Mapping[str, Frame],
    connector: Connector,
) -> Rehearsed:
    """`frames` are the past of each table. Gives way to the gate between two times."""
    main = next(name for name, table in tables.items() if any(t.name == bound.present.tag.name for t in table.tags))
    counts = Rehearsed()
    times = frames[main].received_ns
    if not times.size:
        return counts
    chosen = times[np.unique(np.linspace(0, times.size - 1, min(TIMES_MAX, times.size)).astype(int))]
    step = float(bound.step) if bound.step is not None else 0.0
    for at_ns in chosen.tolist():
        readings = tuple(r for name, table in tables.items() for r in _readings(table, frames[name], at_ns))
        present = next((r.value for r in readings if r.tag == bound.present.tag.name and r.status == 0), None)
        counts["times"] += 1
        await asyncio.sleep(0)
        if present is None or not step:
            counts["no_present"] += 1
            continue
        for value in (present - step, present + step):
            _count(counts, compiled, bound, author, at_ns, value, readings, connector)
    return counts


def _count(
    counts: Rehearsed,
    compiled: Compiled,
    bound: Bound,
    author: str,
    at_ns: int,
    value: float,
    readings: tuple[Reading, ...],
    connector: Connector,
) -> None:
    tag = bound.tag.name
    try:
        wires = (Wire(tag=tag, asked=value, value=connector.wire_value(bound.tag, value)),)
    except ValueError:
        wires = ()
    proposal = Proposal(id="rehearsal", incident="rehearsal", action=Write(sets=((tag, value),)), reason="rehearsal")
    # All levels at their ceilings: whether it may act is what is being found out.
    decision = decide(proposal, author, compiled, Snapshot(at_ns=at_ns, readings=readings, wires=wires))
    counts["decisions"] += 1
    counts[decision.verdict] += 1
    failed = {r.code for r in decision.reasons if not r.passed}
    counts.update(f"code:{code}" for code in failed)
    if decision.verdict == "refuse" and failed and all(code.startswith(HIS) for code in failed):
        counts["but_his"] += 1


def _readings(table: TagTable, frame: Frame, at_ns: int) -> list[Reading]:
    """Each tag's last row at or before a time."""
    row = int(np.searchsorted(frame.received_ns, at_ns, side="right")) - 1
    if row < 0:
        return []
    found: list[Reading] = []
    age_s = max(at_ns - int(frame.received_ns[row]), 0) / SECOND_NS
    for column, tag in enumerate(table.tags):
        value, status = float(frame.values[row, column]), int(frame.status[row, column])
        if not np.isfinite(value):
            value, status = 0.0, max(status, BAD_NO_COMMUNICATION)
        other = np.nonzero(frame.values[:row, column] != frame.values[row, column])[0]
        since = int(frame.received_ns[int(other[-1]) + 1]) if other.size else int(frame.received_ns[0])
        found.append(
            Reading(
                tag=tag.name,
                value=value,
                status=status,
                source_ns=int(frame.source_ns[row, column]),
                age_s=age_s,
                still_s=(at_ns - since) / SECOND_NS,
            )
        )
    return found
