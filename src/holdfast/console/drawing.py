"""Drawings made on the server: an envelope as a bar with where the setpoint is and where it would go."""

from holdfast.terms import Word

WIDTH, MARGIN = 320.0, 16.0  # of the drawing's own units; the page scales it


class EnvelopeBar(Word):
    """Positions along the bar in the drawing's units; `outside` where the wanted value lies beyond the range."""

    low_x: float
    high_x: float
    present_x: float | None
    proposed_x: float
    step_from_x: float | None
    step_to_x: float | None
    outside: bool


def envelope_bar(
    *, low: float | None, high: float | None, present: float | None, proposed: float, step_max: float | None
) -> EnvelopeBar | None:
    """None where the range can't be told: there is nothing to draw to scale then."""
    if low is None or high is None or high <= low:
        return None
    ends = [low, high, proposed, *([] if present is None else [present])]
    left, right = min(ends), max(ends)
    scale = (WIDTH - 2 * MARGIN) / (right - left)

    def x(value: float) -> float:
        return round(MARGIN + (min(max(value, left), right) - left) * scale, 2)

    steps = (None, None) if present is None or step_max is None else (x(max(present - step_max, low)), x(min(present + step_max, high)))
    return EnvelopeBar(
        low_x=x(low),
        high_x=x(high),
        present_x=None if present is None else x(present),
        proposed_x=x(proposed),
        step_from_x=steps[0],
        step_to_x=steps[1],
        outside=not low <= proposed <= high,
    )
