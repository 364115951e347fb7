"""A ledger that was restored or rolled back revives nothing: no approval, no budget, no autonomy, until a person resumes.

What happened after the copy was made is lost, so moves may be missing from the counts. Every writable tag therefore yields
for the longest window that any of its bounds looks back over: by then nothing that was lost could still count.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.jobs import Jobs
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.guard.compile import Bound
from holdfast.gate.ledger.checkpoint import PublicKey
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.witness import Behind, behind

MARKER = "restored"  # a file in the state folder, written by a restore and removed once what follows from it is on record
MARKER_BYTES_MAX = 4096
WHY = "ledger.set_back"


def set_back(
    *,
    log: Log,
    key: PublicKey,
    inbox: Inbox,
    jobs: Jobs,
    moves: Moves,
    autonomy: AutonomyLevels,
    bounds: Mapping[str, Bound],
    now_ns: int,
) -> tuple[Behind, ...]:
    """Find out at start whether the ledger was set back, and draw the consequences, on record. Raises StateError.

    Returns what was found now; a witnessed head that was answered for once is not found again.
    """
    state = log.state
    state.ensure("CREATE TABLE IF NOT EXISTS set_back (root TEXT PRIMARY KEY, witness TEXT NOT NULL, seq INTEGER NOT NULL) STRICT")
    known = {root for (root,) in state.rows("SELECT root FROM set_back")}
    found = tuple(b for b in behind(state.folder, log.size, log.root_at, key) if not b.root or b.root not in known)
    marker = _marker(state.folder / MARKER)
    if not found and marker is None:
        return ()
    with state.transaction():
        until_ns = {tag: now_ns + max(b.rate_ns, b.writes_ns, b.dwell_ns, b.yield_ns) for tag, b in bounds.items()}
        seq = log.append("set_back", {"behind": found, "restored": marker, "yields": tuple(sorted(until_ns.items()))})
        for one in found:
            if one.root:
                state.db.execute("INSERT OR REPLACE INTO set_back VALUES (?, ?, ?)", (one.root, one.witness, seq))
        for ask in inbox.open_asks():
            inbox.void(ask.proposal, WHY)
        for job in jobs.open():
            if job.state in ("asked", "approved"):
                jobs.put(job.on("void"))
                log.append("voided", {"proposal": job.proposal.id, "author": job.author, "code": WHY})
        for tag, until in until_ns.items():
            moves.yield_until(tag, max(until, moves.yields.get(tag, 0)))
        autonomy.set("*", "observe", WHY)
        log.append("autonomy", {"scope": "*", "level": "observe", "by": "fault", "kind": "fault", "code": WHY})
    (state.folder / MARKER).unlink(missing_ok=True)  # only once it is on record: a crash in between says it twice
    return found


def _marker(path: Path) -> Mapping[str, str] | None:
    """What a restore left; a marker that can't be read is one all the same."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MARKER_BYTES_MAX))
        return {str(k): str(v) for k, v in found.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {"archive": "", "why": "the marker can't be read"}
