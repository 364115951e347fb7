"""Which tags a text names: what an answer is labelled by beside the tags that it was asked for.

Findings, evidence, proposals, envelopes and past cases name tags, and other agents' words are among them. So every answer is looked
through for the names and numbers of tags above its label before it is given.
"""

import dataclasses
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from holdfast.agent.tools.look import Look
from holdfast.agent.tools.tool import Returned, ToolError, joined, within
from holdfast.terms import LABELS, Label, Word, plain

A = TypeVar("A", bound=Word)


def named(names: Sequence[str], text: str) -> bool:
    """Whether one of them stands in the text as a name of its own, not as a part of a longer one.

    A letter beyond ASCII beside it makes it no longer one: 机架 stands before a name without a space.
    """
    return any(name in text and re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-]|\.\w)", text, re.ASCII) for name in names)


def label_in(look: Look, what: Any, least: Label) -> Label:
    """The highest label of a tag that is named anywhere in it; `least` where none is above that."""
    text = json.dumps(plain(what), ensure_ascii=False)
    for label in reversed(LABELS[LABELS.index(least) + 1 :]):
        if named(look.names_at(label), text):
            return label
    return least


def held(look: Look, call: Callable[[A], Awaitable[Returned]]) -> Callable[[A], Awaitable[Returned]]:
    """The same call, whose answer has the label of all that is in it, and is kept back where its reader may not see that."""

    async def answer(arguments: A) -> Returned:
        returned = await call(arguments)
        label = joined([returned.label, label_in(look, (returned.body, returned.citations), returned.label)])
        if not within(label, look.clearance):
            raise ToolError("tools.above", clearance=look.clearance)
        return dataclasses.replace(returned, label=label)

    return answer
