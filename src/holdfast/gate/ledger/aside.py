"""Long work on the record in a process of its own, so that no decision waits for it: `verify` and `export` of a state folder.

`verify` prints a JSON object a line: {"done", "of"} now and then, at the end {"verdict", "state"}. `export` writes the
export's bytes, and ends with code 1 and a word on stderr where there is none or it is not whole.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from holdfast.gate.ledger.agree import agreement
from holdfast.gate.ledger.checkpoint import PUBLIC, KeyFileError, read_public
from holdfast.gate.ledger.export import ExportError, lines, write
from holdfast.gate.ledger.store import FILE, StateError, cured
from holdfast.gate.ledger.verify import opened, verify
from holdfast.terms import LABELS, canonical

TELL_S = 0.3  # at most so often
NICENESS = 10


def command(what: str, folder: Path, *arguments: str) -> list[str]:
    """The argv that does it."""
    return [sys.executable, "-I", "-m", "holdfast.gate.ledger.aside", what, str(folder), *arguments]


def main() -> None:
    parser = argparse.ArgumentParser(prog="holdfast-aside", description=__doc__)
    parser.add_argument("what", choices=("verify", "export"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--label", choices=LABELS, default="public")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--last", type=int)
    given = parser.parse_args()
    with contextlib.suppress(OSError):  # a hardened unit forbids it; then the kernel shares as it likes
        os.nice(NICENESS)
    try:
        key = read_public(given.folder / PUBLIC)
        if given.what == "verify":
            found = verify(given.folder, key, progress=_telling())
            state = None
            if found.ok:
                with cured(given.folder / FILE), opened(given.folder / FILE) as db:
                    state = agreement(db)
            sys.stdout.write(canonical({"verdict": found, "state": state}).decode() + "\n")
            sys.exit(0 if found.ok and state is not None and state.agrees else 1)
        with cured(given.folder / FILE), opened(given.folder / FILE) as db:
            write(lines(db, key, given.label, first=given.first, last=given.last), sys.stdout.buffer)
    except (KeyFileError, ExportError, StateError, OSError, ValueError, apsw.Error) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def _telling() -> Callable[[int, int], None]:
    next_s = 0.0

    def tell(done: int, of: int) -> None:
        nonlocal next_s
        if (now_s := time.monotonic()) >= next_s or done == of:
            next_s = now_s + TELL_S
            sys.stdout.write(json.dumps({"done": done, "of": of}) + "\n")
            sys.stdout.flush()

    return tell


if __name__ == "__main__":
    main()
