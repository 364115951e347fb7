"""Places where a test can end, break or delay this process: between any two steps that must not both be forgotten.

`HOLDFAST_FAILPOINT=NAME=ACTION[:NTH]` arms one place; ACTION is `kill` (SIGKILL to this process), `raise` (InjectedFault) or
`sleepSECONDS`, done at the NTH time the place is reached and never again. Without it a place costs one comparison.
The gate's process refuses to start armed, unless it is told that it is started for tests.
"""

import contextlib
import inspect
import os
import re
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType

from holdfast.gate.ledger import store
from holdfast.gate.ledger.store import State

VARIABLE = "HOLDFAST_FAILPOINT"
SLEEP_S_MAX = 60.0

LIFE = (
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
"""Transactions of an action's life, named where they stand (`committing`)."""

OTHERS = (
    "acts.resume",
    "acts.set_autonomy",
    "activation.propose",
    "agents.add",
    "agents.revoke",
    "attend.do",
    "causes.sign",
    "checkpoint.sign",
    "commissioning.set_back_what_changed",
    "commissioning.sign",
    "configuration.first",
    "configuration.sign",
    "debts.now_ns",
    "debts.record",
    "debts.record_faults",
    "debts.settle",
    "gatekeeper.start",
    "jobs.trim",
    "learned.keep",
    "learned.put_back",
    "moves.alive",
    "moves.shift_over_downtime",
    "outbox.ended",
    "outbox.failed",
    "people.add",
    "people.change",
    "people.remove",
    "promotions.sign",
    "questions.answer",
    "questions.ask",
    "relearning.relearn",
    "setback.set_back",
    "store.also_if_rolled_back",
    "store.ensure",
)
"""All other transactions, each named for its file and the function that makes it."""

COMMITS = (*LIFE, *OTHERS)
"""Each has a place `NAME:before` its commit and one `NAME:after` it; a transaction joined to an outer one has none of its own."""

STEPS = ("write", "restore", "deliver", "switch", "put_back", "put_aside")
"""Requests to a device (also of a retreat) and to an order's target, and files put in place: the stop switch, a restored home."""

NAMES = tuple(f"{name}:{when}" for name in (*COMMITS, *STEPS) for when in ("before", "after"))

_FORM = re.compile(r"(?P<name>[a-z_.]+:[a-z]+)=(?P<action>kill|raise|sleep(?P<seconds>\d+(\.\d+)?))(:(?P<nth>[1-9]\d{0,3}))?")
_PASSED = (store.__file__, contextlib.__file__, __file__)  # between a commit and the function that wants it
_FRAMES_MAX = 16


class InjectedFault(Exception):
    """What `raise` raises; nothing in Holdfast expects it."""


class _Armed:
    def __init__(self, name: str, action: str, seconds: float, nth: int) -> None:
        self.name, self.action, self.seconds, self.left = name, action, seconds, nth


_armed: _Armed | None = None
_told: Callable[[str], None] | None = None
_given = os.environ.get(VARIABLE, "")


def arm(what: str, told: Callable[[str], None] | None = None) -> None:
    """Arm one place in this process; "" disarms. `told` hears the name of every commit, before it.

    Raises ValueError for what is no NAME=ACTION[:NTH].
    """
    global _armed, _told
    _armed, _told, State.committing = None, told, None
    if what:
        found = _FORM.fullmatch(what)
        if found is None or found["name"] not in NAMES:
            raise ValueError(f"{VARIABLE}: {what[:80]!r} is no NAME=kill|raise|sleepSECONDS[:NTH]; names are {', '.join(NAMES)}")
        seconds = min(float(found["seconds"] or 0.0), SLEEP_S_MAX)
        _armed = _Armed(found["name"], found["action"], seconds, int(found["nth"] or 1))
    if _armed is not None or _told is not None:
        State.committing = _commits


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
    """A transaction with a place before and one after its commit. Joined to an outer one, it has none."""
    with state.transaction(name):
        yield


def _commits(name: str, when: str) -> None:
    name = name or _named(inspect.currentframe())
    if _told is not None and when == "before":
        _told(name)
    reach(f"{name}:{when}")


def _named(frame: FrameType | None) -> str:
    """File and function of whoever wants the commit."""
    for _ in range(_FRAMES_MAX):
        if frame is None:
            break
        code = frame.f_code
        if code.co_filename not in _PASSED:
            inner, _, _ = code.co_qualname.partition(".<locals>")
            return f"{Path(code.co_filename).stem}.{inner.rpartition('.')[2].strip('_')}"
        frame = frame.f_back
    return "unknown"


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
