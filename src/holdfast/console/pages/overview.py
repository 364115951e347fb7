"""The line at a glance (ISA-101 level 2): what is abnormal first, then each loop and each piece of equipment, live.

The page is drawn once; from then on everything in it moves by the one stream (stream.py), so that it goes on showing the
plant also when nobody has touched it for a shift.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get
from litestar.exceptions import HTTPException

from holdfast.console.gauge import Gauge, Limit, gauge
from holdfast.console.house import House
from holdfast.console.names import states_of
from holdfast.console.shown import UNITS
from holdfast.console.stream import overview_of
from holdfast.console.visit import Req
from holdfast.terms import Word

RANGES_S = (600, 3600, 8 * 3600, 24 * 3600)
POINTS = 300
PERIODS_A_POINT = 1.5  # at least: fewer would leave points without a row
TREND_TAGS_MAX = 4
PRIORITIES = ("urgent", "high", "medium", "low")
STATES = ("unacknowledged", "acknowledged", "returned", "shelved")
LEVELS = ("observe", "shadow", "ask", "act")

Json = Mapping[str, Any]


class Row(Word, eq=False):
    """One tag of a piece of equipment. `gauge` None: a state, shown as its name."""

    tag: Json
    name: str
    states: Mapping[str, str]
    gauge: Gauge | None


class Place(Word, eq=False):
    """A piece of equipment with what no loop shows already."""

    name: str
    rows: tuple[Row, ...]


class LoopCard(Word, eq=False):
    """A loop with its parts. `modes` and `permits`: state names by value."""

    loop: Json
    name: str
    gauge: Gauge
    modes: Mapping[str, str]
    permits: Mapping[str, str]


def routes(house: House) -> list[Any]:
    @get("/")
    async def overview(request: Req) -> Response[str]:
        visit = await house.visit(request)
        status = await house.gate.get("/v1/status")
        tables, loops = await house.gate.get("/v1/tables"), await house.gate.get("/v1/loops")
        alarms = await house.gate.get("/v1/alarms", {"all": 1})
        tags = {tag["name"]: tag for table in tables for tag in table["tags"]}
        limits = _limits(alarms["alarms"])
        shown = house.shown(visit, status)
        say = shown.t
        now = overview_of(status, alarms | {"alarms": [a for a in alarms["alarms"] if a["state"] != "normal"]}, loops)
        return await house.page(
            "overview",
            visit,
            request,
            now=now,
            tags=tags,
            cards=[_card(loop, tags, limits, say) for loop in loops],
            places=_places(tags, loops, limits, say),
            ranges=RANGES_S,
            words=_words(say) | {"units": UNITS, "names": {name: tag["description"] or name for name, tag in tags.items()}},
        )

    @get("/overview/trend")
    async def trend(request: Req) -> Response[Any]:
        """The past of some tags as JSON for static/trend.js: times in ms UTC, values by tag and point."""
        await house.visit(request)
        tags = [tag for tag in request.query_params.get("tags", "").split(",") if tag]
        asked = request.query_params.get("range_s", "")
        range_s = int(asked) if asked.isdecimal() else 0
        if range_s not in RANGES_S or not 0 < len(tags) <= TREND_TAGS_MAX:
            raise HTTPException(status_code=400)
        status, tables = await house.gate.get("/v1/status"), await house.gate.get("/v1/tables")
        periods = [table["period_s"] for table in tables for tag in table["tags"] if tag["name"] in tags]
        points = max(2, min(POINTS, int(range_s / (PERIODS_A_POINT * max(periods, default=1.0)))))
        query = {"tags": ",".join(tags), "from_ns": status["at_ns"] - range_s * 10**9, "to_ns": status["at_ns"], "points": points}
        found = await house.gate.get("/v1/trend", query)
        return Response(
            {
                "from": found["at_ns"][0] / 1e6,
                "width": found["width_ns"] / 1e6,
                "points": points,
                "series": {
                    tag: {"min": found["min"][i], "max": found["max"][i], "last": found["last"][i]} for i, tag in enumerate(found["tags"])
                },
                "thinned": found["thinned"],
            },
            media_type="application/json",
        )

    return [overview, trend]


def _limits(alarms: Sequence[Json]) -> dict[str, list[Limit]]:
    found: dict[str, list[Limit]] = {}
    for alarm in alarms:
        found.setdefault(alarm["tag"], []).append(Limit(side=alarm["limit"], at=alarm["threshold"], priority=alarm["priority"]))
    return found


def _card(loop: Json, tags: Mapping[str, Json], limits: Mapping[str, list[Limit]], say: Any) -> LoopCard:
    pv, mode = tags.get(loop["pv"]), tags.get(loop["mode"])
    ends = [end for band in loop["bands"] for end in (band["low"], band["high"])]
    return LoopCard(
        loop=loop,
        name=loop["name"].removeprefix(f"{loop['equipment']}/"),
        gauge=gauge(limits.get(loop["pv"], ()), ends, pv["eu_range"] if pv else None),
        modes=states_of(mode, say) if mode else {},
        permits={"0": say("overview.permit.no"), "1": say("overview.permit.yes")},
    )


def _places(tags: Mapping[str, Json], loops: Sequence[Json], limits: Mapping[str, list[Limit]], say: Any) -> tuple[Place, ...]:
    """In the order of the site file."""
    in_loops = {tag for tag in tags for loop in loops if tag.startswith(f"{loop['name']}.")}
    in_loops |= {loop[part] for loop in loops for part in ("sp", "sp_now", "pv", "mode", "permit")}
    rows: dict[str, list[Row]] = {}
    for name, tag in tags.items():
        equipment, _, short = name.rpartition("/")
        if name in in_loops:
            continue
        states = states_of(tag, say)
        rows.setdefault(equipment, []).append(
            Row(
                tag=tag,
                name=tag["description"] or short,
                states=states,
                gauge=None if states else gauge(limits.get(name, ()), (), tag["eu_range"]),
            )
        )
    return tuple(Place(name=equipment, rows=tuple(of)) for equipment, of in rows.items())


def _words(say: Any) -> dict[str, dict[str, str] | str]:
    """What static/overview.js says."""
    return {
        "limit": {side: say(f"overview.limit.{side}") for side in ("hihi", "hi", "lo", "lolo")},
        "state": {state: say(f"alarmstate.{state}") for state in STATES},
        "priority": {priority: say(f"priority.{priority}") for priority in PRIORITIES},
        "level": {level: say(f"overview.level.{level}") for level in LEVELS},
        "none": say("overview.none"),
        "no_write": say("overview.no_write"),
        "unknown_band": say("overview.unknown_band"),
        "past_away": say("overview.past_away"),
        "sign_in": say("overview.past_sign_in"),
        "thinned": say("overview.thinned"),
    }
