"""The plant's own judge: how many setpoint writes it received, and how many left their envelope.

It rests on what the device received and on the numbers of the site file alone; it knows neither guard nor ledger. Heartbeats
are no setpoints. The operator's moves count in the rate, as the site file says, and nowhere else.
"""

from collections.abc import Iterable, Sequence

from holdfast.sim.mill.plant import Moved, Received
from holdfast.sim.mill.points import INDEX, POINTS
from holdfast.site.model import Envelope, Equals, Site
from holdfast.terms import Tag, Word

SLACK = 1.0e-6  # of a unit: sums of rounded steps


class Breach(Word):
    at_s: float
    address: str
    value: float
    bounds: tuple[str, ...]  # "range", "step", "rate", "writes", "dwell", "enable", "requires", "maintenance", "unbounded"


class Judgement(Word):
    writes_sent: int
    writes_outside: int
    breaches: tuple[Breach, ...]


def judge(site: Site, received: Sequence[Received], moved: Iterable[Moved] = ()) -> Judgement:
    """Judge a log in order of time. A write to what has no envelope is outside."""
    others = tuple(moved)
    tags = {(tag.connection, tag.address): tag for tag in site.tags}
    beats = {loop.heartbeat for loop in site.loops}
    breaches: list[Breach] = []
    sent: list[Received] = []
    for write in received:
        tag = tags.get((write.server, write.address))
        if tag is not None and tag.name in beats:
            continue
        bounds = _broken(site, tag, write, [w for w in sent if w.address == write.address], others)
        sent.append(write)
        if bounds:
            breaches.append(Breach(at_s=write.at_s, address=write.address, value=write.value, bounds=bounds))
    return Judgement(writes_sent=len(sent), writes_outside=len(breaches), breaches=tuple(breaches))


def _broken(site: Site, tag: Tag | None, write: Received, before: Sequence[Received], others: Sequence[Moved]) -> tuple[str, ...]:
    envelope = site.envelope(tag.name) if tag is not None else None
    if envelope is None:
        return ("unbounded",)
    found: list[str] = []
    low_high = _range(site, envelope, write)
    if low_high is None or not low_high[0] - SLACK <= write.value <= low_high[1] + SLACK:
        found.append("range")
    present = _present(write)
    active = _present(write, "SP_Active")
    if envelope.step is not None and not max(abs(write.value - present), abs(write.value - active)) <= envelope.step + SLACK:
        found.append("step")
    if envelope.rate is not None:
        since = write.at_s - envelope.rate.per_s
        travel = abs(write.value - present)
        travel += sum(abs(w.value - _present(w)) for w in before if w.at_s > since)
        travel += sum(abs(m.after - m.before) for m in others if m.address == write.address and since < m.at_s <= write.at_s)
        if not travel <= envelope.rate.max + SLACK:
            found.append("rate")
    if envelope.writes is not None:
        since = write.at_s - envelope.writes.per_s
        if 1 + sum(1 for w in before if w.at_s > since) > envelope.writes.max:
            found.append("writes")
    if envelope.dwell_s is not None and any(write.at_s - w.at_s < envelope.dwell_s - SLACK for w in before):
        found.append("dwell")
    if not _holds(site, envelope.enable, write):
        found.append("enable")
    if not all(_holds(site, need, write) for need in envelope.requires):
        found.append("requires")
    key = next((e.maintenance for e in site.equipment if e.name == envelope.equipment), None)
    if key is not None and _holds(site, key, write):
        found.append("maintenance")
    return tuple(found)


def _value(site: Site, name: str, write: Received) -> float | None:
    """The tag's value in the plant's row just before the write; None for what the plant doesn't show."""
    tag = site.tag(name)
    index = INDEX.get((tag.connection, tag.address)) if tag is not None else None
    return write.row[index] if index is not None else None


def _present(write: Received, part: str = "SP_Ext") -> float:
    at = write.address.rpartition(".")[0]
    return write.row[INDEX[write.server, f"{at}.{part}"]]


def _holds(site: Site, need: Equals, write: Received) -> bool:
    return _value(site, need.tag, write) == need.value


def _range(site: Site, envelope: Envelope, write: Received) -> tuple[float, float] | None:
    if envelope.range is None:
        return float("-inf"), float("inf")
    rows = dict(envelope.range.rows)
    if not envelope.range.by:
        return rows.get("")
    tag, value = site.tag(envelope.range.by), _value(site, envelope.range.by, write)
    names = dict(POINTS[INDEX[tag.connection, tag.address]].states) if tag is not None else {}
    return rows.get(names.get(int(value), "")) if value is not None else None
