"""How text becomes the words that are searched for: words of letters as they are, Chinese in pairs of characters.

`轧机振动` is 轧机 机振 振动: any two neighbours are found, and a run of them is found as a phrase. A lone character is found as the
beginning of a pair. SQLite's own trigrams need three characters, and most Chinese technical words have two.
"""

import re
import unicodedata

TERMS_MAX = 64  # of one question
RUN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[a-z0-9]+(?:[.\-/][a-z0-9]+)*")
PARTICLES = re.compile("[的了吗呢吧]")  # no pair goes over one of these in a question
# What a question has beside its matter; they would make every passage fit a little.
IDLE = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "is",
        "are",
        "to",
        "in",
        "on",
        "at",
        "for",
        "and",
        "or",
        "what",
        "which",
        "how",
        "when",
        "should",
        "be",
        "must",
        "do",
        "does",
        "with",
        "by",
        "from",
        "it",
        "its",
        "this",
        "that",
    ]
)
IDLE_PAIRS = frozenset(["什么", "怎么", "如何", "多少", "是否", "应该", "哪些", "为什", "的是", "请问", "需要", "可以"])


def folded(text: str) -> str:
    """Full-width forms as plain ones, letters small."""
    return unicodedata.normalize("NFKC", text).lower()


def indexed(text: str) -> str:
    """What is kept in the index for a text."""
    words: list[str] = []
    for run in RUN.findall(folded(text)):
        if run[0] < "\u3400":
            words.append(run)
            words += [part for part in re.split(r"[.\-/]", run) if part] if any(c in run for c in ".-/") else []
        else:
            words += [run[i : i + 2] for i in range(len(run) - 1)]
            words.append(run[-1])  # the last one begins no pair
    return " ".join(words)


def terms(question: str) -> tuple[str, ...]:
    """The words to look for, each once; in quotation marks, as FTS5 reads them."""
    found: list[str] = []
    for run in RUN.findall(PARTICLES.sub(" ", folded(question))):
        if run[0] < "\u3400":
            found += [f'"{run}"'] if run not in IDLE else []
        elif len(run) == 1:
            found.append(f'"{run}"*')
        else:
            found += [f'"{pair}"' for i in range(len(run) - 1) if (pair := run[i : i + 2]) not in IDLE_PAIRS]
    return tuple(dict.fromkeys(found))[:TERMS_MAX]
