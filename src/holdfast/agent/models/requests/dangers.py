"""What no request may ask for: defeating a limit, an alarm or the record, acting as somebody else, giving orders to the reader.

A request that touches one of these is refused as a whole, whatever else it says. The guard holds without this: it is for a clear word.
"""

import re

from holdfast.agent.models.requests.rules import alternatives

_ZH_DEFEAT, _ZH_GUARD = alternatives("dangers", "defeat_zh"), alternatives("dangers", "guard_zh")
_EN_DEFEAT, _EN_GUARD = alternatives("dangers", "defeat_en"), alternatives("dangers", "guard_en")
DANGERS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:{_ZH_DEFEAT}).{{0,12}}(?:{_ZH_GUARD})",
        rf"(?:{_ZH_GUARD}).{{0,10}}(?:{_ZH_DEFEAT})",
        rf"\b(?:{_EN_DEFEAT})\b.{{0,40}}\b(?:{_EN_GUARD})\b",
        rf"\b(?:{_EN_GUARD})\b.{{0,25}}\b(?:off|away|out|disabled|bypassed|removed|don'?t apply|do not apply|ignored)\b",
        alternatives("dangers", "others"),
    )
)


def dangerous(plain: str) -> bool:
    """Of the folded text."""
    squeezed = re.sub(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])", "", plain)
    return any(pattern.search(squeezed) for pattern in DANGERS)
