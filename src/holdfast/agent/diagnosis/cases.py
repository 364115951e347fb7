"""What past cases of this plant say of the incident at hand: what people confirmed or corrected when it looked alike."""

import math
from collections.abc import Iterable, Sequence

from holdfast.link import ConfirmedCause
from holdfast.terms import Word

GAIN = 2.0  # one case that looked exactly alike makes its cause three times as likely, and the cause it corrected a third
LIKE_MIN = 0.3  # below: another kind of incident
CITED_MAX = 3

Shares = Sequence[tuple[str, float]]


class Learnt(Word):
    """What the cases say of one cause, as log-odds, and those that weigh most."""

    odds: float
    likest: tuple[tuple[ConfirmedCause, float, bool], ...]  # (case, likeness, whether it speaks for the cause)


def likeness(one: Shares, other: Shares) -> float:
    """0..1: the cosine of two findings' contributions by tag."""
    first, then = dict(one), dict(other)
    norm = math.sqrt(sum(v * v for v in first.values()) * sum(v * v for v in then.values()))
    return sum(value * then.get(tag, 0.0) for tag, value in first.items()) / norm if norm > 0 else 0.0


def learnt(cases: Iterable[ConfirmedCause], ids: Iterable[str], incident: str, shares: Shares) -> Learnt:
    """Of the cause known by any of `ids`. A case speaks for what was confirmed, and against what it corrected; never of itself."""
    known = frozenset(ids)
    speaking: list[tuple[ConfirmedCause, float, bool]] = []
    for case in cases:
        if case.incident == incident or not known & {case.mode, case.told}:
            continue
        like = likeness(case.shares, shares)
        if like >= LIKE_MIN:
            speaking.append((case, like, case.mode in known))
    gained = math.log1p(GAIN * sum(like * like for _, like, right in speaking if right))
    lost = math.log1p(GAIN * sum(like * like for _, like, right in speaking if not right))
    return Learnt(odds=gained - lost, likest=tuple(sorted(speaking, key=lambda s: -s[1])[:CITED_MAX]))
