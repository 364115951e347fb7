"""Text into the numbers of an encoder's vocabulary, by its own `tokenizer.json`.

llguidance (extra `agent`) reads the file and splits, with Hugging Face's code inside. It does so for decoders, so three things are done
here: it is told a way back to bytes, which an encoder has not; the mark for a word's beginning, which it leaves out, is put back as the
space that it stands for; and the marks around a text are added. Held against `tokenizers` itself: tests/models_real.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from holdfast.agent.knowledge.manuals.meaning import NoMeaning

NAME = "tokenizer.json"
BYTES_MAX = 64 << 20
# llguidance asks how tokens become bytes; splitting does not depend on it.
BYTES = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}]}
SPACES = re.compile(r"\s+")


class Tokens:
    """One tokenizer. Raises NoMeaning for a file that is none, or of a kind that would be split otherwise than it says."""

    def __init__(self, content: bytes, max_tokens: int) -> None:
        told = _read(content)
        self._before, self._after = _marks(told.get("post_processor"))
        self._room = max_tokens - len(self._before) - len(self._after)
        if self._room < 1:
            raise _no("max_tokens leaves no room for a text")
        self._word_begins, self._squeezed = _spaces(told)
        told |= {"truncation": None, "padding": None, "post_processor": None}
        if told["model"].get("type") != "BPE":
            told["decoder"] = BYTES
        self._tokenizer = _opened(json.dumps(told))

    def of(self, text: str) -> list[int]:
        """With the marks around it, and cut to what the model takes."""
        if self._squeezed:
            text = SPACES.sub(" ", text).strip()
        if self._word_begins and text and not text.startswith(" "):
            text = f" {text}"
        # What is far beyond the last token that is kept is not split at all.
        found = cast("list[int]", list(self._tokenizer.tokenize_bytes(text[: 64 * self._room].encode("utf-8", "replace"))))
        return [*self._before, *found[: self._room], *self._after]


def _read(content: bytes) -> dict[str, Any]:
    try:
        if len(content) > BYTES_MAX:
            raise ValueError(f"more than {BYTES_MAX} bytes")
        told = json.loads(content)
        kind = told["model"]["type"]
        if kind not in ("WordPiece", "Unigram", "BPE"):
            raise ValueError(f"a model of kind {str(kind)[:40]}; WordPiece, Unigram and byte-level BPE are read")
        if kind == "BPE" and "ByteLevel" not in _kinds(told.get("decoder")):
            raise ValueError("a BPE that is not byte-level")
        if "Prepend" in _kinds(told.get("normalizer")):
            raise ValueError("a normalizer of kind Prepend")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no(f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)) from error
    return cast("dict[str, Any]", told)


def _opened(told: str) -> Any:
    try:
        from llguidance import LLTokenizer
    except ImportError as error:
        raise NoMeaning("manuals.model_extra") from error
    try:
        return LLTokenizer(told)
    except Exception as error:  # its own have no common class
        raise _no(re.sub(r"\s+", " ", str(error))) from error


def _marks(processor: Any) -> tuple[list[int], list[int]]:
    """The marks before a single text and after it."""
    try:
        for one in _steps(processor, "processors"):
            match one["type"]:
                case "TemplateProcessing":
                    return _template(one["single"], one["special_tokens"])
                case "BertProcessing" | "RobertaProcessing":
                    return [int(one["cls"][1])], [int(one["sep"][1])]
                case "ByteLevel":
                    continue
                case kind:
                    raise _no(f"a post-processor of kind {str(kind)[:40]}")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _no("its post-processor can't be read") from error
    return [], []


def _template(single: Sequence[Mapping[str, Any]], named: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    before, after = list[int](), list[int]()
    here = before
    for piece in single:
        if "Sequence" in piece:
            here = after
        else:
            here += [int(of) for of in named[piece["SpecialToken"]["id"]]["ids"]]
    return before, after


def _spaces(told: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether a text begins with a space that is its first word's, and whether spaces are squeezed into one: what Metaspace does, in the
    two forms that there are. `told` is changed to say it without."""
    steps = _steps(told.get("pre_tokenizer"), "pretokenizers")
    kinds = [str(one.get("type")) for one in steps]
    if "Metaspace" not in kinds:
        return False, False
    if kinds not in (["Metaspace"], ["WhitespaceSplit", "Metaspace"]):
        raise _no(f"a pre-tokenizer of {' and '.join(kinds)[:80]}")
    last = dict(steps[-1])
    scheme = last.get("prepend_scheme", "always" if last.get("add_prefix_space", True) else "never")
    if last.get("replacement") != "▁" or (len(kinds) == 2 and scheme != "always"):
        raise _no("a pre-tokenizer Metaspace of another kind")
    last.pop("add_prefix_space", None)
    cast("dict[str, Any]", told)["pre_tokenizer"] = last | {"prepend_scheme": "never"}
    return scheme in ("always", "first"), len(kinds) == 2


def _steps(told: Any, key: str) -> list[Mapping[str, Any]]:
    """One step, or those of a sequence; none for null."""
    if told is None:
        return []
    return list(told[key]) if told.get("type") == "Sequence" else [told]


def _kinds(told: Any) -> set[str]:
    """Of a step and all that are in it."""
    if isinstance(told, Mapping):
        mine = cast("Mapping[str, Any]", told)
        return {str(mine.get("type"))}.union(*(_kinds(value) for value in mine.values()))
    return set[str]().union(*(_kinds(one) for one in cast("list[Any]", told))) if isinstance(told, list) else set()


def _no(why: str) -> NoMeaning:
    return NoMeaning("manuals.model_broken", file=NAME, why=why[:200])
