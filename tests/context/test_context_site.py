"""What a person may write wrongly under `context` and `outbox`: each told with its line and what would be right."""

from pathlib import Path

import pytest

from holdfast.site.load import load
from holdfast.site.model import SiteError

EXAMPLE = Path(__file__).parents[2] / "examples" / "context" / "site.yaml"
SITE = """holdfast: 1
site: {name: p}
connections: {plc: {type: modbus, host: h}}
equipment: {stand: {tags: {v: {address: "40001:uint16"}, s: {address: "40002:uint16", states: {0: off, 1: on}}}}}
"""


def test_the_example_declares_every_kind_and_loads() -> None:
    site = load(EXAMPLE).site
    assert [table.kind for table in site.context] == ["health", "health", "schedule", "inventory", "lots"]
    assert dict(site.context[1].columns) == {"name": "设备", "value": "劣化度", "at": "时间"}
    assert (site.context[2].every_s, site.context[2].newer_than_s, site.context[0].every_s) == (5.0, 86_400.0, 10.0)
    assert site.outbox[0].kinds == ("notify", "work_order", "hold_batch")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("context: {a: {kind: health, source: {type: csv}, newer_than: 1h}}", "lacks `file`"),
        ("context: {a: {kind: health, source: {type: csv, file: a.csv}}}", "lacks `newer_than`"),
        ("context: {a: {kind: weather, source: {type: csv, file: a.csv}, newer_than: 1h}}", "`kind` can't be"),
        (
            "context: {a: {kind: health, source: {type: csv, file: a.csv, query: SELECT 1}, newer_than: 1h}}",
            "`query` means nothing for type csv",
        ),
        ("context: {a: {kind: health, source: {type: sqlite, file: a.db, query: DELETE FROM x}, newer_than: 1h}}", "not one SELECT"),
        (
            "context: {a: {kind: health, source: {type: sqlite, file: a.db, query: SELECT 1; DROP TABLE x}, newer_than: 1h}}",
            "not one SELECT",
        ),
        ("context: {a: {kind: health, source: {type: csv, file: a.csv, every: 2min}, newer_than: 1h}}", "`every` can't be"),
        ("context: {a: {kind: health, source: {type: csv, file: a.csv}, columns: {wert: x}, newer_than: 1h}}", 'no column "wert"'),
        ("context: {a: {kind: health, source: {type: tag, tag: stand/s, as: b}, newer_than: 1s}}", "is no number"),
        ("context: {a: {kind: schedule, source: {type: tag, tag: stand/v, as: current.kind}, newer_than: 1s}}", "no named states"),
        ("context: {a: {kind: schedule, source: {type: tag, tag: stand/s, as: now}, newer_than: 1s}}", 'no schedule has "now"'),
        ("context: {a: {kind: lots, source: {type: tag, tag: stand/v, as: b}, newer_than: 1s}}", "lots can't come from a tag"),
        (
            "context: {a: {kind: lots, newer_than: 1s, "
            "source: {type: postgres, host: h, database: d, user: u, password: pw, query: SELECT 1}}}",
            "the password of a stands in the file",
        ),
        ("outbox: {a: {type: file, orders: [notify]}}", "lacks `file`"),
        ("outbox: {a: {type: file, file: a.jsonl, orders: []}}", "has 0 entries"),
        ("outbox: {a: {type: webhook, url: 'ftp://h/x', orders: [notify]}}", "no http or https"),
        ("outbox: {a: {type: webhook, url: 'https://u:p@h/x', orders: [notify]}}", "a token has a key of its own"),
        ("outbox: {a: {type: sqlite, file: a.db, table: 'x; DROP', orders: [notify]}}", "`table` can't be"),
        ("outbox: {a: {type: file, file: a.jsonl, equipment: [stnd], orders: [notify]}}", 'unknown equipment "stnd"'),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "site.yaml").write_text(SITE + text + "\n")
    with pytest.raises(SiteError) as caught:
        load(tmp_path / "site.yaml")
    assert [p.line for p in caught.value.problems if p.severity == "error"] == [5], str(caught.value)
    assert what in str(caught.value)
