"""Reports what a manual or procedure cites that is out of date: where, what replaces it, and since when."""

from bisect import bisect_right
from collections.abc import Iterator

from holdfast.agent.knowledge.standards.find import find
from holdfast.agent.knowledge.standards.graph import Graph, Verdict
from holdfast.agent.knowledge.standards.reference import Reference
from holdfast.language import say
from holdfast.terms import Word


class Mention(Word):
    """A reference in a file: `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    reference: Reference
    verdict: Verdict

    def code(self) -> str:
        """Of words/standards: the fate, and what is known of it."""
        fate = self.verdict.fate
        if fate == "withdrawn":
            fate += "_replaced" if self.verdict.successors or self.verdict.named else "_only"
        elif fate == "upcoming" and self.verdict.successors:
            fate += "_instead"
        dated = {"withdrawn_replaced", "withdrawn_only", "superseded"}
        return f"standards.{fate}" + ("_since" if fate in dated and self.verdict.since else "")

    def told(self, language: str) -> str:
        forms = [f"{s.canonical} {s.title(language)}".strip() for s in self.verdict.successors]
        forms += [say("standards.rowless", {"form": form}, language) for form in self.verdict.named]
        instead = ("；" if language == "zh" else "; ").join(forms)
        facts = {"form": self.reference.canonical, "instead": instead, "day": self.verdict.since}
        return say(self.code(), facts, language)


def places(text: str) -> list[int]:
    """Offsets where lines begin."""
    starts = [0]
    at = text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    return starts


def mentions(text: str, file: str, graph: Graph) -> Iterator[Mention]:
    """Every reference in a text, with its fate."""
    starts = places(text)
    for reference in find(text):
        line = bisect_right(starts, reference.start)
        column = reference.start - starts[line - 1] + 1
        yield Mention(file=file, line=line, column=column, reference=reference, verdict=graph.judge(reference))
