"""The gate's record as the oracle reads it: over a connection of its own, so that what it sees is committed."""

import json
from pathlib import Path
from typing import Any

import apsw

from holdfast.terms import Word

EPSILON = 1e-9  # of a value: the record holds the very number that is sent


class Intent(Word):
    """One write that is on record before it is sent; `back` where it takes an earlier one back."""

    seq: int
    proposal: str
    tag: str
    wanted: float
    back: bool


class Record:
    """The ledger over a connection of its own: what it sees is committed."""

    def __init__(self, state: Path, before: "Record | None" = None, *, rewound: bool = False) -> None:
        """`rewound`: the file was put back to an earlier one; what it holds now was all seen when it was first written."""
        self._db = apsw.Connection(str(state), flags=apsw.SQLITE_OPEN_READONLY)
        self._read = before._read if before else 0
        if rewound:
            self._read = min(self._read, next(iter(self._db.execute("SELECT coalesce(max(seq), 0) FROM leaf")))[0])
        self.decisions: dict[str, tuple[int, str, bool]] = before.decisions if before else {}  # (seq, verdict, would)
        self.intents: list[Intent] = before.intents if before else []  # not yet used

    def look(self) -> None:
        rows: list[Any] = self._db.execute("SELECT seq, bytes FROM leaf WHERE seq > ? ORDER BY seq", (self._read,)).fetchall()
        for seq, leaf in rows:
            self._read = seq
            if not any(kind in leaf for kind in (b'"kind":"decision"', b'"kind":"intent"', b'"kind":"retreat"')):
                continue
            record = json.loads(leaf)
            body = record["body"]
            if record["kind"] == "decision":
                made = body["decision"]
                self.decisions[made["proposal"]] = (seq, made["verdict"], made["would"])
            elif record["kind"] in ("intent", "retreat"):
                back = record["kind"] == "retreat"
                self.intents += [
                    Intent(seq=seq, proposal=body["proposal"], tag=step["tag"], wanted=step["wanted"], back=back) for step in body["steps"]
                ]

    def take(self, tag: str, value: float) -> Intent | None:
        """The committed intent that this write is; None where there is none. An intent serves one write."""
        self.look()
        for index in range(len(self.intents) - 1, -1, -1):  # the latest: of an older one the step may never have been sent
            intent = self.intents[index]
            made = self.decisions.get(intent.proposal)
            if intent.tag == tag and abs(intent.wanted - value) <= EPSILON * max(1.0, abs(value)) and made is not None:
                decided, verdict, would = made
                if decided < intent.seq and verdict in ("permit", "ask") and not would:
                    del self.intents[index]
                    return intent
        return None

    def close(self) -> None:
        self._db.close()
