"""A map and a request to an answer: rules and tagger read each for itself, and a write needs both to say the same."""

import re
from collections.abc import Sequence

from holdfast.agent.models.registers import ask as asking
from holdfast.agent.models.registers import lines, notation, rows
from holdfast.agent.models.registers.choose import Chosen, choose
from holdfast.agent.models.registers.compile import Source, read_request, write_request
from holdfast.agent.models.registers.meaning import plain
from holdfast.agent.models.registers.resolve import point
from holdfast.agent.models.registers.words import Answer, Ask, Point, Refusal, Row

MAP_MAX = 20_000  # characters of a map that is read for a request; `import` takes longer ones in pieces
_RANGES = re.compile(r"(?im)^\W*(?:允许(?:范围)?|范围|取值范围|allowed|range|limits?|permitted|valid).*$")


def by_rules(text: str, request: str) -> Answer:
    """What the rules alone make of it."""
    flat = lines.flat(text)
    return answered(flat, asking.read(lines.flat(request)), request, rows.read(flat))


def answered(text: str, ask: Ask, request: str, found: Sequence[Row]) -> Answer:
    """From a reader's rows and its reading of the request to the answer."""
    chosen = choose(ask, request, found)
    if not isinstance(chosen, Chosen):
        return chosen
    anyone = any(row.access is not None or row.facts.access for row in found)
    points: list[Point] = []
    for row in chosen.rows:
        here = point(row, writes=ask.writes, others_say_writable=False, anyone_says_access=anyone)
        if isinstance(here, Refusal):
            if ask.writes and row.access is not None and notation.access_of(row.access.text) == "r":
                return Refusal(reason="not_writable", missing=("writable_register",))
            return here
        points.append(here)
    if not ask.writes:
        return read_request(points)
    row = chosen.rows[0]
    behind = (
        row.block.text[row.address.end - row.block.start :]
        if row.name.start < row.address.start
        else row.block.text[row.name.end - row.block.start :]
    )
    about = "\n".join(m[0] for m in _RANGES.finditer(text) if len(found) == 1 or plain(row.name.text) in plain(m[0]))
    return write_request(points[0], row, ask, Source(behind=behind, ranges=about, request=request))
