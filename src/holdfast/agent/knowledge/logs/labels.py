"""What people call the fields: in the heads of columns, and before a colon in a record's text."""

import re
from collections.abc import Iterator

from holdfast.agent.knowledge.logs.record import Field

NAMES: dict[Field, tuple[str, ...]] = {
    "equipment": (
        "设备名称", "设备编号", "设备", "机组", "机台", "装置", "位置", "部位", "equipment", "asset", "machine", "unit", "tag", "location",
    ),
    "symptom": (
        "故障现象", "异常现象", "现象", "故障描述", "问题描述", "问题", "缺陷", "故障", "symptom", "problem", "fault", "failure",
        "description", "defect",
    ),
    "cause": ("故障原因", "原因分析", "根本原因", "原因", "root cause", "cause", "reason"),
    "action": (
        "处理措施", "处理方法", "处理过程", "处理结果", "处理情况", "纠正措施", "处理", "措施", "对策", "corrective action", "action taken",
        "action", "remedy", "repair", "work done",
    ),
    "parts": ("更换备件", "使用备件", "备件", "备品", "parts used", "parts", "spares", "spare parts"),
}  # fmt: skip
# Heads that say what is no field of ours: where one begins, the field before it ends.
OTHERS = ("依据", "备注", "日期", "时间", "班组", "检修人", "处理人", "验收", "date", "time", "by", "shift", "remarks", "reference")
KNOWN: dict[str, Field | None] = {**dict.fromkeys(OTHERS), **{name: field for field, names in NAMES.items() for name in names}}
_EVERY = "|".join(re.escape(name) for name in sorted(KNOWN, key=len, reverse=True))
# At the beginning, behind a sign or a space: `因为原因：` in a sentence is none.
LABEL = re.compile(
    rf"(?:^|(?<=[\s;；,，。.|】\]])|(?=[【\[]))[【\[]?\s*({_EVERY})(?: found)?\s*(?:[】\]]\s*[:：]?|[:：])\s*", re.IGNORECASE
)
TRIM = " \t\r\n;；,，。.|、:："


def labelled(text: str) -> dict[Field, str] | None:
    """The fields of a text that names at least two of them; None for one that does not."""
    found = list(_parts(text))
    fields: dict[Field, str] = {field: said for field, said in reversed(found) if field is not None}  # the first of a name counts
    return fields if len(fields) > 1 else None


def _parts(text: str) -> Iterator[tuple[Field | None, str]]:
    marks = list(LABEL.finditer(text))
    for mark, after in zip(marks, [*marks[1:], None], strict=False):
        yield KNOWN[mark[1].lower()], text[mark.end() : after.start() if after else len(text)].strip(TRIM)


def column(head: str) -> Field | None:
    """The field that a column's head names; None for another."""
    return KNOWN.get(head.strip().strip(TRIM).lower())
