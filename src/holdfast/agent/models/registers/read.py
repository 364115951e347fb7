"""A map and a request to an answer: rules and tagger read each for itself, and a write needs both to say the same.

A read is the rules' alone: the tagger is the weaker reader, and where the rules see nothing it was as often wrong as right. Whatever is
answered passes the grounding gate first.
"""

import dataclasses
import re
from collections.abc import Sequence

from holdfast.agent.models.registers import ask as asking
from holdfast.agent.models.registers import lines, notation, rows, tagged
from holdfast.agent.models.registers.choose import Chosen, area_of, choose
from holdfast.agent.models.registers.compile import Source, read_request, write_request
from holdfast.agent.models.registers.confirm import unconfirmed
from holdfast.agent.models.registers.ground import ungrounded
from holdfast.agent.models.registers.meaning import plain
from holdfast.agent.models.registers.resolve import offset_of, point
from holdfast.agent.models.registers.states import bit_asked
from holdfast.agent.models.registers.words import Abstention, Answer, Ask, Point, Refusal, Request, Row
from holdfast.agent.models.spans import Tagger
from holdfast.terms import Word

MAP_MAX = 20_000  # characters of a map that is read for a request
RUN_MAX = 100  # characters of a run of one character; nothing in a map is that far apart
_RUN = re.compile(rf"([^\n])\1{{{RUN_MAX},}}")
_RANGES = re.compile(r"(?im)^\W*(?:允许(?:范围)?|范围|取值范围|allowed|range|limits?|permitted|valid).*$")


class Reading(Word):
    """What one reader made of it, with the rows that it rests on."""

    answer: Answer
    rows: tuple[Row, ...] = ()  # those that it rests on
    seen: tuple[Row, ...] = ()  # all that were found in the map
    ask: Ask


def read(text: str, request: str, tagger: Tagger | None = None) -> Answer:
    """The exact Modbus request, a refusal that names what is missing, or an abstention.

    Raises ValueError for a map over MAP_MAX or a request over ask.REQUEST_MAX characters, and ModelUnusable where the package's
    model is not there (`tagger` None takes that one).
    """
    flat, asked = _flat(text, request)
    second = tagger or tagged.model()
    ruled, marked = _gated(_by_rules(flat, asked), flat, asked), _gated(_by_tagger(second, flat, asked), flat, asked)
    if not (isinstance(ruled.answer, Request) and ruled.answer.writes):
        return agreed(ruled, marked)
    against = unconfirmed(second, flat, asked, ruled.ask, ruled.rows[0], ruled.seen, marked.seen)
    return agreed(ruled, marked, against=against)


def agreed(ruled: Reading, marked: Reading, *, against: str = "not asked") -> Answer:
    """One answer of two readings. `against`: what the tagger says against the rules' write, piece by piece; "" for nothing."""
    first, second = ruled.answer, marked.answer
    if ruled.ask.writes or (marked.ask.writes and not ruled.ask.reads):
        if isinstance(first, Request) and first.writes:
            same = isinstance(second, Request) and _sent(first) == _sent(second)
            return first if same or not against else Abstention(why="disagree")
        return first if not isinstance(first, Request) else Abstention(why="disagree")
    return first


def _sent(request: Request) -> Request:
    """All of a request but its unit, which is told and not sent."""
    return dataclasses.replace(request, unit="")


def by_rules(text: str, request: str) -> Answer:
    """What the rules alone make of it."""
    flat, asked = _flat(text, request)
    return _gated(_by_rules(flat, asked), flat, asked).answer


def by_tagger(text: str, request: str, tagger: Tagger | None = None) -> Answer:
    """What the tagger alone makes of it."""
    flat, asked = _flat(text, request)
    return _gated(_by_tagger(tagger or tagged.model(), flat, asked), flat, asked).answer


def _flat(text: str, request: str) -> tuple[str, str]:
    if len(text) > MAP_MAX:
        raise ValueError(f"a map of {len(text)} characters; give at most {MAP_MAX}: cut out the rows that matter, with their heading")
    return _shortened(lines.flat(text)), lines.flat(request)


def _shortened(flat: str) -> str:
    """Runs of one character cut to RUN_MAX: patterns look from each place of a run to its end, so that long ones cost its square."""
    return _RUN.sub(lambda run: run[0][:RUN_MAX], flat)


def _by_rules(flat: str, asked: str) -> Reading:
    return _reading(flat, asking.read(asked), asked, rows.read(flat))


def _by_tagger(tagger: Tagger, flat: str, asked: str) -> Reading:
    return _reading(flat, tagged.read_request(tagger, asked), asked, tagged.read_map(tagger, flat))


def _gated(reading: Reading, flat: str, asked: str) -> Reading:
    """The reading, its answer taken back where a piece of it stands nowhere."""
    if isinstance(reading.answer, Request):
        wrong = ungrounded(reading.answer, reading.rows, reading.ask, flat, asked)
        if wrong:
            return dataclasses.replace(reading, answer=Abstention(why=f"ungrounded_{wrong}"))
    return reading


def _reading(text: str, ask: Ask, request: str, found: Sequence[Row]) -> Reading:
    """From a reader's rows and its reading of the request to the answer."""
    chosen = choose(ask, request, found, text)
    if isinstance(chosen, Chosen) and ask.unclear:
        return Reading(answer=Abstention(why=ask.unclear), seen=tuple(found), ask=ask)
    if not isinstance(chosen, Chosen):
        return Reading(answer=chosen, seen=tuple(found), ask=ask)
    return Reading(answer=_answer(text, ask, request, found, chosen), rows=chosen.rows, seen=tuple(found), ask=ask)


def _access(row: Row) -> str:
    return notation.access_of(row.access.text) if row.access is not None else row.facts.access


def _answer(text: str, ask: Ask, request: str, found: Sequence[Row], chosen: Chosen) -> Answer:
    here = area_of(chosen.rows[0])
    anyone = any("w" in _access(row) for row in found if area_of(row) == here)
    points: list[Point] = []
    for row in chosen.rows:
        made = point(row, writes=ask.writes, anyone_says_access=anyone)
        if isinstance(made, Refusal):
            read_only = ask.writes and row.access is not None and notation.access_of(row.access.text) == "r"
            return Refusal(reason="not_writable", missing=("writable_register",)) if read_only else made
        points.append(made)
    row = chosen.rows[0]
    offsets = {offset_of(one, here.scale) for one, here in zip(chosen.rows, points, strict=True)}
    offset = next(iter(offsets)) if len(offsets) == 1 else None
    if offset is None or (offset and ask.writes):
        return Abstention(why="offset")
    points = [dataclasses.replace(one, offset=offset) for one in points]
    bit = bit_asked(row.block.text, request) if len(points) == 1 and points[0].count == 1 and points[0].kind in ("uint16", "bits") else None
    if bit is not None and bit <= 15:
        # One bit of a word is read with its word, and never written: its neighbours may move meanwhile.
        return Abstention(why="bit") if ask.writes else read_request([dataclasses.replace(points[0], kind="bits", bit=bit)])
    if not ask.writes:
        return read_request(points)
    last = max(row.address.end, row.name.end) if row.name.end <= row.address.start else row.name.end
    about = "\n".join(m[0] for m in _RANGES.finditer(text) if len(found) == 1 or plain(row.title) in plain(m[0]))
    return write_request(points[0], row, ask, Source(behind=row.block.text[last - row.block.start :], ranges=about, request=request))
