"""One reference to a standard in a text, and the form in which two mentions of one standard are equal."""

from typing import Literal

from holdfast.terms import Word

ETSI_DIGITS = 6  # EN 301 549: written apart
Style = Literal["chinese", "international", "astm"]


class Reference(Word):
    """A mention. `start` and `end` are character offsets into the text, end exclusive; all else is as the author wrote it.

    `part` is without its first sign (`1`, `4-2`), `clause` is the clause, annex or table that follows (`3.7.2`, `B`), and
    `amendment` what amends it (`XG1-2020`, `A1:2015`): neither is part of the canonical form. An unknown field is "".
    """

    start: int
    end: int
    surface: str
    canonical: str
    family: str
    number: str
    part: str = ""
    year: str = ""
    clause: str = ""
    amendment: str = ""


def canonical(style: Style, family: str, number: str, part: str, year: str) -> str:
    """`GB/T 3811—2008`, `IEC 60204-1:2006`, `ASTM D1686-61`. Without a year in the text there is none here."""
    if style == "chinese":
        return f"{family} {number}" + (f".{part}" if part else "") + (f"—{year}" if year else "")
    if style == "astm":
        return f"{family} {number}" + (f"-{year}" if year else "")
    if family == "EN" and len(number) == ETSI_DIGITS:
        number = f"{number[:3]} {number[3:]}"
    return f"{family} {number}" + (f"-{part}" if part else "") + (f":{year}" if year else "")


def undated(canonical_form: str) -> str:
    """The standard whatever its edition: `GB/T 3811—2008` is `GB/T 3811`. ASTM's year follows its last hyphen."""
    if canonical_form.startswith("ASTM "):
        return canonical_form.rpartition("-")[0] or canonical_form
    return canonical_form.partition("—")[0].partition(":")[0]
