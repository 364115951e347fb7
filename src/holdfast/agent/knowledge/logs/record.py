"""A maintenance record as it was read: each field in the record's own words, "" where it says nothing of it."""

from typing import Literal

from holdfast.terms import Word

Field = Literal["equipment", "symptom", "cause", "action", "parts"]
FIELDS: tuple[Field, ...] = ("equipment", "symptom", "cause", "action", "parts")


class Entry(Word):
    """`text` is the record as it stands; `standards` are canonical forms; `line` counts from 1 in the file that it came from."""

    text: str
    equipment: str = ""
    symptom: str = ""
    cause: str = ""
    action: str = ""
    parts: tuple[str, ...] = ()
    standards: tuple[str, ...] = ()
    at: str = ""  # as written
    line: int = 0

    @property
    def tells(self) -> bool:
        """Whether it can serve as a past case: something was seen, and why or what helped is known."""
        return bool(self.symptom and (self.cause or self.action))
