"""What the demo plant has on paper, laid into a home as a plant's people would: manuals, maintenance records, standards."""

import contextlib
from importlib import resources
from pathlib import Path

from holdfast.agent.knowledge.logs import read as log_reader
from holdfast.agent.knowledge.logs import store as logs
from holdfast.agent.knowledge.manuals.index import NAME, Index, digest_of
from holdfast.agent.knowledge.manuals.read import read
from holdfast.agent.knowledge.standards import store as standards
from holdfast.agent.knowledge.standards.table import read_table

PAPERS = Path(str(resources.files("holdfast.sim.mill") / "papers"))
MANUALS = ("mill-manual.zh.md", "mill-manual.en.md")


def lay_out(home: Path, now_ns: int) -> None:
    """In place of what was laid out before. Raises OSError, BadIndex."""
    with contextlib.closing(Index(home / NAME)) as index:
        for name in MANUALS:
            sha256, size = digest_of(PAPERS / name)
            index.add(name, sha256, size, read(PAPERS / name), now_ns)
    records = PAPERS / "maintenance.csv"
    logs.keep(home / logs.NAME, logs.Source(name=records.name, sha256=digest_of(records)[0], entries=log_reader.read(records).entries))
    table = PAPERS / "standards.csv"
    stored = standards.Stored(sha256=digest_of(table)[0], imported="2026-01-05", standards=read_table(table).standards)
    standards.save(home / standards.NAME, stored)
