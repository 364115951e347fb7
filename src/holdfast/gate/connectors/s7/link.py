"""One S7 connection over python-snap7's ISO layer: one request, one answer, checked against each other, nothing ever sent twice.

The library's client is not used: it tells of a bad item only in prose and of several items only the first. Its framing (RFC 1006, ISO 8073
class 0) and its requests are. Everything here but `abort` and `is_broken` blocks and runs in the connection's one worker thread.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.gate.connectors import farewell
from holdfast.gate.connectors.s7.addresses import Address, Area
from holdfast.gate.connectors.s7.plan import Span

if TYPE_CHECKING:
    from snap7.connection import ISOTCPConnection
    from snap7.s7protocol import S7Protocol

PDU_BYTES_MIN = 128  # below it is no CPU of these families
LATE_MAX = 8  # answers to nobody that are passed over while waiting for one's own
DONE = 0xFF  # an item's return code
_AREA_CODES: dict[Area, int] = {"I": 0x81, "Q": 0x82, "M": 0x83, "DB": 0x84}
_WORD_LENGTHS = {
    "BOOL": 0x01, "BYTE": 0x02, "USINT": 0x02, "SINT": 0x02, "WORD": 0x04, "UINT": 0x04, "INT": 0x05,
    "DWORD": 0x06, "UDINT": 0x06, "DINT": 0x07, "REAL": 0x08,
}  # fmt: skip
_AS_BYTES = 0x02  # types of 64 bits have no transport size of their own
_IN_BITS = frozenset((0x03, 0x04, 0x05))  # transport sizes of an answer whose length counts bits
_READ, _WRITE, _SETUP = 0x04, 0x05, 0xF0


class Broken(Exception):
    """The connection can't be used any more; what was sent last may have been done."""


class NotSent(Exception):
    """Nothing of the request has left: the CPU can't have seen it."""


class Refused(Exception):
    """The CPU refused a request as a whole, with the error class and code of its header."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code:#06x}")
        self.code = code


class Absent(Exception):
    """python-snap7 is not installed."""


class Link:
    """`requests` and `late` count since it was made."""

    def __init__(self, host: str, port: int, *, tsap: int, pdu_bytes: int) -> None:
        self._place = (host, port)
        self._tsap = tsap
        self._iso: ISOTCPConnection | None = None
        self._protocol: S7Protocol | None = None
        self._why = ""  # it is broken; empty while it is not
        self.pdu_bytes = pdu_bytes  # wanted, and once open what the CPU grants
        self.requests = 0
        self.late = 0

    def open(self, timeout_s: float) -> None:
        """Connect, and agree on the PDU's size. Raises Broken with the cause, or Absent."""
        try:
            from snap7.connection import ISOTCPConnection, TPDUSize
            from snap7.error import S7Error
            from snap7.s7protocol import S7Protocol
        except ImportError:
            raise Absent("python-snap7 is not installed: install Holdfast with its extra `s7`") from None
        iso = self._iso = ISOTCPConnection(*self._place, remote_tsap=self._tsap, tpdu_size=TPDUSize.S_1024)
        self._protocol = S7Protocol()
        try:
            iso.connect(timeout_s)
            answer = self._exchange(self._protocol.build_setup_communication_request(1, 1, self.pdu_bytes), timeout_s)
            if len(answer.parameters) != 8 or answer.parameters[0] != _SETUP:
                raise self._broke("the CPU answers the setup of the connection with something else")
            granted = int.from_bytes(answer.parameters[6:8], "big")
            if granted < PDU_BYTES_MIN:
                raise self._broke(f"the CPU grants messages of {granted} bytes, which is too few")
            self.pdu_bytes = min(granted, self.pdu_bytes)
        except (S7Error, OSError, struct.error, Broken, NotSent, Refused) as error:
            iso.disconnect()
            raise Broken(self._why or str(error)) from None

    def read(self, spans: Sequence[Span], timeout_s: float) -> list[tuple[int, bytes]]:
        """(return code, bytes) of each stretch; the bytes have its length where the code is DONE, or are none.

        Raises NotSent, Refused, and Broken.
        """
        wanted = [(_AREA_CODES[span.area], span.db, span.start, span.count) for span in spans]
        answer = self._exchange(self._made().build_multi_read_request(wanted), timeout_s)
        if answer.parameters != bytes((_READ, len(spans))):
            raise self._broke("the CPU answers another question than was asked")
        return _items(answer.data, spans)

    def write(self, address: Address, data: bytes, timeout_s: float) -> int | None:
        """The CPU's return code, None where its answer has none. Raises NotSent, Refused, and Broken: the last leaves the fate open."""
        from snap7.datatypes import S7Area, S7WordLen

        length = S7WordLen(_WORD_LENGTHS.get(address.kind, _AS_BYTES))
        # A bit goes out as a bit, counted in bits: never its byte with the neighbours that were read a moment ago.
        start = address.byte if address.bit is None else address.byte * 8 + address.bit
        request = self._made().build_write_request(S7Area(_AREA_CODES[address.area]), address.db, start, length, data)
        answer = self._exchange(request, timeout_s)
        return answer.data[0] if answer.parameters == bytes((_WRITE, 1)) and len(answer.data) == 1 else None

    def close(self) -> None:
        if self._iso is not None:
            self._iso.disconnect()

    # ---- from any thread -----------------------------------------------------------------------------------------

    def abort(self, why: str) -> None:
        """Break it, also while the worker waits for an answer: that one then ends at once."""
        self._why = self._why or why
        sock = self._iso.socket if self._iso is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def is_broken(self) -> str:
        """Why it can't be used, empty while it can; the peer's farewell is noticed without taking bytes from the worker."""
        sock = self._iso.socket if self._iso is not None else None
        if not self._why and sock is not None and farewell.heard(sock.fileno()):
            self._why = "the CPU closed the connection"
        return self._why

    # ---- inside --------------------------------------------------------------------------------------------------

    def _made(self) -> "S7Protocol":
        if self._protocol is None:
            raise NotSent("the connection was not opened")
        return self._protocol

    def _exchange(self, pdu: bytes, timeout_s: float) -> "Answer":
        from snap7.error import S7Error

        iso = self._iso
        if iso is None or iso.socket is None or self.is_broken():
            raise NotSent(self._why or "the connection was not opened")
        until_s = time.monotonic() + timeout_s
        reference = pdu[4:6]
        self.requests += 1
        try:
            iso.socket.settimeout(timeout_s)
            iso.send_data(pdu)
            for _ in range(LATE_MAX):
                iso.socket.settimeout(max(until_s - time.monotonic(), 0.001))
                said = iso.receive_data()
                if len(said) >= 6 and said[0] == 0x32 and said[4:6] != reference:
                    self.late += 1  # the answer to a request that was given up, or nobody's: it must not answer this one
                    continue
                return self._parsed(said)
        except (S7Error, OSError) as error:
            raise self._broke(self._why or str(error)) from None
        raise self._broke(f"{LATE_MAX} answers belong to no request")

    def _parsed(self, said: bytes) -> "Answer":
        if len(said) < 12 or said[0] != 0x32 or said[1] not in (0x02, 0x03):
            raise self._broke("the CPU sent something that is no S7 answer")
        parameters, data = struct.unpack_from(">HH", said, 6)
        if len(said) != 12 + parameters + data:
            raise self._broke("the CPU sent an answer of another length than it says")
        error = int.from_bytes(said[10:12], "big")
        if error:
            raise Refused(error)
        return Answer(said[12 : 12 + parameters], said[12 + parameters :])

    def _broke(self, why: str) -> Broken:
        """After an answer that makes no sense, or none, nothing behind it can be trusted."""
        self.abort(why)
        return Broken(self._why)


class Answer:
    """The two parts of an S7 answer behind its header."""

    def __init__(self, parameters: bytes, data: bytes) -> None:
        self.parameters = parameters
        self.data = data


def _items(data: bytes, spans: Sequence[Span]) -> list[tuple[int, bytes]]:
    """Return code and bytes of each item. Where the lengths do not add up, all from there on are DONE with no bytes: not to be read."""
    found: list[tuple[int, bytes]] = []
    at = 0
    for span in spans:
        if at + 4 > len(data):
            break
        code, transport, length = struct.unpack_from(">BBH", data, at)
        count = 0 if code != DONE else (length + 7) // 8 if transport in _IN_BITS else length
        part = data[at + 4 : at + 4 + count]
        if len(part) != count:
            break
        found.append((code, part if len(part) == span.count else b""))
        at += 4 + count + count % 2
    return found + [(DONE, b"")] * (len(spans) - len(found))
