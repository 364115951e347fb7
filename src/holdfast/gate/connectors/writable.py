"""What a tag's type lets anyone write, before its encoding is asked: a state that has no name is never sent."""

import math

from holdfast.terms import Tag


def demand(tag: Tag, value: float) -> float:
    """The value, rounded for an integer tag. Raises ValueError where the tag's type has no such value."""
    if not math.isfinite(value):
        raise ValueError(f"{tag.name}: {value} can't be written")
    if tag.type == "bool" and value not in (0.0, 1.0):
        raise ValueError(f"{tag.name}: {value:g} is neither 0 nor 1")
    if tag.type == "state" and value not in [number for number, _ in tag.states]:
        raise ValueError(f"{tag.name}: {value:g} is none of its states ({', '.join(f'{n} {name}' for n, name in tag.states)})")
    return float(round(value)) if tag.type == "integer" else value
