"""A cell for an agent: no network, no view of the gate's folder or of secrets, nothing to write but a folder of its own.

Built from user, mount, network and PID namespaces by util-linux alone, so that it needs no root and no container
engine. The cell's mounts are made before all capabilities are dropped for good; a process inside can neither undo them
nor make a namespace of its own in which it could. The gate's Unix socket stays reachable: it is a file.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from holdfast.terms import Word

PROBE_TIMEOUT_S = 10.0
NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")

# $1: folders to hide, $2: files to hide, $3: the folder to keep writable, each separated by ':'; then the command.
# Every mount is made read-only but the kernel's own; then the last capability goes.
SCRIPT = r"""
set -eu
hidden=$1 files=$2 own=$3; shift 3
mount --make-rprivate /
mount --bind "$own" "$own"
IFS=:
for folder in $hidden; do mount -t tmpfs -o size=4k,mode=000 none "$folder"; done
for file in $files; do mount --bind /dev/null "$file"; done
unset IFS
while read -r _ place _; do
  place=$(printf '%b' "$place")
  case $place in "$own"|/proc|/proc/*|/sys|/sys/*|/dev|/dev/*) ;; *) mount -o remount,bind,ro "$place" 2>/dev/null || true ;; esac
done < /proc/self/mounts
cd "$own"
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
"""


class Cell(Word):
    """`folders` and `files` are hidden, `own` stays writable. All paths are absolute and exist."""

    folders: tuple[Path, ...]
    files: tuple[Path, ...]
    own: Path

    def command(self, argv: Sequence[str]) -> list[str]:
        """What to run instead of argv."""
        return [
            *NAMESPACES,
            "sh",
            "-c",
            SCRIPT,
            "cell",
            ":".join(map(str, self.folders)),
            ":".join(map(str, self.files)),
            str(self.own),
            *argv,
        ]


def available() -> str:
    """ "" where cells can be built, else why not."""
    for tool in ("unshare", "setpriv", "mount"):
        if shutil.which(tool) is None:
            return f"{tool} is missing (package util-linux)"
    try:
        tried = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return "making namespaces hangs"
    return "" if tried.returncode == 0 else tried.stderr.strip().splitlines()[-1] if tried.stderr.strip() else "namespaces are refused"
