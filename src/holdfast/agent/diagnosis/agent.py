"""The agent: pull frames, perceive, diagnose, propose, follow up. All through the link, one step at a time.

Pull-based: `step` does what there is to do and returns, so a lockstep harness steps it as it steps plant and gate, and
the agent's process steps it on the real clock. It holds no credentials of the plant and knows no connector.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from holdfast.agent.diagnosis.beside import Other
from holdfast.agent.diagnosis.bind import bind, equipment_of
from holdfast.agent.diagnosis.changes import Changes
from holdfast.agent.diagnosis.course import NO_CONTEXT, Course, Pause
from holdfast.agent.diagnosis.past import interleave, past_rows
from holdfast.agent.diagnosis.publish import report_of
from holdfast.agent.diagnosis.rank import Ranking, presence, rank
from holdfast.agent.diagnosis.upkeep import Upkeep
from holdfast.agent.diagnosis.watch import Stuck, Watch, detector_of
from holdfast.agent.knowledge.modes import modes_of
from holdfast.agent.perception.confirm import Event, finding_of
from holdfast.agent.perception.join import Join, Rows
from holdfast.clock import Clock
from holdfast.link import Link, LinkError
from holdfast.site.model import Site
from holdfast.site.tables import tables
from holdfast.terms import SECOND_NS, Diagnosis, Finding, Frame, Move, Report, Word

FRAMES_MAX = 8  # of one table in one step …
FRAME_ROWS = 600  # … of so many rows at most: a full one says that there may be more
RERANK_NS = 60 * SECOND_NS
ASK_NS = 5 * SECOND_NS  # between looks for something to propose
SILENT_NS = 10 * SECOND_NS  # without a row from any table: a lost link, whose last values are nobody's now
MOVES_NS = 2 * 3600 * SECOND_NS  # of setpoints, looked back on
INCIDENTS_MAX = 8  # open at once; the oldest is let go
DIAGNOSES_MAX = 60  # of one incident
SWITCH_FROM = 0.6  # once we have acted, only a cause as probable as this takes over
COURSE_NS = 1800 * SECOND_NS  # after so long the course of a finding is told though its causes are the same
COURSE_BEFORE_NS = 300 * SECOND_NS  # of the time before its onset
NEWS = 0.15  # a change of the first cause's probability worth a new diagnosis
STILLNESS = "stillness"


class Status(Word):
    """What the agent would say of itself."""

    learning: tuple[tuple[str, float], ...]  # (detector, share of the quiet stretch) of those that still learn
    score: float  # the worst detector's, over its limit
    incidents: tuple[str, ...]  # that it works on
    holding: str  # code of why the newest incident waits, "" when it doesn't
    gaps: int
    late: int
    drift: tuple[tuple[str, float], ...] = ()  # (detector, wanders) of those whose normal state moved


@dataclasses.dataclass
class _Incident:
    finding: Finding
    watch: Watch
    course: Course
    ranking: Ranking | None = None  # as told
    looked: Ranking | None = None  # as of the last look
    told: bool = False  # the gate has the finding
    diagnoses: int = 0
    published: str = ""  # the cause that was told about in words
    course_ns: int = 0  # up to which its course was told
    ranked_ns: int = 0
    asked_ns: int = 0


class Agent:
    """`learned`: by detector name of the site file, what `learned()` of an earlier run gave."""

    def __init__(
        self,
        link: Link,
        site: Site,
        clock: Clock,
        *,
        name: str,
        learned: Mapping[str, bytes] | None = None,
        heard: Callable[[Diagnosis, Report], None] | None = None,
    ) -> None:
        """`heard`: who hears each diagnosis that puts another cause first, with what was published of it.

        Raises ValueError for a learned state of other tags, SiteError for the site's own failure modes.
        """
        self.name, self.site, self._heard = name, site, heard
        self._link, self._clock = link, clock
        self._tables = tables(site)
        self._join = Join(self._tables, [tag.name for tag in site.tags])
        self._place = {tag: place for place, tag in enumerate(self._join.tags)}
        bounds = bind(site, modes_of(site))
        # Two questions: is this sensor alive, and what happens to the process. A dead sensor must not answer the second.
        self._of_sensors = tuple(b for b in bounds if all(sign.shows == "frozen" for sign in b.mode.signature))
        self._of_process = tuple(b for b in bounds if b not in self._of_sensors)
        period_s = min(table.period_s for table in self._tables)
        self._watches = tuple(Watch(site, spec, detector_of(spec), self._join.tags, period_s) for spec in site.perception)
        for watch in self._watches:
            if learned is not None and watch.spec.name in learned:
                watch.load(learned[watch.spec.name])
        self._upkeep = Upkeep(link, site, self._watches, self._tables, self._join.tags, self._pursues)
        self._after = dict.fromkeys(self._join.tables, -1)
        self._latest = np.full(len(self._join.tags), np.nan)
        parts = [(loop.sp, part) for loop in site.loops if loop.sp for part in (loop.mode, loop.permit) if part in self._place]
        self._switches = np.array([self._place[part] for _, part in parts], dtype=np.intp)
        self._switched = tuple(sp for sp, _ in parts)
        self._taken: dict[str, int] = {}  # by setpoint: when a mode or permit of its loop last changed
        self._changes = Changes(site, self._join.tags)
        self._now_ns = 0
        self._gaps = 0
        self._incidents: dict[str, _Incident] = {}

    # ---- what it knows

    def learned(self) -> Mapping[str, bytes]:
        """By detector name; those that still learn are missing."""
        return {watch.spec.name: watch.save() for watch in self._watches if watch.learning is None}

    def status(self) -> Status:
        newest = next(reversed(self._incidents.values()), None)
        return Status(
            learning=tuple((watch.spec.name, share) for watch in self._watches if (share := watch.learning) is not None),
            score=max((watch.score / watch.spec.limit for watch in self._watches), default=0.0),
            incidents=tuple(self._incidents),
            holding="" if newest is None else "waiting" if newest.course.open is not None else newest.course.last or "",
            gaps=self._gaps,
            late=self._join.late,
            drift=self._upkeep.drift,
        )

    def value_of(self, tag: str) -> float | None:
        """The newest joined value; None where it is Bad, old or unknown."""
        place = self._place.get(tag)
        if place is None:
            return None
        value = float(self._latest[place])
        return value if np.isfinite(value) else None

    # ---- on duty

    async def start(self) -> None:
        """Take over what is in force; learn from the gate's history where nothing was learned yet. Raises LinkError."""
        await self._upkeep.begin()
        wanted = max((watch.spec.quiet_rows for watch in self._watches if watch.learning is not None and not watch.held), default=0)
        if not wanted:
            return
        rows = await past_rows(self._link, self._tables, self._join.tags, wanted, self._clock.now_ns())
        for at_ns, row in zip(rows.at_ns.tolist(), rows.values, strict=True):
            if at_ns > self._now_ns:
                self._now_ns = at_ns
                for watch in self._watches:
                    if watch.learning is not None:
                        watch.feed(at_ns, row)

    async def step(self, wait_s: float = 0.0) -> int:
        """Do what there is to do; waits at most wait_s for rows of the first table. Returns rows taken in. Raises LinkError."""
        taken = 0
        for _ in range(FRAMES_MAX):
            frames: list[Frame] = []
            for table in self._join.tables:
                frame = await self._link.frames(table, self._after[table], wait_s=wait_s)
                wait_s = 0.0
                if frame is None or not frame.rows:
                    continue
                self._gaps += int(self._after[table] >= 0 and frame.seq > self._after[table] + 1)
                self._after[table] = frame.seq + frame.rows - 1
                frames.append(frame)
            for frame in interleave(frames):
                taken += self._take(self._join.push(frame))
            if all(frame.rows < FRAME_ROWS for frame in frames):
                break
        if not taken and self._now_ns and self._clock.now_ns() - self._now_ns > SILENT_NS:
            # Nothing is known any more; time goes on all the same, so that what waits is not waited for for ever.
            self._latest = np.full(len(self._join.tags), np.nan)
            self._now_ns = self._clock.now_ns()
        for incident in tuple(self._incidents.values()):
            await self._pursue(incident)
        if self._now_ns:
            await self._upkeep.step(self._now_ns)
        return taken

    def _take(self, rows: Rows) -> int:
        for at_ns, row in zip(rows.at_ns.tolist(), rows.values, strict=True):
            if at_ns <= self._now_ns:
                continue
            before, now = self._latest[self._switches], row[self._switches]
            changed = (before != now) & np.isfinite(before) & np.isfinite(now)
            if changed.any():
                self._taken.update({self._switched[int(i)]: at_ns for i in np.flatnonzero(changed)})
            self._now_ns, self._latest = at_ns, row
            self._changes.take(at_ns, row)
            for watch in self._watches:
                for event in watch.feed(at_ns, row):
                    self._event(watch, event)
        return len(rows.at_ns)

    def _event(self, watch: Watch, event: Event | Stuck) -> None:
        """Open or refresh an incident. Nothing is posted here, so a gate that is away loses no finding."""
        if isinstance(event, Stuck):
            finding = _stuck_finding(event)
        elif event.kind == "found":
            shares = watch.shares()[: len(watch.spec.tags)]
            finding = finding_of(event, detector=watch.identity, tags=watch.spec.tags, shares=shares)
        else:
            return
        known = self._incidents.get(finding.incident)
        if known is None:
            while len(self._incidents) >= INCIDENTS_MAX:
                del self._incidents[next(iter(self._incidents))]
            known = _Incident(finding, watch, Course(self.site, self.name, finding.incident))
            self._incidents[finding.incident] = known
        known.finding, known.told, known.asked_ns = finding, False, 0

    def _pursues(self, watch: Watch) -> bool:
        return any(incident.watch is watch and incident.course.open is not None for incident in self._incidents.values())

    async def _moves(self) -> Sequence[Move]:
        return await self._link.moves(self._now_ns - MOVES_NS)

    def _others(self, incident: _Incident) -> tuple[Other, ...]:
        """What else is open now, where it has a cause and stands on some equipment."""
        found: list[Other] = []
        for name, one in self._incidents.items():
            top = None if one.ranking is None else one.ranking.matches[0]
            if one is incident or top is None or one.finding.detector == STILLNESS or one.watch.active is None:
                continue
            place = equipment_of(one.finding.shares[0][0]) if top.bound is None else top.bound.equipment
            mode = top.id if top.bound is None else top.bound.mode.id
            found.append(Other(incident=name, equipment=place, onset_ns=one.finding.onset_ns, mode=mode, probability=top.probability))
        return tuple(found)

    async def _rank(self, incident: _Incident, moves: Sequence[Move]) -> None:
        """Rank anew; tell the gate where the answer changed."""
        incident.ranked_ns = self._now_ns
        stuck = incident.finding.detector == STILLNESS
        watch = incident.watch
        shares = None
        if stuck:
            shares = np.array([1.0 if tag == incident.finding.shares[0][0] else 0.0 for tag in watch.tags])
        before = incident.ranking
        ranking = rank(
            self.site,
            self._of_sensors if stuck else self._of_process,
            watch.features(shares, incident.finding.onset_ns),
            incident.finding,
            moves=moves,
            alarms=await self._link.alarms(),
            before=incident.looked,
            cases=await self._link.causes(),
            changes=self._changes.recent(),
            others=self._others(incident),
            id=f"{incident.finding.incident}-d{incident.diagnoses + 1}",
            at_ns=self._now_ns,
        )
        incident.looked = ranking
        first = ranking.matches[0]
        if before is not None and incident.course.moved and (first.bound is None or first.probability < SWITCH_FROM):
            return  # what we did is hiding the signs: the diagnosis that we acted on stands until another is surely better
        if before is not None:
            same = first.id == before.matches[0].id and abs(first.probability - before.matches[0].probability) < NEWS
            if incident.diagnoses >= DIAGNOSES_MAX or (same and self._now_ns - incident.course_ns < COURSE_NS):
                return
            ranking = before if same else ranking  # what is done next doesn't hang on when its course was told
        incident.ranking = ranking
        incident.diagnoses += 1
        from_ns = incident.course_ns or incident.finding.onset_ns - COURSE_BEFORE_NS
        course = () if stuck else watch.course(from_ns)
        incident.course_ns = self._now_ns
        told = dataclasses.replace(incident.looked.diagnosis, course=course)
        await self._link.diagnose(told)
        if first.id != incident.published:
            report = report_of(incident.looked, incident.finding, f"{told.id}-report")
            await self._link.publish(report)
            incident.published = first.id
            if self._heard is not None:
                self._heard(told, report)

    async def _pursue(self, incident: _Incident) -> None:
        """One look at an incident: follow the open action, rank anew when due, propose when there is something to."""
        course, watch = incident.course, incident.watch
        if not incident.told:
            await self._link.find(incident.finding)
            incident.told = True
            await self._rank(incident, await self._moves())
        if course.open is not None and self._now_ns > course.open.at_ns:
            course.progressed(await self._link.progress(course.open.proposal), self._now_ns)
        active = watch.active is not None or incident.finding.detector == STILLNESS
        if self._now_ns - incident.asked_ns < ASK_NS or (not active and course.open is None):
            return
        incident.asked_ns = self._now_ns
        moves = await self._moves()
        if active and self._now_ns - incident.ranked_ns >= RERANK_NS:
            await self._rank(incident, moves)
        ranking = incident.ranking
        if ranking is None or course.open is not None:
            return
        top = ranking.matches[0]
        now = 0.0 if top.bound is None else presence(top.bound, watch.features(), tuple(course.moved))
        if incident.finding.detector == STILLNESS:
            now = top.presence
        answer = course.next(
            ranking,
            presence=now,
            active=active,
            value_of=self.value_of,
            moves=moves,
            taken=self._taken,
            now_ns=self._now_ns,
            context=await self._link.context() if self.site.work else NO_CONTEXT,
            onset_ns=incident.finding.onset_ns,
        )
        if isinstance(answer, Pause):
            return
        try:
            course.decided(await self._link.propose(answer), self._now_ns)
        except LinkError:
            course.lost(self._now_ns)
            raise


def _stuck_finding(event: Stuck) -> Finding:
    key = hashlib.sha256(f"{STILLNESS}/{event.tag}/{event.at_ns}".encode()).hexdigest()[:16]
    return Finding(
        id=f"finding-{key}",
        incident=f"incident-{key}",
        detector=STILLNESS,
        onset_ns=event.since_ns,
        found_ns=event.at_ns,
        confidence=0.9,
        score=1.0,
        shares=((event.tag, 1.0),),
    )
