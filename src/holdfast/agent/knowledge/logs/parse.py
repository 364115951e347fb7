"""One record, from its text or from a table's row, to an entry."""

from collections.abc import Mapping

from holdfast.agent.knowledge.logs import labels, parts, prose
from holdfast.agent.knowledge.logs.record import Entry, Field
from holdfast.agent.knowledge.standards.find import find

UNKNOWN = frozenset({"", "-", "—", "/", "无", "未知", "不明", "未查明", "暂无", "待查", "unknown", "none", "n/a", "na", "not known", "tbd"})
TEXT_CHARS_MAX = 20_000


def parsed(text: str, *, given: Mapping[Field, str] | None = None, at: str = "", line: int = 0) -> Entry:
    """`given`: fields that a table has in columns of their own; what it leaves empty is looked for in `text`."""
    text = text[:TEXT_CHARS_MAX]
    found: dict[Field, str] = dict(labels.labelled(text) or prose.read(text)) if text.strip() else {}
    found |= {field: said for field, said in (given or {}).items() if said.strip()}
    said = {field: _known(value) for field, value in found.items()}
    listed = said.get("parts", "")
    whole = "\n".join(dict.fromkeys(filter(None, (text, *(given or {}).values()))))
    return Entry(
        text=whole,
        equipment=said.get("equipment", ""),
        symptom=said.get("symptom", ""),
        cause=said.get("cause", ""),
        action=said.get("action", ""),
        parts=parts.named(listed) if listed else parts.used(said.get("action", "")),
        standards=tuple(dict.fromkeys(reference.canonical for reference in find(whole))),
        at=at,
        line=line,
    )


def _known(said: str) -> str:
    said = said.strip(labels.TRIM)
    return "" if said.lower() in UNKNOWN else said
