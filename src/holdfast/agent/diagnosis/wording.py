"""Codes and numbers become quotes here, and only by the words files: nothing else in diagnosis holds prose."""

import math
from typing import Literal

from holdfast.language import say
from holdfast.terms import SECOND_NS

Language = Literal["en", "zh"]


def quote(code: str, language: Language, **facts: str | float | int) -> str:
    """`diagnosis.<code>` with its facts; numbers to four significant digits."""
    return say(f"diagnosis.{code}", {name: number(value) for name, value in facts.items()}, language)


def number(value: str | float | int) -> str:
    """Text as it is; a real number to four significant digits, without an exponent where a person would write none."""
    if isinstance(value, str | int):
        return str(value)
    if 1e-3 <= abs(value) < 1e6:
        decimals = max(3 - math.floor(math.log10(abs(value))), 0)
        return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"
    return f"{value:.4g}"


def minutes(ns: int) -> float:
    return ns / (60 * SECOND_NS)
