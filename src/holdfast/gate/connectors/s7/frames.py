"""ISO transport over TCP, as S7 uses it: bytes of the stream into whole messages and back, without a socket.

Sources: RFC 1006 §6 (TPKT: version 3, reserved, length of all), ISO 8073 §13 class 0 (COTP: connection request E0 and confirm D0, data F0
with its end-of-message bit, disconnect request 80, error 70). What is neither is refused, and nothing behind it is read.
"""

import struct

SIZE_MAX = 2048  # of one packet; none of ours or the CPU's is longer than MESSAGE_MAX and its 7 bytes
MESSAGE_MAX = 960  # bytes of an S7 message, the most that any CPU grants
_HEAD = struct.Struct(">BBHBB")  # version, reserved, length; the COTP header's length, its type
_DATA, _CONFIRM, _DISCONNECT, _ERROR = 0xF0, 0xD0, 0x80, 0x70
_WHOLE = struct.Struct(">BBHBBB")
_TPDU_SIZE, _CALLING, _CALLED = 0xC0, 0xC1, 0xC2
_OWN_TSAP = 0x0100
_OWN_REFERENCE = 0x0001
UNLIMITED = 65_531  # RFC 1006 §6.1, where the confirm says nothing


class NoS7(Exception):
    """What came can't come from an S7 device that speaks to us; the message says what it was."""


def connection_request(tsap: int) -> bytes:
    """`tsap`: connection resource, rack and slot of the CPU. TPDUs of 1024 bytes (2 ** 10) are asked for."""
    parameters = struct.pack(">BBHBBHBBB", _CALLING, 2, _OWN_TSAP, _CALLED, 2, tsap, _TPDU_SIZE, 1, 10)
    cotp = struct.pack(">BBHHB", 6 + len(parameters), 0xE0, 0, _OWN_REFERENCE, 0) + parameters
    return struct.pack(">BBH", 3, 0, 4 + len(cotp)) + cotp


def data(message: bytes, tpdu_bytes: int) -> bytes:
    """An S7 message as one packet, or as several where the CPU takes shorter ones only."""
    most = tpdu_bytes - 3
    if len(message) <= most:
        return _WHOLE.pack(3, 0, 7 + len(message), 2, _DATA, 0x80) + message
    parts = [message[at : at + most] for at in range(0, len(message), most)]
    return b"".join(_WHOLE.pack(3, 0, 7 + len(part), 2, _DATA, 0x80 * (part is parts[-1])) + part for part in parts)


class Frames:
    """What has come of one connection: at most one packet (SIZE_MAX) and one message (MESSAGE_MAX) are held, and one read's bytes."""

    def __init__(self) -> None:
        self._buffer = b""
        self._message = b""  # parts of a message whose end has not come
        self.tpdu_bytes = 0  # what the CPU takes at once; 0 until it has confirmed the connection

    def feed(self, came: bytes) -> list[bytes]:
        """The S7 messages that are whole now, in order. Raises NoS7; after it nothing more may be fed."""
        if self._buffer:
            came = self._buffer + came
            self._buffer = b""
        found: list[bytes] = []
        at, end = 0, len(came)
        while end - at >= 4:  # the length is judged as soon as it is there
            version, _, length = struct.unpack_from(">BBH", came, at)
            if version != 3 or not 7 <= length <= SIZE_MAX:
                raise NoS7("something that is no packet of RFC 1006")
            if end - at < length:
                break
            self._packet(came[at + 4 : at + length], found)
            at += length
        if at < end:
            self._buffer = came[at:]
            if self._buffer[0] != 3:
                raise NoS7("something that is no packet of RFC 1006")
        return found

    def _packet(self, cotp: bytes, found: list[bytes]) -> None:
        kind = cotp[1]
        if kind == _DATA and cotp[0] == 2:
            if not self.tpdu_bytes:
                raise NoS7("data before it confirmed the connection")
            message = self._message + cotp[3:] if self._message else cotp[3:]
            if len(message) > MESSAGE_MAX:
                raise NoS7(f"a message of more than {MESSAGE_MAX} bytes")
            if cotp[2] & 0x80:
                self._message = b""
                found.append(message)
            else:
                self._message = message
        elif kind == _CONFIRM and not self.tpdu_bytes:
            self.tpdu_bytes = _confirmed(cotp)
        elif kind in (_DISCONNECT, _ERROR):
            raise NoS7("a refusal of the connection")
        else:
            raise NoS7("a packet that has no place here")


def _confirmed(cotp: bytes) -> int:
    """The size of TPDUs that a connection confirm grants."""
    if len(cotp) < 7 or cotp[0] + 1 != len(cotp):
        raise NoS7("a confirm of another length than it says")
    at = 7
    while at + 2 <= len(cotp):
        code, count = cotp[at], cotp[at + 1]
        if code == _TPDU_SIZE and count == 1 and at + 3 <= len(cotp):
            power = cotp[at + 2]
            if not 7 <= power <= 13:
                raise NoS7(f"a confirm with packets of 2^{power} bytes")
            return 1 << power
        at += 2 + count
    return UNLIMITED
