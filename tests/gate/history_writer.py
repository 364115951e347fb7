"""A process that keeps frames and seals them, and says what is acknowledged; it is killed from outside or kills itself.

Arguments: the file, and the start of a statement before which it kills itself ("" for never).
"""

import itertools
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np

from holdfast.gate.history.store import History
from holdfast.terms import SECOND_NS, Frame, Tag, TagTable

COLUMNS = 4
TABLE = TagTable(
    id="t",
    connection="c",
    period_s=1.0,
    tags=tuple(Tag(name=f"tag-{n}", connection="c", address=str(n), unit="1") for n in range(COLUMNS)),
)


def frame(seq: int) -> Frame:
    """Row `seq`, ten seconds after the one before; its values say which it is."""
    at = np.array([seq * 10 * SECOND_NS], np.int64)
    return Frame(
        table="t",
        seq=seq,
        received_ns=at,
        source_ns=np.repeat(at[:, None], COLUMNS, axis=1),
        values=np.arange(COLUMNS, dtype=np.float64)[None, :] + seq * 0.5,
        status=np.zeros((1, COLUMNS), np.uint32),
    )


def main(path: str, dies_before: str) -> None:
    history = History(Path(path), durable=True, tables=[TABLE])
    first = history.next_seq("t")
    newest = first

    def traced(_: object, sql: str, __: object) -> bool:
        if dies_before and newest >= first + 100 and sql.startswith(dies_before):
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    history._db.exec_trace = traced  # type: ignore[assignment]

    def seal() -> None:
        while True:
            history.seal(newest * 10 * SECOND_NS)

    threading.Thread(target=seal, daemon=True).start()
    for seq in itertools.count(first):
        history.append(frame(seq))
        newest = seq + 1
        os.write(1, b"%d\n" % newest)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
