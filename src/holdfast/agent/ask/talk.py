"""What was asked last in each talk, in the agent's own file, so that "and its limits?" is understood after a restart too. Bounded."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from holdfast.agent.ask.understand import Question
from holdfast.agent.knowledge.replaced import replace
from holdfast.terms import SECOND_NS, Word, canonical

NAME = "talks.json"
TALKS_MAX = 200
KEPT_S = 7 * 24 * 3600.0
FORM = 1
BYTES_MAX = 4 << 20


class Turn(Word):
    talk: str
    at_ns: int
    question: Question


_TURN: TypeAdapter[Turn] = TypeAdapter(Turn)


class Talks:
    """`file` None: in memory alone. A file that can't be read is begun anew: it is a memory, no record."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._turns: dict[str, Turn] = {turn.talk: turn for turn in _read(file)} if file is not None else {}

    def last(self, talk: str, now_ns: int) -> Question | None:
        turn = self._turns.get(talk)
        return turn.question if turn is not None and now_ns - turn.at_ns < KEPT_S * SECOND_NS else None

    def keep(self, talk: str, question: Question, now_ns: int) -> None:
        """Raises nothing: what can't be kept is forgotten at the next start."""
        if not talk or question.intent == "decline":
            return
        self._turns.pop(talk, None)
        self._turns[talk] = Turn(talk=talk, at_ns=now_ns, question=question)
        while len(self._turns) > TALKS_MAX:
            del self._turns[next(iter(self._turns))]
        if self._file is not None:
            try:
                replace(self._file, canonical({"form": FORM, "turns": tuple(self._turns.values())}))
            except OSError:
                return


def _read(file: Path) -> tuple[Turn, ...]:
    try:
        content = file.read_bytes() if file.stat().st_size <= BYTES_MAX else b""
        raw: Any = json.loads(content)
        if raw["form"] != FORM:
            return ()
        return tuple(_TURN.validate_json(json.dumps(one)) for one in raw["turns"][-TALKS_MAX:])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return ()
