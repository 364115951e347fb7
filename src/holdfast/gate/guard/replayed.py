"""Recorded decisions, decided again with another configuration: which would come out otherwise.

A record holds proposal, author, decision and snapshot, which with a configuration is all that a decision rests on.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from holdfast.gate.guard.compile import Compiled
from holdfast.gate.guard.decide import decide
from holdfast.terms import Decision, Proposal, Snapshot, Verdict, Word, canonical

_PROPOSAL, _DECISION, _SNAPSHOT = TypeAdapter(Proposal), TypeAdapter(Decision), TypeAdapter(Snapshot)
_WAY: dict[tuple[Verdict, Verdict], int] = {("refuse", "permit"): 0, ("refuse", "ask"): 1, ("ask", "permit"): 2}


class Turned(Word):
    """A decision that comes out otherwise."""

    seq: int
    proposal: str
    author: str
    before: Verdict
    after: Verdict
    failed: tuple[str, ...]  # checks that fail now, if it is refused now
    no_longer: tuple[str, ...]  # checks that failed then and pass now


class Recorded(Word):
    """One decision record, read."""

    seq: int
    proposal: Proposal
    decision: Decision
    snapshot: Snapshot


class RecordError(Exception):
    """A decision record that can't be read; the text says which."""


def recorded(seq: int, body: Mapping[str, Any]) -> Recorded:
    """Raises RecordError."""
    try:
        return Recorded(
            seq=seq,
            proposal=_PROPOSAL.validate_json(canonical(body["proposal"])),
            decision=_DECISION.validate_json(canonical(body["decision"])),
            snapshot=_snapshot(body["snapshot"]),
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise RecordError(
            f"record {seq} is no decision that can be read ({type(error).__name__}); was it made by another release?"
        ) from error


def turned(records: Iterable[Recorded], new: Compiled, old: Compiled | None = None) -> Iterator[Turned]:
    """Those that `new` decides otherwise than they were decided, or than `old` would."""
    for record in records:
        then = record.decision if old is None else decide(record.proposal, record.decision.author, old, record.snapshot)
        now = decide(record.proposal, record.decision.author, new, record.snapshot)
        if (then.verdict, then.would, then.roles) == (now.verdict, now.would, now.roles):
            continue
        fails, failed = ({r.code for r in d.reasons if not r.passed} for d in (now, then))
        yield Turned(
            seq=record.seq,
            proposal=record.proposal.id,
            author=record.decision.author,
            before=then.verdict,
            after=now.verdict,
            failed=tuple(sorted(fails)),
            no_longer=tuple(sorted(failed - fails)),
        )


def worst_first(found: Iterable[Turned]) -> tuple[Turned, ...]:
    """Refuse→permit first, then whatever else frees, then the rest, each in the record's order."""
    return tuple(sorted(found, key=lambda t: (_WAY.get((t.before, t.after), 3), t.seq)))


def _snapshot(body: Mapping[str, Any]) -> Snapshot:
    """Numbers that were not finite are null in the record, and NaN here: no check takes either for a number."""
    numbers = ("value", "age_s", "still_s", "skew_s", "asked", "before", "after")
    holes = {
        part: [{n: 0.0 if n in numbers and v is None else v for n, v in of.items()} for of in body[part]]
        for part in ("readings", "wires", "moves", "pending")
    }
    found = _SNAPSHOT.validate_json(canonical({**body, **holes}))
    words = {
        part: tuple(_with_nan(word, [name for name, v in row.items() if v is None]) for word, row in zip(of, body[part], strict=True))
        for part, of in (("readings", found.readings), ("wires", found.wires), ("moves", found.moves), ("pending", found.pending))
    }
    return dataclasses.replace(found, **words)


def _with_nan(word: Any, names: list[str]) -> Any:
    return dataclasses.replace(word, **dict.fromkeys(names, math.nan)) if names else word
