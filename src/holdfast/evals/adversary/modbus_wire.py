"""The plant behind a real Modbus TCP server; what its oracle judges are the PDUs' own bytes, decoded here."""

import struct
from collections.abc import Sequence

from holdfast.evals.adversary.bounds import PLACES, Place
from holdfast.evals.adversary.plant import Plant
from holdfast.evals.oracle import Arrival
from holdfast.sim.modbus_server import DEVICE_FAILURE, ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusServer
from holdfast.site.model import Site
from holdfast.terms import BAD_NO_COMMUNICATION, GOOD

REGISTERS = 60
REGISTER_AT = {place.offset: (name, place) for name, place in PLACES.items() if place.kind != "coil"}
COIL_AT = {place.offset: (name, place) for name, place in PLACES.items() if place.kind == "coil"}
STATUS_OF = {BAD_NO_COMMUNICATION: 0x0B}


class ModbusWire(ModbusServer):
    """Every request passes `answer`; nothing that it judges was decoded by anybody else."""

    name = "modbus"

    def __init__(self, plant: Plant) -> None:
        super().__init__(1, lambda: self._words(), lambda address, words: True)
        self._plant = plant
        self._image = [0] * REGISTERS
        self._encoded: dict[str, float] = {}  # what the image shows
        self._carried: dict[str, float] = {}  # and what a reader makes of it

    async def close(self) -> None:
        await self.stop()

    def site(self, site: Site) -> Site:
        """As it is written."""
        return site

    def answer(self, pdu: bytes) -> bytes:
        try:
            match pdu[0]:
                case 3 | 4:
                    return self._read_registers(pdu)
                case 1 | 2:
                    return self._read_coils(pdu)
                case 5:
                    offset, word = struct.unpack(">HH", pdu[1:])
                    return self._taken(pdu, COIL_AT.get(offset), (1 if word == 0xFF00 else 0 if word == 0 else 2,))
                case 6:
                    offset, word = struct.unpack(">HH", pdu[1:])
                    return self._taken(pdu, REGISTER_AT.get(offset), (word,))
                case 16:
                    offset, count, size = struct.unpack(">HHB", pdu[1:6])
                    return self._taken(pdu, REGISTER_AT.get(offset), struct.unpack(f">{count}H", pdu[6 : 6 + size]))
                case _:  # mask write, write coils, …: whatever it is, nobody allowed it
                    return self._taken(pdu, None, ())
        except struct.error:
            return self._taken(pdu, None, ()) if pdu[0] not in (1, 2, 3, 4) else bytes((pdu[0] | 0x80, ILLEGAL_VALUE))

    def _words(self) -> list[int]:
        shown = {name: self._plant.shown(name) for name, _ in REGISTER_AT.values()}
        for offset, (name, place) in REGISTER_AT.items():
            if self._encoded.get(name) != shown[name]:  # NaN too is encoded anew
                words = place.encode(shown[name])
                self._image[offset : offset + place.words] = words
                self._encoded[name], self._carried[name] = shown[name], place.decode(words)
        return list(self._image)

    def _read_registers(self, pdu: bytes) -> bytes:
        offset, count = struct.unpack(">HH", pdu[1:])
        inside = [(name, place) for at, (name, place) in REGISTER_AT.items() if offset <= at and at + place.words <= offset + count]
        if self._plant.on_read is not None:
            self._plant.on_read(tuple(name for name, _ in inside))
        for name, place in inside:
            if self._plant.status.get(name, GOOD) != GOOD:
                # The device fails the whole request; a reader that halves it finds the one that is broken.
                if len(inside) == 1:
                    self._serve(name, place, good=False)
                return bytes((pdu[0] | 0x80, ILLEGAL_ADDRESS))
        words = self._words()
        if not 1 <= count <= 125 or offset + count > len(words):
            return bytes((pdu[0] | 0x80, ILLEGAL_ADDRESS))
        oracle = self._plant.oracle
        if oracle is not None:
            for name, _ in inside:
                value = self._carried[name]
                oracle.served(name, value, good=value - value == 0.0, source_ns=0, now_ns=0)
        return struct.pack(f">BB{count}H", pdu[0], 2 * count, *words[offset : offset + count])

    def _read_coils(self, pdu: bytes) -> bytes:
        offset, count = struct.unpack(">HH", pdu[1:])
        if self._plant.on_read is not None:
            self._plant.on_read(tuple(name for at, (name, _) in COIL_AT.items() if offset <= at < offset + count))
        bits = 0
        for at, (name, place) in COIL_AT.items():
            if offset <= at < offset + count:
                bits |= int(self._plant.shown(name)) << (at - offset)
                self._serve(name, place, good=True)
        size = (count + 7) // 8
        return bytes((pdu[0], size)) + bits.to_bytes(size, "little")

    def _serve(self, name: str, place: Place, *, good: bool) -> None:
        oracle = self._plant.oracle
        if oracle is not None:
            value = place.decode(place.encode(self._plant.shown(name)))
            oracle.served(name, value, good=good and value - value == 0.0, source_ns=0, now_ns=0)

    def _taken(self, pdu: bytes, at: tuple[str, Place] | None, words: Sequence[int]) -> bytes:
        oracle = self._plant.oracle
        assert oracle is not None  # noqa: S101 - set before the first request
        tag, value = "", float("nan")
        if at is not None and len(words) == at[1].words:
            tag, value = at[0], at[1].decode(tuple(words))
        if at is not None and at[1].kind == "coil" and words[0] > 1:
            tag = ""
        answer = self._plant.arrive(Arrival(wire=self.name, tag=tag, value=value, raw=pdu, at_ns=oracle.up_ns()))
        match answer:
            case "ok":
                return pdu[:5]
            case "no":
                return bytes((pdu[0] | 0x80, ILLEGAL_ADDRESS))
            case _:
                return bytes((pdu[0] | 0x80, DEVICE_FAILURE))  # done, and said to have failed: the fate is unknown
