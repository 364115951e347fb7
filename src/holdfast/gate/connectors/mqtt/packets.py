"""PUBLISH packets, cut out of what the socket gave without a call for each: the hot half of the protocol; paho does the rest.

Source: MQTT 3.1.1 and 5.0 §2.1 (fixed header), §3.3 (PUBLISH).
"""

from collections.abc import Callable

PUBLISH = 0x30
TOO_LARGE = None  # in place of a payload that was left on the wire
_HEAD_BYTES_MAX = 2 + 65_535 + 2  # topic's length, topic, packet identifier

# topic, payload (None: larger than may be taken in), retained, packet identifier (0: needs no PUBACK)
Take = Callable[[bytes, bytes | None, bool, int], None]


class Malformed(Exception):
    """What came is no MQTT."""


class Cutter:
    """Bytes in, packets out: PUBLISH by `take`, any other whole by `other`. Holds one unfinished packet of at most `bytes_max`."""

    def __init__(self, *, v5: bool, bytes_max: int, take: Take, other: Callable[[bytes], None]) -> None:
        self._v5, self._bytes_max, self._take, self._other = v5, bytes_max, take, other
        self._rest = b""
        self._need = 2  # bytes without which `_rest` can't be got further with: spares joining a large packet piece by piece
        self._more: list[bytes] = []  # pieces behind `_rest`, at most `_need` bytes and one read
        self._more_bytes = 0
        self._skip = 0  # bytes of a packet that is let pass
        self.too_large = 0

    def feed(self, data: bytes) -> None:
        """Raises Malformed."""
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        if self._rest or self._more:
            self._more.append(data)
            self._more_bytes += len(data)
            if len(self._rest) + self._more_bytes < self._need:
                return
            data = b"".join((self._rest, *self._more))
            self._more, self._more_bytes = [], 0
        self._need = 2
        self._rest = data[self._cut(data) :]

    def _cut(self, data: bytes) -> int:
        """How many bytes are done with."""
        at, end, v5, take = 0, len(data), self._v5, self._take
        while end - at >= 2:
            start, first = at, data[at]
            length = data[at + 1]
            at += 2
            if length > 127:
                length &= 127
                shift = 7
                while True:
                    if at >= end:
                        self._need = at - start + 1
                        return start
                    more = data[at]
                    at += 1
                    length |= (more & 127) << shift
                    if more < 128:
                        break
                    shift += 7
                    if shift > 21:
                        raise Malformed("a packet's length has more than four bytes")
            stop = at + length
            if length > self._bytes_max:
                if not self._pass(data, start, at, length):
                    return start
                if self._skip:
                    return end
                at = stop
                continue
            if stop > end:
                self._need = stop - start
                return start
            if first & 0xF0 != PUBLISH:
                self._other(data[start:stop])
                at = stop
                continue
            behind = at + 2 + (data[at] << 8 | data[at + 1]) if length >= 2 else stop + 1
            topic = data[at + 2 : behind]
            mid = 0
            if first & 6:
                mid = data[behind] << 8 | data[behind + 1] if behind + 2 <= stop else 0
                if first & 6 != 2 or not mid:
                    raise Malformed("a PUBLISH of a quality of service that was not asked for, or without its identifier")
                behind += 2
            if v5 and behind <= stop:
                behind = _behind_properties(data, behind, stop)
            if behind > stop:
                raise Malformed("a PUBLISH is shorter than its topic")
            take(topic, data[behind:stop], first & 1 == 1, mid)
            at = stop
        return at

    def _pass(self, data: bytes, start: int, at: int, length: int) -> bool:
        """Let a packet go by that is too large, once its topic is known; False while it is not."""
        if data[start] & 0xF0 != PUBLISH:
            raise Malformed(f"a packet of {length} bytes that is no PUBLISH")
        if len(data) - at < min(length, _HEAD_BYTES_MAX):
            self._need = at - start + min(length, _HEAD_BYTES_MAX)
            return False
        behind = at + 2 + (data[at] << 8 | data[at + 1])
        mid = data[behind] << 8 | data[behind + 1] if data[start] & 6 else 0
        self.too_large += 1
        self._take(data[at + 2 : behind], TOO_LARGE, data[start] & 1 == 1, mid)
        self._skip = max(at + length - len(data), 0)
        return True


def _behind_properties(data: bytes, at: int, stop: int) -> int:
    length = shift = 0
    while at < stop and shift <= 21:
        byte = data[at]
        at += 1
        length |= (byte & 127) << shift
        if byte < 128:
            return at + length
        shift += 7
    raise Malformed("a PUBLISH with broken properties")
