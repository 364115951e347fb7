"""The device that outlives every kill: two loops behind a real Modbus TCP server, with faults that are told by a file.

It writes down every write request that it gets, before it does anything else, and whether the intent to it was
already in the gate's file on disk. It imports nothing of the gate.
"""

import asyncio
import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import apsw

from holdfast.sim.modbus_server import HEADER, Connection, ModbusServer
from holdfast.terms import Word

A_SP, A_NOW, A_PV, B_SP, B_NOW, B_PV, PERMIT, C_SP, C_NOW, C_PV = range(10)
START, STEADY, WRONG = 2_000, 5_000, 50_000
OF = {A_SP: "stand/a_sp", B_SP: "stand/b_sp"}
LOOKED_BACK_MAX = 200  # records: an intent is among the last of them
LATE_S, TOO_LATE_S = 0.03, 0.12  # within and beyond the time limit that the suite gives a write
REFUSED = bytes((0x86, 3))  # exception: illegal data value
HALF_BYTES = 5  # of an answer, before the connection is cut
CONNECTION = ("", "mute", "late", "too late", "twice", "lies", "half", "stale answers", "cuts", "refuses", "deaf")
PROCESS = ("", "", "", "wrong", "no way back", "flickers", "operator")
"""What the device does wrong with a write, and what the process behind it does; see docs/design/crash.md. "" is nothing."""
OPERATOR_EVERY = 25  # reads, between two moves of the operator
OPERATOR_STEP = 300  # counts


class Faults(Word):
    """Of the connection and of the process, as the file `fault` tells them."""

    connection: str = ""
    process: str = ""

    @property
    def text(self) -> str:
        return f"{self.connection}+{self.process}"


def faults_of(text: str) -> Faults:
    connection, _, process = text.partition("+")
    return Faults(connection=connection, process=process)


class Device:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words = [START, START, STEADY, START, START, STEADY, 1, START, START, STEADY]
        self.former: dict[int, int] = {}  # by address, what the last write replaced
        self.gate_file = folder / "gate" / "state.db"
        self._log = os.open(folder / "device.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._count = 0

    def faults(self) -> Faults:
        return faults_of((self.folder / "fault").read_text())

    def read(self) -> Sequence[int]:
        self._count += 1
        faults = self.faults()
        if faults.process == "operator" and self._count % OPERATOR_EVERY == 0:
            self.words[A_SP] = self.words[A_NOW] = START + (self.words[A_NOW] + OPERATOR_STEP) % 20_000
        words = list(self.words)
        words[A_PV] = words[B_PV] = (WRONG if faults.process in ("wrong", "no way back") else STEADY) + self._count % 3
        if faults.process == "flickers":
            words[PERMIT] = self._count % 2
        if faults.connection == "lies":
            words[A_NOW] += 700
            words[B_NOW] += 700
        return words

    def received(self, address: int, word: int) -> None:
        told = {"tag": OF.get(address, str(address)), "word": word, "known": self._intended(address, word), "fault": self.faults().text}
        os.write(self._log, json.dumps(told).encode() + b"\n")

    def apply(self, address: int, word: int) -> None:
        if address in OF:
            self.former[address] = self.words[address + 1]
            self.words[address] = self.words[address + 1] = word

    def _intended(self, address: int, word: int) -> bool:
        """Whether a committed intent (or retreat) to just this lies in the gate's file now."""
        db = apsw.Connection(str(self.gate_file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            db.set_busy_timeout(500)
            rows = db.execute("SELECT bytes FROM leaf ORDER BY seq DESC LIMIT ?", (LOOKED_BACK_MAX,)).fetchall()
        except apsw.Error:
            return False
        finally:
            db.close()
        for (leaf,) in rows:
            record = json.loads(bytes(leaf))  # type: ignore[arg-type]
            if record["kind"] in ("intent", "retreat"):
                for step in record["body"]["steps"]:
                    if step["tag"] == OF.get(address) and round(step["wanted"] * 100) == word:
                        return True
        return False


class _Faulty(Connection):
    """Answers as the fault has it; reads are answered as they come."""

    def __init__(self, server: "FaultyServer") -> None:
        super().__init__(server)
        self._of = server

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= HEADER.size and self._transport is not None:
            transaction, _, length, unit = HEADER.unpack_from(self._buffer)
            if len(self._buffer) < 6 + length:
                return
            pdu = bytes(self._buffer[HEADER.size : 6 + length])
            del self._buffer[: 6 + length]
            if pdu[0] == 6:
                self._written(transaction, unit, pdu)
            else:
                self._reply(transaction, unit, self._of.answer(pdu))

    def _reply(self, transaction: int, unit: int, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(HEADER.pack(transaction, 0, len(answer) + 1, unit) + answer)

    def _written(self, transaction: int, unit: int, pdu: bytes) -> None:
        device = self._of.device
        address, word = struct.unpack(">HH", pdu[1:])
        device.received(address, word)
        later = asyncio.get_running_loop().call_later

        def done() -> None:
            device.apply(address, word)
            self._reply(transaction, unit, pdu)

        faults = device.faults()
        if faults.process == "no way back" and word == device.former.get(address):
            self._reply(transaction, unit, REFUSED)
            return
        match faults.connection:
            case "mute":
                device.apply(address, word)
            case "late":
                later(LATE_S, done)
            case "too late":
                later(TOO_LATE_S, done)
            case "twice":
                done()
                self._reply(transaction, unit, pdu)
            case "stale answers":
                self._reply(transaction - 1 & 0xFFFF, unit, pdu)
                done()
            case "deaf":
                self._reply(transaction, unit, pdu)
            case "refuses":
                self._reply(transaction, unit, REFUSED)
            case "half":
                device.apply(address, word)
                self._cut(HEADER.pack(transaction, 0, len(pdu) + 1, unit)[:HALF_BYTES])
            case "cuts":
                device.apply(address, word)
                self._cut(b"")
            case _:
                done()

    def _cut(self, last: bytes) -> None:
        if self._transport is not None:
            if last:
                self._transport.write(last)
            self._transport.close()


class FaultyServer(ModbusServer):
    def __init__(self, device: Device) -> None:
        super().__init__(1, device.read, lambda address, words: False)
        self.device = device

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Faulty(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]


async def serve(folder: Path, port_to: int) -> None:
    """Runs until killed; the port goes to a pipe, as text."""
    server = FaultyServer(Device(folder))
    await server.start()
    os.write(port_to, f"{server.port}\n".encode())
    await asyncio.get_running_loop().create_future()
