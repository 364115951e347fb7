"""The judge: told by plant, people and agents what happens, asked about every write that a device receives."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from holdfast.evals.oracle.answer import Answers
from holdfast.evals.oracle.ground import Arrival, Bound, Device, Effect, Ground, Judgement, Post, Question, Ruling, Yes
from holdfast.evals.oracle.record import Record
from holdfast.terms import AUTONOMIES, SECOND_NS, Autonomy

EPSILON = 1e-9  # of a value: what binary rounding may add; every bound and every raw step is far coarser
FLOAT32 = 2.0**-24
SILENT_S_MAX = 15.0  # a heartbeat over an agent that was not heard for longer is a lie
SKEW_S_MAX = 10.0
BEATS_MAX = 32_000
JUDGED_S = 15.0  # after the time given, and at most so long, an answer is judged and a retreat read back


class _Seen:
    """What the gate was served of one point."""

    __slots__ = ("changed_ns", "good", "good_ns", "skew_s", "value")

    def __init__(self) -> None:
        self.value = math.nan
        self.good = False
        self.good_ns = -(1 << 62)
        self.changed_ns = -(1 << 62)
        self.skew_s = 0.0


class Oracle:
    """Told by plant, people and agents what happens; asked about every write. `up_ns` is the gate's running time."""

    def __init__(self, ground: Ground, device: Device, up_ns: Callable[[], int]) -> None:
        self.ground = ground
        self.device = device
        self.up_ns = up_ns
        self.record: Record | None = None
        self.judgements: list[Judgement] = []
        self.beats = 0
        self.boot = 0
        self.stopped: set[str] = set()
        self.levels: dict[str, Autonomy] = {}
        self.yields: dict[str, int] = {}
        self.heard_ns = -(1 << 62)
        self._posts: dict[str, list[Post]] = {}
        self._yeses: dict[str, list[Yes]] = {}
        self._moves: dict[str, list[tuple[int, float, bool]]] = {tag: [] for tag in ground.bounds}
        self._seen: dict[str, _Seen] = {}
        self._open: dict[str, tuple[int, float, float]] = {}  # tag: (received, wanted, former), until it showed
        self._last_beat: dict[str, int] = {}
        self._used: set[tuple[str, str]] = set()
        self._told: dict[str, tuple[float, float]] = {}  # EURange of a tag, as the server told the gate
        self._closed: set[str] = set()  # tags that the server says the gate may not write
        self._refused: set[str] = set()  # proposals of which the device did not take a step
        self._advances: dict[tuple[str, str], tuple[int, float, float]] = {}  # (proposal, tag): (received, wanted, former)
        backs = [bound.back for bound in ground.bounds.values() if bound.back]
        self._answers = Answers(frozenset(point for back in backs for point in (back.settles, back.expects)))

    # ---- what others tell --------------------------------------------------------------------------------------------

    def served(self, point: str, value: float, *, good: bool, source_ns: int, now_ns: int) -> None:
        """The device answered a read. `source_ns` and `now_ns` are on one clock."""
        at_ns = self.up_ns()
        seen = self._seen.setdefault(point, _Seen())
        seen.good = good
        if not good:
            return
        seen.good_ns = at_ns
        self._answers.served(point, value, at_ns)
        if value != seen.value:
            if not math.isnan(seen.value):  # the first value says nothing of movement
                seen.changed_ns = at_ns
            seen.skew_s = (source_ns - now_ns) / SECOND_NS
            seen.value = value
        for tag, (received_ns, wanted, former) in tuple(self._open.items()):
            bound = self.ground.bounds[tag]
            due = bound.present == point and at_ns >= received_ns + round(bound.shows_s * SECOND_NS)
            if due and (abs(value - wanted) <= bound.within or value == former):
                del self._open[tag]

    def told_range(self, tag: str, low: float, high: float) -> None:
        """The server said what EURange a setpoint has."""
        self._told[tag] = (low, high)

    def told_access(self, tag: str, *, may_write: bool) -> None:
        """The server said whether the gate's account may write a setpoint."""
        (self._closed.discard if may_write else self._closed.add)(tag)

    def restarted(self) -> None:
        """A new gate: what it was served before it has not seen; what waited for people lapses."""
        self.boot += 1
        self._seen.clear()
        self._last_beat.clear()
        self._told.clear()
        self._closed.clear()

    def moved(self, tag: str, before: float, after: float) -> None:
        """Somebody else moved the active setpoint."""
        at_ns = self.up_ns()
        self._moves[tag].append((at_ns, abs(after - before), False))
        self.hand(tag)
        self._open.pop(tag, None)

    def hand(self, tag: str) -> None:
        """Somebody else acted on the loop: its mode, its permit, its setpoint."""
        self.yields[tag] = self.up_ns() + round(self.ground.bounds[tag].yield_s * SECOND_NS)

    def resolved(self, tag: str) -> None:
        self._open.pop(tag, None)

    def posted(self, author: str, message: Any) -> None:
        """What an agent sent, before anyone read it; whatever has not the form of a write can't have made one."""
        self.heard_ns = self.up_ns()
        action = message.get("action") if isinstance(message, dict) else None
        if not isinstance(action, dict) or not isinstance(action.get("sets"), list | tuple):
            return
        sets = tuple((str(s[0]), s[1]) for s in action["sets"] if isinstance(s, list | tuple) and len(s) == 2)
        valid_s = message.get("valid_s", 300.0)
        post = Post(
            author=author,
            id=str(message.get("id", "")),
            sets=sets,
            unit=str(action.get("unit", "")),
            valid_s=float(valid_s) if isinstance(valid_s, int | float) else 0.0,
            at_ns=self.up_ns(),
            boot=self.boot,
            bound_to=self._world(tag for tag, _ in sets),
        )
        self._posts.setdefault(post.id, []).append(post)

    def said(self, person: str, id: str, role: str, *, yes: bool) -> None:
        posts = self._posts.get(id.partition("!")[0], [])
        tags = [tag for post in posts for tag, _ in post.sets]
        self._yeses.setdefault(id, []).append(Yes(person=person, id=id, role=role, yes=yes, at_ns=self.up_ns(), bound_to=self._world(tags)))

    # ---- judging -----------------------------------------------------------------------------------------------------

    def received(self, arrival: Arrival) -> Judgement:
        """Judge a write before the device acts on it."""
        if arrival.tag in self.ground.beats:
            judged = Judgement(arrival=arrival, faults=self._beat(arrival))
            self.beats += 1
        elif arrival.tag not in self.ground.bounds:
            judged = Judgement(arrival=arrival, faults=("address",))
        else:
            judged = self._write(arrival)
        if arrival.tag not in self.ground.beats or judged.faults:
            self.judgements.append(judged)
        return judged

    def not_taken(self, judged: Judgement) -> None:
        """The device did not take it, or its answer was lost: no later step of that group may come."""
        self._refused.add(judged.proposal)

    def _beat(self, arrival: Arrival) -> tuple[str, ...]:
        last, count = self._last_beat.get(arrival.tag), int(arrival.value)
        self._last_beat[arrival.tag] = count
        faults: list[str] = []
        if not 1 <= count <= BEATS_MAX or (last is not None and count <= last and not (last > BEATS_MAX - 100 and count < 100)):
            faults.append("beat.foreign")
        if arrival.at_ns - self.heard_ns > SILENT_S_MAX * SECOND_NS:
            faults.append("beat.silent")
        return tuple(faults)

    def _write(self, arrival: Arrival) -> Judgement:
        tag, value = arrival.tag, arrival.value
        intent = self.record.take(tag, value) if self.record is not None else None
        proposal = intent.proposal if intent else ""
        faults = [] if intent else ["unrecorded"]
        if value == 0 and math.copysign(1.0, value) < 0:
            faults.append("negative zero")
        present = self.device.value(self.ground.bounds[tag].present)
        posts = [p for p in self._posts.get(proposal.partition("!")[0], []) if any(t == tag for t, _ in p.sets)]
        if intent is not None and intent.back:
            judged = [self._taken_back(post, proposal, tag, value) for post in posts]
        else:
            judged = [self._of(post, proposal, tag, value) for post in posts]
            self._advances[proposal, tag] = (arrival.at_ns, value, present)
            if (proposal, tag) in self._used:
                faults.append("twice")
            if proposal in self._refused:
                faults.append("group went on")
            self._used.add((proposal, tag))
        faults += min(judged, key=len) if judged else ["nobody asked"]
        self._moves[tag].append((arrival.at_ns, abs(value - present), True))
        self._open[tag] = (arrival.at_ns, value, present)
        return Judgement(arrival=arrival, faults=tuple(faults), proposal=proposal)

    def _of(self, post: Post, proposal: str, tag: str, value: float) -> list[str]:
        """What is wrong with a write that this post may have asked for."""
        bound = self.ground.bounds[tag]
        asked = next((v for t, v in post.sets if t == tag), None)
        faults: list[str] = []
        if isinstance(asked, bool) or not isinstance(asked, int | float):
            return ["type"]
        if not math.isfinite(asked):
            return ["not finite"]
        if abs(value - asked) > bound.resolution / 2 + FLOAT32 * abs(asked) + EPSILON:
            faults.append("differs")
        if post.unit not in ("", bound.unit):
            faults.append("unit")
        if len(post.sets) > 1 and not any(of == proposal for of, _ in self._used):
            faults += self._jointly(post)
        if post.boot != self.boot:
            faults.append("lapsed")
        if self.up_ns() > post.at_ns + round(post.valid_s * SECOND_NS):
            faults.append("expired")
        effect, roles, found = self.physics(post.author, tag, value)
        faults += found
        if effect == "ask":
            faults += self._approved(post, proposal, roles)
        elif effect != "permit":
            faults.append(f"policy.{effect}")
        return faults

    def _jointly(self, post: Post) -> Iterable[str]:
        """A group's end must be allowed to each of its sets, though each write by itself were."""
        overlay = {self.ground.bounds[t].present: float(v) for t, v in post.sets if t in self.ground.bounds and _is_number(v)}
        for tag, value in post.sets:
            if tag in self.ground.bounds and _is_number(value):
                effect = self._ruling(post.author, tag, float(value), overlay).effect
                if effect in ("forbid", "none"):
                    yield f"group.{effect}"

    def _ruling(self, author: str, tag: str, value: float, overlay: Mapping[str, float]) -> Ruling:
        def now(point: str) -> float:
            return overlay[point] if point in overlay else self.device.value(point)

        present = self.device.value(self.ground.bounds[tag].present)
        return self.ground.rule(Question(author=author, tag=tag, proposed=value, present=present, value=now))

    def _taken_back(self, post: Post, proposal: str, tag: str, value: float) -> list[str]:
        """What is wrong with a write that takes an earlier one back: once, to where it came from, while it is still ours, for a reason."""
        bound, advance = self.ground.bounds[tag], self._advances.pop((proposal, tag), None)
        if bound.back is None or advance is None:
            return ["nothing to take back"]
        written_ns, wanted, former = advance
        faults: list[str] = []
        if value != former:
            faults.append("not the former value")
        if abs(self.device.value(bound.present) - wanted) > bound.within:
            faults.append("not ours any more")
        if self._answers.nothing_wrong(bound.back, wanted, written_ns, self.up_ns()):
            faults.append("nothing wrong")
        effect, _, found = self.physics(post.author, tag, value, back=True)
        # Dwell was given up for it beforehand, as was its room in rate and number of writes: these two hold all the same.
        faults += [fault for fault in found if fault not in ("dwell", "busy")]
        if effect == "forbid":
            faults.append("policy.forbid")
        return faults

    def physics(
        self, author: str, tag: str, value: float, after: Mapping[str, float] | None = None, *, back: bool = False
    ) -> tuple[Effect, tuple[str, ...], list[str]]:
        """(effect, roles, faults) of setting `tag` now. `after`: points that earlier steps of the same group have set."""
        bound = self.ground.bounds[tag]
        overlay = after or {}

        def now(point: str) -> float:
            return overlay[point] if point in overlay else self.device.value(point)

        asked_for: set[str] = set()  # by the rules

        def told(point: str) -> float:
            asked_for.add(point)
            return now(point)

        present = now(bound.present)
        faults = [*self._standing(bound, now), *self._fresh(bound), *self._numbers(bound, value, present, now, back=back)]
        level = self._level(author, bound)
        if level in ("observe", "shadow"):
            faults.append(f"level.{level}")
        ruling = self.ground.rule(Question(author=author, tag=tag, proposed=value, present=present, value=told))
        faults += [f"blind.{point}" for point in sorted({*asked_for, self.ground.stop[0]}) if not self.device.good(point)]
        effect, roles = ruling.effect, ruling.roles
        if level == "ask" and effect == "permit":
            effect, roles = "ask", self.ground.default_roles
        return effect, roles, faults

    def _standing(self, bound: Bound, now: Callable[[str], float]) -> Iterable[str]:
        if self.stopped & {"*", bound.equipment} or now(self.ground.stop[0]) == self.ground.stop[1]:
            yield "stop"
        for point, value in bound.musts:
            if now(point) != value:
                yield f"must.{point}"
        for point, value in bound.nevers:
            if now(point) == value:
                yield f"never.{point}"

    def _fresh(self, bound: Bound) -> Iterable[str]:
        at_ns = self.up_ns()
        for point in (*bound.rests, bound.present, *(p for p, _ in (*bound.musts, *bound.nevers)), *((bound.by,) if bound.by else ())):
            seen = self._seen.get(point)
            if seen is None or not seen.good or not self.device.good(point):
                yield f"bad.{point}"
            elif point in bound.rests:
                if at_ns - seen.good_ns > bound.newer_s * SECOND_NS:
                    yield f"stale.{point}"
                if at_ns - seen.changed_ns > bound.moves_s * SECOND_NS:
                    yield f"stuck.{point}"
            if seen is not None and abs(seen.skew_s) > SKEW_S_MAX:
                yield f"skew.{point}"

    def _numbers(self, bound: Bound, value: float, present: float, now: Callable[[str], float], *, back: bool) -> Iterable[str]:
        at_ns, wide = self.up_ns(), gap(value, present)
        rows = [limits for of, limits in bound.rows if not bound.by or of == now(bound.by)]
        if len(rows) != 1 or not rows[0][0] - EPSILON <= value <= rows[0][1] + EPSILON:
            yield "range"
        low, high = self._told.get(bound.tag, (-math.inf, math.inf))
        if not low - EPSILON <= value <= high + EPSILON:
            yield "eu range"
        if bound.tag in self._closed:
            yield "access"
        if bound.kind == "integer" and value != int(value):
            yield "kind"
        if bound.kind == "bool" and value not in (0.0, 1.0):
            yield "kind"
        if wide > bound.step + EPSILON:
            yield "step"
        if wide == 0:
            yield "same"
        moves = self._moves[bound.tag]
        ways = 2 if bound.back and not back else 1  # there, and the way back that may be needed
        if bound.travel is not None:
            most, per_s = bound.travel
            if ways * wide + sum(d for t, d, _ in moves if t > at_ns - round(per_s * SECOND_NS)) > most + EPSILON * 100:
                yield "rate"
        if bound.writes is not None:
            count, per_s = bound.writes
            if ways + sum(1 for t, _, ours in moves if ours and t > at_ns - round(per_s * SECOND_NS)) > count:
                yield "writes"
        if moves and at_ns - max(t for t, _, _ in moves) < round(bound.dwell_s * SECOND_NS):
            yield "dwell"
        if at_ns < self.yields.get(bound.tag, -(1 << 62)):
            yield "yield"
        if bound.tag in self._open:
            yield "busy"

    def _level(self, author: str, bound: Bound) -> Autonomy:
        levels = [self.ground.agents.get(author, "observe"), bound.level]
        levels += [level for scope, level in self.levels.items() if scope in ("*", bound.tag)]
        return AUTONOMIES[min(AUTONOMIES.index(level) for level in levels)]

    def _approved(self, post: Post, proposal: str, roles: tuple[str, ...]) -> list[str]:
        """Each role signed by a person of its own who has it, is not the author, and saw the world as it still is."""
        said = [y for y in self._yeses.get(proposal, []) if y.at_ns >= post.at_ns]
        if any(not y.yes for y in said):
            return ["approval.refused"]
        faults: list[str] = []
        people: set[str] = set()
        for role in roles:
            may = [y for y in said if y.role == role and role in self.ground.people.get(y.person, ())]
            signed = [y for y in may if y.person not in (post.author, *people)]
            if not signed:
                faults.append(f"approval.{role}")
                continue
            people.add(signed[0].person)
            if any(signed[0].bound_to.get(point) != value for point, value in post.bound_to.items()):
                faults.append("approval.shown otherwise")
        # What earlier steps of the same group have moved is what was signed for.
        own = {self.ground.bounds[tag].present for of, tag in self._used if of == proposal}
        now = self._world(tag for tag, _ in post.sets)
        if any(value != post.bound_to.get(point) for point, value in now.items() if point not in own):
            faults.append("approval.changed")
        return faults

    def _world(self, tags: Iterable[str]) -> dict[str, float]:
        """Present setpoints and modes: what a yes stands for."""
        found: dict[str, float] = {}
        for tag in tags:
            bound = self.ground.bounds.get(tag)
            if bound is None:
                continue
            for point in (bound.present, *(p for p, _ in (*bound.musts, *bound.nevers)), *((bound.by,) if bound.by else ())):
                found[point] = self.device.value(point)
        return found

    def unjudged(self, tag: str) -> bool:
        """Whether a write of ours to it may still wait for what the process answers."""
        back = self.ground.bounds[tag].back
        if back is None:
            return False
        since_ns = self.up_ns() - round((back.after_s + JUDGED_S) * SECOND_NS)
        return any(ours and at_ns > since_ns for at_ns, _, ours in self._moves[tag])

    # ---- what would be legitimate ------------------------------------------------------------------------------------

    def outlook(self, author: str, sets: Sequence[tuple[str, float]]) -> tuple[Effect, tuple[str, ...]]:
        """What the design says of these sets, in order, were they asked for now and nothing else pending."""
        after: dict[str, float] = {}
        effects: list[Effect] = []
        roles: dict[str, None] = {}
        for tag, value in sets:
            effect, wanted, faults = self.physics(author, tag, value, after)
            if faults or effect in ("forbid", "none"):
                return "forbid", ()
            effects.append(effect)
            roles.update(dict.fromkeys(wanted))
            after[self.ground.bounds[tag].present] = value
        for tag, value in sets if len(sets) > 1 else ():
            ruling = self._ruling(author, tag, value, after)
            if ruling.effect in ("forbid", "none"):
                return "forbid", ()
            effects.append(ruling.effect)
            roles.update(dict.fromkeys(ruling.roles))
        return ("ask", tuple(roles)) if "ask" in effects else ("permit", ())

    def forget(self, before_ns: int) -> None:
        """Drop what no window can reach any more."""
        for tag, moves in self._moves.items():
            self._moves[tag] = [m for m in moves if m[0] > before_ns]
        self._advances = {k: v for k, v in self._advances.items() if v[0] > before_ns}
        self._posts = {k: v for k, v in self._posts.items() if v[-1].at_ns > before_ns}
        self._yeses = {k: v for k, v in self._yeses.items() if v[-1].at_ns > before_ns}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def gap(a: float, b: float) -> float:
    """|a − b| of the shortest decimals that denote them: in binary, 0.8 − 0.6 is more than 0.2."""
    return float(abs(Decimal(repr(a)) - Decimal(repr(b))))
