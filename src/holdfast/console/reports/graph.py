"""The evidence of one incident, gathered once from the gate's API and the same for every language and format.

Records are what the ledger holds; trends are what the history holds around them. Nothing here is in any language.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from holdfast.terms import SECOND_NS, Word

LISTED = 30  # incidents a question, while one is sought by the name that its agent gave it
LOOKED_MAX = 300
TRENDS_MAX = 6  # tags that are drawn
POINTS = 480
BEFORE_S, AFTER_S = 600.0, 600.0  # around the incident that is drawn; more where it is long
SPAN_S_MAX = 7 * 86_400.0
BESIDE_S = 120.0  # over which a value is averaged before an act and after it
WIDTH_S_MAX = 30.0  # of one point of a trend: a wider one tells no before from after

Query = Mapping[str, str | int]
Ask = Callable[[str, Query], Awaitable[Any]]  # a path of the people's API; raises what its caller raises


class NotThere(Exception):
    """The gate knows no such incident."""


class Series(Word):
    """One tag's past. Point i stands for [at_ns[i], at_ns[i] + width_ns); None where nothing usable was received."""

    tag: str
    unit: str
    at_ns: tuple[int, ...]
    width_ns: int
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    last: tuple[float | None, ...]

    def mean(self, from_ns: int, to_ns: int) -> float | None:
        """Of the points that lie wholly within."""
        within = [v for at, v in zip(self.at_ns, self.last, strict=True) if from_ns <= at and at + self.width_ns <= to_ns and v is not None]
        return sum(within) / len(within) if within else None


class Change(Word):
    """What a tag was over BESIDE_S before a write, and over BESIDE_S before its effect was judged."""

    proposal: str
    seq: int  # of the record of the write
    tag: str
    unit: str
    before: float
    after: float


class Graph(Word, eq=False):
    """`incident` is the gate's head of it; `records` the leaves, oldest first; `tables` the tags' names and units.

    `names`: what failure modes are called, by id, in English and Chinese.
    """

    site: str
    timezone: str
    configuration: str
    incident: Mapping[str, Any]
    records: tuple[Mapping[str, Any], ...]
    tables: tuple[Mapping[str, Any], ...]
    trends: tuple[Series, ...] = ()
    changes: tuple[Change, ...] = ()
    names: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)


async def gather(ask: Ask, incident: str, *, exact: bool = False, names: Mapping[str, tuple[str, str]] | None = None) -> Graph:
    """Everything of an incident: by its id alone (`exact`), or also by its beginning or the name that its agent gave it.

    Raises NotThere, and what `ask` raises.
    """
    id = incident if exact else await _sought(ask, incident)
    found = await ask(f"/v1/incidents/{quote(id, safe='')}", {})
    status, tables = await ask("/v1/status", {}), await ask("/v1/tables", {})
    records = tuple(found["chain"])
    units = {str(tag["name"]): str(tag["unit"]) for table in tables for tag in table["tags"]}
    trends = await _trends(ask, found, records, units, int(status["at_ns"]))
    return Graph(
        site=str(status["site"]),
        timezone=str(status["timezone"]),
        configuration=str(status["configuration"]),
        incident={name: value for name, value in found.items() if name != "chain"},
        records=records,
        tables=tuple(tables),
        trends=trends,
        changes=tuple(_changes(records, trends)),
        names=names or {},
    )


async def _sought(ask: Ask, wanted: str) -> str:
    """One that is unique: an id, else the newest that its agent calls so, else the only one that begins so."""
    begins: list[str] = []
    query: dict[str, str | int] = {"limit": LISTED}
    for _ in range(LOOKED_MAX // LISTED):
        found = await ask("/v1/incidents", query)
        for one in found:
            if wanted in (one["id"], one["finding"]["incident"]):
                return str(one["id"])
            begins += [str(one["id"])] if str(one["id"]).startswith(wanted) else []
        if len(found) < LISTED:
            break
        query["before"] = int(found[-1]["seq"])
    if len(begins) == 1:
        return begins[0]
    raise NotThere(wanted)


def _written(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tags that somebody wrote or wanted to write, in order, each once."""
    found: list[str] = []
    for record in records:
        body = record["body"]
        if record["kind"] == "decision":
            found += [str(tag) for tag, _ in body["proposal"]["action"].get("sets", ())]
        if record["kind"] == "taken":
            found.append(str(body.get("tag", "")))
    return list(dict.fromkeys(found))


async def _trends(
    ask: Ask, head: Mapping[str, Any], records: Sequence[Mapping[str, Any]], units: Mapping[str, str], now_ns: int
) -> tuple[Series, ...]:
    """Of the tags that weigh most in the finding, and of the setpoints that were written."""
    wanted = [*map(str, head["tags"][:4]), *_written(records)]
    tags = [tag for tag in dict.fromkeys(wanted) if tag in units][:TRENDS_MAX]
    onset_ns = int(head["finding"]["onset_ns"])
    until_ns = max(int(head["until_ns"]), int(head["at_ns"]))
    span_ns = until_ns - onset_ns
    from_ns = onset_ns - max(round(BEFORE_S * SECOND_NS), span_ns // 5)
    to_ns = min(until_ns + max(round(AFTER_S * SECOND_NS), span_ns // 5), max(now_ns, until_ns + SECOND_NS))
    if not tags or to_ns - from_ns > SPAN_S_MAX * SECOND_NS:
        return ()
    found = await ask("/v1/trend", {"tags": ",".join(tags), "from_ns": max(from_ns, 0), "to_ns": to_ns, "points": POINTS})
    return tuple(
        Series(
            tag=tag,
            unit=units[tag],
            at_ns=tuple(found["at_ns"]),
            width_ns=int(found["width_ns"]),
            low=tuple(found["min"][place]),
            high=tuple(found["max"][place]),
            last=tuple(found["last"][place]),
        )
        for place, tag in enumerate(found["tags"])
        if any(value is not None for value in found["last"][place])
    )


def _changes(records: Sequence[Mapping[str, Any]], trends: Sequence[Series]) -> list[Change]:
    """Before each write that was begun, and when its effect was judged; nothing where the drawing is too coarse to tell."""
    begun = {r["body"]["proposal"]: r for r in records if r["kind"] == "intent" and r["body"].get("steps")}
    beside_ns = round(BESIDE_S * SECOND_NS)
    found: list[Change] = []
    for record in records:
        write = begun.get(record["body"].get("proposal")) if record["kind"] == "effect" else None
        if write is None:
            continue
        at_ns, judged_ns = int(write["at_ns"]), int(record["at_ns"])
        for series in trends:
            if series.width_ns > WIDTH_S_MAX * SECOND_NS:
                continue
            before = series.mean(at_ns - beside_ns, at_ns)
            after = series.mean(max(judged_ns - beside_ns, at_ns), judged_ns + series.width_ns)
            idle = series.tag not in {str(step["tag"]) for step in write["body"]["steps"]} and before == after  # another setpoint
            if before is not None and after is not None and not idle:
                found.append(
                    Change(
                        proposal=str(record["body"]["proposal"]), seq=int(write["seq"]), tag=series.tag, unit=series.unit,
                        before=before, after=after,
                    )
                )  # fmt: skip
    return found
