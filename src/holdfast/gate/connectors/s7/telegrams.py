"""S7 messages as bytes: set-up, reading of several stretches, writing of one value, and what their answers say. Without a socket.

Sources: Wireshark's dissector of S7 Communication and Snap7 (s7_types.h). A request is header (10: 0x32, kind, 0, reference, two lengths),
parameters, data; its answer has two bytes more, class and code of an error. All numbers are big-endian.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from holdfast.gate.connectors.s7.addresses import Address, Area
from holdfast.gate.connectors.s7.frames import NoS7
from holdfast.gate.connectors.s7.plan import Span

DONE = 0xFF  # an item's return code
_AREA_CODES: dict[Area, int] = {"I": 0x81, "Q": 0x82, "M": 0x83, "DB": 0x84}
# Of a value in a request: its type, and how the data name it: (type, transport size). A value goes out under its own type, so that the CPU
# takes it as one; types of 64 bits have none and go as bytes.
_TYPES = {
    "BOOL": (0x01, 0x03), "BYTE": (0x02, 0x04), "USINT": (0x02, 0x04), "SINT": (0x02, 0x04), "WORD": (0x04, 0x04), "UINT": (0x04, 0x04),
    "INT": (0x05, 0x05), "DWORD": (0x06, 0x04), "UDINT": (0x06, 0x04), "DINT": (0x07, 0x05), "REAL": (0x08, 0x07),
}  # fmt: skip
_BYTES = (0x02, 0x04)
_WHOLE_BYTES_IN_BITS = frozenset((0x04, 0x05))  # transport sizes whose length counts bits, of whole bytes
_READ, _WRITE, _SETUP = 0x04, 0x05, 0xF0
_HEADER = struct.Struct(">BBHHHH")
_ANSWER = struct.Struct(">BBHHHHH")
_ITEM = struct.Struct(">BBBBHHI")  # 12 0a 10, type, count, block; area (8 bits) and address in bits (24)
_VALUE = struct.Struct(">BBH")  # return code, transport size, length
_WRITTEN = bytes((_WRITE, 1))


class Answer(NamedTuple):
    """An answer's parts; `error` is 0 unless the CPU refused the request as a whole."""

    reference: int
    error: int
    parameters: bytes
    data: bytes


def request(reference: int, parameters: bytes, data: bytes = b"") -> bytes:
    return _HEADER.pack(0x32, 0x01, 0, reference, len(parameters), len(data)) + parameters + data


def setup(pdu_bytes: int) -> bytes:
    """Parameters: one request at a time, messages of `pdu_bytes`."""
    return struct.pack(">BBHHH", _SETUP, 0, 1, 1, pdu_bytes)


def granted(answer: Answer) -> int:
    """The longest message that the CPU takes. Raises NoS7."""
    if len(answer.parameters) != 8 or answer.parameters[0] != _SETUP:
        raise NoS7("something else than an answer to the setup of the connection")
    return int.from_bytes(answer.parameters[6:8], "big")


def read(spans: Sequence[Span]) -> bytes:
    """Parameters: each stretch as an array of bytes."""
    items = [_ITEM.pack(0x12, 0x0A, 0x10, 0x02, s.count, s.db, _AREA_CODES[s.area] << 24 | s.start * 8) for s in spans]
    return bytes((_READ, len(spans))) + b"".join(items)


def write(address: Address, value: bytes) -> tuple[bytes, bytes]:
    """Parameters and data: one value of `address.bytes` bytes; of a bit one byte, 0 or 1, and never the neighbours in its byte."""
    if address.bit is not None:
        item = _ITEM.pack(0x12, 0x0A, 0x10, 0x01, 1, address.db, _AREA_CODES[address.area] << 24 | address.byte * 8 + address.bit)
        return _WRITTEN + item, _VALUE.pack(0, 0x03, 1) + value
    kind, transport = _TYPES.get(address.kind, _BYTES)
    count = len(value) if kind == 0x02 else 1
    item = _ITEM.pack(0x12, 0x0A, 0x10, kind, count, address.db, _AREA_CODES[address.area] << 24 | address.byte * 8)
    return _WRITTEN + item, _VALUE.pack(0, transport, len(value) * (8 if transport in _WHOLE_BYTES_IN_BITS else 1)) + value


def answer(message: bytes) -> Answer:
    """Raises NoS7."""
    if len(message) < _ANSWER.size:
        raise NoS7("something that is no S7 answer")
    protocol, kind, _, reference, parameters, data, error = _ANSWER.unpack_from(message)
    if protocol != 0x32 or kind not in (0x02, 0x03):
        raise NoS7("something that is no S7 answer")
    middle = _ANSWER.size + parameters
    if len(message) != middle + data:
        raise NoS7("an answer of another length than it says")
    return Answer(reference, error, message[_ANSWER.size : middle], message[middle:])


def stretches(answer: Answer, spans: Sequence[Span]) -> list[tuple[int, bytes]]:
    """(return code, bytes) of each stretch that was read; the bytes have its length where the code is DONE, or are none: not to be read.

    Where the lengths do not add up, all from there on are DONE with no bytes; where something is left over, all that are DONE. Raises
    NoS7 for the answer to another question.
    """
    if answer.parameters != bytes((_READ, len(spans))):
        raise NoS7("an answer to another question than was asked")
    found: list[tuple[int, bytes]] = []
    data, at = answer.data, 0
    sure = len(spans)  # up to here, if the lengths do not add up
    for n, span in enumerate(spans):
        if at + 4 > len(data):
            break
        code, transport, length = _VALUE.unpack_from(data, at)
        if code != DONE:  # no bytes follow, whatever its length says; but if it had some, nothing behind it is where we look
            sure = min(sure, n + 1) if length else sure
            found.append((code, b""))
            at += 4
            continue
        count, odd = (length >> 3, length & 7) if transport in _WHOLE_BYTES_IN_BITS else (length, 0)
        part = data[at + 4 : at + 4 + count]
        if odd or len(part) != count:
            break
        found.append((code, part if count == span.count else b""))
        at += 4 + count + (count & 1)
    if len(found) == len(spans) and at < len(data):
        return [(code, b"") for code, _ in found]
    if len(found) < len(spans):
        found = found[:sure]
    return found + [(DONE, b"")] * (len(spans) - len(found))


def outcome(answer: Answer) -> int | None:
    """The return code of a write, None where its answer has none, or more than one."""
    return answer.data[0] if answer.parameters == _WRITTEN and len(answer.data) == 1 else None
