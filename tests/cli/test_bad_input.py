"""Bad input, one test each: a clear word that says what to do, the exit code for it, no traceback, and nothing lost.

The full disk is in tests/run/test_run_full_disk.py, which needs a whole plant.
"""

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from holdfast.run.desk import Desk, DeskError
from holdfast.sim.modbus_server import ModbusServer

PASSWORD = "brass kettle orchard"
SITE = """\
holdfast: 1
site: {{name: small, language: en, timezone: UTC}}
connections:
  plc: {{type: opcua, url: "opc.tcp://127.0.0.1:{opcua}", security: none, namespace: urn:plc}}
  cooling: {{type: modbus, host: 127.0.0.1, port: {modbus}, unit_id: 1}}
equipment:
  pump:
    tags:
      vibration: {{on: plc, address: Pump.VibRMS, unit: mm/s}}
      flow: {{on: cooling, address: "40001:uint16", unit: L/min, every: 200ms}}
    alarms:
      vibration: {{hi: 4.5, hihi: 7.1, deadband: 0.3, delay: 3s}}
"""
HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


async def holdfast(*arguments: object, stdin: str = "") -> tuple[int, str]:
    """Exit code and all that was said. A traceback fails the test whatever else is so."""
    process = await asyncio.create_subprocess_exec(
        *HOLDFAST,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "200"},
    )
    said, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 40)
    text = said.decode()
    assert "Traceback" not in text, text
    assert process.returncode is not None
    return process.returncode, text


class Running:
    """`holdfast run`, with the lines that it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def says(self, text: str) -> str:
        """The next line with `text` in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line)
                if text in line:
                    return line
        raise AssertionError(f"it ended and never said {text!r}: {self.lines}")


@contextlib.asynccontextmanager
async def running(site: Path, home: Path) -> AsyncGenerator[Running]:
    process = await asyncio.create_subprocess_exec(
        *HOLDFAST,
        "run",
        str(site),
        "--home",
        str(home),
        "--console",
        "127.0.0.1:0",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    run = Running(process)
    try:
        yield run
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), 20)


@pytest.fixture
def home() -> Iterator[Path]:
    # Short: a socket's path has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        yield Path(folder) / "home"


def site(folder: Path, *, modbus: int = 1, change: tuple[str, str] = ("", "")) -> Path:
    path = folder / "site.yaml"
    text = SITE.format(opcua=free_port(), modbus=modbus)
    assert change[0] in text
    path.write_text(text.replace(*change) if change[0] else text)
    return path


# ---- a site file -----------------------------------------------------------------------------------------------------


async def test_the_site_file_of_these_tests_is_right(tmp_path: Path) -> None:
    assert (await holdfast("check", site(tmp_path)))[0] == 0


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("      vibration: {hi", "      vibrations: {hi"), 12, ("vibrations", "vibration")),  # an unknown tag, and the one that is meant
        (("      flow: {on", "      vibration: {on"), 10, ("vibration", "twice")),
        (("unit: mm/s", "unit: bananas"), 9, ("bananas", "UCUM")),
        (("hi: 4.5, hihi: 7.1", "hi: 7.1, hihi: 4.5"), 12, ("hi", "hihi")),
    ],
    ids=["an unknown tag", "a duplicate key", "a wrong unit", "a range upside down"],
)
async def test_a_wrong_site_file_is_refused_at_its_line_with_what_would_be_right(
    change: tuple[str, str], line: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    path = site(tmp_path, change=change)
    before = path.read_bytes()
    code, said = await holdfast("check", path)
    assert code == 1
    assert f"site.yaml:{line}:" in said
    for word in words:
        assert word in said
    assert path.read_bytes() == before


async def test_run_refuses_a_wrong_site_file_and_leaves_no_home(tmp_path: Path, home: Path) -> None:
    code, said = await holdfast("run", site(tmp_path, change=("unit: mm/s", "unit: bananas")), "--home", home)
    assert (code, "bananas" in said) == (2, True)
    assert not home.exists()


# ---- a recording -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x1f\x8b\x08nonsense", "gz"), (b"\x00\xff\xfe\x00\x01binary", ""), (b"", "")],
    ids=["a broken gz", "binary", "empty"],
)
async def test_detect_refuses_an_unreadable_recording_and_writes_nothing(content: bytes, words: str, tmp_path: Path) -> None:
    bad = tmp_path / ("bad.csv.gz" if words else "bad.csv")
    bad.write_bytes(content)
    out = tmp_path / "scores.csv"
    code, said = await holdfast("detect", "--fit", bad, "--data", bad, "--out", out)
    assert (code, bad.name in said) == (2, True)
    assert list(tmp_path.iterdir()) == [bad]


async def test_replay_refuses_an_unreadable_recording_and_names_it(tmp_path: Path, home: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"\x00\xff\xfe\x00\x01binary")
    path = tmp_path / "site.yaml"
    path.write_text(
        "holdfast: 1\nsite: {name: r, language: en, timezone: UTC}\n"
        "connections: {rec: {type: replay, file: bad.csv, period_s: 1}}\n"
        "equipment: {pump: {tags: {a: {address: a, unit: bar}}}}\n"
        "perception: [{name: p, detector: dynamic, tags: [pump/*]}]\n"
        "agents: {watcher: {autonomy: observe}}\n"
    )
    code, said = await holdfast("replay", path, "--home", home)
    assert (code, "bad.csv" in said) == (2, True), said


async def test_a_recording_that_is_not_there_is_said(tmp_path: Path) -> None:
    code, said = await holdfast("detect", "--fit", tmp_path / "no.csv", "--data", tmp_path / "no.csv", "--out", tmp_path / "o.csv")
    assert (code, "no.csv" in said) == (2, True)


# ---- a running gate --------------------------------------------------------------------------------------------------


async def test_an_absent_server_does_not_end_the_gate_which_says_so_and_finds_it_when_it_comes(tmp_path: Path, home: Path) -> None:
    port = free_port()
    async with running(site(tmp_path, modbus=port), home) as run:
        lost = {(await run.says("NO CONNECTION")).split(":")[0] for _ in range(2)}
        assert lost == {"cooling", "plc"}
        code, said = await holdfast("status", "--home", home)
        assert (code, said.count("LOST, trying again")) == (0, 2)
        server = ModbusServer(1, lambda: [7] * 100, lambda address, words: False)
        server.port = port
        await server.start()
        await run.says("cooling: connected")
        said = (await holdfast("status", "--home", home))[1]
        assert "connection cooling  connected" in said
        assert said.count("LOST, trying again") == 1
        await server.stop()
        assert (await run.says("cooling: NO CONNECTION")).startswith("cooling")
        assert run.process.returncode is None


async def test_a_home_in_use_is_refused_and_its_gate_goes_on(tmp_path: Path, home: Path) -> None:
    path = site(tmp_path)
    async with running(path, home) as run:
        await run.says("look:")
        code, said = await holdfast("run", path, "--home", home)
        assert (code, "runs a gate here" in said) == (2, True), said
        assert "use another folder" in said
        assert (await holdfast("status", "--home", home))[0] == 0
        assert run.process.returncode is None
    assert (await holdfast("ledger", "verify", home / "gate", "--key", home / "gate" / "ledger.pub"))[0] == 0
    assert (await holdfast("agents", "list", "--home", home))[1].count("ann-agent") == 0


async def test_a_wrong_password_is_refused_and_too_many_lock(tmp_path: Path, home: Path) -> None:
    path = site(tmp_path)
    assert (await holdfast("people", "add", "ann", "--role", "operator", "--home", home, stdin=f"{PASSWORD}\n"))[0] == 0
    async with running(path, home) as run:
        await run.says("look:")
        assert (await holdfast("stop", "--home", home))[0] == 0
        resume = ("resume", "--as", "ann", "--home", home)
        code, said = await holdfast("approve", "no-such", "--as", "ann", "--home", home, stdin="a wrong password\n")
        assert (code, "Name and password don't belong together. Try again." in said) == (1, True)
        desk = Desk(home)
        for _ in range(4):
            with pytest.raises(DeskError, match="belong together"):
                await desk.resume("*", "ann", "a wrong password")
        await desk.close()
        code, said = await holdfast(*resume, stdin=f"{PASSWORD}\n")  # the right one, while it is locked
        assert (code, "Too many wrong passwords. Wait" in said) == (1, True), said
        assert "STOPPED: the whole plant" in (await holdfast("status", "--home", home))[1]


async def test_no_password_is_wrong_use_and_no_question_without_a_terminal(home: Path) -> None:
    code, said = await holdfast("resume", "--as", "ann", "--home", home)
    assert (code, "pipe the password in" in said) == (2, True)


@pytest.mark.parametrize("command", [("status",), ("approvals", "list"), ("approvals", "show", "x"), ("stop",)])
async def test_a_home_without_a_gate_is_said(command: tuple[str, ...], home: Path) -> None:
    code, said = await holdfast(*command, "--home", home)
    assert (code, "is `holdfast run` up with this --home?" in said) == (2, True)
    assert not home.exists()


async def test_a_home_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for command in (("run", site(tmp_path)), ("demo",), ("demo", "--headless"), ("agents", "add", "ann-agent")):
        code, said = await holdfast(*command, "--home", tmp_path / "file")
        assert (code, str(tmp_path / "file") in said) == (2, True), said
    assert (tmp_path / "file").read_text() == "kept"


# ---- the demo --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scenario", "nonsense"), "there are normal, chatter"),
        (("--speed", "-3"), "--speed must be above 0"),
        (("--speed", "nan"), "--speed must be above 0"),
        (("--for", "0", "--headless"), "--for must be above 0"),
        (("--autonomy", "boss"), "there are observe, shadow, ask, act"),
    ],
)
async def test_a_demo_with_a_wrong_argument_is_refused(arguments: tuple[str, ...], words: str, home: Path) -> None:
    code, said = await holdfast("demo", *arguments, "--home", home)
    assert (code, words in said) == (2, True), said
    assert not home.exists()


# ---- agents ----------------------------------------------------------------------------------------------------------


async def test_an_agent_gets_a_token_that_only_its_owner_reads_and_loses_it(home: Path) -> None:
    token = home / "agents" / "ann-agent" / "token"
    assert (await holdfast("agents", "add", "ann-agent", "--home", home))[0] == 0
    assert token.stat().st_mode & 0o777 == 0o400
    first = token.read_text()
    assert (await holdfast("agents", "add", "ann-agent", "--home", home))[0] == 0
    assert token.read_text() != first
    assert str(token) in (await holdfast("agents", "list", "--home", home))[1]
    assert (await holdfast("agents", "revoke", "ann-agent", "--home", home))[0] == 0
    assert not token.exists()
    code, said = await holdfast("agents", "revoke", "ann-agent", "--home", home)
    assert (code, "holdfast agents list" in said) == (2, True)


@pytest.mark.parametrize("name", ["../evil", "", ".."])
async def test_an_agents_name_that_leaves_its_folder_is_refused(name: str, home: Path) -> None:
    assert (await holdfast("agents", "add", name, "--home", home))[0] == 2
    assert not home.exists()
