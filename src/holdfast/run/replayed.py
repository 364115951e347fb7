"""What a replay was and what the pipeline said, counted from the record as it is made."""

import dataclasses
from typing import Any

from holdfast.run.recorded import Source
from holdfast.terms import SECOND_NS, Record, Word

TAGS_TOLD = 5
TOLD_MAX = 10_000  # findings, proposals and alarms kept for the summary; the ledger has all


class AlarmTold(Word):
    """When a plant limit was first crossed, and how often."""

    tag: str
    limit: str
    at_s: float  # since the recording's first row
    row: int  # of the recording, from 0
    value: float
    threshold: float
    times: int = 1


class FindingTold(Word):
    incident: str
    detector: str
    at_s: float
    row: int
    onset_s: float
    score: float  # 1.0 is the limit
    tags: tuple[tuple[str, float], ...]  # largest shares
    cause: str = ""  # of the incident's last diagnosis
    probability: float | None = None


class ProposalTold(Word):
    id: str
    at_s: float
    row: int
    sets: tuple[tuple[str, float], ...]
    verdict: str  # "would permit", "would ask" or "refuse"
    failed: tuple[str, ...]  # codes of the checks that failed


class Learned(Word):
    """How a detector came to its limit."""

    detector: str
    tags: int
    rows: int
    of: str  # where the quiet stretch came from
    limit: float
    limit_from: str
    learned: bool = True


class Ledgered(Word):
    records: int
    root: str
    verified: bool
    path: str
    key: str


class Replayed(Word):
    """What a replay was and what the pipeline said. Times in seconds since the recording's first row; None where never."""

    site: str
    agent: str
    autonomy: str
    data: tuple[Source, ...]
    fit: Source | None
    rows: int
    tags: int
    first: str  # UTC
    last: str
    span_s: float
    detectors: tuple[Learned, ...]
    alarms: tuple[AlarmTold, ...]
    findings: tuple[FindingTold, ...]
    proposals: tuple[ProposalTold, ...]
    alarm_s: float | None
    first_finding_s: float | None
    lead_s: float | None
    writes_sent: int
    warnings: tuple[str, ...]
    ledger: Ledgered


class Tally:
    """What the ledger says as it says it."""

    def __init__(self) -> None:
        self.start_ns = 0
        self.row = -1
        self.alarms: dict[tuple[str, str], AlarmTold] = {}
        self.findings: list[FindingTold] = []
        self.proposals: list[ProposalTold] = []
        self.writes = 0
        self._causes: dict[str, tuple[str, float]] = {}  # by incident

    def __call__(self, record: Record) -> None:
        body: Any = record.body
        match record.kind:
            case "alarm" if body["active"]:
                self._alarm(body, record.at_ns)
            case "finding" if len(self.findings) < TOLD_MAX:
                self._finding(body["finding"])
            case "diagnosis":
                self._diagnosis(body["diagnosis"])
            case "decision" if len(self.proposals) < TOLD_MAX:
                self._decision(body["proposal"], body["decision"], record.at_ns)
            case "intent":
                self.writes += 1
            case _:
                pass

    def _s(self, at_ns: int) -> float:
        return (at_ns - self.start_ns) / SECOND_NS

    def _alarm(self, alarm: Any, at_ns: int) -> None:
        key = (alarm["tag"], alarm["limit"])
        known = self.alarms.get(key)
        if known is not None:
            self.alarms[key] = dataclasses.replace(known, times=known.times + 1)
        elif len(self.alarms) < TOLD_MAX:
            told = AlarmTold(
                tag=key[0], limit=key[1], at_s=self._s(at_ns), row=self.row, value=alarm["value"], threshold=alarm["threshold"]
            )
            self.alarms[key] = told

    def _finding(self, finding: Any) -> None:
        cause, probability = self._causes.get(finding["incident"], ("", None))
        told = FindingTold(
            incident=finding["incident"],
            detector=finding["detector"],
            at_s=self._s(finding["found_ns"]),
            row=self.row,
            onset_s=self._s(finding["onset_ns"]),
            score=finding["score"],
            tags=tuple((tag, share) for tag, share in finding["shares"][:TAGS_TOLD]),
            cause=cause,
            probability=probability,
        )
        self.findings.append(told)

    def _diagnosis(self, diagnosis: Any) -> None:
        first = diagnosis["causes"][0]
        self._causes[diagnosis["incident"]] = (first["mode"], first["probability"])
        for i, told in enumerate(self.findings):
            if told.incident == diagnosis["incident"]:
                self.findings[i] = dataclasses.replace(told, cause=first["mode"], probability=first["probability"])

    def _decision(self, proposal: Any, decision: Any, at_ns: int) -> None:
        told = ProposalTold(
            id=proposal["id"],
            at_s=self._s(at_ns),
            row=self.row,
            sets=tuple((tag, value) for tag, value in proposal["action"].get("sets", ())),
            verdict=("would " if decision["would"] else "") + decision["verdict"],
            failed=tuple(dict.fromkeys(r["code"] for r in decision["reasons"] if not r["passed"])),
        )
        self.proposals.append(told)
