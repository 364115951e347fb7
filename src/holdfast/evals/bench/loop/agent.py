"""The bench's agent: for each sample that the link brings, one proposal; nothing else, so that the runtime is what is timed.

It doesn't wait for what becomes of a proposal: the next sample comes when it comes. Prints how far it is and leaves its
stamps in a file (CLOCK_MONOTONIC, which all processes of a machine share).
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from holdfast.link.http import HttpLink
from holdfast.site.tables import tables
from holdfast.terms import Proposal, Write

TOLD_EVERY = 50
WAIT_S = 5.0
SP = "loop/sp"


def target(sample: int) -> float:
    """In bar: another one for each sample, at most 2 from the last."""
    return 50.0 + (0.0, 1.0, 2.0, 1.0)[sample % 4] + (sample // 4 % 2) * 0.25


async def follow(link: HttpLink, samples: int) -> list[tuple[int, int, int, int, str]]:
    """(sample, has it, asks, is answered, verdict) of each."""
    (table,) = tables(await link.site())
    stamps: list[tuple[int, int, int, int, str]] = []
    newest = await link.frames(table.id, -1, wait_s=WAIT_S)
    after = -1 if newest is None else newest.seq + newest.rows - 1
    while len(stamps) < samples:
        frame = await link.frames(table.id, after, wait_s=WAIT_S)
        has = time.monotonic_ns()
        if frame is None:
            raise SystemExit("no sample came; see the gate's log")
        after = frame.seq + frame.rows - 1
        action = Write(sets=((SP, target(after)),))
        proposal = Proposal(id=f"loop-{after}", incident="bench", action=action, reason="follows the sample", valid_s=5.0)
        asks = time.monotonic_ns()
        decision = await link.propose(proposal)
        stamps.append((after, has, asks, time.monotonic_ns(), decision.verdict))
        if len(stamps) % TOLD_EVERY == 0:
            _say({"done": len(stamps)})
    return stamps


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def run(address: str, token: str, samples: int, out: Path) -> None:
    link = HttpLink(address, token)
    try:
        _say({"done": 0})
        out.write_text(json.dumps(await follow(link, samples)))
    finally:
        await link.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--link", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(run(given.link, given.token_file.read_text().strip(), given.samples, given.out))
