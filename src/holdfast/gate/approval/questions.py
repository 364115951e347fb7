"""What people ask an agent, about a proposal of its own or about the plant, and what it says: its claim, and shown as one.

A question about the plant has no proposal (""). What an answer rests on, its citations, is in the record alone.
Everything joins the caller's transaction and is in the ledger: "question", "answer".
"""

from collections.abc import Sequence
from typing import Any

from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.link import CitationTold
from holdfast.terms import Word

OF_ONE_MAX = 8  # about one proposal
OF_PERSON_MAX = 3  # about the plant, unanswered, of one person
OPEN_MAX = 256  # unanswered, altogether
KEPT_MAX = 10_000  # the oldest go first; the ledger keeps them all
TEXT_CHARS_MAX = 1_000
ANSWER_CHARS_MAX = 4_000  # about the plant
CITATIONS_MAX = 40

TABLE = """
CREATE TABLE IF NOT EXISTS question (
  id TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, proposal TEXT NOT NULL, author TEXT NOT NULL, person TEXT NOT NULL, text TEXT NOT NULL,
  at_ns INTEGER NOT NULL, answer TEXT NOT NULL DEFAULT '', answered_by TEXT NOT NULL DEFAULT '', answered_ns INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS question_of ON question (proposal, seq);
CREATE INDEX IF NOT EXISTS question_open ON question (author, seq) WHERE answered_ns = 0;
"""
FIELDS = "id, proposal, author, person, text, at_ns, answer, answered_by, answered_ns"


class QuestionError(Exception):
    """A question or an answer that can't be; `code` says why."""

    def __init__(self, code: str, message: str, **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


class Question(Word):
    """`author` made the proposal and may answer. `answered_ns` is 0 while nobody did; times are UTC."""

    id: str
    proposal: str
    author: str
    person: str
    text: str
    at_ns: int
    answer: str = ""
    answered_by: str = ""
    answered_ns: int = 0


class Questions:
    def __init__(self, state: State, log: Log) -> None:
        self._state = state
        self._log = log
        state.ensure(TABLE)

    def ask(self, proposal: str, author: str, person: str, text: str) -> Question:
        """Raises QuestionError for an empty or long text, or too many questions."""
        text = _text(text)
        if (
            not proposal
            and len(self._rows("WHERE proposal = '' AND answered_ns = 0 AND person = ? LIMIT ?", person, OPEN_MAX)) >= OF_PERSON_MAX
        ):
            raise QuestionError(
                "question.waiting", f"{OF_PERSON_MAX} questions of {person} wait for an answer already.", most=str(OF_PERSON_MAX)
            )
        if proposal and len(self.of(proposal)) >= OF_ONE_MAX:
            raise QuestionError(
                "question.many",
                f"{proposal}: {OF_ONE_MAX} questions were asked about it already; more are not taken.",
                most=str(OF_ONE_MAX),
            )
        ((waiting,),) = self._state.rows("SELECT count(*) FROM question WHERE answered_ns = 0")
        if waiting >= OPEN_MAX:
            raise QuestionError(
                "question.flood", f"{OPEN_MAX} questions wait for an answer already; more are not taken.", most=str(OPEN_MAX)
            )
        with self._state.transaction():
            seq = self._log.append("question", {"proposal": proposal, "author": author, "person": person, "text": text})
            record = self._log.get(seq)
            at_ns = record.at_ns if record else 0
            row = (f"q{seq}", seq, proposal, author, person, text, at_ns)
            self._state.db.execute(
                "INSERT INTO question (id, seq, proposal, author, person, text, at_ns) VALUES (?, ?, ?, ?, ?, ?, ?)", row
            )
            kept = "SELECT seq FROM question ORDER BY seq DESC LIMIT 1 OFFSET ?"
            self._state.db.execute(f"DELETE FROM question WHERE seq <= ({kept})", (KEPT_MAX,))  # noqa: S608 - constants
        return Question(id=f"q{seq}", proposal=proposal, author=author, person=person, text=text, at_ns=at_ns)

    def answer(self, question: str, by: str, text: str, citations: Sequence[CitationTold] = (), *, declined: bool = False) -> Question:
        """By whom it was asked alone, once. Raises QuestionError."""
        rows = self._rows("WHERE id = ? AND author = ?", question, by)
        if not rows:
            raise QuestionError("question.unknown", f"{by} was not asked {question!r}.")
        if rows[0].answered_ns:
            raise QuestionError("question.answered", f"{question} was answered already.")
        text = _text(text, TEXT_CHARS_MAX if rows[0].proposal else ANSWER_CHARS_MAX)
        with self._state.transaction():
            body: dict[str, Any] = {"question": question, "proposal": rows[0].proposal, "author": by, "text": text}
            if not rows[0].proposal:
                body |= {"citations": tuple(citations[:CITATIONS_MAX]), "declined": declined}
            record = self._log.get(self._log.append("answer", body))
            at_ns = record.at_ns if record else 0
            self._state.db.execute(
                "UPDATE question SET answer = ?, answered_by = ?, answered_ns = ? WHERE id = ?", (text, by, at_ns, question)
            )
        return self._rows("WHERE id = ?", question)[0]

    def one(self, question: str) -> Question | None:
        return next(iter(self._rows("WHERE id = ?", question)), None)

    def of(self, proposal: str) -> tuple[Question, ...]:
        """All about one proposal, oldest first."""
        return self._rows("WHERE proposal = ? ORDER BY seq LIMIT ?", proposal, OF_ONE_MAX)

    def open(self, author: str) -> tuple[Question, ...]:
        """Those that wait for this author's answer, oldest first."""
        return self._rows("WHERE answered_ns = 0 AND author = ? ORDER BY seq LIMIT ?", author, OPEN_MAX)

    def _rows(self, where: str, *bindings: Any) -> tuple[Question, ...]:
        rows = self._state.rows(f"SELECT {FIELDS} FROM question {where}", bindings)  # noqa: S608 - constants
        return tuple(Question(**dict(zip(FIELDS.split(", "), row, strict=True))) for row in rows)


def _text(text: str, most: int = TEXT_CHARS_MAX) -> str:
    text = text.strip()
    if not text or len(text) > most:
        raise QuestionError("question.text", f"A question or an answer has 1 to {most} characters.", most=str(most))
    return text
