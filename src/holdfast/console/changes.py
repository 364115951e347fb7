"""One difference between two configurations, for people: what it is about in words, numbers with their units and all their digits.

The gate tells a difference as ("stand-4/tension.sp step", "2", "3"); which unit a number has depends on what it bounds.
"""

import re
from collections.abc import Mapping
from typing import Any

from holdfast.console.names import Names
from holdfast.console.shown import NARROW_SPACE, Shown
from holdfast.terms import Word

MARKS = {"wider": "▲", "added": "+", "changed": "≠", "narrower": "▼", "removed": "−"}
BOUNDS = (
    "rests_on newer_than", "rests_on moves_within", "autonomy", "step", "rate", "writes", "dwell", "yield", "requires", "rests_on",
    "equipment", "enable", "readback", "settles", "expect", "on_loss", "restore", "envelope",
)  # fmt: skip
TIMES = {"dwell", "yield", "rests_on newer_than", "rests_on moves_within"}
_PAIR = re.compile(r"\[(\S+), (\S+)\]")
_RULE = re.compile(r"rule ['\"](.*)['\"]")


class Told(Word):
    """`mark` is the shape beside the word `how`; `wide`: it may allow what was not allowed before."""

    mark: str
    how: str
    wide: bool
    of: str
    before: str
    after: str


def told(change: Mapping[str, Any], shown: Shown, names: Names) -> Told:
    of, how = str(change["of"]), str(change["how"])
    about, bound, tag = _about(of, shown, names)
    unit = shown.unit(names.unit(tag)) if tag else ""

    def value(text: str) -> str:
        return _value(text, bound, unit, shown)

    return Told(
        mark=MARKS.get(how, "≠"), how=how, wide=bool(change["widens"]), of=about,
        before=value(str(change["before"])), after=value(str(change["after"])),
    )  # fmt: skip


def _about(of: str, shown: Shown, names: Names) -> tuple[str, str, str]:
    """(in words, which bound, whose tag)."""
    if found := _RULE.fullmatch(of):
        return shown.t("policy.of.rule", rule=found[1]), "rule", ""
    for kind in ("tag", "agent"):
        if of.startswith(f"{kind} ") and not of.endswith(" autonomy"):
            return shown.t(f"policy.of.{kind}", name=of.partition(" ")[2]), kind, ""
    tag, _, rest = of.partition(" ")
    if rest == "range" or rest.startswith("range "):
        state = rest.partition(" ")[2]
        said = shown.t("policy.of.range_at", tag=names.name(tag), state=state) if state else shown.t("policy.of.range", tag=names.name(tag))
        return said, "range", tag
    for bound in BOUNDS:
        if of.endswith(f" {bound}"):
            name = of.removesuffix(f" {bound}")
            return shown.t(f"policy.of.{bound.replace(' ', '_')}", tag=names.name(name)), bound, name
    said = shown.t(f"policy.of.{of}")
    return (of if said.startswith("console.") else said), of, ""


def _value(text: str, bound: str, unit: str, shown: Shown) -> str:
    """Numbers as they are written: a difference in the last digit must be seen."""
    if text in ("none", ""):
        return shown.t("policy.none") if text else "–"
    pair = _PAIR.fullmatch(text)
    match bound:
        case "range" if pair:
            return shown.t("policy.from_to", low=pair[1], high=_with(pair[2], unit))
        case "rate" | "writes" if pair:
            return shown.t("policy.per", max=_with(pair[1], unit if bound == "rate" else ""), per_s=pair[2])
        case "step":
            return _with(text, unit)
        case _ if bound in TIMES:
            return shown.word("console.policy.lasting", for_s=text)
        case "autonomy":
            said = shown.t(f"value.{text}")
            return text if said.startswith("console.") else said
        case "envelope":
            return shown.t(f"policy.{text.replace(' ', '_')}")
        case _:
            return text


def _with(number: str, unit: str) -> str:
    return f"{number}{NARROW_SPACE}{unit}" if unit else number
