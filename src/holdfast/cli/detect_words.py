"""What `holdfast detect` says of odd input on stderr: gaps, constant tags, too few rows, units that seem mixed, time backwards."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from holdfast.agent.perception.recording import Recording

Matrix = NDArray[np.float64]
NAMED_MAX = 10  # columns named in one sentence
MIXED_SHARE = 0.02  # of rows
POWERS = (2, 3, 5, 6)  # of ten: what units of one quantity mostly differ by (cm/m, k, bar/Pa, M)


def say(text: str) -> None:
    typer.echo(text, err=True)


def warn_of_quiet(columns: Sequence[str], quiet: Matrix) -> None:
    rows, tags = quiet.shape
    if rows < tags:
        say(f"fewer quiet rows ({rows}) than columns ({tags}): what belongs together is only roughly known; a longer stretch sees more")
    finite = np.where(np.isfinite(quiet), quiet, np.nan)
    still = [name for name, spread in zip(columns, np.nanmax(finite, axis=0) - np.nanmin(finite, axis=0), strict=True) if spread == 0]
    if still:
        say(f"constant in the quiet stretch: {', '.join(still)}: any later change of them counts as abnormal")
    mixed = [name for name, column in zip(columns, quiet.T, strict=True) if _mixed(column)]
    if mixed:
        say(f"values of {named(mixed)} lie in two groups a power of ten apart: mixed units? Write a column in one unit")


def warn_of_units(path: Path, columns: Sequence[str], quiet: Matrix, first: Matrix) -> None:
    """Another unit in the scored file than in the quiet stretch; `first` are its first rows."""
    other = [
        f"{name} ({was:.4g}, now {now:.4g})"
        for name, was, now in zip(columns, _medians(quiet), _medians(first), strict=True)
        if was * now > 0 and any(abs(abs(np.log10(now / was)) - power) < 0.02 for power in POWERS)
    ]
    if other:
        say(f"{path}: the middle of {named(other)} is a power of ten off the quiet stretch's: another unit? Write both in one")


def warn_of_file(path: Path, recording: Recording, columns: Sequence[str]) -> None:
    gaps = [(name, int(count)) for name, count in zip(columns, recording.gaps.tolist(), strict=True) if count > 0]
    if gaps:
        told = named([f"{name} ({count} of {recording.rows} rows)" for name, count in gaps])
        say(f"{path}: cells that are no number in {told}: the last good value stands in for them")
    with_unit = [name for name, cell in zip(columns, recording.with_unit, strict=True) if cell]
    if with_unit:
        cells = named([f"{name} ({cell!r})" for name, cell in zip(columns, recording.with_unit, strict=True) if cell])
        say(f"{path}: numbers with a unit beside them in {cells}: these count as no number; write plain numbers of one unit")
    if recording.backwards is not None:
        say(f"{path}: time runs backwards at row {recording.backwards}: rows are taken in the order of the file")


def named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED_MAX]) + (f" and {len(names) - NAMED_MAX} more columns" if len(names) > NAMED_MAX else "")


def _medians(rows: Matrix) -> list[float]:
    return [float(np.median(column[np.isfinite(column)])) if np.isfinite(column).any() else 0.0 for column in rows.T]


def _mixed(column: Matrix) -> bool:
    """Two groups, both of one sign, with nothing between them, whose middles are such a power apart."""
    values = np.sort(np.abs(column[np.isfinite(column) & (column != 0)]))
    if values.size < 20 or not (np.all(column[np.isfinite(column)] >= 0) or np.all(column[np.isfinite(column)] <= 0)):
        return False
    logs = np.log10(values)
    cut = int(np.argmax(np.diff(logs))) + 1
    few = min(cut, logs.size - cut) / logs.size
    apart = float(np.median(logs[cut:]) - np.median(logs[:cut]))
    widest = max(float(np.ptp(logs[:cut])), float(np.ptp(logs[cut:])))
    return few >= MIXED_SHARE and widest < 0.5 and any(abs(apart - power) < 0.1 for power in POWERS)
