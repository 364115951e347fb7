"""The egress lock: only listed addresses and names, no child process, never undone, and no gate without it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from holdfast.gate.egress import Address, addresses_of
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.run.supervise import Home, start_gate
from holdfast.site.load import load

BEGIN = """
import asyncio, json, os, socket, subprocess, sys, threading
from holdfast.gate.egress import Address, EgressLock, EgressRefused, EgressOpen, prove
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(5); listed = server.getsockname()[1]
other = socket.socket(); other.bind(("127.0.0.1", 0)); other.listen(5); unlisted = other.getsockname()[1]
lock = EgressLock((Address(host="127.0.0.1", port=listed, of="here"), Address(host="localhost", port=listed, of="here")))
def said(attempt):
    try:
        attempt()
    except EgressRefused:
        return "refused"
    except OSError as error:
        return type(error).__name__
    return "passed"
"""


def ran(script: str) -> object:
    """What a fresh interpreter prints: a hook that can't be taken out has no place in this one."""
    found = subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True, timeout=30)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_a_listed_address_passes_and_any_other_port_host_or_protocol_is_refused() -> None:
    assert ran("""
def connect(place, family=socket.AF_INET): return said(lambda: socket.socket(family).connect(place))
def send(place): return said(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", place))
print(json.dumps([
    connect(("127.0.0.1", listed)), connect(("127.0.0.1", unlisted)), connect(("127.0.0.2", listed)),
    connect(("192.0.2.1", 443)), connect(("::1", listed), socket.AF_INET6), connect(("localhost", unlisted)),
    send(("127.0.0.1", unlisted)), send(("192.0.2.1", 53)),
    said(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("192.0.2.1", 53))),
    said(lambda: socket.socket().connect_ex(("192.0.2.1", 443))),
]))
""") == ["passed"] + ["refused"] * 9  # fmt: skip


def test_an_ipv4_address_in_ipv6_clothes_is_the_same_address() -> None:
    assert ran("""
def connect(port): return said(lambda: socket.socket(socket.AF_INET6).connect(("::ffff:127.0.0.1", port)))
print(json.dumps([connect(listed), connect(unlisted)]))
""") == ["passed", "refused"]


def test_names_are_looked_up_only_if_they_are_listed() -> None:
    assert ran("""
look = lambda name: said(lambda: socket.getaddrinfo(name, 443))
print(json.dumps([
    look("localhost"), look("LOCALHOST"), look("127.0.0.1"), look("secret-in-a-name.attacker.example"), look(b"attacker.example"),
    said(lambda: socket.gethostbyname("attacker.example")), said(lambda: socket.gethostbyaddr("192.0.2.1")),
    said(lambda: socket.getnameinfo(("192.0.2.1", 1), 0)),
]))
""") == ["passed"] * 3 + ["refused"] * 5  # fmt: skip


def test_a_listed_name_may_be_connected_to_by_the_address_that_it_has() -> None:
    assert (
        ran("""
async def through():
    reader, writer = await asyncio.open_connection("localhost", listed, family=socket.AF_INET)
    writer.close()
    return "passed"
print(json.dumps(asyncio.run(through())))
""")
        == "passed"
    )


def test_asyncio_unix_sockets_and_threads_see_the_same_lock() -> None:
    assert ran("""
import tempfile
async def to(port):
    try:
        await asyncio.open_connection("127.0.0.1", port)
    except EgressRefused:
        return "refused"
    return "passed"
path = os.path.join(tempfile.mkdtemp(), "s"); unix = socket.socket(socket.AF_UNIX); unix.bind(path); unix.listen()
found = []
thread = threading.Thread(target=lambda: found.append(said(lambda: socket.create_connection(("127.0.0.1", unlisted)))))
thread.start(); thread.join()
print(json.dumps([asyncio.run(to(listed)), asyncio.run(to(unlisted)), said(lambda: socket.socket(socket.AF_UNIX).connect(path)), *found]))
""") == ["passed", "refused", "passed", "refused"]  # fmt: skip


def test_no_child_process_is_started_which_the_lock_would_not_bind() -> None:
    assert ran("""
print(json.dumps([
    said(lambda: subprocess.run(["/bin/true"])), said(lambda: os.system("true")), said(os.fork),
    said(lambda: os.posix_spawn("/bin/true", ["true"], {})),
    said(lambda: os.execv("/bin/true", ["true"])),
]))
""") == ["refused"] * 5  # fmt: skip


def test_each_refusal_is_told_once_for_the_record() -> None:
    assert ran("""
for _ in range(3): said(lambda: socket.socket().connect(("192.0.2.1", 443)))
first = [r["what"] for r in lock.refused()]
said(lambda: socket.socket().connect(("192.0.2.1", 443)))
print(json.dumps([first, [r["what"] for r in lock.refused()]]))
""") == [["192.0.2.1:443"], []]


def test_the_proof_tries_what_would_pass_without_the_lock_and_fails_where_it_does() -> None:
    assert ran("""
good = prove(lock)
lock.__class__._connect = lambda *a: None
try:
    prove(lock)
    said_open = ""
except EgressOpen as error:
    said_open = str(error)[:34]
print(json.dumps([good, said_open]))
""") == [["tcp", "udp", "dns", "process"], "the egress lock let tcp pass; the "]


# ---- what the site file names ----------------------------------------------------------------------------------------

SITE = """
holdfast: 1
site: {name: named}
connections:
  mill: {type: opcua, url: env:MILL_URL}
  plain: {type: opcua, url: "opc.tcp://10.1.4.11"}
  cooling: {type: modbus, host: 10.1.4.20}
  other: {type: modbus, host: cooling.mill, port: 1502}
equipment: {stand: {tags: {v: {on: cooling, address: "40001:uint16", unit: mm/s}}}}
context:
  stock: {kind: inventory, source: {type: postgres, host: mes.mill, database: m, user: r, query: SELECT 1}, newer_than: 1h}
  file: {kind: inventory, source: {type: csv, file: x.csv}, newer_than: 1h}
outbox:
  hook: {type: webhook, url: "https://cmms.mill/x", orders: [notify]}
  sql: {type: postgres, host: mes.mill, port: 5433, database: m, user: w, table: orders, orders: [notify]}
  log: {type: file, file: a.jsonl, orders: [notify]}
"""


def test_addresses_are_those_of_connections_context_and_outbox_with_their_usual_ports(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    found = addresses_of(load(tmp_path / "site.yaml").site, tmp_path, {"MILL_URL": "opc.tcp://10.1.4.10:4841/x"})
    assert set(found) == {
        Address(host="10.1.4.10", port=4841, of="connection mill"),
        Address(host="10.1.4.11", port=4840, of="connection plain"),
        Address(host="10.1.4.20", port=502, of="connection cooling"),
        Address(host="cooling.mill", port=1502, of="connection other"),
        Address(host="mes.mill", port=5432, of="context stock"),
        Address(host="cmms.mill", port=443, of="outbox hook"),
        Address(host="mes.mill", port=5433, of="outbox sql"),
    }


# ---- the gate --------------------------------------------------------------------------------------------------------

LONELY = """
holdfast: 1
site: {name: lonely}
connections: {cooling: {type: modbus, host: 127.0.0.1, port: 9}}
equipment: {stand: {tags: {flow: {address: "40001:uint16", unit: L/min}}}}
agents: {ann-agent: {autonomy: ask}}
"""


async def test_a_gate_says_on_record_what_it_is_locked_to_and_that_the_lock_was_tried() -> None:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        home = Home(path=Path(folder))
        (home.path / "site.yaml").write_text(LONELY)
        child = await start_gate(home, home.path / "site.yaml", env=os.environ)
        await child.end()
        state = State(home.gate)
        from holdfast.clock import RealClock

        (record,) = [r.body for r in Log(state, RealClock()).read() if r.kind == "egress"]
        state.close()
    assert record["allowed"] == [{"host": "127.0.0.1", "port": 9, "of": "connection cooling"}]
    assert record["proven"] == ["tcp", "udp", "dns", "process"]


async def test_a_gate_whose_lock_does_not_hold_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(LONELY)
    script = (
        "import sys; import holdfast.gate.egress as e; e.EgressLock._connect = lambda *a: None; "
        "from holdfast.gate.process import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "--site", str(tmp_path / "site.yaml"), "--home", str(tmp_path / "home")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30)  # noqa: ASYNC221
    assert (found.returncode, "the egress lock let tcp pass" in found.stderr) == (2, True), found.stderr


def test_a_url_without_a_host_names_no_address(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    with pytest.raises(ValueError, match="connection mill: its url names no host and port"):
        addresses_of(load(tmp_path / "site.yaml").site, tmp_path, {"MILL_URL": "opc.tcp:"})


def test_the_one_child_that_a_gate_starts_is_its_own_reader_of_the_record_and_nothing_beside() -> None:
    assert ran("""
from holdfast.gate.ledger.aside import command
from pathlib import Path
ours = command("verify", Path("/nowhere"))
def start(argv, env={}, **more):
    return said(lambda: subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more).wait())
print(json.dumps([
    start(ours), start(command("export", Path("/nowhere"), "--label", "public")),
    start([*ours[:3], "http.server"]), start([ours[0], *ours[2:]]), start([ours[0], "-I", "-c", "0", *ours[2:]]),
    start(["/bin/true"]), start(ours, {"LD_PRELOAD": "x.so"}), start(ours, None), start(ours, executable="/bin/true"),
    start("/bin/true", shell=True),
]))
""") == ["passed"] * 2 + ["refused"] * 8  # fmt: skip
