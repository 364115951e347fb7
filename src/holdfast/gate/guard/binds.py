"""What an approval signs: the proposal, the configuration, the setpoints it starts from and the modes it relies on."""

import hashlib
import math
from typing import Any

from holdfast.gate.guard.case import Case
from holdfast.gate.guard.written import proposal_text, quoted, snapshot_bytes, values_text
from holdfast.terms import Snapshot, digest, plain


def binds(case: Case) -> str:
    """SHA-256, hex. The same at the second decision only if nothing of it changed. Raises for a proposal that can't be recorded."""
    present = {target.bound.tag.name: case.present(target.bound) for target in case.targets}
    watched = {watch.tag.name: case.sound(watch) for target in case.targets for watch in target.bound.modes}
    modes = {name: None if reading is None else reading.value for name, reading in watched.items()}
    text = (
        f'{{"configuration":{quoted(case.compiled.digest)},"modes":{values_text(modes)},"present":{values_text(present)}'
        f',"proposal":{proposal_text(case.proposal)}}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


def recorded(snapshot: Snapshot) -> Any:
    """The snapshot as it goes into the record: NaN and infinities, which Bad readings carry, are null; there is no other loss.

    A snapshot that has none of them is returned as it is: its canonical bytes are the same.
    """
    return snapshot if _all_finite(snapshot) else _finite(plain(snapshot))


def snapshot_digest(snapshot: Snapshot) -> str:
    """SHA-256 of the canonical bytes of `recorded(snapshot)`, hex."""
    try:
        return hashlib.sha256(snapshot_bytes(snapshot)).hexdigest()
    except ValueError:  # a Bad reading carries NaN
        return digest(recorded(snapshot))


def _all_finite(snapshot: Snapshot) -> bool:
    """False also where it is hard to tell. One sum answers for all: NaN and infinities don't leave it again."""
    try:
        total = sum(r.value + r.age_s + r.still_s + r.skew_s for r in snapshot.readings)
        total += sum(w.asked + w.value for w in snapshot.wires)
        total += sum(m.before + m.after for m in (*snapshot.moves, *snapshot.pending))
        total += sum(value for _, value, _ in snapshot.facts if not isinstance(value, str))
    except (TypeError, OverflowError):
        return False
    return total - total == 0.0


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return value
