"""Places where a test can end, break or delay this process: between any two steps that must not both be forgotten.

`HOLDFAST_FAILPOINT=NAME=ACTION[:NTH]` arms one place; ACTION is `kill` (SIGKILL to this process), `raise` (InjectedFault) or
`sleepSECONDS`, done at the NTH time the place is reached and never again. Without it a place costs one comparison.
The gate's process refuses to start armed, unless it is told that it is started for tests.
"""

import contextlib
import os
import re
import signal
import time
from collections.abc import Generator

from holdfast.gate.ledger.store import State

VARIABLE = "HOLDFAST_FAILPOINT"
SLEEP_S_MAX = 60.0

COMMITS = (
    "decision",
    "approval",
    "expired",
    "fell",
    "intent",
    "reconciled",
    "verified",
    "outcome",
    "effect",
    "retreat",
    "restored",
    "escalated",
    "resolved",
)
"""Transactions of an action's life; each has a place `NAME:before` its commit and one `NAME:after` it."""

WIRE = ("write:before", "write:after", "restore:before", "restore:after")
"""Around the one request that a write is."""

NAMES = (*(f"{name}:{when}" for name in COMMITS for when in ("before", "after")), *WIRE)

_FORM = re.compile(r"(?P<name>[a-z]+:[a-z]+)=(?P<action>kill|raise|sleep(?P<seconds>\d+(\.\d+)?))(:(?P<nth>[1-9]\d{0,3}))?")


class InjectedFault(Exception):
    """What `raise` raises; nothing in Holdfast expects it."""


class _Armed:
    def __init__(self, name: str, action: str, seconds: float, nth: int) -> None:
        self.name, self.action, self.seconds, self.left = name, action, seconds, nth


_armed: _Armed | None = None
_given = os.environ.get(VARIABLE, "")


def arm(what: str) -> None:
    """Arm one place in this process; "" disarms. Raises ValueError for what is no NAME=ACTION[:NTH]."""
    global _armed
    if not what:
        _armed = None
        return
    found = _FORM.fullmatch(what)
    if found is None or found["name"] not in NAMES:
        raise ValueError(f"{VARIABLE}: {what[:80]!r} is no NAME=kill|raise|sleepSECONDS[:NTH]; names are {', '.join(NAMES)}")
    seconds = min(float(found["seconds"] or 0.0), SLEEP_S_MAX)
    _armed = _Armed(found["name"], found["action"], seconds, int(found["nth"] or 1))


def refusal(*, for_tests: bool) -> str:
    """Why this process must not start as it was started, "" if it may. What was given is armed here, for tests alone."""
    if not _given:
        return ""
    if not for_tests:
        return f"{VARIABLE} is set: a failpoint breaks a gate on purpose. Unset it; it is for tests, with --for-tests."
    try:
        arm(_given)
    except ValueError as error:
        return str(error)
    return ""


def reach(name: str) -> None:
    """This place is reached."""
    if _armed is not None:
        _act(_armed, name)


@contextlib.contextmanager
def committing(state: State, name: str) -> Generator[None]:
    """A transaction with a place before and one after its commit. Joined to an outer one, it has none after."""
    with state.transaction():
        yield
        if _armed is not None:
            _act(_armed, f"{name}:before")
    if _armed is not None and not state.in_transaction:
        _act(_armed, f"{name}:after")


def _act(armed: _Armed, name: str) -> None:
    if armed.name != name or armed.left <= 0:
        return
    armed.left -= 1
    if armed.left:
        return
    match armed.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise InjectedFault(name)
        case _:
            time.sleep(armed.seconds)
