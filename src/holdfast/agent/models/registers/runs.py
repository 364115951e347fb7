"""Runs of points in one line: `addresses 0 to 15 are DI1 to DI16` is a row for each."""

import re
from collections.abc import Iterator

from holdfast.agent.models.registers import heading, notation
from holdfast.agent.models.registers.lines import part
from holdfast.agent.models.registers.words import Facts, Row, Slot

POINTS_MAX = 256  # of one run
_TO = r"\s*(?:~|～|-|–|—|\.{2,3}|…|to|至|到|through|thru)\s*"
_NAMES = (
    r"(?P<name>(?P<stem>[A-Za-z\u4e00-\u9fff][A-Za-z\u4e00-\u9fff _#-]{0,24}?)\s?(?P<m>\d{1,3})" + _TO + r"(?:(?P=stem)\s?)?(?P<n>\d{1,3}))"
)
_PLACES = r"(?P<a>\d{1,5})" + _TO + r"(?P<b>\d{1,5})(?![A-Za-z0-9.])"
_RUN = re.compile(rf"(?i)(?<![A-Za-z0-9.]){_PLACES}(?P<mid>[^\d\n]{{0,24}}?){_NAMES}(?![A-Za-z0-9.])")
_TURNED = re.compile(rf"(?i)(?<![A-Za-z0-9.]){_NAMES}(?P<mid>[^\d\n]{{0,24}}?[\s:=@,(|]){_PLACES}")
_ENDS = re.compile(
    r"(?i)(?<![A-Za-z0-9.])(?P<a>\d{1,5})\s*(?:=|:|is|为|对应)\s*"
    r"(?P<name>(?P<stem>[A-Za-z\u4e00-\u9fff][A-Za-z\u4e00-\u9fff _#-]{0,24}?)\s?(?P<m>\d{1,3}))"
    r"\s*(?:\.{2,}|…|~|-|to|至|,)\s*(?P<mid>[^\d\n]{0,24}?)(?P<b>\d{1,5})\s*(?:=|:|is|为|对应)\s*(?P=stem)\s?(?P<n>\d{1,3})(?![A-Za-z0-9.])"
)
_LINKS = re.compile(
    r"(?i)\b(?:are|is|for|correspond(?:s)? to|map(?:ped|s)? to|=|the|address(?:es)?|registers?|coils?|at)\b|对应|为|是|分别|地址|依次"
)


def rows(line: Slot, facts: Facts) -> Iterator[Row]:
    """A row for each point of a line's run; none where numbers and names count differently far."""
    for pattern in (_RUN, _TURNED, _ENDS):
        for found in pattern.finditer(line.text):
            first, last, m, n = (int(found[g]) for g in ("a", "b", "m", "n"))
            if last - first != n - m or not 0 < n - m < POINTS_MAX:
                continue
            inner = heading.told(line.text, line.start)
            here = heading.merged(facts, inner, section=True)
            stem = _LINKS.sub(" ", found["stem"]).strip(" :=,-")
            if not stem:
                continue
            behind = part(line, found.end(), len(line.text))
            scales = [(a, b) for a, b, _ in notation.scales_in(behind.text)]
            units = [one.span() for one in notation.UNIT.finditer(behind.text)]
            for i in range(n - m + 1):
                yield Row(
                    name=part(line, *found.span("name")),
                    address=part(line, *found.span("a")),
                    scale=part(behind, *scales[0]) if scales else None,
                    unit=part(behind, *units[-1]) if units else None,
                    block=line,
                    facts=here,
                    called=f"{stem}{m + i}" if len(stem) <= 3 else f"{stem} {m + i}",
                    plus=i,
                )
            return
