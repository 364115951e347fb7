"""A drawing as words: lines, bars and labels with a place, which every kind of report draws in its own way.

Drawn to a width of 680 units. No colour alone says anything: each mark has a label.
"""

from typing import Literal, TypeAlias

from holdfast.terms import Word

WIDTH = 680.0
Tone = Literal["ink", "soft", "faint", "light", "accent", "warn", "good"]
# Told apart in print without colour too: they differ in lightness.
COLOURS: dict[Tone, str] = {
    "ink": "#1b2126", "soft": "#4d575e", "faint": "#b3b9bd", "light": "#e6e8e9", "accent": "#1f5f8b", "warn": "#b3140c", "good": "#2f6b3a",
}  # fmt: skip


class Line(Word):
    """Through its points; (x, y) each. A gap in the data ends one line and begins another."""

    points: tuple[tuple[float, float], ...]
    tone: Tone = "ink"
    width: float = 1.0
    dashed: bool = False


class Bar(Word):
    """A filled rectangle from its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone = "accent"


class Label(Word):
    """`y` is the base line, `size` the height of the letters' em."""

    x: float
    y: float
    text: str
    size: float = 11.0
    anchor: Literal["start", "middle", "end"] = "start"
    tone: Tone = "ink"


Shape: TypeAlias = Line | Bar | Label


class Chart(Word):
    """Shapes in the order in which they are drawn; `told` says for who can't see it what it shows."""

    height: float
    shapes: tuple[Shape, ...]
    told: str
    width: float = WIDTH
