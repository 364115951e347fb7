"""Differences and sums of setpoints, exact: a number is the shortest decimal that denotes its double.

`0.8 - 0.6` is above `0.2` in binary arithmetic, though every engineer would say that it is not. What a person types and
reads is the shortest decimal that round-trips (David Gay's, Python's `repr`), so differences and sums are taken over
those, in decimal and without rounding. Plain comparisons need none of this: decimals and doubles have the same order.
"""

from decimal import Context, Decimal
from functools import lru_cache

# Doubles span 10^308 to 5·10^-324, 17 digits each: 700 digits hold any sum of them without rounding.
_EXACT = Context(prec=700)


@lru_cache(maxsize=4096)
def exact(value: float) -> Decimal:
    """The shortest decimal of a finite double. Raises decimal.InvalidOperation in comparisons of what is not finite."""
    return Decimal(repr(float(value)))


def gap(a: float, b: float) -> Decimal:
    """|a − b|."""
    return abs(_EXACT.subtract(exact(a), exact(b)))


def total(parts: list[Decimal]) -> Decimal:
    """The sum of all parts."""
    result = Decimal(0)
    for part in parts:
        result = _EXACT.add(result, part)
    return result


def shown(value: float | Decimal) -> str:
    """The number as a person writes it: no exponent where avoidable, no trailing `.0`."""
    text = repr(value) if type(value) is float else format(value.normalize(), "f") if isinstance(value, Decimal) else repr(float(value))
    return text[:-2] if text.endswith(".0") else text
