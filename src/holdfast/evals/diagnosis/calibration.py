"""Whether probabilities mean what they say: predicted against observed frequency, in bins, and Brier's score.

G. W. Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78 (1950) 1-3; the table is the
reliability diagram of Murphy and Winkler, Applied Statistics 26 (1977) 41-47. Intervals are Clopper and Pearson's.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from holdfast.agent.perception.calibrate import proportion_interval
from holdfast.terms import Word

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


class Forecast(Word):
    """One cause of one ranking: how probable it was said to be, and whether it was so."""

    chance: float
    so: bool


def forecasts(causes: Sequence[tuple[str, float]], right: str) -> tuple[Forecast, ...]:
    """Every named cause of one ranking; a right one that was not named was given nothing."""
    found = tuple(Forecast(chance=min(max(chance, 0.0), 1.0), so=name == right) for name, chance in causes)
    return found if any(one.so for one in found) else (*found, Forecast(chance=0.0, so=True))


def reliability(of: Sequence[Forecast]) -> list[dict[str, Any]]:
    """One row a bin that has any forecast: predicted mean, observed share with its 95 % interval, how many."""
    rows: list[dict[str, Any]] = []
    for low, high in itertools.pairwise(EDGES):
        inside = [one for one in of if low <= one.chance < high or (high == 1.0 and one.chance == 1.0)]
        if not inside:
            continue
        hits = sum(one.so for one in inside)
        least, most = proportion_interval(hits, len(inside))
        rows.append(
            {
                "from": low,
                "to": high,
                "predicted": round(sum(one.chance for one in inside) / len(inside), 4),
                "observed": round(hits / len(inside), 4),
                "interval": [round(least, 4), round(most, 4)],
                "forecasts": len(inside),
            }
        )
    return rows


def brier(rankings: Sequence[Sequence[Forecast]]) -> float:
    """Mean over rankings of the sum of squared errors over their causes; 0 is perfect, 2 the worst."""
    return sum(sum((one.chance - one.so) ** 2 for one in ranking) for ranking in rankings) / max(len(rankings), 1)
