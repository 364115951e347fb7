"""The first administrator: whoever can read the gate's folder is given a code, and the code is good until there is one."""

import base64
import contextlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path

from holdfast.clock import Clock
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.identity.people import LockedOut, Lockout, People
from holdfast.terms import SECOND_NS

FILE = "setup.code"
CODE_BYTES = 15  # 120 bits, 24 letters and digits


class WrongCode(IdentityError):
    def __init__(self) -> None:
        super().__init__("identity.code", f"This is not the code in {FILE}; `holdfast status` shows it to whoever runs the gate.")


class Setup:
    """Open while there is no administrator. A new code at each start, in a file that only the gate's own user reads."""

    def __init__(self, folder: Path, people: People, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self.path = folder / FILE
        self._people = people
        self._clock = clock
        self._lockout = Lockout()
        self._failures, self._locked_until_ns = 0, 0
        self._code = ""
        self.path.unlink(missing_ok=True)
        if not people.administrators():
            self._code = base64.b32encode(random_bytes(CODE_BYTES)).decode()
            with os.fdopen(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
                file.write("-".join(self._code[at : at + 4] for at in range(0, len(self._code), 4)) + "\n")

    @property
    def open(self) -> bool:
        """Whether the code is still good. It ends with the first administrator, however that came about."""
        if self._code and self._people.administrators():
            self.close()
        return bool(self._code)

    def demand(self, code: str) -> None:
        """Raises WrongCode, or LockedOut without trying; a code that is no longer open is a wrong one."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._locked_until_ns:
            raise LockedOut((self._locked_until_ns - now_ns) / SECOND_NS)
        given = "".join(c for c in code.upper() if c.isalnum())
        if not hmac.compare_digest(given.encode(), self._code.encode()) or not self.open:
            self._failures += 1
            self._locked_until_ns = now_ns + round(self._lockout.after(self._failures) * SECOND_NS)
            raise WrongCode
        self._failures = 0

    def close(self) -> None:
        """The code is good no more."""
        self._code = ""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def code_in(folder: Path) -> str:
    """The code that a gate over this folder waits for; "" where there is none, or where it is not ours to read."""
    try:
        return (folder / FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
