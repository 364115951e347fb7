"""What an approval signs: the proposal, the configuration, the setpoints it starts from and the modes it relies on."""

import hashlib
import json
import math
from typing import Any

from holdfast.gate.guard.case import Case
from holdfast.terms import Snapshot, plain


def binds(case: Case) -> str:
    """SHA-256, hex. The same at the second decision only if nothing of it changed. Raises for a proposal that can't be recorded."""
    present = {target.bound.tag.name: case.present(target.bound) for target in case.targets}
    modes: dict[str, float | None] = {}
    for target in case.targets:
        bound = target.bound
        musts = (bound.enable, *((bound.maintenance,) if bound.maintenance else ()), *bound.requires)
        for watch in (*(must.watch for must in musts), *((bound.range_by,) if bound.range_by else ())):
            reading = case.sound(watch)
            modes[watch.tag.name] = None if reading is None else reading.value
    return _sha256({"proposal": case.proposal, "configuration": case.compiled.digest, "present": present, "modes": modes})


def recorded(snapshot: Snapshot) -> Any:
    """The snapshot as JSON: NaN and infinities, which Bad readings carry, are null; there is no other loss."""
    return _finite(plain(snapshot))


def snapshot_digest(snapshot: Snapshot) -> str:
    """SHA-256 of the canonical bytes of `recorded(snapshot)`, hex."""
    try:
        return _sha256(snapshot)
    except ValueError:  # a Bad reading carries NaN
        return _sha256(recorded(snapshot))


def _sha256(value: Any) -> str:
    # The bytes of terms.canonical, without copying every word into dicts first: half of a decision's time went there.
    text = json.dumps(value, default=vars, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return value
