"""The rules' reading of a request: read or write, the name that is meant, the value with its unit, or on and off."""

import dataclasses
import re

from holdfast.agent.models.registers import notation
from holdfast.agent.models.registers.patterns import pattern
from holdfast.agent.models.registers.words import Ask, Slot

REQUEST_MAX = 500  # characters
_NUMBER = r"(-?(?:0x[0-9A-Fa-f]+|\d+(?:\.\d+)?))"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.ASCII)


_READ_FIRST = pattern("ask", "read_first")
_READ_ANY = pattern("ask", "read_any")
_WRITE = pattern("ask", "write")
_ON = pattern("ask", "on")
_OFF = pattern("ask", "off")
_SAID = pattern("ask", "said")
_BEFORE = _any(
    r"^\s*(?:please\s+)?(?:write|send|put|use|apply)\s+(?:a |the )?(?:value (?:of )?)?"
    + _NUMBER
    + r"\s*(\S{0,8}?)\s+(?:to|into|in|as|on)\s+(?:the\s+)?"
)
_VALUE = _any(
    rf"(?:\bto|:=|=|为|成|到|\bat|\bof|\bis|至|写入|下发|给|\bequals?|\bbe\b|\bas|设|改|调|\s)\s*{_NUMBER}(?![A-Za-z0-9]*[A-Za-z]\d)"
)
_CLOSE = re.compile(rf"(?<=[\u4e00-\u9fff]){_NUMBER}\s*([^\s\d]{{1,8}}?)[.。!]?\s*$", re.ASCII)  # `下发功率80kW`
_WORD = pattern("ask", "word")
_FILL = pattern("ask", "fill")
_COMMAND = pattern("ask", "command")
_ASIDE = pattern("ask", "aside")
_IN_UNIT = _any(rf"\bin ({notation.UNIT.pattern[notation.UNIT.pattern.index('(?:') :]})\s*[.?]?\s*$")
_PHASES = pattern("ask", "phases")
_UNCLEAR = {code: pattern("unclear", code) for code in ("relative", "negated", "conditional", "several_values")}
_SEVERAL = re.compile(rf"(?:\bto|=|:=|为|成|到)\s*{_NUMBER}", re.IGNORECASE)
_BRACKETS = re.compile(r"\(([^()]*)\)")


def read(request: str) -> Ask:
    """What a flat request wants (lines.flat). Raises ValueError for one over REQUEST_MAX."""
    ask = _read(request)
    if ask.writes:
        return dataclasses.replace(ask, unclear=unclear(request))
    return dataclasses.replace(ask, reads=_READ_FIRST.match(request) is not None or re.search(r"读|采集|查询", request) is not None)


def unclear(text: str) -> str:
    """Why a write is not one value for one register; "" where nothing says so."""
    for code, pattern_ in _UNCLEAR.items():
        if pattern_.search(text):
            return code
    return "several_values" if len(_SEVERAL.findall(text)) > 1 else ""


def _read(request: str) -> Ask:
    text = request.strip()
    if len(text) > REQUEST_MAX:
        raise ValueError(f"a request of {len(text)} characters; give at most {REQUEST_MAX}")
    text = _ASIDE.sub(" ", text).strip()
    if not writes(text):
        unit = _IN_UNIT.search(text)
        if unit is not None:
            return Ask(writes=False, name=_name(text[: unit.start()]), unit=unit[1])
        return Ask(writes=False, name=_name(text), unit=_unit_in_brackets(text))
    early = _BEFORE.match(text)
    if early is not None:
        value = Slot(text=early[1], start=early.start(1), end=early.end(1))
        return Ask(writes=True, name=_name(text[early.end() :]), value=value, unit=_unit(early[2]))
    late = _valued(text)
    if late is not None:
        value, unit, start = late
        return Ask(writes=True, name=_name(text[:start]), value=value, unit=unit)
    phases = _PHASES.search(text)
    if phases is not None:
        index = next(i for i in (1, 2, 3, 4) if phases[i])
        return Ask(writes=True, name="phases", value=Slot(text=phases[index], start=phases.start(index), end=phases.end(index)))
    switch = switched(text)
    word = _WORD.search(text)
    if word is not None:
        slot = Slot(text=word[1], start=word.start(1), end=word.end(1))
        return Ask(writes=True, name=_name(text[: word.start()]), value=slot, word=word[1].strip(), switch=switch)
    bare = _SAID.sub(" ", text)
    return Ask(writes=True, name=_name(bare), switch=switch)


def is_number(text: str) -> bool:
    return re.fullmatch(_NUMBER, text.strip()) is not None


def writes(text: str) -> bool:
    """Whether a request is to change something."""
    taken = re.match(r"\s*(?:请|麻烦)?(?:你)?(?:把|将)", text) is not None
    if (
        taken
        and re.search(r"读(?:取|出|回|上来|一下)|(?:查|取|抄)(?:出|回|一下)", text)
        and _valued(text) is None
        and switched(text) is None
    ):
        return False
    if taken or _COMMAND.search(text):
        return True
    if _WRITE.search(text) is None:
        return False
    strong = re.search(r"^\s*(?:现在|当前)?\s*(?:把|将|set\b|write\b)", text, re.IGNORECASE) is not None
    if _READ_FIRST.match(text) and not strong:
        return False
    return not (_READ_ANY.search(text) and _valued(text) is None)


def switched(text: str) -> bool | None:
    """On or off, where a request says exactly one of them."""
    on, off = _ON.search(text) is not None, _OFF.search(text) is not None
    return None if on == off else on


def _valued(text: str) -> tuple[Slot, str, int] | None:
    """(value, unit, where the words before it end) of a number at the end of a request."""
    for match in _VALUE.finditer(text):
        rest = text[match.end() :].strip(" .。!！")
        if switched(rest) is not None:
            continue
        if (
            rest == ""
            or ((of := re.match(r"(\S{1,8}) (?:of|der|des) ", rest)) is not None and notation.UNIT.fullmatch(of[1]))
            or notation.UNIT.fullmatch(rest)
            or (re.fullmatch(r"[^\s\d]{1,8}", rest) and not re.search(r"[\u4e00-\u9fff]{3,}", rest))
        ):
            return Slot(text=match[1], start=match.start(1), end=match.end(1)), _unit(rest.split(" of ")[0]), match.start()
    close = _CLOSE.search(text)
    if close is not None and _unit(close[2]):
        return Slot(text=close[1], start=close.start(1), end=close.end(1)), _unit(close[2]), close.start(1)
    return None


def _unit(text: str) -> str:
    bare = text.strip(" .。!！")
    return bare if notation.UNIT.fullmatch(bare) else ""


def _unit_in_brackets(text: str) -> str:
    found = _BRACKETS.search(text)
    return _unit(found[1]) if found is not None else ""


def _name(text: str) -> str:
    without = _BRACKETS.sub(lambda m: " " if _unit(m[1]) else m[0], text)
    bare = re.sub(r"\s+", " ", _FILL.sub(" ", without)).strip(" ,.:;=\"'")
    return re.sub(r"\s*[设写改调给置]$", "", bare)
