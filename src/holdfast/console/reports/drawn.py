"""The drawings of an incident: score against the limit, contributions, causes, and the course of the tags before and after each act."""

import itertools
import math
from collections.abc import Callable, Sequence

from holdfast.console.chain import Moment
from holdfast.console.reports.chart import WIDTH, Bar, Chart, Label, Line, Shape, Tone
from holdfast.console.reports.graph import Series
from holdfast.console.shown import Shown
from holdfast.language import number
from holdfast.terms import Word

NAMES_WIDE = 250.0  # of the column of names beside bars
VALUE_WIDE = 70.0
ROW, PANEL, GAP = 22.0, 104.0, 16.0
LEFT, RIGHT, FOOT = 62.0, 8.0, 26.0  # around a course
TICKS = 5
SCORE_HIGH, TAG_HIGH, CONTRIBUTING = 80.0, 30.0, 5  # of contributions over time
MARKS_MAX = 40
COURSE: tuple[tuple[Tone, int], ...] = (("faint", 1), ("faint", 2), ("accent", 3))  # least, greatest, last
LETTER, LETTER_ROWS = 12.0, 3  # marks that are close together stand one above the other


class Share(Word):
    name: str
    part: float  # of the longest bar's meaning, as a person reads it: `text`
    text: str
    tone: Tone = "accent"


class Mark(Word):
    """Something that happened at a time: a letter above the courses, explained under them."""

    at_ns: int
    letter: str
    tone: Tone


def bars(shares: Sequence[Share], *, told: str, limit: float | None = None) -> Chart:
    """Named bars from zero; `limit`: a line across them all."""
    most = max([*(s.part for s in shares), limit or 0.0, 1e-12])
    wide = WIDTH - NAMES_WIDE - VALUE_WIDE
    shapes: list[Shape] = []
    for place, share in enumerate(shares):
        y = 6 + place * ROW
        shapes += [
            Label(x=NAMES_WIDE - 8, y=y + 12, text=share.name, anchor="end"),
            Bar(x=NAMES_WIDE, y=y, width=wide, height=16, tone="light"),
            Bar(x=NAMES_WIDE, y=y, width=max(wide * share.part / most, 1.0), height=16, tone=share.tone),
            Label(x=NAMES_WIDE + wide + 8, y=y + 12, text=share.text, tone="ink"),
        ]
    bottom = 6 + len(shares) * ROW
    if limit is not None:
        x = NAMES_WIDE + wide * limit / most
        shapes += [Line(points=((x, 0.0), (x, bottom)), tone="ink", width=1.6, dashed=True)]
    return Chart(height=bottom + 4, shapes=tuple(shapes), told=told)


def courses(trends: Sequence[Series], marks: Sequence[Mark], *, time: Callable[[int], str], told: str) -> Chart | None:
    """The tags one above the other over the same time, with what happened drawn through all of them. None where there is no course."""
    if not trends:
        return None
    from_ns = min(s.at_ns[0] for s in trends)
    to_ns = max(s.at_ns[-1] + s.width_ns for s in trends)
    wide = WIDTH - LEFT - RIGHT

    def x(at_ns: int) -> float:
        return round(LEFT + wide * (at_ns - from_ns) / (to_ns - from_ns), 2)

    top = 12.0 + LETTER_ROWS * LETTER
    bottom = top + len(trends) * (PANEL + GAP) - GAP
    shapes: list[Shape] = []
    for place, series in enumerate(trends):
        shapes += _course(series, x, top + place * (PANEL + GAP))
    drawn = sorted((m for m in marks if from_ns <= m.at_ns <= to_ns), key=lambda m: m.at_ns)[:MARKS_MAX]
    ends = [-math.inf] * LETTER_ROWS  # of each row of letters, how far it is taken
    for mark in drawn:
        at = x(mark.at_ns)
        row = next((i for i, end in enumerate(ends) if at - end >= LETTER), min(range(LETTER_ROWS), key=lambda i: ends[i]))
        ends[row] = at
        y = top - 4 - row * LETTER
        shapes += [
            Line(points=((at, y), (at, bottom)), tone=mark.tone, width=0.9, dashed=True),
            Label(x=at, y=y - 3, text=mark.letter, size=10, anchor="middle", tone=mark.tone),
        ]
    shapes += _times(from_ns, to_ns, x, bottom, time)
    return Chart(height=bottom + FOOT, shapes=tuple(shapes), told=told)


def contributions(moments: Sequence[Moment], name: Callable[[str], str], *, time: Callable[[int], str], told: str) -> Chart | None:
    """The score over its limit, and under it what each of the tags that added most added, all to one scale. None for fewer than two."""
    if len(moments) < 2:
        return None
    sums: dict[str, float] = {}
    for moment in moments:
        for tag, share in moment.shares:
            sums[tag] = sums.get(tag, 0.0) + share * moment.score
    tags = sorted(sums, key=lambda tag: (-sums[tag], tag))[:CONTRIBUTING]
    from_ns, to_ns = moments[0].at_ns, moments[-1].at_ns
    wide, most = WIDTH - LEFT - RIGHT, max(1.0, *(moment.score for moment in moments)) * 1.05

    def x(at_ns: int) -> float:
        return round(LEFT + wide * (at_ns - from_ns) / (to_ns - from_ns), 2)

    def panel(top: float, high: float, called: str) -> list[Shape]:
        return [
            Label(x=LEFT, y=top + 10, text=called),
            Line(points=((LEFT, top + 16), (LEFT, top + 16 + high), (WIDTH - RIGHT, top + 16 + high)), tone="faint"),
        ]

    bottom = 16 + SCORE_HIGH
    line = tuple((x(moment.at_ns), round(bottom - SCORE_HIGH * moment.score / most, 2)) for moment in moments)
    limit = round(bottom - SCORE_HIGH / most, 2)
    shapes = [
        *panel(0, SCORE_HIGH, told),
        Line(points=line, tone="accent", width=1.6),
        Line(points=((LEFT, limit), (WIDTH - RIGHT, limit)), tone="ink", width=1.2, dashed=True),
        Label(x=LEFT - 6, y=limit + 3.5, text="1", size=10, anchor="end", tone="soft"),
        Label(x=LEFT - 6, y=26, text=f"{most / 1.05:.3g}", size=10, anchor="end", tone="soft"),
    ]
    for place, tag in enumerate(tags):
        top = bottom + GAP + place * (16 + TAG_HIGH + GAP / 2)
        shapes += panel(top, TAG_HIGH, name(tag))
        for moment, following in itertools.pairwise(moments):
            part = dict(moment.shares).get(tag, 0.0) * moment.score
            if high := round(TAG_HIGH * part / most, 2):
                left, right = x(moment.at_ns), x(following.at_ns)
                shapes.append(Bar(x=left, y=top + 16 + TAG_HIGH - high, width=max(right - left, 0.5), height=high))
    end = bottom + GAP + len(tags) * (16 + TAG_HIGH + GAP / 2) - GAP / 2
    return Chart(height=end + FOOT, shapes=(*shapes, *_times(from_ns, to_ns, x, end, time)), told=told)


def _times(from_ns: int, to_ns: int, x: Callable[[int], float], bottom: float, time: Callable[[int], str]) -> list[Shape]:
    found: list[Shape] = []
    for tick in range(TICKS):
        at_ns = from_ns + (to_ns - from_ns) * tick // (TICKS - 1)
        anchor = "start" if tick == 0 else "end" if tick == TICKS - 1 else "middle"
        found.append(Label(x=x(at_ns), y=bottom + 15, text=time(at_ns), size=10, anchor=anchor, tone="soft"))
    return found


def _course(series: Series, x: Callable[[int], float], top: float) -> list[Shape]:
    values = [v for v in (*series.low, *series.high, *series.last) if v is not None and math.isfinite(v)]
    low, high = min(values), max(values)
    room = (high - low) * 0.08 or max(abs(high) * 0.01, 1e-9)
    low, high = low - room, high + room
    inside = PANEL - 16  # the name stands above the course

    def y(value: float) -> float:
        return round(top + 16 + inside * (high - value) / (high - low), 2)

    bottom = top + PANEL
    shapes: list[Shape] = [
        Label(x=LEFT, y=top + 10, text=series.tag + (f" [{unit}]" if (unit := Shown.unit(series.unit)) else "")),
        Line(points=((LEFT, top + 16), (LEFT, bottom), (WIDTH - RIGHT, bottom)), tone="faint"),
    ]
    shapes += [
        Label(x=LEFT - 6, y=y(value) + 3.5, text=number(repr(float(value))), size=10, anchor="end", tone="soft")
        for value in sorted({min(values), max(values)})
    ]
    for stretch in _stretches(series):
        middle = [x(at + series.width_ns // 2) for at, _, _, _ in stretch]
        for tone, place in COURSE:  # how far it swung within each point, under its last value
            line = tuple((at, y(point[place])) for at, point in zip(middle, stretch, strict=True))
            shapes.append(Line(points=line if len(line) > 1 else line * 2, tone=tone, width=1.2 if place == 3 else 0.8))
    return shapes


def _stretches(series: Series) -> list[list[tuple[int, float, float, float]]]:
    """(at, least, most, last) of the points that have values; where one has none, a stretch ends."""
    found: list[list[tuple[int, float, float, float]]] = [[]]
    for at, least, most, last in zip(series.at_ns, series.low, series.high, series.last, strict=True):
        if last is None or least is None or most is None:
            found += [[]] if found[-1] else []
        else:
            found[-1].append((at, least, most, last))
    return [stretch for stretch in found if stretch]
