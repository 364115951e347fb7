"""The evidence of a stretch of time: the records in it, the incidents that it touched, and what stands open now."""

import asyncio
from collections.abc import Mapping
from typing import Any

from holdfast.console.reports.graph import LISTED, Ask
from holdfast.terms import SECOND_NS, Word

RECORDS_MAX = 5_000
PAGE = 1_000
INCIDENTS_MAX = 60  # listed; how many began is counted
PERIOD_S_MAX = 31 * 86_400.0
# What a shift is told of. Decisions and what follows from them are told by their incident, and counted here.
KINDS = (
    "alarm", "alarm.acknowledged", "alarm.shelved", "alarm.unshelved", "alarm.flood", "approval", "autonomy", "activated", "connection",
    "clock", "escalated", "fault", "recovered", "relearn", "resolved", "resume", "set_back", "start",
    "stop", "taken",
)  # fmt: skip


class Period(Word, eq=False):
    """Times are UTC. `cut`: there were more records than are told. `alarms` is the gate's answer for those that are not normal now."""

    from_ns: int
    to_ns: int
    status: Mapping[str, Any]
    tables: tuple[Mapping[str, Any], ...]
    records: tuple[Mapping[str, Any], ...]
    incidents: tuple[Mapping[str, Any], ...]
    tally: Mapping[str, Mapping[str, int]]  # of decisions, outcomes and effects by answer, and of incidents that began
    alarms: Mapping[str, Any]
    cut: bool = False


class Clauses(Word, eq=False):
    """`found` is the gate's account of each clause; `status` tells site and time zone."""

    status: Mapping[str, Any]
    tables: tuple[Mapping[str, Any], ...]
    found: Mapping[str, Any]


async def period(ask: Ask, lasts_s: float, to_ns: int | None = None) -> Period:
    """The last `lasts_s`, or those before `to_ns`. Raises what `ask` raises, and ValueError for a period that can't be."""
    if not 0 < lasts_s <= PERIOD_S_MAX:
        raise ValueError(f"a period of more than 0 and at most {PERIOD_S_MAX / 86_400:g} days is told")
    status = await ask("/v1/status", {})
    end_ns = min(to_ns or int(status["at_ns"]), int(status["at_ns"]))
    from_ns = end_ns - round(lasts_s * SECOND_NS)
    span = {"from_ns": from_ns, "to_ns": end_ns}
    told, tables, incidents, tally, alarms = await asyncio.gather(
        _records(ask, span), ask("/v1/tables", {}), _incidents(ask, from_ns, end_ns), ask("/v1/tally", span), ask("/v1/alarms", {})
    )
    return Period(
        from_ns=from_ns,
        to_ns=end_ns,
        status=status,
        tables=tuple(tables),
        records=tuple(told[:RECORDS_MAX]),
        incidents=incidents,
        tally=tally,
        alarms=alarms,
        cut=len(told) > RECORDS_MAX,
    )


async def _records(ask: Ask, span: Mapping[str, int]) -> list[Mapping[str, Any]]:
    """In order, a few more than RECORDS_MAX at most."""
    records: list[Mapping[str, Any]] = []
    # A query names a few kinds at once.
    for kinds in (KINDS[i : i + 8] for i in range(0, len(KINDS), 8)):
        after, full = 0, True
        while full and len(records) <= RECORDS_MAX:
            found = await ask("/v1/records", {**span, "limit": PAGE, "kind": ",".join(kinds), "after": after})
            records += found
            after, full = (int(found[-1]["seq"]) if found else 0), len(found) == PAGE
    return sorted(records, key=lambda record: int(record["seq"]))


async def _incidents(ask: Ask, from_ns: int, to_ns: int) -> tuple[Mapping[str, Any], ...]:
    """Those with a record in the period, oldest first."""
    found: list[Mapping[str, Any]] = []
    query: dict[str, str | int] = {"limit": LISTED}
    while len(found) < INCIDENTS_MAX:
        page = await ask("/v1/incidents", query)
        found += [one for one in page if int(one["until_ns"]) >= from_ns and int(one["at_ns"]) <= to_ns]
        # An older one may still have had a record in the period: those of another day before are looked at too.
        if len(page) < LISTED or int(page[-1]["at_ns"]) < from_ns - 86_400 * SECOND_NS:
            break
        query["before"] = int(page[-1]["seq"])
    return tuple(reversed(found[:INCIDENTS_MAX]))


async def clauses(ask: Ask, lasts_s: float) -> Clauses:
    """Of the last `lasts_s`. Raises what `ask` raises."""
    status = await ask("/v1/status", {})
    found = await ask("/v1/compliance", {"from_ns": int(status["at_ns"]) - round(lasts_s * SECOND_NS)})
    return Clauses(status=status, tables=tuple(await ask("/v1/tables", {})), found=found)
