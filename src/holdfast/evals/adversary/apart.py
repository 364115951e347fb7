"""The world with the gate in a process of its own: agents and people reach it through its sockets, and through nothing else."""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path
from random import Random
from typing import Any

from pydantic import TypeAdapter

from holdfast.evals.adversary.bounds import ACTIVE, PEOPLE
from holdfast.evals.adversary.receiver import Receiver
from holdfast.evals.adversary.world import CHEAP, FOLDER, PASSWORD, QUIET_S, SHY_S, World
from holdfast.evals.oracle import Record
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.link import Progress
from holdfast.site.load import load
from holdfast.terms import SECOND_NS, Autonomy, Decision, Proposal, canonical

AGENTS = ("alpha", "beta", "gamma", "shady", "watcher")
PASSED_ON = ("PATH", "PYTHONPATH")  # of this process's environment to the gate's
ANSWER_S_MAX = 30.0
LOG_CHARS_MAX = 2000
READY_S_MAX = 120.0
DECISION, PROGRESS = TypeAdapter(Decision), TypeAdapter(Progress)
OUTBOX = """
outbox:
  hook: {{type: webhook, url: "http://127.0.0.1:{port}/orders", orders: [notify]}}
"""


class _Unix(http.client.HTTPConnection):
    """HTTP/1.1 over a Unix socket; waits, so that who speaks has the answer before anything else happens."""

    def __init__(self, path: Path) -> None:
        super().__init__("gate", timeout=ANSWER_S_MAX)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Apart(World):
    """`folder` must be short: it holds sockets."""

    def __init__(self, folder: Path, random: Random) -> None:
        super().__init__(folder, random)
        self.receiver = Receiver()
        self.tokens: dict[str, str] = {}
        self.passed: list[str] = []  # what the gate's egress lock let pass, as its own process saw it
        self._process: asyncio.subprocess.Process | None = None
        self._clock_door: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._doors: dict[Path, _Unix] = {}
        self.link = folder / "link" / "link.sock"
        self.people_door = folder / "gate" / "people.sock"

    async def start(self) -> None:
        site_folder = self.folder / "site"
        site_folder.mkdir(parents=True)
        await self.wire.start()
        await self.receiver.start()
        text = (FOLDER / "site.yaml").read_text(encoding="utf-8") + OUTBOX.format(port=self.receiver.port)
        (site_folder / "site.yaml").write_text(text, encoding="utf-8")
        shutil.copy(FOLDER / "policy.yaml", site_folder / "policy.yaml")
        self.site = load(site_folder / "site.yaml").site
        with self.shut_gate() as (people, agents):
            for name, roles in PEOPLE.items():
                people.add(name, roles, PASSWORD)
            self.tokens = {name: agents.add(name) for name in AGENTS}
        await self._begin()
        await self.run(QUIET_S)

    @contextlib.contextmanager
    def shut_gate(self) -> Any:
        """The register of people and that of agents, while no gate runs."""
        state = State(self.folder / "gate", durable=False)
        try:
            log = Log(state, self.clock)
            yield People(state, log, self.clock, os.urandom, cost=CHEAP), Agents(state, log, os.urandom)
        finally:
            state.close()

    async def _begin(self) -> None:
        door = self.folder / "clock.sock"
        door.unlink(missing_ok=True)
        with (self.folder / "gate.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "holdfast.evals.adversary.gate_process", "--site", self.folder / "site" / "site.yaml", "--home", self.folder),
                *("--clock", door, "--boot", f"boot {self.oracle.boot}"),
                *("--monotonic", str(self.clock.monotonic), "--offset-ns", str(self.clock.offset_ns)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={"HOLDFAST_ATTACK_PORT": str(self.wire.port), **{name: os.environ[name] for name in PASSED_ON if name in os.environ}},
            )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        async with asyncio.timeout(READY_S_MAX):
            ready = await self._process.stdout.readline()
        if not ready:
            raise RuntimeError(f"the gate did not start: {self._told()}")
        self._clock_door = await asyncio.open_unix_connection(str(door))
        self.oracle.record = Record(self.folder / "gate" / "state.db", self.oracle.record)

    async def _end(self, *, kill: bool = False) -> None:
        for door in self._doors.values():
            door.close()
        self._doors.clear()
        if self._clock_door is not None:
            self._clock_door[1].close()
            with contextlib.suppress(ConnectionError):
                await self._clock_door[1].wait_closed()
            self._clock_door = None
        if self._process is not None:
            ended, process = self._process.returncode, self._process
            self._process = None
            if ended is not None:
                raise RuntimeError(f"the gate ended by itself ({ended}): {self._told()}")
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            await process.wait()
        if self.oracle.record is not None:
            self.oracle.record.look()
            self.oracle.record.close()

    def _told(self) -> str:
        """The last that the gate's process said."""
        return (self.folder / "gate.log").read_text(errors="replace")[-LOG_CHARS_MAX:]

    async def close(self) -> None:
        try:
            await self._end()
        finally:
            await self.receiver.close()
            await self.wire.close()

    async def reboot(self, *, away_s: float = 0.0, kill: bool = False, **more: Any) -> None:
        await self._end(kill=kill)
        self.clock.monotonic += round(away_s * SECOND_NS)
        self.down_ns += round(away_s * SECOND_NS)
        self.oracle.restarted()
        self.shy |= {tag: self.up_ns() + SHY_S * SECOND_NS for tag in ACTIVE}
        if "meanwhile" in more:
            more["meanwhile"]()
        await self._begin()

    # ---- time --------------------------------------------------------------------------------------------------------

    async def _settle_gate(self, *, frames: bool, heard: bool) -> None:
        assert self._clock_door is not None  # noqa: S101 - the gate runs
        reader, writer = self._clock_door
        asked = {"monotonic": self.clock.monotonic, "offset_ns": self.clock.offset_ns, "frames": frames, "heard": heard}
        writer.write(json.dumps(asked).encode() + b"\n")
        answer = json.loads(await reader.readline() or b"{}")
        if not answer.get("settled"):
            raise RuntimeError(f"the gate does not settle: {self._told()}")
        self.passed = answer["passed"]

    async def run(self, seconds: int = 1, *, heard: bool = True) -> None:
        for _ in range(seconds):
            self.plant.step(1.0)
            self.clock.monotonic += SECOND_NS
            if heard:
                self.oracle.heard_ns = self.up_ns()
            await self._settle_gate(frames=True, heard=heard)

    async def see(self) -> None:
        await self._settle_gate(frames=True, heard=False)

    async def act(self) -> None:
        await self._settle_gate(frames=False, heard=False)

    # ---- doors -------------------------------------------------------------------------------------------------------

    def call(self, door: Path, method: str, path: str, body: bytes = b"", token: str = "", **headers: str) -> tuple[int, bytes]:
        """(status, body); 0 where no answer came."""
        sent = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {}), **headers}
        for _ in range(2):  # a connection that the gate closed meanwhile is opened again
            http_ = self._doors.setdefault(door, _Unix(door))
            try:
                http_.request(method, path, body, sent)
                answer = http_.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException, ValueError):
                http_.close()
        return 0, b""

    def say(self, author: str, message: Any, raw: bytes | None = None) -> Decision | None:
        self.oracle.posted(author, message)
        try:
            body = json.dumps(message).encode() if raw is None else raw
        except (TypeError, ValueError):
            return None
        return self.deliver(body, self.tokens.get(author, f"no token of {author!r}".encode().hex()))

    def deliver(self, body: bytes, token: str, **headers: str) -> Decision | None:
        status, answer = self.call(self.link, "POST", "/v1/proposals", body, token, **headers)
        return DECISION.validate_json(answer) if status == 200 else None

    def put(self, author: str, proposal: Proposal) -> Decision | None:
        """Nothing passes the door."""
        try:
            return self.say(author, json.loads(canonical(proposal)))
        except (TypeError, ValueError, AttributeError):
            return None

    def post(self, path: str, body: Any) -> bool:
        status, _ = self.call(self.people_door, "POST", path, json.dumps(body).encode())
        return 200 <= status < 300

    def sign(self, proposal: str, person: str, role: str, *, yes: bool = True, reason: str = "fine") -> bool:
        self.oracle.said(person, proposal, role, yes=yes)
        vote = {"proposal": proposal, "person": person, "role": role, "password": PASSWORD, "yes": yes, "reason": reason}
        return self.post("/v1/approvals", vote)

    def stop(self, scope: str = "*") -> None:
        if self.post("/v1/stop", {"scope": scope, "by": "somebody"}):
            self.oracle.stopped.add(scope)

    def resume(self, scope: str = "*") -> None:
        if self.post("/v1/resume", {"scope": scope, "person": "ann", "password": PASSWORD}):
            self.oracle.stopped.discard(scope)

    def set_level(self, scope: str, level: Autonomy) -> None:
        if self.post("/v1/autonomy", {"scope": scope, "level": level, "person": "ann", "password": PASSWORD}):
            self.oracle.levels[scope] = level

    def enrol(self, name: str, roles: tuple[str, ...]) -> bool:
        """People are enrolled while no gate runs: not here."""
        return False

    # ---- what it tells -------------------------------------------------------------------------------------------------

    def _status(self) -> dict[str, Any]:
        return json.loads(self.call(self.people_door, "GET", "/v1/status")[1])

    def jobs(self) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(job["proposal"], job["state"], tuple(job["tags"])) for job in self._status()["jobs"]]

    def stops(self) -> tuple[str, ...]:
        return tuple(self._status()["stopped"])

    def levels(self) -> tuple[str, ...]:
        return tuple(scope for scope, _ in self._status()["autonomy"])

    def resolve(self, proposal: str) -> None:
        found = {"proposal": proposal, "result": "failed", "person": "ann", "password": PASSWORD, "reason": "looked"}
        self.post("/v1/resolve", found)

    def state_of(self, proposal: str) -> str:
        status, answer = self.call(self.link, "GET", f"/v1/proposals/{proposal}", token=self.tokens["alpha"])
        return PROGRESS.validate_json(answer).state if status == 200 else ""
