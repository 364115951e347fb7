"""Where peers are kept: in the Python environment's own folder, which git ignores and `make clean` takes away."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

INSTALL_S_MAX = 240.0
_absent: dict[str, str] = {}  # peers that could not be had in this process, with why; one entry a peer


class NoPeer(Exception):
    """The peer can't be had here; the text says why, and what to install."""


def kept(name: str, sources: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """The folder of a peer made from `sources`, made once for each content of them. Raises NoPeer, at once the second time."""
    if name in _absent:
        raise NoPeer(_absent[name])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    folder = Path(os.environ.get("HOLDFAST_PEERS") or Path(sys.prefix) / "peers") / f"{name}-{digest}"
    if folder.exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            work = Path(scratch) / name
            work.mkdir()
            for path in sources:
                shutil.copy(path, work)
            make(work)
            if not folder.exists():  # another process may have been quicker
                work.rename(folder)
    except (OSError, NoPeer) as error:
        _absent[name] = str(error)
        raise NoPeer(str(error)) from None
    return folder


def ran(command: Sequence[str], folder: Path, cure: str) -> None:
    """Run a step of making a peer. Raises NoPeer that ends with `cure`."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    except FileNotFoundError:
        raise NoPeer(f"{command[0]} is not installed: {cure}") from None
    except subprocess.TimeoutExpired:
        raise NoPeer(f"{command[0]} did not end within {INSTALL_S_MAX:g} s: {cure}") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise NoPeer(f"{' '.join(command[:2])} failed ({last}): {cure}")
