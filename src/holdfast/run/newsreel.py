"""What a person at the terminal of `holdfast run` must know, a line each, as it happens."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.run.desk import Desk, DeskError
from holdfast.terms import Record

LISTEN_AGAIN_S = 1.0  # after the stream of records broke
LOOK_EVERY_S = 2.0  # for what can't be on record: a disk that refuses
SHOWN_CHARS_MAX = 200  # of one text in a line


async def tell(home: Path, said: Callable[[str], None]) -> None:
    """Until cancelled. A gate that doesn't answer is asked again."""
    desk = Desk(home)
    try:
        await asyncio.gather(_records(desk, said), _faults(desk, said))
    finally:
        await desk.close()


async def _records(desk: Desk, said: Callable[[str], None]) -> None:
    after: int | None = None
    while True:
        with contextlib.suppress(DeskError):
            if after is None:  # earlier runs' news are old
                after = await _start_of_run(desk)
            async for record in desk.events(after):
                after = record.seq
                if line := worth_saying(record):
                    said(line)
        await asyncio.sleep(LISTEN_AGAIN_S)


async def _faults(desk: Desk, said: Callable[[str], None]) -> None:
    told = ""
    while True:
        with contextlib.suppress(DeskError):
            fault = str((await desk.status())["fault"])
            if fault and fault != told:
                said(f"FAULT: {_short(fault)}; until then nothing is decided and nothing is written")
            told = fault
        await asyncio.sleep(LOOK_EVERY_S)


async def _start_of_run(desk: Desk) -> int:
    """The number of this run's `start` record, among the newest few."""
    newest = int((await desk.status())["records"])
    recent = await desk.records(max(newest - 100, 0), 100)
    return max((int(r["seq"]) for r in recent if r["kind"] == "start"), default=newest)


def worth_saying(record: Record) -> str:
    """One line of a record for the terminal; "" for what is not news."""
    body: Any = record.body
    match record.kind:
        case "connection" if body["state"] == "lost":
            return f"{body['connection']}: NO CONNECTION ({_short(body['why'])}); its tags are Bad; trying again until it is back"
        case "connection":
            return f"{body['connection']}: connected"
        case "alarm":
            return f"ALARM {body['tag']} {body['limit']} {'active' if body['active'] else 'returned'}"
        case "ask":
            return f"{body['proposal']} waits for: {', '.join(body['roles'])} (holdfast approvals show {body['proposal']})"
        case "outcome":
            outcome = body["outcome"]
            return f"{outcome['proposal']}: {outcome['result']}"
        case "stop":
            return f"STOPPED: {'the whole plant' if body['scope'] == '*' else body['scope']}, by {_short(body['by'])}; nothing is written"
        case "resume":
            return f"resumed: {'the whole plant' if body['scope'] == '*' else body['scope']}, by {body['by']}"
        case "configuration.unused":
            return f"NOT USED: {_short(body['what'])}"
        case "recovered":
            return "the disk takes records again; all that was owed is on record"
        case _:
            return ""


def _short(text: object) -> str:
    """What came from a server or a person, on one line and without control characters."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:SHOWN_CHARS_MAX])
