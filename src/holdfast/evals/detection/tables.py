"""The recordings' files as arrays: gzipped CSV with one header line."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.evals.suites import SuiteError

Matrix = NDArray[np.float64]


def table(path: Path, *, separator: str = ",", skip: int = 0) -> tuple[tuple[str, ...], Matrix]:
    """(names, (rows, columns)) without the first `skip` columns. Raises SuiteError."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            names = tuple(file.readline().rstrip("\r\n").split(separator))
            rows = np.loadtxt(file, delimiter=separator, usecols=range(skip, len(names)), ndmin=2)
    except (OSError, EOFError, ValueError) as error:
        raise SuiteError(f"{path}: can't be read ({error}); give the folder that holds tep/, cmapss/ and skab/") from error
    return names[skip:], rows
