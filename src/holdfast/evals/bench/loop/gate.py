"""The real gate process with stopwatches around its own methods; nothing else of it is changed.

Stamps are CLOCK_MONOTONIC in ns, which all processes of a machine share. They stay in memory and are left in a file
when the gate has ended.
"""

import contextlib
import json
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.gate import process
from holdfast.gate.actuation.eyes import FreshEyes
from holdfast.gate.actuation.jobs import Job
from holdfast.gate.actuation.second import Second
from holdfast.gate.connectors.mbap import Mbap
from holdfast.gate.connectors.modbus import Modbus
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.terms import Decision, Frame, Proposal, Sample, Sent, Tag

STAMPS_MAX = 2_000_000
DURABLE = {"decision": "decision durable", "intent": "intent durable", "outcome": "outcome durable"}


class Stopwatch:
    """(what, sample or proposal, at ns). `now` is whose turn it is: the gate writes one proposal at a time."""

    def __init__(self) -> None:
        self.stamps: list[tuple[str, str, int]] = []
        self.bytes_ns = 0  # when bytes last came from the device
        self.recorded: list[tuple[str, str]] = []  # in the open transaction
        self.acting = ""
        self.cpu_ns = 0  # of this process, when the first proposal came

    def stamp(self, what: str, whose: str, at_ns: int | None = None) -> None:
        if len(self.stamps) < STAMPS_MAX:
            self.stamps.append((what, whose, time.monotonic_ns() if at_ns is None else at_ns))


def watch_data(watch: Stopwatch) -> None:
    """When a sample's bytes came, and when it was taken in."""
    arrived, ingest = Mbap.data_received, Gatekeeper.ingest

    def data_received(self: Mbap, data: bytes) -> None:
        watch.bytes_ns = time.monotonic_ns()
        arrived(self, data)

    def timed_ingest(self: Gatekeeper, frame: Frame) -> Frame:
        came_ns = watch.bytes_ns
        taken = ingest(self, frame)
        proposal = f"loop-{taken.seq}"
        watch.stamp("arrived", proposal, came_ns)
        watch.stamp("taken in", proposal)
        return taken

    Mbap.data_received = data_received
    Gatekeeper.ingest = timed_ingest


def watch_record(watch: Stopwatch) -> None:
    """When a record is on the disk: at the end of the transaction that holds it."""
    append, transaction = Log.append, State.transaction

    def timed_append(self: Log, kind: str, body: Any, **more: Any) -> int:
        if kind in DURABLE:
            of = body["proposal"]
            watch.recorded.append((DURABLE[kind], of.id if isinstance(of, Proposal) else of))
        return append(self, kind, body, **more)

    @contextlib.contextmanager
    def timed_transaction(self: State, name: str = "") -> Generator[None]:
        with transaction(self, name):
            yield
        if not self.in_transaction and watch.recorded:
            at_ns = time.monotonic_ns()
            for what, whose in watch.recorded:
                watch.stamp(what, whose, at_ns)
            watch.recorded.clear()

    Log.append = timed_append
    State.transaction = timed_transaction


def watch_acts(watch: Stopwatch) -> None:
    """When a proposal came in, was looked at again, was written and was read back."""
    propose, decide_again, read, write = Gatekeeper.propose, FreshEyes.decide_again, FreshEyes.read, Modbus.write

    def timed_propose(self: Gatekeeper, author: str, proposal: Proposal) -> Decision:
        watch.stamp("proposed", proposal.id)
        watch.cpu_ns = watch.cpu_ns or time.process_time_ns()
        return propose(self, author, proposal)

    async def timed_again(self: FreshEyes, job: Job) -> Second:
        watch.acting = ""
        watch.stamp("looked again", job.proposal.id)
        found = await decide_again(self, job)
        watch.acting = job.proposal.id
        watch.stamp("decided again", job.proposal.id)
        return found

    async def timed_read(self: FreshEyes, tags: Sequence[str]) -> Mapping[str, Sample]:
        found = await read(self, tags)
        if watch.acting:
            watch.stamp("read back", watch.acting)
        return found

    async def timed_write(self: Modbus, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        answer = await write(self, tag, value, timeout_s=timeout_s)
        watch.stamp("acknowledged", watch.acting)
        return answer

    Gatekeeper.propose = timed_propose
    FreshEyes.decide_again = timed_again
    FreshEyes.read = timed_read
    Modbus.write = timed_write


def main(argv: Sequence[str]) -> None:
    """`gate.py STAMPS …`: the file for the stamps, then what the gate process takes."""
    watch = Stopwatch()
    watch_data(watch)
    watch_record(watch)
    watch_acts(watch)
    process.main(list(argv[1:]))
    Path(argv[0]).write_text(json.dumps({"cpu_ns": time.process_time_ns() - watch.cpu_ns, "stamps": watch.stamps}))


if __name__ == "__main__":
    main(sys.argv[1:])
