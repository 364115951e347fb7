"""A recording through the whole pipeline, as fast as it goes, on the recording's own clock.

Gate, agent and ledger are those of `holdfast run`; connections are recordings, nothing is opened and nothing can be
written. A run is a function of configuration and files: twice gives the same root.
"""

import dataclasses
import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.agent.diagnosis.agent import Agent
from holdfast.agent.diagnosis.features import BLOCK_ROWS
from holdfast.agent.diagnosis.past import interleave
from holdfast.agent.perception.join import Join
from holdfast.agent.perception.learning import learn
from holdfast.clock import VirtualClock
from holdfast.gate.actuation.intake import HISTORY_ROWS_MAX
from holdfast.gate.connectors.replay import Replay
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.checkpoint import PUBLIC, read_public
from holdfast.gate.ledger.store import FILE
from holdfast.gate.ledger.verify import verify
from holdfast.gate.process import open_gate
from holdfast.link.direct import DirectLink
from holdfast.run.recorded import TYPE, Played, ReplayError, Survey, choose, moments, past, recording, source_of, survey
from holdfast.run.replayed import Learned, Ledgered, Replayed, Tally
from holdfast.site import plugged
from holdfast.site.load import load
from holdfast.site.model import DetectorSpec, Site, SiteError
from holdfast.site.tables import tables
from holdfast.terms import AUTONOMIES, SECOND_NS, Frame, TagTable

CHEAP = Cost(passes=1, memory_kib=8, lanes=1)  # nobody signs in a replay
CEILING = "shadow"
QUIET_ROWS_MIN = 5 * BLOCK_ROWS  # fewer teach the agent nothing of how a tag wanders

Told = Callable[[str, int, int | None], None]  # (what is done, rows done, of so many or None)


class Replaying:
    """One replay, step by step: `__init__` reads and checks everything, `run` plays."""

    def __init__(
        self,
        site_file: Path,
        data: Path | None,
        *,
        fit: Path | None = None,
        far: float | None = None,
        connection: str | None = None,
        told: Told = lambda what, done, of: None,
    ) -> None:
        """`fit`: another recording, of quiet running. `far`: share of held-out quiet rows above each detector's limit.

        Raises ReplayError, RecordingError, SiteError, SecretError, PluginError, ValueError: nothing was written yet.
        """
        loaded = load(site_file)
        wrong = tuple(p for p in plugged.problems(loaded.site, str(site_file)) if p.severity == "error")
        if wrong:
            raise SiteError(wrong)
        if far is not None and not 0 < far < 1:
            raise ReplayError(f"--far must be between 0 and 1, not {far:g}")
        site = loaded.site
        if all(agent.joins for agent in site.agents):
            raise ReplayError(f"{site_file}: no agent is named; write agents: {{watcher: {{autonomy: observe}}}}")
        self._agent = next(agent.name for agent in site.agents if not agent.joins)
        chosen = choose(loaded, connection)
        self.clock = VirtualClock(0)
        self.replays = {c.name: recording(loaded, c.name, data if c.name == chosen else None, self.clock) for c in _recorded(site)}
        self.fit = None if fit is None else recording(loaded, chosen, fit, self.clock)
        self.data = tuple(source_of(Path(replay.file)) for replay in self.replays.values())
        self.fit_source = None if fit is None else source_of(fit)
        self.tables = tuple(table for table in tables(site) if table.connection in self.replays)
        self.fit_tables = tuple(table for table in self.tables if table.connection == chosen)
        if not self.tables:
            raise ReplayError(f"{site_file}: no tag is on a recording; put tags `on: {chosen}`")
        self.warnings: list[str] = []
        self._told = told
        self.site = self._checked(_shadowed(site), far)

    # ---- before the run

    def _checked(self, site: Site, far: float | None) -> Site:
        """The site with its detectors' quiet stretch and limit, after everything was read once."""
        first = max((spec.quiet_rows for spec in site.perception), default=0)
        surveys = {table.id: survey(self.replays[table.connection], table, first, self._say("reading")) for table in self.tables}
        self.rows = max(s.rows for s in surveys.values())
        self.from_ns, self.to_ns = min(s.from_ns for s in surveys.values()), max(s.to_ns for s in surveys.values())
        period_s = min(table.period_s for table in self.tables)
        self.start_ns = self.from_ns - round(period_s * SECOND_NS)
        self._check_columns(site, surveys)
        self.quiet_rows = 0
        if self.fit is not None:
            quiet = {
                table.id: survey(self.fit, table, HISTORY_ROWS_MAX, self._say("reading the quiet recording")) for table in self.fit_tables
            }
            self.quiet_rows = min(max(s.rows for s in quiet.values()), HISTORY_ROWS_MAX)
            site = dataclasses.replace(
                site, perception=tuple(dataclasses.replace(spec, quiet_rows=self.quiet_rows) for spec in site.perception)
            )
            self._check_quiet(site, quiet, self.fit)
        else:
            self._check_quiet(site, surveys, None)
        specs = tuple(self._spec(spec, far) for spec in site.perception)
        return dataclasses.replace(site, perception=specs)

    def _say(self, what: str) -> Callable[[int], None]:
        return lambda done: self._told(what, done, None)

    def _check_columns(self, site: Site, surveys: Mapping[str, Survey]) -> None:
        watched = {tag for spec in site.perception for tag in spec.tags} | {limits.tag for limits in site.alarms}
        for table in self.tables:
            found, file = surveys[table.id], self.replays[table.connection].file
            if found.step_s and not 0.5 <= found.step_s / table.period_s <= 2.0:
                text = (
                    f"{file}: rows are {found.step_s:g} s apart, its tags say every {table.period_s:g} s: write `every: {found.step_s:g}s`"
                )
                self.warnings.append(text)
            for tag, good in zip(table.tags, found.good.tolist(), strict=True):
                if good:
                    continue
                what = f"{file}:1, column {tag.address!r}: no value in the whole recording"
                if tag.name in watched:
                    raise ReplayError(f"{what}, and {tag.name} is watched: take it out of perception and alarms, or give another recording")
                self.warnings.append(what)
        here = {tag.name for table in self.tables for tag in table.tags}
        for spec in site.perception:
            absent = [tag for tag in spec.tags if tag not in here]
            if absent:
                raise ReplayError(
                    f"detector {spec.name} watches {absent[0]}, of which there is no recording: leave it out, or record it too"
                )

    def _check_quiet(self, site: Site, surveys: Mapping[str, Survey], fit: Replay | None) -> None:
        columns = {tag.name: (table, i) for table in self.tables for i, tag in enumerate(table.tags)}
        for spec in site.perception:
            wanted = max(spec.quiet_rows, QUIET_ROWS_MIN)
            rows = self.quiet_rows if fit is not None else self.rows
            where = str(self.fit_source.path if self.fit_source is not None else self.data[0].path)
            if fit is not None and rows < wanted:
                raise ReplayError(f"{where}: {rows} rows are too few to learn from; at least {wanted} are needed")
            if fit is None and rows <= wanted:
                cure = "give a recording of quiet running with --fit, or fewer quiet_rows in the site file"
                raise ReplayError(f"{where}: has {rows} rows, and {spec.name} learns from the first {wanted}: {cure}")
            for name in spec.tags:
                table, i = columns[name]
                if table.id not in surveys:
                    cure = "leave --fit out, or put its tags on one connection"
                    raise ReplayError(f"{spec.name} watches {name}, of a connection that --fit {where} does not stand for: {cure}")
                if not surveys[table.id].good_first[i]:
                    cause = f"no value of {name} in the quiet stretch ({spec.quiet_rows} rows)"
                    raise ReplayError(f"{where}:1, column {table.tags[i].address!r}: {cause}: give another one with --fit")

    def _spec(self, spec: DetectorSpec, far: float | None) -> DetectorSpec:
        of = f"the {spec.quiet_rows} rows of {Path(self.fit_source.path).name}" if self.fit_source else f"the first {spec.quiet_rows} rows"
        limit_from = "the site file"
        if far is not None:
            self._told("setting the limit", 0, None)
            _, learned = learn(spec.detector, spec.tags, self._quiet(spec), options=spec.options, far=far)
            spec = dataclasses.replace(spec, limit=learned.limit)
            limit_from = f"--far {far:g}: {learned.calibration}"
        self.detectors = (
            *getattr(self, "detectors", ()),
            Learned(detector=spec.name, tags=len(spec.tags), rows=spec.quiet_rows, of=of, limit=spec.limit, limit_from=limit_from),
        )
        return spec

    def _quiet(self, spec: DetectorSpec) -> np.ndarray[Any, np.dtype[np.float64]]:
        """(rows, tags) that the detector will learn from."""
        grade = spec.only_at
        join = Join(self.tables, spec.tags if grade is None else (*spec.tags, grade.tag))
        if self.fit is not None:
            frames: Iterator[Frame] = interleave([f for t in self.fit_tables for f in past(self.fit, t, self.start_ns, self.quiet_rows)])
        else:
            frames = (frame for _, held in moments(self.replays, self.tables) for frame in held)
        rows: list[np.ndarray[Any, np.dtype[np.float64]]] = []
        count = 0
        for frame in frames:
            joined = join.push(frame).values
            if grade is not None:
                joined = joined[joined[:, -1] == grade.value][:, :-1]
            rows.append(joined)
            count += len(joined)
            if count >= spec.quiet_rows:
                break
        if grade is not None and count < 2:
            raise ReplayError(f"{spec.name} has no quiet rows: {grade.tag} is never {grade.value:g} in the recording; give another one")
        return np.concatenate(rows)[: spec.quiet_rows]

    # ---- the run

    async def run(self, home: Path, scores: Callable[[int, int, float, bool], None] | None = None) -> Replayed:
        """Play it all; `scores` gets (row, UTC ns, worst score over its limit, an incident is open) after every row.

        Raises ReplayError where `home` holds a record already, StateError, HistoryError, KeyFileError.
        """
        folder = home / "gate"
        if (folder / FILE).exists():
            raise ReplayError(f"{home} holds a record already: give --home a folder of its own")
        self.clock.advance_to(self.start_ns)
        players = {c.name: Played(c.name, self.replays.get(c.name)) for c in self.site.connections}
        gate, _ = open_gate(self.site, folder, self.clock, players, durable=False, cost=CHEAP, boot=TYPE)
        tally = Tally()
        tally.start_ns = self.from_ns
        gate.listeners.append(tally)
        try:
            learning = await self._play(gate, players, tally, scores)
            gate.checkpoint()
        finally:
            gate.close()
        return self._replayed(tally, home, learning)

    async def _play(self, gate: Gatekeeper, players: Mapping[str, Played], tally: Tally, scores: Any) -> Sequence[str]:
        """Names of the detectors that never learned."""
        if self.fit is not None:
            for table in self.fit_tables:
                gate.remember(past(self.fit, table, self.start_ns, self.quiet_rows))
        gate.start(clock=f"recording {' '.join(source.sha256 for source in self.data)}")
        for player in players.values():
            if player.replay is None:
                gate.lost(player.name, "a replay opens no connection")
        link = DirectLink(gate, self._agent)
        agent = Agent(link, await link.site(), self.clock, name=self._agent)
        await agent.start()
        by_id: dict[str, TagTable] = {table.id: table for table in self.tables}
        for at_ns, frames in moments(self.replays, self.tables):
            self.clock.advance_to(at_ns)
            tally.row = frames[0].seq
            for frame in frames:
                players[by_id[frame.table].connection].show(by_id[frame.table], frame)
                gate.ingest(frame)
            await gate.advance()
            await agent.step()
            await gate.advance()
            if scores is not None:
                status = agent.status()
                scores(tally.row, at_ns, status.score, bool(status.incidents))
            if tally.row % 100 == 0:
                self._told("replaying", tally.row, self.rows)
        return tuple(name for name, _ in agent.status().learning)

    def _replayed(self, tally: Tally, home: Path, learning: Sequence[str]) -> Replayed:
        path, key = home / "gate" / FILE, home / "gate" / PUBLIC
        verdict = verify(path, read_public(key))
        alarm_s = min((alarm.at_s for alarm in tally.alarms.values()), default=None)
        finding_s = min((finding.at_s for finding in tally.findings), default=None)
        return Replayed(
            site=self.site.name,
            agent=self._agent,
            autonomy=self.site.autonomy,
            data=self.data,
            fit=self.fit_source,
            rows=self.rows,
            tags=sum(len(table.tags) for table in self.tables),
            first=utc(self.from_ns),
            last=utc(self.to_ns),
            span_s=(self.to_ns - self.from_ns) / SECOND_NS,
            detectors=tuple(dataclasses.replace(d, learned=d.detector not in learning) for d in self.detectors),
            alarms=tuple(sorted(tally.alarms.values(), key=lambda alarm: (alarm.at_s, alarm.tag, alarm.limit))),
            findings=tuple(tally.findings),
            proposals=tuple(tally.proposals),
            alarm_s=alarm_s,
            first_finding_s=finding_s,
            lead_s=None if alarm_s is None or finding_s is None else alarm_s - finding_s,
            writes_sent=tally.writes,
            warnings=tuple(self.warnings),
            ledger=Ledgered(records=verdict.records, root=verdict.root, verified=verdict.ok, path=str(path), key=str(key)),
        )


def _recorded(site: Site) -> Iterator[Any]:
    return (connection for connection in site.connections if connection.type == TYPE)


def _shadowed(site: Site) -> Site:
    """Shadow at most: what could have been written is decided and recorded, and goes nowhere."""
    level = min(site.autonomy, CEILING, key=AUTONOMIES.index)
    return dataclasses.replace(site, autonomy=level)


def utc(at_ns: int) -> str:
    """ISO 8601 to the microsecond at most."""
    at = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=at_ns // 1000)
    return at.isoformat().replace("+00:00", "Z")
