"""A probe in an agent's cell reaches its own folder and the link, and nothing else: no plant, record, secret, device or kernel switch."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.run.isolate import Cell, available, runtime
from holdfast.run.supervise import Home, cell_of, enrol
from holdfast.site.load import Loaded, load

WHY = available()
pytestmark = pytest.mark.skipif(bool(WHY), reason=f"no cells on this machine: {WHY}")
SITE = """
holdfast: 1
site: {name: cell, language: en, timezone: UTC}
connections:
  mill: {type: opcua, url: opc.tcp://127.0.0.1:4840, security: Basic256Sha256, server: file:mill.der, login: file:mill.login}
equipment:
  stand:
    tags:
      flow: {on: mill, address: Flow, unit: L/min}
agents: {ann: {autonomy: ask, diagnoser: rank}, eve: {autonomy: ask, diagnoser: rank}}
policy: policy.yaml
"""


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        home = Home(path=Path(folder))
        (home.path / "site.yaml").write_text(SITE)
        (home.path / "policy.yaml").write_text("revision: 1\nrules: []\n")
        (home.path / "mill.login").write_text("gate:secret")
        (home.path / "mill.der").write_text("certificate")
        (home.path / "link").mkdir()
        enrol(home, ["ann", "eve"])
        (home.gate / "people.sock").touch()
        yield home


def loaded(home: Home) -> Loaded:
    return load(home.path / "site.yaml")


def inside(cell: Cell, probe: str, *arguments: str | int) -> Any:
    """What a Python program prints as JSON from within the cell."""
    command = cell.command([sys.executable, "-I", "-c", probe, *map(str, arguments)])
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, env={"PATH": os.defpath}, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


READ = """
import json, sys
def tried(path):
    try:
        open(path, "rb").read(1)
    except OSError as error:
        return type(error).__name__
    return "read"
print(json.dumps([tried(path) for path in sys.argv[1:]]))
"""
WRITE = READ.replace('open(path, "rb").read(1)', 'open(path, "ab").close()').replace('"read"', '"written"')


def test_it_reads_its_own_token_and_nobody_elses_nor_record_nor_secret(home: Home) -> None:
    cell = cell_of(home, home.path / "site.yaml", loaded(home), "ann")
    own, others = home.agent("ann") / "token", (
        home.agent("eve") / "token",
        home.gate / "state.db",
        home.gate / "people.sock",
        home.path / "mill.login",
        home.path / "site.yaml",
        Path("/etc/passwd"),
        Path("/etc/shadow"),
        Path("/root/.ssh"),
        Path("/run/docker.sock"),
    )  # fmt: skip
    found = inside(cell, READ, str(own), *map(str, others))
    assert found[0] == "read"
    assert "read" not in found[1:]


def test_secrets_within_what_it_sees_are_hidden_all_the_same(home: Home) -> None:
    seen = Cell(
        own=home.agent("ann"), sees=(*runtime(), home.path), folders=(home.gate, home.agent("eve")), files=(home.path / "mill.login",)
    )
    found = inside(seen, READ, str(home.path / "site.yaml"), str(home.gate / "state.db"), str(home.agent("eve") / "token"))
    assert found[0] == "read"
    assert "read" not in found[1:]
    content = inside(seen, "import json, sys; print(json.dumps(open(sys.argv[1]).read()))", str(home.path / "mill.login"))
    assert content == ""


def test_it_writes_nowhere_but_in_its_own_folder(home: Home) -> None:
    import holdfast

    cell = cell_of(home, home.path / "site.yaml", loaded(home), "ann")
    package = Path(holdfast.__path__[0])
    places = (
        home.agent("ann") / "mine",
        package / "planted.py",
        package / "gate" / "process.py",
        home.path / "x",
        home.path / "link" / "x",
        Path(sys.prefix) / "x",
        Path("/x"),
        Path("/tmp/x"),
        Path("/usr/x"),
        Path("/etc/x"),
        Path("/dev/x"),
        Path("/dev/shm/x"),
        Path("/proc/sys/kernel/core_pattern"),  # owned by root: whoever began as root needs no capability for it
        Path("/proc/sys/kernel/hostname"),
        Path("/proc/self/oom_score_adj"),
        Path("/sys/power/state"),
    )
    found = inside(cell, WRITE, *map(str, places))
    assert found[0] == "written"
    assert "written" not in found[1:], dict(zip(map(str, places), found, strict=True))
    assert (home.agent("ann") / "mine").exists()  # it is the same folder, not a copy


def test_it_reaches_no_port_of_the_plant(home: Home) -> None:
    probe = """
import json, socket, sys
def tried(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(3)
        try:
            s.connect(address)
        except OSError as error:
            return type(error).__name__
        return "connected"
print(json.dumps([tried(socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), tried(socket.AF_UNIX, "\\0" + sys.argv[2])]))
"""
    with socket.socket() as plant, socket.socket(socket.AF_UNIX) as abstract:
        plant.bind(("127.0.0.1", 0))
        plant.listen()
        name = f"holdfast-test-{os.getpid()}"
        abstract.bind("\0" + name)
        abstract.listen()
        socket.create_connection(plant.getsockname(), 3).close()  # out here it answers
        cell = cell_of(home, home.path / "site.yaml", loaded(home), "ann")
        assert "connected" not in inside(cell, probe, plant.getsockname()[1], name)


async def test_the_link_works_from_inside(home: Home) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello " + await reader.readline())
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, path=home.link)
    probe = """
import json, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b"ann\\n")
    print(json.dumps(s.makefile().read()))
"""
    cell = cell_of(home, home.path / "site.yaml", loaded(home), "ann")
    assert await asyncio.to_thread(inside, cell, probe, str(home.link)) == "hello ann\n"
    server.close()
    await server.wait_closed()


def test_it_has_no_capability_and_can_not_get_one(home: Home) -> None:
    probe = """
import json, os, subprocess
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
tries = [["umount", "-l", "/proc"], ["umount", "-l", "/usr"],
         ["mount", "-o", "remount,bind,rw", "/usr"], ["mount", "-t", "tmpfs", "x", "/usr"],
         ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "x", "/usr"], ["mknod", "./disk", "b", "254", "0"],
         ["chroot", ".", "/bin/true"]]
codes = [subprocess.run(t, capture_output=True).returncode for t in tries]
print(json.dumps({"caps": [status[n].strip() for n in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
                  "new": status["NoNewPrivs"].strip(), "codes": codes, "files": os.listdir(".")}))
"""
    found = inside(cell_of(home, home.path / "site.yaml", loaded(home), "ann"), probe)
    assert set(found["caps"]) == {"0000000000000000"}
    assert found["new"] == "1"
    assert 0 not in found["codes"], found["codes"]
    assert found["files"] == ["token"]


def test_it_sees_no_other_process_and_no_old_root(home: Home) -> None:
    probe = """
import json, os
pids = [p for p in os.listdir("/proc") if p.isdigit()]
mounts = [line.split()[1] for line in open("/proc/self/mounts")]
print(json.dumps({"pids": pids, "me": os.getpid(), "env": sorted(os.environ), "fds": len(os.listdir("/proc/self/fd")), "mounts": mounts,
                  "root": sorted(os.listdir("/"))}))
"""
    found = inside(cell_of(home, home.path / "site.yaml", loaded(home), "ann"), probe)
    assert found["pids"] == [str(found["me"])]
    assert found["fds"] == 4  # three and the one that lists them
    assert not set(found["root"]) & {"home", "run", "var", "sys", "boot", "mnt", "srv", "opt"}
    assert not any(str(home.gate) in mount for mount in found["mounts"])
    assert set(found["env"]) <= {"PATH", "PWD", "OLDPWD", "LC_CTYPE", "SHLVL", "_"}


def test_the_agent_itself_starts_in_a_cell(home: Home) -> None:
    cell = cell_of(home, home.path / "site.yaml", loaded(home), "ann")
    found = inside(cell, "import json, holdfast.agent.process as p; print(json.dumps(p.__name__))")
    assert found == "holdfast.agent.process"


def test_a_path_that_can_not_be_named_is_said() -> None:
    with pytest.raises(ValueError, match="move the folder"):
        Cell(own=Path("/tmp/x"), sees=(Path("/a:b"),)).command(["true"])
