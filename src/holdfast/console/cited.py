"""Evidence for people: what it says, retold where it is one of our own sentences, and where it can be looked up."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from holdfast.console.shown import Shown
from holdfast.language import retold

NONE_OF_THESE = "none of these"
SPAN = re.compile(r"(?P<tag>.+)@(?P<from>\d{16,19})\.\.(?P<to>\d{16,19})")
ALARM = re.compile(r"(?P<tag>.+)#(?P<limit>\w+)@(?P<at>\d{16,19})")
PAGE = re.compile(r"(?P<document>.+)#p(?P<page>\d+)(?:\.(?P<paragraph>\d+))?")


class Cited:
    """`names`: what failure modes are called, by id, in English and Chinese."""

    def __init__(self, shown: Shown, names: Mapping[str, tuple[str, str]]) -> None:
        self._shown = shown
        self._names = names
        self._here = 1 if shown.language == "zh" else 0
        self._called = _called(frozenset(names.items()), self._here)

    def mode(self, mode: str) -> str:
        """A failure mode's name."""
        if mode == NONE_OF_THESE:
            return self._shown.t("said.none_of_these")
        if mode in self._names:
            return self._names[mode][self._here]
        said = self._shown.word(f"reports.mode.{mode}")
        return mode if said == f"reports.mode.{mode}" else said

    def again(self, text: str) -> str:
        """A sentence that an agent made from our words, in this language; any other text as it wrote it."""
        told = retold(text, "diagnosis", self._shown.language)
        if told == text:
            return text
        pattern, names = self._called
        told = pattern.sub(lambda found: names[found[0]], told)
        return told.replace(NONE_OF_THESE, self.mode(NONE_OF_THESE))

    def quote(self, evidence: Mapping[str, Any]) -> str:
        text = str(evidence["quote"])
        return self.again(text) if evidence["kind"] != "document" else text

    def source(self, evidence: Mapping[str, Any]) -> str:
        """Kind and place: a tag's history with its times, a document with page and paragraph."""
        ref, kind = str(evidence["ref"]), str(evidence["kind"])
        if found := SPAN.fullmatch(ref):
            times = f"{self._shown.moment(int(found['from']))} – {self._shown.moment(int(found['to']))}"
            return self._shown.word("reports.source.history", tag=found["tag"], times=times)
        if found := ALARM.fullmatch(ref):
            return self._shown.word("reports.source.alarm", tag=found["tag"], limit=found["limit"], at=self._shown.moment(int(found["at"])))
        if kind == "document" and (found := PAGE.fullmatch(ref)):
            return self._shown.word(
                "reports.source.document", document=found["document"], page=found["page"], paragraph=found["paragraph"] or "–"
            )
        return self._shown.word(f"reports.source.{kind}.of", ref=self.mode(ref) if kind == "mode" else ref)


@functools.cache
def _called(names: frozenset[tuple[str, tuple[str, str]]], here: int) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """What finds a mode's id, or its name in the other language, and what it is called here. The longest of two that begin alike."""
    calls = {word: both[here] for id, both in names for word in (id, both[1 - here])}
    words = "|".join(re.escape(word) for word in sorted(calls, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?<![A-Za-z0-9_.-])(?:{words})(?![A-Za-z0-9_.-])" if words else r"(?!)"), calls
