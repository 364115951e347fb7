"""A user's own model in ONNX: rows of standard deviations in, a number or the model's idea of the row out.

The model takes float32 of shape (1, tags), or (1, rows, tags) with the last `rows` rows, oldest first, each tag in standard
deviations of the quiet stretch. If it gives as many numbers as there are tags it is read as a reconstruction of the
newest row and the statistic is its mean squared error; otherwise its first number is the statistic. The score is 0 at the
statistic's median on quiet rows and 1 at their 99 % quantile. It runs one row at a time on one thread, so its bits do not
depend on how rows are split. The learned state holds the model itself: another process needs no file.

(Open Neural Network Exchange, IR version 3 and up.)

    Onnx(model="autoencoder.onnx", rows=1)
"""

import copy
import dataclasses
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.standard import Matrix, Standard

MODEL_BYTES_MAX = 256 << 20
ROWS_MAX = 4096


@dataclasses.dataclass
class Onnx(Standard):
    """A Bad or non-finite value is taken as the tag's last good one, before any as the fitted mean."""

    name: ClassVar[str] = "onnx"
    keeps: ClassVar[tuple[str, ...]] = ("network", "scaling")
    rows_min: ClassVar[int] = 30

    model: str = ""
    """The model's file."""
    rows: int = 1
    """How many rows the model sees at once."""

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= ROWS_MAX:
            raise ValueError(f"rows must be 1 to {ROWS_MAX}")
        self._network = b""
        self._session: Any = None

    def __deepcopy__(self, memo: dict[int, object]) -> "Onnx":
        """Copies share the session, which holds no state between runs."""
        other = copy.copy(self)
        if self._learned is not None:
            other._window = self._window.copy()
            other._good = copy.deepcopy(self._good, memo)
        return other

    def load(self, state: bytes) -> None:
        super().load(state)
        self._open(self._known()["network"].astype(np.uint8).tobytes())

    def _learn(self, z: Matrix, live: NDArray[np.bool_]) -> Mapping[str, Matrix]:
        self._open(_read(self.model))
        self._window = np.zeros((self.rows, z.shape[1]))
        statistics = np.array([self._step(row)[0] for row in z])
        median = float(np.median(statistics))
        scaling = np.array([median, max(float(np.quantile(statistics, 0.99)) - median, 1e-9)])
        return {"network": np.frombuffer(self._network, dtype=np.uint8).astype(np.float64), "scaling": scaling}

    def _start(self) -> None:
        self._window = np.zeros((self.rows, self._known()["centre"].shape[0]))

    def _run(self, z: Matrix) -> tuple[Matrix, Matrix]:
        median, width = self._known()["scaling"]
        steps = [self._step(row) for row in z]
        weights = steps[-1][1]
        scores = (np.array([statistic for statistic, _ in steps]) - median) / width
        return scores, self._without_each(steps[-1][0]) if weights is None else weights

    def _step(self, row: Matrix) -> tuple[float, Matrix | None]:
        """The statistic of the newest row and, of a reconstruction, each tag's squared error."""
        self._window = np.concatenate([self._window[1:], row[None]])
        return self._statistic(self._window)

    def _statistic(self, window: Matrix) -> tuple[float, Matrix | None]:
        entry = self._session.get_inputs()[0]
        fed = window.astype(np.float32)[None] if len(entry.shape) == 3 else window[-1:].astype(np.float32)
        try:
            out = np.asarray(self._session.run(None, {entry.name: fed})[0], dtype=np.float64).reshape(-1)
        except Exception as error:  # whatever onnxruntime raises: its errors have no common root
            raise ValueError(f"the model {self.model} can't take rows of {window.shape[1]} tags: {error}") from error
        if not out.shape[0] or not np.isfinite(out).all():
            raise ValueError(f"the model {self.model} gives no finite number: check what it was trained on")
        if out.shape[0] == window.shape[1] > 1:
            errors = np.square(out - window[-1])
            return float(errors.mean()), errors
        return float(out[0]), None

    def _without_each(self, statistic: float) -> Matrix:
        """How far the statistic falls when a tag of the newest row is put back to its mean."""
        fallen = np.zeros(self._window.shape[1])
        for tag in range(fallen.shape[0]):
            without = self._window.copy()
            without[-1, tag] = 0.0
            fallen[tag] = max(statistic - self._statistic(without)[0], 0.0)
        return fallen

    def _open(self, network: bytes) -> None:
        runtime: Any = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = runtime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # whatever onnxruntime raises: its errors have no common root
            raise ValueError(f"{self.model or 'the learned state'}: no ONNX model that can be run: {error}") from error
        self._network = network


def _read(path: str) -> bytes:
    if not path:
        raise ValueError("no model given: set the option `model` to an .onnx file")
    try:
        size = Path(path).stat().st_size
        if size > MODEL_BYTES_MAX:
            raise ValueError(f"{path}: {size} bytes, over the limit of {MODEL_BYTES_MAX}")
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: the model can't be read: {error.strerror}") from error
