"""The stop switch: one small file written in place, so that it works with a full disk and survives a reboot.

It needs no login and no ledger. It is read from the file again right before every wire write.
"""

import json
import os
from pathlib import Path

from holdfast.gate.actuation.failpoints import reach

SWITCH_BYTES = 4096  # allocated once; writing in place needs no free space
SCOPES_MAX = 64


class StopSwitch:
    """`"*"` stops the plant; any other scope is a piece of equipment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: dict[str, str] = {}  # pressed while the file could not be written: for as long as this process lives
        if not path.exists():
            self._write({})

    def stopped(self) -> tuple[str, ...]:
        """Scopes that are stopped. A switch that can't be read stops everything."""
        try:
            return tuple(sorted({*self._read(), *self._held}))
        except (OSError, ValueError):
            return ("*",)

    def covers(self, equipment: str) -> bool:
        return any(scope in ("*", equipment) for scope in self.stopped())

    def press(self, scope: str, by: str) -> None:
        try:
            scopes = self._read()
        except (OSError, ValueError):
            scopes = {"*": "unreadable switch"}
        if len(scopes) >= SCOPES_MAX:
            scopes = {"*": by}
        scopes[scope] = by[:40]
        try:
            self._write(scopes)
        except OSError:
            self._held[scope] = by

    def release(self, scope: str) -> None:
        """A person's act; the caller has made sure of that. An unreadable switch is released only as a whole."""
        try:
            scopes = self._read()
        except (OSError, ValueError):
            scopes = {"*": "unreadable switch"}
        scopes.pop(scope, None)
        self._write(scopes)
        self._held.pop(scope, None)

    def _read(self) -> dict[str, str]:
        handle = os.open(self._path, os.O_RDONLY)  # not by pathlib: this is read three times an action
        try:
            data = os.read(handle, SWITCH_BYTES + 1)
        finally:
            os.close(handle)
        found = json.loads(data.rstrip(b" \n"))
        if not isinstance(found, dict):
            raise ValueError("not a stop switch")
        return {str(k): str(v) for k, v in found.items()}

    def _write(self, scopes: dict[str, str]) -> None:
        data = json.dumps(scopes, ensure_ascii=False).encode()
        if len(data) > SWITCH_BYTES:
            data = b'{"*": "too many scopes"}'
        reach("switch:before")
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, data.ljust(SWITCH_BYTES), 0)
            os.fsync(handle)
        finally:
            os.close(handle)
        reach("switch:after")
