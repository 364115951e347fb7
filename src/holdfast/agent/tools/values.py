"""Values: what tags read now, how they went, what they may be, and who moved their setpoints."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from holdfast.agent.tools.look import Look, equipment_of
from holdfast.agent.tools.tool import Citation, PlantText, Returned, ToolError, joined, plant_text
from holdfast.language import chosen
from holdfast.site.model import AlarmLimits, Envelope
from holdfast.terms import SECOND_NS, Frame, Tag, Word

TAGS_MAX = 40
POINTS_MAX = 60
ROWS_MAX = 3600  # that a summary is made of
MINUTES_MAX = 31 * 24 * 60.0
MOVES_MAX = 40

Name = Annotated[str, Field(min_length=1, max_length=100)]
Quality = Literal["good", "uncertain", "bad", "none"]
QUALITIES: tuple[Quality, ...] = ("good", "uncertain", "bad", "bad")  # by the two top bits (OPC UA Part 4 §7.39)


class ReadTags(Word):
    """Which tags; with none named, those of `equipment`; with neither, as many of the plant's as fit."""

    tags: Annotated[tuple[Name, ...], Field(max_length=TAGS_MAX, description="Names or tag numbers.")] = ()
    equipment: Annotated[str, Field(max_length=100, description="All tags of this equipment.")] = ""


class TagValue(Word):
    """`value` is None where nothing was read; `state` is the name of a state tag's value. `at_ns` is the source's time, UTC."""

    tag: str
    value: float | None
    state: str
    unit: str
    quality: Quality
    at_ns: int
    role: str
    tag_no: str
    description: PlantText


class TagValues(Word):
    values: tuple[TagValue, ...]
    more: int = 0  # tags that there was no room for


class History(Word):
    """A window of one tag, ending now or `ending_minutes_ago`."""

    tag: Annotated[str, Field(min_length=1, max_length=100)]
    minutes: Annotated[float, Field(gt=0, le=MINUTES_MAX, description="Length of the window.")] = 60.0
    ending_minutes_ago: Annotated[float, Field(ge=0, le=MINUTES_MAX)] = 0.0
    points: Annotated[int, Field(ge=0, le=POINTS_MAX, description="How many values to list beside the summary.")] = 0


class Course(Word):
    """How a tag went, of Good values alone; times are UTC. None where there is no Good value. `slope_per_h`: of the straight line."""

    tag: str
    unit: str
    from_ns: int
    to_ns: int
    rows: int
    good: int
    first: float | None
    last: float | None
    mean: float | None
    low: float | None
    low_ns: int
    high: float | None
    high_ns: int
    slope_per_h: float | None
    points: tuple[tuple[int, float | None], ...] = ()


class TagLimits(Word):
    tag: Annotated[str, Field(min_length=1, max_length=100)]


class Limits(Word):
    """What the site's engineers wrote: alarm limits and, of a writable tag, its envelope."""

    tag: str
    unit: str
    alarms: AlarmLimits | None = None
    envelope: Envelope | None = None


class Moves(Word):
    tag: Annotated[str, Field(max_length=100, description="Of this setpoint alone; without it, of all.")] = ""
    minutes: Annotated[float, Field(gt=0, le=MINUTES_MAX)] = 120.0


class MoveTold(Word):
    tag: str
    before: float
    after: float
    unit: str
    at_ns: int
    by: str
    ours: bool
    shadow: bool


class MovesTold(Word):
    moves: tuple[MoveTold, ...]  # newest first


class Values:
    """The calls of these tools."""

    def __init__(self, look: Look) -> None:
        self._look = look

    async def read(self, wanted: ReadTags) -> Returned:
        look = self._look
        of = [look.tag(name) for name in wanted.tags]
        if not of:
            of = [tag for tag in look.tags.values() if not wanted.equipment or equipment_of(tag.name) == wanted.equipment]
        if not of and wanted.equipment:
            raise ToolError("tools.no_equipment", equipment=wanted.equipment, near=", ".join(one.name for one in look.site.equipment[:8]))
        these, more = of[:TAGS_MAX], max(len(of) - TAGS_MAX, 0)
        of_tables = {look.places[tag.name][0].id: look.places[tag.name][0] for tag in these}
        newest = {id: await look.newest(table) for id, table in of_tables.items()}
        found = [self._now(tag, newest) for tag in these]
        cites = tuple(Citation(kind="tag", ref=one.tag, quote=_shown(one), at_ns=one.at_ns) for one in found)
        return Returned(
            label=joined([tag.label for tag in these]), body=TagValues(values=tuple(found), more=more), citations=cites, cut=more > 0
        )

    def _now(self, tag: Tag, newest: Mapping[str, Frame]) -> TagValue:
        table, column = self._look.places[tag.name]
        frame = newest[table.id]
        if not frame.rows:
            return _value(tag, math.nan, None, 0)
        return _value(tag, float(frame.values[-1, column]), int(frame.status[-1, column]), int(frame.source_ns[-1, column]))

    async def history(self, wanted: History) -> Returned:
        look = self._look
        tag = look.tag(wanted.tag)
        table, column = look.places[tag.name]
        to_ns = look.clock.now_ns() - round(wanted.ending_minutes_ago * 60 * SECOND_NS)
        from_ns = to_ns - round(wanted.minutes * 60 * SECOND_NS)
        frame = await look.rows(table, from_ns, to_ns, ROWS_MAX)
        values, good = frame.values[:, column], frame.status[:, column] == 0
        course = course_of(tag, frame.received_ns, values, good & np.isfinite(values), from_ns, to_ns, wanted.points)
        quote = "" if course.mean is None else f"{course.low:.4g} … {course.high:.4g} {tag.unit}, {course.good} of {course.rows} rows"
        cite = Citation(kind="history", ref=tag.name, quote=quote, at_ns=from_ns, to_ns=to_ns)
        return Returned(label=tag.label, body=course, citations=(cite,))

    async def limits(self, wanted: TagLimits) -> Returned:
        look = self._look
        tag = look.tag(wanted.tag)
        alarms = next((one for one in look.site.alarms if one.tag == tag.name), None)
        body = Limits(tag=tag.name, unit=tag.unit, alarms=alarms, envelope=look.site.envelope(tag.name))
        cites = [Citation(kind="limit", ref=tag.name)] if alarms or body.envelope else []
        cites += [
            Citation(kind="standard", ref=f"{clause.standard} {clause.clause}".strip(), quote=chosen(clause.asks, look.site.language))
            for clause in (alarms.clauses if alarms else ())
        ]
        return Returned(label=tag.label, body=body, citations=tuple(cites))

    async def moves(self, wanted: Moves) -> Returned:
        look = self._look
        only = look.tag(wanted.tag).name if wanted.tag else ""
        since_ns = look.clock.now_ns() - round(wanted.minutes * 60 * SECOND_NS)
        seen = [move for move in await look.link.moves(since_ns) if move.tag in look.tags and (not only or move.tag == only)]
        newest = sorted(seen, key=lambda move: -move.at_ns)
        told = tuple(
            MoveTold(
                tag=m.tag, before=m.before, after=m.after, unit=look.tags[m.tag].unit, at_ns=m.at_ns, by=m.by, ours=m.ours, shadow=m.shadow
            )
            for m in newest[:MOVES_MAX]
        )
        cites = tuple(Citation(kind="move", ref=m.tag, quote=f"{m.before:g} → {m.after:g} {m.unit} ({m.by})", at_ns=m.at_ns) for m in told)
        return Returned(label=look.label([m.tag for m in told]), body=MovesTold(moves=told), citations=cites, cut=len(newest) > MOVES_MAX)


def _value(tag: Tag, value: float, status: int | None, at_ns: int) -> TagValue:
    known = math.isfinite(value)
    return TagValue(
        tag=tag.name,
        value=value if known else None,
        state=dict(tag.states).get(int(value), "") if known and tag.type == "state" else "",
        unit="" if tag.unit == "1" else tag.unit,
        quality="none" if status is None else QUALITIES[status >> 30],
        at_ns=at_ns,
        role=tag.role,
        tag_no=tag.tag_no,
        description=plant_text(tag.description),
    )


def _shown(one: TagValue) -> str:
    return f"{one.state or ('' if one.value is None else f'{one.value:g}')} {one.unit}".strip()


def course_of(
    tag: Tag, at_ns: NDArray[np.int64], values: NDArray[np.float64], good: NDArray[np.bool_], from_ns: int, to_ns: int, points: int
) -> Course:
    """A window's summary; (rows,) each."""
    times, kept = at_ns[good], values[good]
    some = len(kept) > 0
    low, high = (int(np.argmin(kept)), int(np.argmax(kept))) if some else (0, 0)
    hours = (times - from_ns) / (3600.0 * SECOND_NS)
    slope = None
    if len(kept) > 2 and float(np.ptp(hours)) > 0:
        slope = float(np.polyfit(hours, kept, 1)[0])
    chosen = np.unique(np.linspace(0, len(at_ns) - 1, min(points, len(at_ns))).astype(int)) if points and len(at_ns) else []
    return Course(
        tag=tag.name, unit="" if tag.unit == "1" else tag.unit, from_ns=from_ns, to_ns=to_ns, rows=len(at_ns), good=len(kept),
        first=float(kept[0]) if some else None, last=float(kept[-1]) if some else None, mean=float(kept.mean()) if some else None,
        low=float(kept[low]) if some else None, low_ns=int(times[low]) if some else 0,
        high=float(kept[high]) if some else None, high_ns=int(times[high]) if some else 0, slope_per_h=slope,
        points=tuple((int(at_ns[i]), float(values[i]) if good[i] else None) for i in chosen),
    )  # fmt: skip
