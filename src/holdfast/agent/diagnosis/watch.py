"""One detector on duty: it learns a quiet stretch, scores row by row, confirms, and remembers what the rows looked like.

Two things keep deliberate acts and broken sensors out of the score. A loop's process value is taken relative to its
active setpoint, so a setpoint that someone moves is no anomaly; while it settles, and while a tag is frozen or Bad, the
detector gets the tag's recent mean, so its score is a claim about the other tags. (A last good value would do for a row or
two; held for minutes, its noise looks like a shift.) With most tags gone there is nothing to claim: no score, no finding.
A detector of one grade learns and judges rows of that grade alone: a row of another, or of one that nobody knows, has no score.
"""

import hashlib
import io
import zipfile
from collections import deque
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.diagnosis.drift import Drift
from holdfast.agent.diagnosis.features import BLOCK_ROWS, Features, Quiet, features, frozen_after_rows, learn_quiet
from holdfast.agent.perception.confirm import Confirmation, Event, Rule
from holdfast.plugins import DETECTORS, find
from holdfast.ports import Detector
from holdfast.site.model import DetectorSpec, Site
from holdfast.site.quiet import conditions
from holdfast.terms import SECOND_NS, Contribution, Word

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KEPT_ROWS = 1800  # behind now, for features and onsets
SETTLE_S = 30.0  # a loop without `settles` in its envelope is given so long
RECENT = 1.0 / 30.0  # weight of the newest row in the mean that stands in for a missing value
COURSE_S, COURSE_MAX = 20.0, 180  # moments of the score with its contributions, an hour of them
COURSE_TAGS = 5
MISSING_MAX = 0.5  # of the detector's tags
FROZEN_TOGETHER_MAX = 2  # more tags still at once: the plant stands, no sensor is broken
FORMAT = 1


class Stuck(Word):
    """A tag that should change has stopped changing while others go on."""

    tag: str
    since_ns: int
    at_ns: int


def detector_of(spec: DetectorSpec) -> Detector:
    """The detector that the site file names, with its options. Raises PluginError or ValueError that says what is wrong."""
    return cast(Detector, find(DETECTORS, spec.detector)(**dict(spec.options)))


def watched_tags(site: Site, spec: DetectorSpec) -> tuple[str, ...]:
    """The detector's tags first, then every other tag with a role: diagnosis looks wider than detection."""
    more = (tag.name for tag in site.tags if tag.role and tag.type == "float" and tag.name not in spec.tags)
    return (*spec.tags, *more)


class Watch:
    """`feed` one row at a time, in the order of `tags` (every tag of the site that the agent joins)."""

    def __init__(self, site: Site, spec: DetectorSpec, detector: Detector, tags: Sequence[str], period_s: float) -> None:
        self.spec, self.detector = spec, detector
        self._of = (site, tuple(tags), period_s)
        self.tags = watched_tags(site, spec)
        self._columns = np.array([list(tags).index(tag) for tag in self.tags], dtype=np.intp)
        self._detected = len(spec.tags)
        loops = [(loop, self.tags.index(loop.pv)) for loop in site.loops if loop.pv in self.tags and loop.sp_now in tags]
        self._pv = np.array([place for _, place in loops], dtype=np.intp)
        self._sp = np.array([list(tags).index(loop.sp_now) for loop, _ in loops], dtype=np.intp)
        settles = [envelope.settles if (envelope := site.envelope(loop.sp)) else None for loop, _ in loops]
        rows = [round((SETTLE_S if settle is None else settle.after_s) / period_s) for settle in settles]
        self._settle_rows = np.array(rows, dtype=np.int64)
        self._sp_quiet = np.zeros(len(loops))
        self._last_sp = np.full(len(loops), np.nan)
        self._settling = np.zeros(len(loops), dtype=np.int64)
        normal = [must for must in conditions(site, spec) if must.tag in tags]
        self._normal = np.array([list(tags).index(must.tag) for must in normal], dtype=np.intp)
        self._normal_is = np.array([must.value for must in normal])
        self._normal_must = np.array([must.must for must in normal], dtype=np.bool_)
        grades = {tag.name: {float(number) for number, _ in tag.states} for tag in site.tags}
        self._grade = None if spec.only_at is None else list(tags).index(spec.only_at.tag)
        self._grades = grades[spec.only_at.tag] if spec.only_at is not None else set[float]()
        self.off = ""
        """Code of why there is no score now: another grade is made, or none that is known; "" on duty."""
        self.quiet: Quiet | None = None
        self.drift: Drift | None = None
        self.stretch = (0, 0, 0)  # rows learned from, and the times of the first and the last; zeros of a state that was loaded
        self.held = False  # there is a state in force that can't be used here: nothing is learned in its place
        self.identity = ""
        self._from_ns = 0
        self._state = b""
        self._learning: list[Floats] = []
        self._last = np.full(len(self.tags), np.nan)
        self._still = np.zeros(len(self.tags), dtype=np.int64)
        self._frozen_after = np.zeros(len(self.tags), dtype=np.int64)
        self._times = np.zeros(2 * KEPT_ROWS, dtype=np.int64)
        self._rows = np.zeros((2 * KEPT_ROWS, len(self.tags)))
        self._filled = 0
        self._shares = np.zeros(len(self.tags))
        self._course: deque[Contribution] = deque(maxlen=COURSE_MAX)
        self._recent = np.zeros(len(self.tags))
        self._blind = False
        self.score = 0.0
        self._confirm = Confirmation(spec.name)

    # ---- learning

    @property
    def learning(self) -> float | None:
        """0..1 of the quiet stretch seen so far; None once learned."""
        return None if self.quiet is not None else min(len(self._learning) / max(self.spec.quiet_rows, 1), 1.0)

    @property
    def digest(self) -> str:
        """SHA-256 of the state; "" while learning."""
        return hashlib.sha256(self._state).hexdigest() if self._state else ""

    @property
    def rows_wanted(self) -> int:
        return max(self.spec.quiet_rows, 5 * BLOCK_ROWS)

    def anew(self) -> "Watch":
        """The same detector of the same tags, that has learned nothing yet."""
        site, tags, period_s = self._of
        return Watch(site, self.spec, detector_of(self.spec), tags, period_s)

    @property
    def stuck_now(self) -> bool:
        """One of its own tags is frozen."""
        return self.quiet is not None and bool((self._still >= self._frozen_after)[: self._detected].any())

    @property
    def active(self) -> Event | None:
        return self._confirm.active

    def _learn(self, at_ns: int, row: Floats) -> None:
        self._from_ns = self._from_ns if self._learning else at_ns
        self._learning.append(row.copy())  # bounded: quiet_rows, of which the older half goes when they can't be learned from
        if len(self._learning) < self.rows_wanted:
            return
        try:
            self._fit(np.stack(self._learning))
        except ValueError:
            # Not a stretch to learn from (a tag was never Good): go on with its newer half, and say "learning" meanwhile.
            period_ns = round((at_ns - self._from_ns) / max(len(self._learning) - 1, 1))
            dropped = len(self._learning) // 2
            self._learning, self._from_ns = self._learning[dropped:], self._from_ns + dropped * period_ns
            return
        self.stretch = len(self._learning), self._from_ns, at_ns
        self._learning = []

    def _fit(self, rows: Floats) -> None:
        setpoints = rows[:, self._sp]
        good = np.isfinite(setpoints)
        self._sp_quiet = np.where(good, setpoints, 0.0).sum(axis=0) / np.maximum(good.sum(axis=0), 1)
        values = np.stack([self._relative(row) for row in rows])
        quiet = learn_quiet(values, self.tags)
        self.detector.fit(values[:, : self._detected], self.spec.tags)
        arrays = {name: getattr(quiet, name) for name in ("mean", "wander", "spread", "still_rows", "swing", "chop")}
        packed = io.BytesIO()
        np.savez(
            packed,
            format=np.array(FORMAT),
            tags=np.array(self.tags),
            rows=np.array(quiet.rows),
            sp_quiet=self._sp_quiet,
            detector=np.frombuffer(self.detector.save(), dtype=np.uint8),
            **arrays,
        )
        self._ready(quiet, packed.getvalue())

    def save(self) -> bytes:
        """What was learned; empty while learning."""
        return self._state

    def load(self, state: bytes) -> None:
        """Take over what an earlier run learned. Raises ValueError where it belongs to other tags or another format."""
        if not zipfile.is_zipfile(io.BytesIO(state)):
            raise ValueError(f"the learned state of '{self.spec.name}' can't be read: learn again")
        try:
            with np.load(io.BytesIO(state), allow_pickle=False) as found:
                if int(found["format"]) != FORMAT or tuple(str(tag) for tag in found["tags"]) != self.tags:
                    raise ValueError(f"the learned state of '{self.spec.name}' belongs to other tags: learn again")
                quiet = Quiet(
                    tags=self.tags,
                    rows=int(found["rows"]),
                    mean=found["mean"],
                    wander=found["wander"],
                    spread=found["spread"],
                    still_rows=found["still_rows"],
                    **{name: found[name] if name in found else np.full(len(self.tags), np.nan) for name in ("swing", "chop")},
                )
                sp_quiet = found["sp_quiet"]
                if sp_quiet.shape != self._sp_quiet.shape or any(
                    getattr(quiet, one).shape != (len(self.tags),) for one in ("mean", "wander", "spread", "still_rows", "swing", "chop")
                ):
                    raise ValueError(f"the learned state of '{self.spec.name}' does not fit together: learn again")
                self.detector.load(found["detector"].tobytes())
                self._sp_quiet = sp_quiet
        except (KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"the learned state of '{self.spec.name}' can't be read: learn again") from error
        self._learning = []
        self._ready(quiet, state)

    def _ready(self, quiet: Quiet, state: bytes) -> None:
        self.quiet, self._state, self.drift, self.held = quiet, state, Drift(quiet), False
        self.identity = f"{self.spec.detector}@{hashlib.sha256(state).hexdigest()[:16]}"
        self._frozen_after = frozen_after_rows(quiet)
        self._confirm = Confirmation(self.identity, Rule(limit=self.spec.limit, rows=self.spec.confirm_rows, window=self.spec.confirm_rows))
        self._recent = np.where(np.isfinite(quiet.mean), quiet.mean, 0.0)
        self.detector.reset()

    # ---- on duty

    def feed(self, at_ns: int, row: Floats) -> tuple[Event | Stuck, ...]:
        """One joined row (all tags,), NaN where Bad. What began or ended with it."""
        if self._grade is not None:
            self.off = self._not_of_it(float(row[self._grade]))
            if self.off:
                return self._stand_by(at_ns)
        if self.quiet is None or self.drift is None:
            if not self.held:
                self._learn(at_ns, row)
            return ()
        values = self._relative(row)
        stuck = self._stillness(at_ns, row)
        quiet_tags = self._still >= self._frozen_after
        self._keep(at_ns, values)
        missing = ~np.isfinite(values) | quiet_tags
        if missing[: self._detected].mean() > MISSING_MAX:
            self._blind, self.score = True, 0.0
            return stuck
        if self._blind:
            self._blind = False
            self.detector.reset()
        values = np.where(missing, self._recent, values)
        self._recent += RECENT * (values - self._recent)
        self.score = float(self.detector.score(values[None, : self._detected])[0])
        self._remember(at_ns)
        event = self._confirm.step(self.score, at_ns)
        if self._confirm.active is None and not missing.all() and self._is_normal(row):
            self.drift.take(np.where(missing, np.nan, values))
        return stuck if event is None else (*stuck, event)

    def _not_of_it(self, grade: float) -> str:
        if self.spec.only_at is None or grade == self.spec.only_at.value:
            return ""
        return "learned.other_grade" if grade in self._grades else "learned.no_grade"

    def _stand_by(self, at_ns: int) -> tuple[Event, ...]:
        """Of these rows nothing is claimed; the next ones of its own grade begin anew."""
        self._blind, self.score = True, 0.0
        ended = self._confirm.end(at_ns)
        return () if ended is None else (ended,)

    def _is_normal(self, row: Floats) -> bool:
        """Nobody works on it and it runs: only then do its rows say what is normal."""
        return not len(self._normal) or bool(((row[self._normal] == self._normal_is) == self._normal_must).all())

    def _relative(self, row: Floats) -> Floats:
        """The watched columns, process values of loops taken to where their setpoint stood in the quiet stretch."""
        values = row[self._columns]
        if not len(self._sp):
            return values
        setpoint = row[self._sp]
        changed = (setpoint != self._last_sp) & np.isfinite(setpoint) & np.isfinite(self._last_sp)
        if changed.any():
            self._settling = np.where(changed, self._settle_rows, self._settling)
        self._last_sp = np.where(np.isfinite(setpoint), setpoint, self._last_sp)
        values[self._pv] -= setpoint - self._sp_quiet
        if self._settling.any():
            values[self._pv[self._settling > 0]] = np.nan
            self._settling = np.maximum(self._settling - 1, 0)
        return values

    def _stillness(self, at_ns: int, row: Floats) -> tuple[Stuck, ...]:
        raw = row[self._columns]
        self._still = np.where(raw == self._last, self._still + 1, 0)
        self._last = raw
        newly = self._still == self._frozen_after
        if not newly.any() or int((self._still >= self._frozen_after).sum()) > FROZEN_TOGETHER_MAX:
            return ()
        period_ns = self._period_ns()
        return tuple(
            Stuck(tag=self.tags[int(i)], since_ns=at_ns - int(self._still[int(i)]) * period_ns, at_ns=at_ns) for i in np.flatnonzero(newly)
        )

    def _period_ns(self) -> int:
        return int(self._times[self._filled - 1] - self._times[self._filled - 2]) if self._filled >= 2 else SECOND_NS

    def _keep(self, at_ns: int, values: Floats) -> None:
        if self._filled == len(self._times):
            self._times[:KEPT_ROWS] = self._times[KEPT_ROWS:]
            self._rows[:KEPT_ROWS] = self._rows[KEPT_ROWS:]
            self._filled = KEPT_ROWS
        self._times[self._filled] = at_ns
        self._rows[self._filled] = values
        self._filled += 1

    # ---- what it looks like now

    def shares(self) -> Floats:
        """(tags,) of the last row's score; zero for tags that the detector does not see."""
        self._shares[: self._detected] = self.detector.shares()
        return self._shares

    def course(self, after_ns: int) -> tuple[Contribution, ...]:
        """How the score and its contributions went after a time, oldest first."""
        return tuple(moment for moment in self._course if moment.at_ns > after_ns)

    def _remember(self, at_ns: int) -> None:
        if self._course and at_ns - self._course[-1].at_ns < COURSE_S * SECOND_NS:
            return
        shares = self.shares()[: self._detected]
        most = sorted(range(self._detected), key=lambda i: (-float(shares[i]), i))[:COURSE_TAGS]
        told = tuple((self.tags[i], round(float(shares[i]), 3)) for i in most if shares[i] >= 0.001)
        self._course.append(Contribution(at_ns=at_ns, score=round(self.score / self.spec.limit, 4), shares=told))

    def features(self, shares: Floats | None = None, since_ns: int = 0) -> Features:
        """`since_ns`: the finding's onset, so that rows before it do not dilute what is seen. Raises ValueError while learning."""
        if self.quiet is None:
            raise ValueError("still learning the quiet stretch")
        first = max(self._filled - KEPT_ROWS, 0)
        window = slice(first, self._filled)
        told = self.shares().copy() if shares is None else shares
        return features(self._times[window], self._rows[window], self.quiet, told, self._still, since_ns)
