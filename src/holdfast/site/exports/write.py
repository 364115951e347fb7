"""Tags taken as a tag list of ours: the CSV that a site file names."""

import csv
import io
from collections.abc import Iterable

from holdfast.site.exports.found import Taken

COLUMNS = (
    "name", "on", "address", "unit", "type", "every", "low", "high", "raw_low", "raw_high", "eng_low", "eng_high", "description",
)  # fmt: skip


def csv_text(tags: Iterable[Taken], connection: str) -> str:
    """UTF-8 text with a first row that names the columns; every tag is read only."""
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for tag in tags:
        rows.writerow(cells(tag, connection).values())
    return out.getvalue()


def cells(tag: Taken, connection: str) -> dict[str, str]:
    """What one tag has in each of COLUMNS, "" for nothing."""
    raw, eng = (tag.scale.raw, tag.scale.eng) if tag.scale is not None else ((None, None), (None, None))
    low, high = tag.eu_range or (None, None)
    ends = (_number(end) for end in (low, high, *raw, *eng))
    every = "" if tag.every_s is None else f"{round(tag.every_s * 1000)}ms"
    unit = "" if tag.unit == "1" else tag.unit
    found = (tag.name, connection, tag.address, unit, tag.type, every, *ends, tag.description)
    return dict(zip(COLUMNS, found, strict=True))


def _number(value: float | None) -> str:
    return "" if value is None else str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
