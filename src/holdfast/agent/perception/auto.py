"""Chooses a detector by what the quiet stretch shows, and says why.

A stretch too short for a covariance gets `limits`; any other `dynamic` on the scale of tails. Many short runs of alike units
(engines, batches) are scored each against its own beginning, by charts no longer than such a run can speak for. The choice
is part of the learned state; `chosen` names it and `why` has its reasons as (code, facts), in order.

>>> import numpy as np
>>> detector = Auto()
>>> detector.fit(np.random.default_rng(1).normal(size=(300, 3)), ["a", "b", "c"])
>>> detector.chosen, [code for code, _ in detector.why]
('dynamic', ['auto.together', 'auto.steady'])
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.dynamic import ROWS_MIN, Dynamic
from holdfast.agent.perception.limits import Limits
from holdfast.agent.perception.own_level import OwnLevel
from holdfast.agent.perception.packing import pack, unpack
from holdfast.agent.perception.quiet import wandering
from holdfast.agent.perception.ridge import pull
from holdfast.agent.perception.runs import cut
from holdfast.agent.perception.substitute import Substitute, check_quiet, resolution
from holdfast.ports import Detector

Matrix = NDArray[np.float64]
Why = tuple[tuple[str, Mapping[str, str]], ...]
ROWS_LEAST = ROWS_MIN * 4 // 3  # so that three quarters, when a quarter is held out, still teach a covariance
UNITS_MIN = 8  # fewer runs do not tell how units differ, least of all when some are held out
RUN_ROWS_MIN = 20
REACH = 6.0  # standard deviations of one row in a long memory: one more alarms by itself, at a shorter one
TENTH = 10  # of a run: so long may a unit's own level take, and so long a chart's memory be
_KINDS = {"dynamic": Dynamic, "limits": Limits}
_MEMORIES = Dynamic.memories


@dataclasses.dataclass
class Auto:
    """Gaps are handled as the chosen detector handles them: the last good value stands in, before any the fitted centre."""

    name: ClassVar[str] = "auto"

    choice: Literal["", "limits", "dynamic", "units"] = ""
    """Empty: by the quiet stretch. Else what was chosen before, so that parts of a stretch are learned as the whole was."""

    def __post_init__(self) -> None:
        self._detector: Detector | None = None
        self._level: OwnLevel | None = None
        self._good = Substitute(np.zeros(0))
        self.why: Why = ()
        """Reasons of the choice, as codes with facts; empty before `fit` and after `load`."""

    @property
    def chosen(self) -> str:
        """Name of the detector that was chosen; empty before `fit`."""
        return "" if self._detector is None else self._detector.name

    def alike(self) -> "Auto":
        """A new one that makes the same choice."""
        return Auto(choice="units" if self._level is not None else "limits" if self.chosen == "limits" else "dynamic")

    # ---- learning

    def fit(self, values: Matrix, tags: Sequence[str]) -> None:
        self._level = None
        short = self.choice == "" and 2 <= np.asarray(values).shape[0] < ROWS_LEAST
        if short or self.choice == "limits":
            made: Detector = Limits()
            made.fit(values, tags)
            self._detector, self.why = made, (("auto.short", {"rows": str(len(values)), "least": str(ROWS_LEAST)}),)
            return
        made = self._made(check_quiet(values, tags, rows_min=ROWS_MIN), _MEMORIES)
        made.fit(values, tags)
        self._detector, self.why = made, (("auto.together", {"tags": str(len(tags)), "rows": str(len(values))}), *_steadiness(values, tags))

    def fit_runs(self, runs: Sequence[Matrix], tags: Sequence[str]) -> None:
        """Quiet runs, each (rows, tags): units of one kind where there are enough of them."""
        filled = check_quiet(np.concatenate(runs), tags, rows_min=2)
        shortest = min(run.shape[0] for run in runs)
        units = len(runs) >= UNITS_MIN and shortest >= RUN_ROWS_MIN if self.choice == "" else self.choice == "units"
        if not units:
            self.fit(filled, tags)
            return
        rows = shortest // TENTH
        parts = cut(filled, np.cumsum([run.shape[0] for run in runs[:-1]]).tolist())
        level = OwnLevel.learned(parts, rows=rows)
        levelled: list[Matrix] = []
        for part in parts:
            level.reset()
            levelled.append(level.taken_off(part))
        memories = tuple(m for m in _MEMORIES if (2 - m) / m <= shortest / TENTH)
        made = self._made(np.concatenate(levelled), memories)
        made.fit(np.concatenate(levelled), tags)
        self._detector, self._level = made, level
        self.why = (
            ("auto.together", {"tags": str(len(tags)), "rows": str(filled.shape[0])}),
            ("auto.units", {"units": str(len(runs)), "rows": str(rows), "shortest": str(shortest)}),
        )
        self.reset()

    @staticmethod
    def _made(quiet: Matrix, memories: tuple[float, ...]) -> Dynamic:
        moving = quiet[:, quiet.std(0) > resolution(quiet)]
        ridge = pull(moving, lags=Dynamic.lags) if moving.shape[1] else Dynamic.ridge
        return Dynamic(scale="rarity", memories=memories, ridge=ridge, reach=REACH)

    # ---- scoring

    def reset(self) -> None:
        if self._detector is not None:
            self._detector.reset()
        if self._level is not None:
            self._level.reset()
            self._good = Substitute(self._level.centre)

    def score(self, values: Matrix) -> Matrix:
        detector = self._ready()
        if self._level is None:
            return detector.score(values)
        return detector.score(self._level.taken_off(self._good.fill(values)))

    def shares(self) -> Matrix:
        return self._ready().shares()

    # ---- keeping

    def save(self) -> bytes:
        inner = np.frombuffer(self._ready().save(), dtype=np.uint8).astype(np.float64)
        level = self._level
        centre, trust = (np.zeros(0), np.zeros((0, 0))) if level is None else (level.centre, level.trust)
        return pack(self.name, {"chosen": self.chosen}, {"state": inner, "centre": centre, "trust": trust})

    def load(self, state: bytes) -> None:
        options, arrays = unpack(self.name, state, ("state", "centre", "trust"))
        kind = _KINDS.get(str(options.get("chosen")))
        if kind is None:
            raise ValueError("the learned state of auto names no detector: it is damaged")
        made = kind()
        made.load(arrays["state"].astype(np.uint8).tobytes())
        trust = arrays["trust"]
        if trust.ndim != 2 or trust.shape[1] != arrays["centre"].shape[0]:
            raise ValueError("the learned state of auto does not fit together: it is damaged")
        self._level = OwnLevel(centre=arrays["centre"], trust=trust, rows=trust.shape[0]) if trust.shape[0] else None
        self._detector, self.why = made, ()
        self.reset()

    def _ready(self) -> Detector:
        if self._detector is None:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        return self._detector


def _steadiness(values: Matrix, tags: Sequence[str]) -> Why:
    """Which tags have no level of their own in the quiet stretch."""
    quiet = check_quiet(values, tags, rows_min=ROWS_MIN)
    live: list[int] = np.flatnonzero(quiet.std(0) > resolution(quiet)).tolist()
    loose = [tags[at] for at, moves in zip(live, wandering(quiet[:, live]).tolist(), strict=True) if moves]
    return (("auto.wander", {"tags": ", ".join(loose)}),) if loose else (("auto.steady", {}),)
