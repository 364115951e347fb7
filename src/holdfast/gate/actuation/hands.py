"""Whose hand was on a loop: tells what others did from what our own writes did, one act at a time.

A change of the active setpoint is ours only while it lies between the former and the wanted value of a write of ours
that is under way, and goes towards the wanted one. After a verified write any other value is somebody else's, and so
is any change of mode or permit. The PLC's block lets the external setpoint follow the active one while it is not
selected: that shows an act but is none. An act lasts until nothing has changed for QUIET_S, so that a ramp is one act.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from holdfast.site.model import Envelope, Loop, Site
from holdfast.terms import SECOND_NS, Word

QUIET_NS = 10 * SECOND_NS
ACT_NS_MAX = 300 * SECOND_NS  # a hand that never rests is told again this often

What = Literal["setpoint", "external setpoint", "mode", "permit"]


class Target(Word):
    """A write of ours that is under way or was the last: between former and wanted the setpoint's changes are ours."""

    tag: str
    former: float
    wanted: float
    author: str


class Taken(Word):
    """Somebody else acted on a loop. `begun`: the first of an act; `ended`: nothing new, the act is over and summed up.

    `perhaps`: nobody saw it, and nobody can say that it was not so.
    """

    sp: str
    what: What
    at_ns: int
    before: float  # of the whole act
    after: float
    last: float  # before this change alone
    phase: Literal["begun", "goes on", "ended", "perhaps"]


@dataclasses.dataclass
class _Act:
    before: float
    after: float
    told: float  # what the record says it came to
    told_ns: int
    last_ns: int


@dataclasses.dataclass
class _Loop:
    envelope: Envelope
    watched: tuple[tuple[What, str, float], ...]  # (what, tag, tolerance); the active setpoint first
    acts: dict[What, _Act]


class OperatorWatch:
    """Compares each frame with the one before. `targets` is kept by the saga; `seen` is what an earlier run saw last."""

    def __init__(self, site: Site, seen: Mapping[str, float]) -> None:
        self.targets: dict[str, Target] = {}
        self._last = dict(seen)
        self._from_before = set(seen)
        self._unsaved: dict[str, float] = {}
        self._loops: list[_Loop] = []
        self.adopt(site)

    def adopt(self, site: Site) -> None:
        """Other envelopes over the same tags: acts that are under way go on, and what was seen stays seen."""
        acts = {loop.envelope.tag: loop.acts for loop in self._loops}
        self._loops = []
        for envelope in site.envelopes:
            loop = site.loop_of(envelope.tag) or Loop(name=envelope.tag, equipment=envelope.equipment, sp=envelope.tag)
            within = envelope.readback.within if envelope.readback else 0.0
            active = loop.sp_now or (envelope.readback.tag if envelope.readback else envelope.tag)
            watched: Sequence[tuple[What, str, float]] = (
                ("setpoint", active, within),
                ("external setpoint", envelope.tag if envelope.tag != active else "", within),
                ("mode", loop.mode, 0.0),
                ("permit", loop.permit, 0.0),
            )
            self._loops.append(_Loop(envelope, tuple(w for w in watched if w[1]), acts.get(envelope.tag, {})))

    def step(self, good_value: Callable[[str], float | None], now_ns: int) -> Iterator[Taken]:
        """What others did since the last step. Bad data is no act of anyone; what it hid is seen when data is back."""
        for loop in self._loops:
            span = (float("inf"), float("-inf"))  # where the active setpoint has been since the last step
            for what, tag, within in loop.watched:
                before, value = self._last.get(tag), good_value(tag)
                if value is not None:
                    if what == "setpoint":
                        span = min(value, value if before is None else before), max(value, value if before is None else before)
                    if value != before:
                        self._last[tag] = self._unsaved[tag] = value
                foreign = value is not None and before is not None and self._foreign(loop, what, tag, (before, value), within, span)
                if foreign and value is not None and before is not None:
                    self.targets.pop(loop.envelope.tag, None)  # from now on no value is ours by having been wanted
                    yield self._acted(loop, what, before, value, now_ns)
                else:
                    yield from self._rested(loop, what, now_ns)

    def last(self, tag: str) -> float | None:
        """Where a tag that is watched stood when it was last seen."""
        return self._last.get(tag)

    def unsaved(self) -> dict[str, float]:
        """What changed and is not yet in the file."""
        return dict(self._unsaved)

    def saved(self, values: Mapping[str, float]) -> None:
        for tag, value in values.items():
            if self._unsaved.get(tag) == value:
                del self._unsaved[tag]

    def _foreign(self, loop: _Loop, what: What, tag: str, change: tuple[float, float], within: float, span: tuple[float, float]) -> bool:
        before, value = change
        first = tag in self._from_before
        self._from_before.discard(tag)
        if value == before:
            return False
        if what in ("mode", "permit"):
            return True
        if first and abs(value - before) <= within:  # the rest of a ramp of ours that the last run did not see
            return False
        if what == "external setpoint" and span[0] - within <= value <= span[1] + within:
            return False
        target = self.targets.get(loop.envelope.tag)
        if target is None:
            return True
        low, high = sorted((target.former, target.wanted))
        between = low - within <= value <= high + within
        return not (between and abs(value - target.wanted) <= abs(before - target.wanted) + within)

    def _acted(self, loop: _Loop, what: What, before: float, value: float, now_ns: int) -> Taken:
        act = loop.acts.get(what)
        if act is not None and now_ns - act.told_ns < ACT_NS_MAX:
            act.after, act.last_ns = value, now_ns
            phase: Literal["begun", "goes on"] = "goes on"
        else:
            act = loop.acts[what] = _Act(before if act is None else act.told, value, value, now_ns, now_ns)
            phase = "begun"
        return Taken(sp=loop.envelope.tag, what=what, at_ns=now_ns, before=act.before, after=value, last=before, phase=phase)

    def _rested(self, loop: _Loop, what: What, now_ns: int) -> Iterator[Taken]:
        act = loop.acts.get(what)
        if act is not None and now_ns - act.last_ns >= QUIET_NS:
            del loop.acts[what]
            if act.after != act.told:
                yield Taken(
                    sp=loop.envelope.tag, what=what, at_ns=act.last_ns, before=act.before, after=act.after, last=act.after, phase="ended"
                )
