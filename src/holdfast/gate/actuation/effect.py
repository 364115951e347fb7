"""What a verified write did to the process, judged from the means before and after it."""

from typing import Literal

from holdfast.site.model import Envelope

Effect = Literal["expected", "none", "wrong"]
MEAN_S_MAX = 30.0  # what a mean before a write looks back over, and at most what one after it does
MEAN_SHARE = 0.25  # of the time that the process was given: earlier values show the way there, or what was before the write


def due_s(envelope: Envelope) -> float:
    """How long after the read-back the effect is judged; 0 where the site file expects nothing."""
    return max(
        envelope.settles.after_s if envelope.settles else 0.0,
        envelope.expect.within_s if envelope.expect else 0.0,
    )


def mean_s(given_s: float) -> float:
    """How far back the mean after a write looks, where the process was given so long to answer."""
    return min(MEAN_S_MAX, MEAN_SHARE * given_s)


def judge(
    envelope: Envelope, wanted: float, pv_after: float | None, before: float | None, after: float | None
) -> tuple[Effect | None, str]:
    """Effect and its code. `before` and `after` are means of the `expect` tag, `pv_after` of the `settles` tag.

    A process value that did not settle is wrong: the loop does not do what it was told. A response in the expected
    direction of at least `by` is expected, in the other direction wrong, anything between none. None without data.
    """
    if envelope.settles:
        if pv_after is None:
            return None, "effect.no_data"
        if abs(pv_after - wanted) > envelope.settles.within:
            return "wrong", "effect.not_settled"
    if envelope.expect:
        if before is None or after is None:
            return None, "effect.no_data"
        gain = before - after if envelope.expect.direction == "falls" else after - before
        if gain >= envelope.expect.by:
            return "expected", "effect.expected"
        return ("wrong", "effect.opposite") if gain <= -envelope.expect.by else ("none", "effect.none")
    return ("expected", "effect.settled") if envelope.settles else (None, "effect.not_stated")
