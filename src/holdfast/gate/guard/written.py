"""The canonical bytes of a snapshot and of a proposed write, by hand: the same as `terms.canonical` makes, at a third of its cost.

They are made at every decision, sixteen readings of seven fields each. Whatever is not exactly of its declared type, or not
finite, is left to `terms.canonical`, so there is one definition of the bytes and this is only a short way to them.
"""

from functools import lru_cache
from json.encoder import encode_basestring as _text

from holdfast.terms import Move, Proposal, Reading, Snapshot, Wire, Write, canonical

NAMES_MAX = 8192  # quoted names that are kept


class NotPlain(Exception):
    """Not of the declared types, or not finite: the long way knows what to do."""


@lru_cache(maxsize=NAMES_MAX)
def quoted(name: object) -> str:
    """A name as JSON. Raises NotPlain for what is no text: 1.0 and True would share a place in the cache."""
    if not isinstance(name, str):
        raise NotPlain
    return canonical(name).decode()


def snapshot_bytes(snapshot: Snapshot) -> bytes:
    """Equal to `canonical(snapshot)`. Raises ValueError for NaN and infinities, as that does."""
    try:
        return _snapshot(snapshot).encode()
    except (NotPlain, TypeError, AttributeError, OverflowError):
        return canonical(snapshot)


def _snapshot(s: Snapshot) -> str:
    if type(s.at_ns) is not int:
        raise NotPlain
    return (
        f'{{"at_ns":{s.at_ns},"autonomy":{_rest(s.autonomy)},"busy":{_rest(s.busy)},"facts":{_rest(s.facts)},"limits":{_rest(s.limits)},"moves":{_moves(s.moves)}'
        f',"pending":{_moves(s.pending)},"readings":{_readings(s.readings)},"stopped":{_rest(s.stopped)},"wires":{_wires(s.wires)}'
        f',"yields":{_rest(s.yields)}}}'
    )


def proposal_text(proposal: Proposal) -> str:
    """Equal to `canonical(proposal).decode()`. Raises ValueError as that does."""
    action = proposal.action
    fields = (proposal.id, proposal.incident, proposal.reason, proposal.expect)
    if type(action) is not Write or type(proposal.valid_s) is not float or proposal.evidence or any(type(f) is not str for f in fields):
        return canonical(proposal).decode()
    parts: list[str] = []
    for name, value in action.sets:
        if type(name) is not str or type(value) is not float or value - value != 0.0:
            return canonical(proposal).decode()
        parts.append(f"[{quoted(name)},{value!r}]")
    if proposal.valid_s - proposal.valid_s != 0.0 or type(action.unit) is not str or action.kind != "write":
        return canonical(proposal).decode()
    return (
        f'{{"action":{{"kind":"write","sets":[{",".join(parts)}],"unit":{_text(action.unit)}}},"evidence":[],"expect":{_text(proposal.expect)}'
        f',"id":{_text(proposal.id)},"incident":{_text(proposal.incident)},"reason":{_text(proposal.reason)},"valid_s":{proposal.valid_s!r}}}'
    )


def values_text(values: dict[str, float | None]) -> str:
    """Equal to `canonical(values).decode()`; raises ValueError as that does."""
    parts: list[str] = []
    for name in sorted(values):
        value = values[name]
        if value is None:
            parts.append(f"{quoted(name)}:null")
        elif type(value) is float and value - value == 0.0:
            parts.append(f"{quoted(name)}:{value!r}")
        else:
            return canonical(values).decode()
    return f"{{{','.join(parts)}}}"


def _rest(value: tuple[object, ...]) -> str:
    return canonical(value).decode() if value else "[]"


def _readings(readings: tuple[Reading, ...]) -> str:
    parts: list[str] = []
    total = 0.0
    for r in readings:
        value, age_s, still_s, skew_s = r.value, r.age_s, r.still_s, r.skew_s
        if not (type(value) is type(age_s) is type(still_s) is type(skew_s) is float and type(r.status) is type(r.source_ns) is int):
            raise NotPlain
        total += value + age_s + still_s + skew_s  # NaN and infinities stay in a sum; what overflows goes the long way too
        parts.append(
            f'{{"age_s":{age_s!r},"skew_s":{skew_s!r},"source_ns":{r.source_ns},"status":{r.status},"still_s":{still_s!r}'
            f',"tag":{quoted(r.tag)},"value":{value!r}}}'
        )
    if total - total != 0.0:
        raise NotPlain
    return f"[{','.join(parts)}]"


def _moves(moves: tuple[Move, ...]) -> str:
    if not moves:
        return "[]"
    parts: list[str] = []
    total = 0.0
    for m in moves:
        if not (type(m.after) is type(m.before) is float and type(m.at_ns) is int and type(m.ours) is type(m.shadow) is bool):
            raise NotPlain
        total += m.after - m.after + (m.before - m.before)
        parts.append(
            f'{{"after":{m.after!r},"at_ns":{m.at_ns},"before":{m.before!r},"by":{quoted(m.by)},"ours":{"true" if m.ours else "false"}'
            f',"shadow":{"true" if m.shadow else "false"},"tag":{quoted(m.tag)}}}'
        )
    if total != 0.0:
        raise NotPlain
    return f"[{','.join(parts)}]"


def _wires(wires: tuple[Wire, ...]) -> str:
    parts: list[str] = []
    for w in wires:
        if not (type(w.asked) is type(w.value) is float) or w.asked - w.asked + (w.value - w.value) != 0.0:
            raise NotPlain
        parts.append(f'{{"asked":{w.asked!r},"tag":{quoted(w.tag)},"value":{w.value!r}}}')
    return f"[{','.join(parts)}]"
