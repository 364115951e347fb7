"""Evidence for people: what it says, retold where it is one of our own sentences, and where it can be looked up."""

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
        for id, names in self._names.items():
            told = told.replace(names[1 - self._here], names[self._here])
            told = re.sub(rf"(?<![\w.-]){re.escape(id)}(?![\w.-])", lambda _, name=names[self._here]: name, told)
        return told.replace(NONE_OF_THESE, self.mode(NONE_OF_THESE)) if told != text else told

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
