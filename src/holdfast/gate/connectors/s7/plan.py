"""Which bytes are read by which request: neighbours joined over small gaps, several stretches a request, none longer than the PDU."""

from collections.abc import Sequence

from holdfast.gate.connectors.s7.addresses import AREAS, Address, Area
from holdfast.terms import Word

ITEMS_MAX = 20  # of one request, which is what the CPUs take
# Read request: header 10, function and count 2, an item 12. Its answer: header 12, function and count 2, an item 4 and its
# bytes, made even.
_ASK_HEAD, _ASK_ITEM = 12, 12
_ANSWER_HEAD, _ANSWER_ITEM = 14, 4


class Span(Word):
    """`count` bytes from `start`; `members` index the addresses that lie in them."""

    area: Area
    db: int
    start: int
    count: int
    members: tuple[int, ...]


def spans(addresses: Sequence[Address], *, gap_max: int, pdu_bytes: int) -> tuple[Span, ...]:
    """The stretches that hold all `addresses`, over gaps of up to `gap_max` bytes that nobody asked for."""
    limit = pdu_bytes - _ANSWER_HEAD - _ANSWER_ITEM
    order = sorted(range(len(addresses)), key=lambda i: (AREAS.index(addresses[i].area), addresses[i].db, addresses[i].byte))
    found: list[list[int]] = []
    start = end = 0
    for i in order:
        at = addresses[i]
        before = addresses[found[-1][0]] if found else None
        last = at.byte + at.bytes
        joins = before is not None and (before.area, before.db) == (at.area, at.db)
        if joins and at.byte - end <= gap_max and max(last, end) - start <= limit:
            found[-1].append(i)
            end = max(end, last)
        else:
            found.append([i])
            start, end = at.byte, last
    return tuple(_span(group, addresses) for group in found)


def halves(span: Span, addresses: Sequence[Address]) -> tuple[Span, ...]:
    """The two stretches with which a refused one is tried again; none where it has one member only."""
    if len(span.members) < 2:
        return ()
    middle = len(span.members) // 2
    return _span(span.members[:middle], addresses), _span(span.members[middle:], addresses)


def first(waiting: Sequence[Span], *, pdu_bytes: int) -> int:
    """How many of `waiting`, from its beginning, fit one request and its answer; at least one."""
    ask, answer = _ASK_HEAD, _ANSWER_HEAD
    for count, span in enumerate(waiting[:ITEMS_MAX]):
        ask += _ASK_ITEM
        answer += _ANSWER_ITEM + span.count + span.count % 2
        # The last item of an answer is not made even, so one that fills it alone fits.
        if count and (ask > pdu_bytes or answer - span.count % 2 > pdu_bytes):
            return count
    return min(len(waiting), ITEMS_MAX)


def _span(group: Sequence[int], addresses: Sequence[Address]) -> Span:
    first_of = addresses[group[0]]
    start = min(addresses[i].byte for i in group)
    end = max(addresses[i].byte + addresses[i].bytes for i in group)
    return Span(area=first_of.area, db=first_of.db, start=start, count=end - start, members=tuple(group))
