"""Codes and numbers become quotes here, and only by the words files: nothing else in diagnosis holds prose."""

from typing import Literal

from holdfast.language import say
from holdfast.terms import SECOND_NS

Language = Literal["en", "zh"]


def quote(code: str, language: Language, **facts: str | float | int) -> str:
    """`diagnosis.<code>` with its facts; numbers to three significant digits."""
    return say(f"diagnosis.{code}", {name: number(value) for name, value in facts.items()}, language)


def number(value: str | float | int) -> str:
    return value if isinstance(value, str) else f"{value:.3g}" if isinstance(value, float) else str(value)


def minutes(ns: int) -> float:
    return ns / (60 * SECOND_NS)
