"""A cell for an agent: a root of its own that holds the runtime, its own folder and the link, and nothing else of the machine.

Built from user, mount, network, PID and IPC namespaces by util-linux alone, so that it needs no root and no container
engine. What is not named is not there: no gate folder, no secrets, no other agent, no socket of another service, no
device but /dev/null and its like. All but its own folder is read-only, /proc too: a process that began as root would
else own the kernel's switches in it without any capability. Mounts are made before the last capability is dropped; a
process inside can neither undo them nor make a namespace of its own in which it could.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import holdfast
from holdfast.terms import Word

PROBE_TIMEOUT_S = 10.0
NAMESPACES = (
    "unshare", "--user", "--map-root-user", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child",
)  # fmt: skip
TOOLS = ("unshare", "setpriv", "mount", "umount", "pivot_root")
# What a program needs of a Linux system: programs and libraries, and how to find them. Not /etc: it has everyone's secrets.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")

# $1: the folder to keep writable, $2: paths to see, $3: folders and $4: files to hide all the same, separated by ':'; then
# the command. The new root is a tmpfs on the folder itself, which stays reachable by descriptor 3 meanwhile.
SCRIPT = r"""
set -eu
export PATH="$PATH:/usr/sbin:/sbin"
own=$1 seen=$2 hidden=$3 files=$4; shift 4
ulimit -c 0
mount --make-rprivate /
exec 3<"$own"
mount -t tmpfs -o size=1m,mode=755,nosuid,nodev cell "$own"
IFS=:
for path in $seen; do
  mkdir -p "$own${path%/*}"
  if [ -L "$path" ]; then ln -s "$(readlink "$path")" "$own$path"
  elif [ -d "$path" ]; then mkdir -p "$own$path"; mount --rbind "$path" "$own$path"
  else : > "$own$path"; mount --bind "$path" "$own$path"; fi
done
for folder in $hidden; do if [ -d "$own$folder" ]; then mount -t tmpfs -o size=4k,mode=000 none "$own$folder"; fi; done
for file in $files; do if [ -e "$own$file" ]; then mount --bind /dev/null "$own$file"; fi; done
unset IFS
mkdir "$own/proc" "$own/dev"
mount --rbind /proc "$own/proc"
for device in null zero full random urandom; do : > "$own/dev/$device"; mount --bind "/dev/$device" "$own/dev/$device"; done
mkdir -p "$own$own"
# The kernel locks a mount's flags against whoever has less than who made it: they are said again, or it refuses.
while read -r _ place _ options _; do
  place=$(printf '%b' "$place")
  case $place in "$own"/*) ;; *) continue ;; esac
  flags=
  for flag in nosuid nodev noexec noatime nodiratime relatime; do case ,$options, in *,$flag,*) flags=$flags,$flag ;; esac; done
  mount -o "remount,bind,ro$flags" "$place"
done < /proc/self/mounts
mount --no-canonicalize --bind /proc/self/fd/3 "$own$own"  # else mount would find the new root by its name
exec 3<&-
mount -o remount,bind,ro,nosuid,nodev "$own"
cd "$own"
pivot_root . .
umount -l .
cd "$own"
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
"""


class Cell(Word):
    """All paths are absolute. `own` exists and stays writable, `sees` is there to read, `folders` and `files` are hidden
    even where they lie within what is seen."""

    own: Path
    sees: tuple[Path, ...]
    folders: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()

    def command(self, argv: Sequence[str]) -> list[str]:
        """What to run instead of argv."""
        lists = (_joined(self.sees), _joined(self.folders), _joined(self.files))
        return [*NAMESPACES, "sh", "-c", SCRIPT, "cell", str(self.own), *lists, *argv]


def runtime() -> tuple[Path, ...]:
    """What this Python and this Holdfast are made of, outermost folders only."""
    package = [Path(folder).absolute() for folder in holdfast.__path__]
    python = (Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.executable)).parent.parent)
    wanted = dict.fromkeys([*map(Path, SYSTEM), *python, *package])
    there = [path for path in wanted if path.exists() or path.is_symlink()]
    return tuple(path for path in there if not any(other in path.parents for other in there))


def available() -> str:
    """ "" where cells can be built, else why not."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is missing (package util-linux)"
    with tempfile.TemporaryDirectory(prefix="holdfast-cell-") as own:
        command = Cell(own=Path(own), sees=runtime()).command(["true"])
        try:
            tried = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            return "making namespaces hangs"
    if tried.returncode == 0:
        return ""
    return tried.stderr.strip().splitlines()[-1] if tried.stderr.strip() else "namespaces are refused"


def _joined(paths: Iterable[Path]) -> str:
    text = [str(path) for path in paths]
    if any(":" in path for path in text):
        raise ValueError("a path with ':' in it can't be named to a cell; move the folder")
    return ":".join(text)
