"""The demo mill as a recording: its site file on one CSV, and rows written from its physics."""

import csv
import re
from pathlib import Path

from holdfast.run.mill import site_file
from holdfast.sim.mill.plant import Mill
from holdfast.site.load import load
from holdfast.site.tables import tables

CONNECTIONS = """connections:
  rec: {type: replay, file: file:rec.csv, time: second, time_unit: s, writes: true, security: none}
"""


def recorded_site(folder: Path, *, quiet_rows: int = 3600, connections: str = CONNECTIONS) -> Path:
    """The mill's own site file with its servers replaced by a recording; an address is a column's name."""
    text = site_file().read_text("utf-8")
    text = re.sub(r"^connections:\n(?:  .*\n)+", connections, text, flags=re.M)
    text = re.sub(r"scale: \{raw: .*?\}, ", "", text)  # a historian keeps engineering units
    text = re.sub(r"on: (mill|cooling)", "on: rec", text)
    text = text.replace("detector: dynamic,", f"detector: dynamic, quiet_rows: {quiet_rows},")
    path = folder / "site.yaml"
    path.write_text(text, "utf-8")
    (folder / "policy.yaml").write_text((site_file().parent / "policy.yaml").read_text("utf-8"), "utf-8")
    return path


def points() -> tuple[tuple[str, str], ...]:
    """(server, address) of every tag of the mill's site file."""
    return tuple((tag.connection, tag.address) for table in tables(load(site_file()).site) for tag in table.tags)


def write_rows(path: Path, mill: Mill, rows: int) -> Path:
    """One row a second of plant time."""
    there = points()
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["second", *(address for _, address in there)])
        for second in range(rows):
            mill.step(1.0)
            out.writerow([second, *(repr(mill.read(*point)[0]) for point in there)])
    return path
