"""What an agent can ask of the gate, and nothing else: the same calls over HTTP and, for lockstep runs, direct.

Identity is the caller's token (HTTP) or the name the link was made with (direct), never a field of a message.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from holdfast.site.model import Site
from holdfast.terms import Alarm, Decision, Diagnosis, Finding, Frame, Move, Outcome, Proposal, Word

State = Literal[
    "proposed",
    "refused",
    "shadow",
    "asked",
    "approved",
    "intent",
    "sent",
    "verified",
    "failed",
    "indeterminate",
    "expired",
    "voided",
    "done",
]


class Progress(Word):
    """How far a proposal came."""

    proposal: str
    state: State
    decision: Decision
    outcome: Outcome | None = None


class LinkError(Exception):
    """The gate can't be reached or refused the message; the text says which and why."""


class Link(Protocol):
    async def site(self) -> Site:
        """The active configuration without connections: no address and no credential crosses the link."""
        ...

    async def frames(self, table: str, after: int, *, wait_s: float = 0.0) -> Frame | None:
        """Rows with seq > after, at most 600; None when there are none within wait_s. Row 0's seq > after + 1 is a gap."""
        ...

    async def history(self, table: str, from_ns: int, to_ns: int, *, rows_max: int = 3600) -> Frame:
        """Stored rows, evenly thinned to rows_max."""
        ...

    async def alarms(self) -> Sequence[Alarm]: ...

    async def moves(self, since_ns: int) -> Sequence[Move]:
        """Setpoint changes, anyone's."""
        ...

    async def find(self, finding: Finding) -> None: ...

    async def diagnose(self, diagnosis: Diagnosis) -> None: ...

    async def propose(self, proposal: Proposal) -> Decision: ...

    async def progress(self, proposal: str) -> Progress | None: ...
