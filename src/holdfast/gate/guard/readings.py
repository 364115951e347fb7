"""Which readings a decision may rest on: present once, finite, Good or accepted, fresh, from a clock that agrees.

Status is exactly Good (0) unless the tag's `accept` lists the code. Ages are the gate's own, at the limit they still pass.
"""

import math

from holdfast.gate.guard.compile import Watch
from holdfast.terms import GOOD, Reading

# A source that stamps its data this far from the gate's clock delivers late (a buffer) or lies about its time.
SKEW_S_MAX = 10.0
# Beyond this no plant value is believed; it also keeps sums and products of conditions finite.
VALUE_MAX = 1e15


def flaw(reading: Reading | None, watch: Watch) -> str:
    """What is wrong with a reading: "", "missing", "number", "status", "age" or "skew"."""
    if reading is None:
        return "missing"
    if not abs(reading.value) <= VALUE_MAX:
        return "number"
    if reading.status != GOOD and reading.status not in watch.tag.accept:
        return "status"
    if not 0.0 <= reading.age_s <= watch.age_s_max:
        return "age"
    if not abs(reading.skew_s) <= SKEW_S_MAX:
        return "skew"
    return ""


def stuck(reading: Reading, watch: Watch) -> bool:
    """Whether a tag that must move has not."""
    return watch.still_s_max is not None and not 0.0 <= reading.still_s <= watch.still_s_max


def state(value: float, watch: Watch) -> str | None:
    """The name of a state, None for a value that the site file doesn't list."""
    if not math.isfinite(value) or value != int(value):
        return None
    for number, name in watch.tag.states:
        if number == value:
            return name
    return None
