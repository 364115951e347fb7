"""The contracts that a plug-in is held to; `testing/` checks them.

Built-ins and third parties use the same door: an entry point that names one class. A plug-in is a dataclass whose
init fields are its configuration; the field docstrings are its reference. Installed is not enabled: only what the
site file names is loaded.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Frame, Sample, Sent, ServerAlarms, Tag, TagTable, Word


class ConnectionLost(Exception):
    """The other side is gone or never was there; the message says what to check."""


@runtime_checkable
class Reader(Protocol):
    """Reads tags. Nothing here raises for a bad tag: it degrades itself alone, with a Bad status."""

    async def connect(self) -> None:
        """Open the connection. Raises ConnectionLost, saying address and cause. Does not retry: the gate does."""
        ...

    async def close(self) -> None:
        """Close; safe to call twice and on a connection that was never opened."""
        ...

    def browse(self, under: str = "") -> AsyncIterator[Tag]:
        """Every variable below a node, as read-only tags with unit, type and EURange where the server tells them."""
        ...

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        """One sample a tag, in order, read from the device now. Raises ConnectionLost only if nothing could be read."""
        ...

    def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        """Frames of one row each period. On loss: one row of Bad values, then the iterator ends. A connector that knows why may keep it in
        a text `lost_why`, which people are then told."""
        ...

    def health(self) -> Mapping[str, float]:
        """lag_s, gaps, clock_offset_s, requests … whatever applies."""
        ...


@runtime_checkable
class Writer(Protocol):
    """Writes tags. Exactly one request on the wire per call, never a retry, never queued."""

    def wire_value(self, tag: Tag, value: float) -> float:
        """What would arrive: scaled, rounded, encoded, decoded and scaled back. Raises ValueError if it can't be encoded."""
        ...

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        """acked: the device said yes. rejected: it said no. unknown: anything else, also an exception after sending.

        `timeout_s` is on the wall clock, whatever clock the gate runs on: a device is real.
        """
        ...


@runtime_checkable
class AlarmReader(Protocol):
    """A connection whose server has alarms of its own."""

    def alarms(self) -> AsyncIterator[ServerAlarms]:
        """What stands already comes first, also what became active before the connection; then each change, at once.

        On loss the iterator ends. A server without alarms is told once, `known` False, and the iterator ends.
        """
        ...


@runtime_checkable
class Caller(Protocol):
    """Calls methods of a server. Exactly one call request on the wire per call, never a retry, never queued."""

    async def call(self, address: str, arguments: Sequence[float], *, timeout_s: float) -> Sent:
        """acked: the method ran and said so. rejected: it did not run. unknown: anything else, also a Bad answer that may come from
        half-way. `timeout_s` is on the wall clock, and holds for what is looked up first too."""
        ...


class Connector(Reader, Writer, Protocol):
    """What a connection of the site file is made of."""


class Detector(Protocol):
    """Turns frames of a fixed list of tags into scores; confirmation turns scores into findings.

    Rows with a non-finite value or a Bad status in any tag still get a finite score: the detector says in its
    docstring what it puts in their place (the score is then a claim about the other tags).
    """

    name: ClassVar[str]

    def fit(self, values: NDArray[np.float64], tags: Sequence[str]) -> None:
        """Learn a quiet stretch, (rows, tags). Raises ValueError that says what is wrong with it."""
        ...

    def reset(self) -> None:
        """Forget what was seen since fit, not what was learned."""
        ...

    def score(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(rows, tags) in, (rows,) out; higher is worse, always finite; the same bits however the rows are split."""
        ...

    def shares(self) -> NDArray[np.float64]:
        """(tags,): how much each tag contributes to the score of the last row scored; ≥ 0, sum 1."""
        ...

    def save(self) -> bytes:
        """The learned state; load(save()) scores alike."""
        ...

    def load(self, state: bytes) -> None:
        """Raises ValueError for a state that is not one of this detector's."""
        ...


# ---- language models -------------------------------------------------------------------------------------------------


class Turn(Word):
    """One message of a conversation with a model."""

    role: Literal["system", "user", "assistant"]
    text: str


class Generated(Word):
    """What a model wrote, as it came: nothing of it is checked yet."""

    text: str
    model: str  # as whoever made it names it
    ended: Literal["whole", "cut"]  # cut: at max_tokens
    prompt_tokens: int | None  # None: not told
    answer_tokens: int | None
    # constrained: decoded here, under the schema. asked: the server was asked to, in its own words. free: no schema was given.
    decoding: Literal["constrained", "asked", "free"]
    # bitwise: one thread, greedy, here. greedy: temperature 0 and a seed at a server whose batches may change the sums. sampled: neither.
    determinism: Literal["bitwise", "greedy", "sampled"]


class EngineFault(Exception):
    """There is no answer. `code` is one of words/engines, `facts` its facts; `busy` says that a later try may do."""

    def __init__(self, code: str, *, busy: bool = False, **facts: str) -> None:
        super().__init__(f"{code} {facts}" if facts else code)
        self.code = code
        self.facts = facts
        self.busy = busy


class Engine(Protocol):
    """Where one model answers. One call is one request: an engine never tries again by itself, the router asks the next rung."""

    async def generate(self, turns: Sequence[Turn], *, schema: str | None, max_tokens: int, deadline_s: float) -> Generated:
        """The model's answer to a conversation. `schema` is JSON (`serving/schema.py`), to be decoded under where the engine can.

        Ends within `deadline_s` of the wall clock, also when it is cancelled. Raises EngineFault.
        """
        ...

    async def ready(self, *, deadline_s: float) -> None:
        """Whether it would take a request now. Raises EngineFault, saying why not."""
        ...

    async def close(self) -> None:
        """Let go of what it holds; safe to call twice, and before the first request."""
        ...
