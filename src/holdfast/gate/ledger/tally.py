"""How many records of a stretch of time came out how, and how many incidents began: counted in the index, read never."""

from holdfast.gate.ledger.index import ANSWERS, RecordIndex
from holdfast.gate.ledger.query import Query, span_of


def tally(index: RecordIndex, from_ns: int, to_ns: int) -> dict[str, dict[str, int]]:
    """By kind (decision, outcome, effect), then by verdict or result; both times UTC and included. Raises StateError.

    `incident` has one entry, `began`: those whose first finding lies in it.
    """
    found: dict[str, dict[str, int]] = {**{kind: {} for kind in ANSWERS}, "incident": {"began": 0}}
    span = span_of(index, Query(from_ns=from_ns, to_ns=to_ns))
    if span is None:
        return found
    for term, kind, answer in _answers(index):
        ((count,),) = index.rows(
            "SELECT count(*) FROM post AS w WHERE term = ? AND seq BETWEEN ? AND ?"
            " AND (SELECT at_ns FROM entry AS e WHERE e.seq = w.seq) BETWEEN ? AND ?",
            (term, *span, from_ns, to_ns),
        )
        if count:
            found[kind][answer] = int(count)
    ((began,),) = index.rows(
        "SELECT count(*) FROM incident AS w WHERE seq BETWEEN ? AND ?"
        " AND (SELECT at_ns FROM entry AS e WHERE e.seq = w.seq) BETWEEN ? AND ?",
        (*span, from_ns, to_ns),
    )
    found["incident"]["began"] = int(began)
    return found


def _answers(index: RecordIndex) -> list[tuple[int, str, str]]:
    """(term, kind, answer): as many as there are words for an answer, some ten."""
    rows = index.rows("SELECT id, value FROM term WHERE what = 'answer'")
    return [(int(term), kind, answer) for term, value in rows for kind, _, answer in [str(value).partition("\n")] if kind in ANSWERS]
