"""One value as one Modbus write request, and the answer that says that it was done (V1.1b3 §6.5, §6.6, §6.12)."""

import math
import struct
from collections.abc import Sequence

from holdfast.gate.connectors import registers
from holdfast.gate.connectors.registers import Register

_COIL, _ONE, _SEVERAL = 0x05, 0x06, 0x10  # function codes
ECHO = slice(1, 5)  # what the answer repeats of a request


class Writing:
    """How one register is written. Where its orders are the protocol's own, a number is packed straight into the request."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._whole = not register.kind.startswith("float")
        self._form: struct.Struct | None = None
        self._head = b""
        if register.kind != "bool" and (register.word_order, register.byte_order) == ("big", "big"):
            words, at = register.words, register.offset
            self._head = struct.pack(">BH", _ONE, at) if words == 1 else struct.pack(">BHHB", _SEVERAL, at, words, words * 2)
            self._form = struct.Struct(f">{len(self._head)}s{registers.form(register.kind)}")

    def request(self, raw: float) -> bytes:
        """The request; what its answer repeats is `[ECHO]` of it. Raises ValueError for a number that the register can't hold."""
        if self._form is None:
            return _by_words(self._register, registers.encode(self._register, raw))
        if not math.isfinite(raw):
            raise ValueError(f"{raw} can't be written")
        try:
            return self._form.pack(self._head, round(raw) if self._whole else raw)
        except (struct.error, OverflowError):
            raise ValueError(f"{raw:g} lies outside {self._register.kind}") from None


def _by_words(register: Register, words: Sequence[int]) -> bytes:
    if register.area == "coil":
        return struct.pack(">BHH", _COIL, register.offset, 0xFF00 if words[0] else 0)
    if len(words) == 1:
        return struct.pack(">BHH", _ONE, register.offset, words[0])
    return struct.pack(f">BHHB{len(words)}H", _SEVERAL, register.offset, len(words), len(words) * 2, *words)
