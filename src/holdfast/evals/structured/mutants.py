"""Answers as an endpoint that enforces nothing might send them: known texts with one thing changed, in the value or in the text."""

import copy
import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, cast

STRANGE: tuple[Any, ...] = (None, True, False, 0, -1, 1, 1.5, 10**12, "", "x", "0", "a\n", "四", [], [1], {}, {"a": 1})
CUTS = ("", " ", "}", "\n", '"', "\\", "\x00", "null", ",", "é")


def mutants(texts: Sequence[str], random: Random, count: int) -> Iterator[str]:
    """So many texts, each one step from a known one. Most are invalid; which, is for others to say."""
    for _ in range(count if texts else 0):
        text = random.choice(texts)
        if random.random() < 0.3:
            at = random.randrange(len(text) + 1)
            yield text[:at] + random.choice(CUTS) + text[at + random.randrange(3) :]
        else:
            yield json.dumps(_changed(json.loads(text), random), ensure_ascii=False, separators=(",", ":"))


def _changed(value: Any, random: Random) -> Any:
    """One change somewhere: another value, a key or item less, more, or twice."""
    root = [copy.deepcopy(value)]
    holder: Any = root
    key: Any = 0
    for _ in range(random.randrange(5)):  # so deep at most
        inside = holder[key]
        if isinstance(inside, dict) and inside:
            holder, key = cast("dict[str, Any]", inside), random.choice(list(cast("dict[str, Any]", inside)))
        elif isinstance(inside, list) and inside:
            holder, key = cast("list[Any]", inside), random.randrange(len(cast("list[Any]", inside)))
    kind = random.randrange(4)
    if kind == 0 and isinstance(holder, dict):
        del holder[key]
    elif kind == 1 and isinstance(holder, list) and holder is not root:
        cast("list[Any]", holder).insert(key, copy.deepcopy(holder[key]))
    elif kind == 2 and isinstance(holder[key], dict):
        cast("dict[str, Any]", holder[key])[random.choice(("more", "a", "type"))] = random.choice(STRANGE)
    elif kind == 2 and type(holder[key]) in (int, float):
        holder[key] = holder[key] + random.choice((-1, 1, 0.5, -0.25, 1000))
    else:
        holder[key] = random.choice(STRANGE)
    return root[0]
