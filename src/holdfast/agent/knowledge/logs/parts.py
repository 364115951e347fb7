"""Spare parts, from what was done: what somebody replaced, fitted or filled in."""

import re

ZH = re.compile(r"(?:更换|换上|加装|安装|补充|加注)(?:了|为|新)?(?P<part>[^，。；、,;后并及且]{1,30})")
EN = re.compile(
    r"\b(?:replaced|replacing|fitted|changed|installed|regreased with|greased with|refilled with)\s+(?:the |a |an |new |both |\d+ m of )*"
    r"(?!(?:during|acc|as|by|in|on|at|for|with|after|per|to)\b)(?P<part>[^,.;]+?)(?=\s+(?:and|per|to|from|in|on|at|with|of the)\b|[,.;]|$)",
    re.IGNORECASE,
)
# Said the other way round: `valve swapped for a new one`, `new gasket fitted`.
PASSIVE = re.compile(
    r"(?:^|[,;.]\s*)(?:new |the )?(?P<part>(?:\d+ )?[a-z][a-z -]{1,25}?) (?:was |were )?"
    r"(?:fitted|installed|replaced|renewed|swapped|changed)\b",
    re.IGNORECASE,
)
COUNTED_ZH = re.compile(r"(?:共)?[\d一二两三四五六七八九十]+(?:根|只|套|米|个|组|件|块|台|付|副|片|条|升|桶)$")
COUNTED_EN = re.compile(r"^(?:new\s+)?(?:\d+\s+)?(?:new\s+)?")
KIND = re.compile(r"(?<=[a-z])\s+(?:[A-Z]+\d[\w-]*|\d+(?:x\d+)*)$")
LISTED = re.compile(r"[;；、]|，(?![^，]*\d)")
PARTS_MAX = 10


def named(text: str) -> tuple[str, ...]:
    """Of a field that lists them."""
    return tuple(part.strip() for part in LISTED.split(text) if part.strip())[:PARTS_MAX]


def used(action: str) -> tuple[str, ...]:
    """Of a sentence that says what was done; each once, without how many."""
    found = [COUNTED_ZH.sub("", match["part"].strip()) for match in ZH.finditer(action)]
    for pattern in (EN, PASSIVE):
        found += [COUNTED_EN.sub("", match["part"].strip()) for match in pattern.finditer(action)]
    return tuple(dict.fromkeys(part for part in found if part))[:PARTS_MAX]
