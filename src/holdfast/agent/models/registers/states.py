"""Named states and single bits of a register: what a row lists, and which of them a request means."""

import re

from holdfast.agent.models.registers.ask import switched
from holdfast.agent.models.registers.meaning import meaning, plain

_BIT = re.compile(r"(?i)(?:\bbit\s?|\bb)(\d{1,2})\s*[:=：-]?\s*([A-Za-z][A-Za-z_-]*(?: [A-Za-z_-]+)*|[\u4e00-\u9fff]+)")
_BIT_ASKED = re.compile(r"(?i)\bbit\s?(\d{1,2})\b|第\s?(\d{1,2})\s?位|位\s?(\d{1,2})(?!\d)")
_STATES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![A-Za-z0-9.])(?P<n>0x[0-9A-Fa-f]{1,4})\s*[=:]?\s*(?P<w>[A-Za-z][A-Za-z_/-]*(?: [A-Za-z_/-]+)*|[\u4e00-\u9fff]+)",
        r"(?<![A-Za-z0-9.])(?P<n>\d{1,5})\s*[=:]\s*\"?(?P<w>[A-Za-z][A-Za-z_/-]*(?: [A-Za-z_/-]+)*|[\u4e00-\u9fff]+)",
        r"(?<![A-Za-z0-9.])(?P<n>\d{1,2})\s?(?P<w>[\u4e00-\u9fff]{2,6})",
        r"(?P<w>[A-Za-z][A-Za-z_-]+|[\u4e00-\u9fff]+)\s*=\s*(?P<n>\d{1,5})(?![0-9A-Za-z.])",
        r"(?:^|[,:;(/]\s?)(?P<n>\d{1,3})\s(?P<w>[A-Za-z][A-Za-z_-]+(?: [A-Za-z_-]+)*)(?=\s*(?:[,;)/]|$))",
    )
)


def bits_of(text: str) -> tuple[tuple[int, str], ...]:
    """(number, name) of the single bits that a row lists, as `bit 3: fault`; 0 is the least significant."""
    return tuple((int(m[1]), m[2].strip()) for m in _BIT.finditer(text) if int(m[1]) <= 15)


def bit_asked(text: str, request: str) -> int | None:
    """The one bit of a row that a request means, by its number or by its name."""
    numbered = _BIT_ASKED.search(request)
    if numbered is not None:
        return int(next(n for n in numbered.groups() if n))
    named = [number for number, name in bits_of(text) if names_state(name, request)]
    return named[0] if len(named) == 1 else None


def states_of(text: str) -> tuple[tuple[int, str], ...]:
    """(number, name) of the states that a row lists, as `0=off 1=on`; none where it lists fewer than two."""
    for pattern in _STATES:
        found = [(int(m["n"], 16 if m["n"].startswith("0x") else 10), m["w"].strip()) for m in pattern.finditer(text)]
        if found:
            break
    else:
        return ()
    return tuple(found) if len({n for n, _ in found}) == len(found) else ()


def names_state(state: str, request: str) -> bool:
    """Whether a request names a state, by what it means."""
    ideas = {i.text.replace("start", "running") for i in meaning(state).ideas}
    said = {i.text.replace("start", "running") for i in meaning(request).ideas}
    return bool(ideas) and ideas <= said


def same_word(state: str, wanted: str) -> bool:
    """Whether a word of a request is a state's name, or means the same."""
    if plain(state) == plain(wanted):
        return True
    both = switched(state), switched(wanted)
    if both[0] is not None and both[0] is both[1]:
        return True
    ideas = meaning(state).ideas, meaning(wanted).ideas
    return bool(ideas[0]) and ideas[0] == ideas[1]
