"""Recent changes of how the plant is run: a recipe, a state, a key switch that was turned. What follows one may be no fault at all."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.diagnosis.observe import moved
from holdfast.agent.diagnosis.terms_of import ORDER_SLACK_NS, Case, of_finding
from holdfast.agent.diagnosis.weigh import TEMPER, Weighed
from holdfast.agent.diagnosis.wording import minutes, quote
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Evidence, Word

OPERATING = "operating_change"
PRIOR = 0.7  # in units of a mode's prior
BEFORE_NS = 1800 * SECOND_NS  # a change so long before the onset may still explain it
SOON_MIN = 5.0
KEPT_MAX = 64  # changes remembered
CITED_MAX = 4


class Change(Word):
    """A state tag took another value. `maintenance`: people began or ended work on equipment of the site."""

    tag: str
    before: str
    after: str
    at_ns: int
    maintenance: bool = False


class Changes:
    """Watches the state tags of a site that are no part of a loop: those are the operator's hands, told as moves."""

    def __init__(self, site: Site, tags: Sequence[str]) -> None:
        parts = {part for loop in site.loops for part in (loop.mode, loop.permit, loop.heartbeat)}
        self._keys = {one.maintenance.tag for one in site.equipment if one.maintenance is not None}
        known = [tag for tag in site.tags if tag.type in ("state", "bool") and tag.name in tags and tag.name not in parts]
        self._names = tuple(tag.name for tag in known)
        self._states = tuple(dict(tag.states) for tag in known)
        self._places = np.array([list(tags).index(name) for name in self._names], dtype=np.intp)
        self._last = np.full(len(known), np.nan)
        self._kept: deque[Change] = deque(maxlen=KEPT_MAX)

    def take(self, at_ns: int, row: NDArray[np.float64]) -> None:
        """One joined row, NaN where Bad. A value that was lost for a while and comes back another has changed then."""
        now = row[self._places]
        good = np.isfinite(now)
        for place in np.flatnonzero(good & np.isfinite(self._last) & (now != self._last)).tolist():
            before, after = (self._states[place].get(round(float(v)), f"{float(v):g}") for v in (self._last[place], now[place]))
            name = self._names[place]
            self._kept.append(Change(tag=name, before=before, after=after, at_ns=at_ns, maintenance=name in self._keys))
        self._last = np.where(good, now, self._last)

    def recent(self) -> tuple[Change, ...]:
        """Oldest first, bounded."""
        return tuple(self._kept)


def operating(case: Case, changes: Sequence[Change]) -> Weighed | None:
    """The plant was changed over shortly before: likelier, the more of what moved began after it. None where nothing was changed."""
    onset_ns = case.finding.onset_ns
    near = [one for one in changes if onset_ns - BEFORE_NS <= one.at_ns <= onset_ns + ORDER_SLACK_NS]
    if not near:
        return None
    features, last = case.features, near[-1]
    away = [int(features.onset_ns[i]) for i, z in enumerate(features.z) if moved(float(z)) > 0.5 and features.onset_ns[i]]
    after = sum(at >= last.at_ns - ORDER_SLACK_NS for at in away) / len(away) if away else 0.0
    lag_min = abs(minutes(onset_ns - last.at_ns))
    odds = 1.5 * (after - 0.5) + (0.8 if lag_min <= SOON_MIN else 0.0)
    cited = tuple(
        Evidence(
            kind="history",
            ref=f"{one.tag}@{one.at_ns}..{one.at_ns}",
            quote=quote(
                "maintenance_changed" if one.maintenance else "state_changed",
                case.language,
                tag=one.tag,
                before=one.before,
                after=one.after,
                minutes=abs(minutes(onset_ns - one.at_ns)),
            ),
        )
        for one in near[-CITED_MAX:]
    )
    began = of_finding(case, quote("began_after", case.language, percent=round(100 * after)))
    supporting, opposing = ((*cited, began), ()) if after >= 0.5 else (cited, (began,))
    return Weighed(id=OPERATING, bound=None, odds=TEMPER * odds + math.log(PRIOR), supporting=supporting, opposing=opposing, carried=0.0)
