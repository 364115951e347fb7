"""What the saga asks for before it sends: the devices' values now, and a second decision on them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from holdfast.gate.actuation.jobs import Job
from holdfast.terms import Reason, Sample, Word


class Second(Word):
    """What the second look said: the setpoints that are there now, and why the decision stands or falls."""

    stands: bool
    present: tuple[tuple[str, float], ...]
    wanted: tuple[tuple[str, float], ...]  # as it will be on the wire
    reasons: tuple[Reason, ...]
    snapshot: str  # digest
    binds: str
    roles: tuple[str, ...]


class Eyes(Protocol):
    """What the saga needs of the gate: fresh reads and a second decision."""

    async def read(self, tags: Sequence[str]) -> Mapping[str, Sample]:
        """From the devices, now. A tag that can't be read is missing."""
        ...

    async def decide_again(self, job: Job) -> Second:
        """Raises StateError where what was seen can't be recorded."""
        ...

    async def decide_retreat(self, job: Job, sets: tuple[tuple[str, float], ...]) -> Second:
        """Whether the guard, on fresh reads, has anything against going back but what the decision reserved."""
        ...

    def mean(self, tag: str, seconds: float) -> float | None:
        """Of the Good values of the last seconds."""
        ...

    def consume_approval(self, job: Job, second: Second) -> None:
        """In the caller's transaction. Raises ApprovalError."""
        ...

    def signers(self, job: Job) -> str:
        """Who said yes; the author where nobody was asked."""
        ...

    def void_approval(self, job: Job, why: str) -> None:
        """What was signed for a job that does not go on serves nobody any more. In the caller's transaction."""
        ...
