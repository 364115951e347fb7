"""Past cases: records that speak of the same equipment and the same signs, as evidence for or against a cause.

How alike is told by rare words that both have (inverse document frequency, cosine), so that "pump" says little and "cavitation" much.
"""

import math
from collections import Counter
from collections.abc import Sequence

from holdfast.agent.knowledge.logs.record import Entry
from holdfast.agent.knowledge.logs.store import Source
from holdfast.agent.knowledge.manuals.words import indexed
from holdfast.terms import Evidence, Word

LIMIT_MAX = 50
QUOTE_CHARS_MAX = 300


class Case(Word):
    """`alike` is 0 to 1. `source` is the file's name."""

    source: str
    entry: Entry
    alike: float

    def evidence(self) -> Evidence:
        """As a diagnosis cites it."""
        said = "; ".join(part for part in (self.entry.symptom, self.entry.cause, self.entry.action) if part)
        return Evidence(kind="case", ref=f"{self.source}:{self.entry.line}", quote=said[:QUOTE_CHARS_MAX])


def alike(sources: Sequence[Source], equipment: str, signs: str, limit: int = 5) -> tuple[Case, ...]:
    """Most alike first, those that share nothing left out. `equipment` and `signs` are words in any of both languages."""
    entries = [(source.name, entry) for source in sources for entry in source.entries if entry.tells]
    held = [Counter(indexed(f"{e.equipment} {e.symptom} {e.cause}").split()) for _, e in entries]
    many = Counter(word for words in held for word in words)
    weight = {word: math.log(1 + len(entries) / n) for word, n in many.items()}
    wanted = Counter(indexed(f"{equipment} {signs}").split())
    size = math.sqrt(sum((n * weight.get(word, 0.0)) ** 2 for word, n in wanted.items()))
    found: list[Case] = []
    for (name, entry), words in zip(entries, held, strict=True):
        shared = sum(n * wanted[word] * weight[word] ** 2 for word, n in words.items() if word in wanted)
        if shared:
            length = math.sqrt(sum((n * weight[word]) ** 2 for word, n in words.items()))
            found.append(Case(source=name, entry=entry, alike=shared / (size * length)))
    return tuple(sorted(found, key=lambda case: -case.alike)[: min(limit, LIMIT_MAX)])
