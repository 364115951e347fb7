"""Many S7 values out of one stretch of bytes at once: each is what it is when it is decoded alone."""

import math
from random import Random

import numpy as np

from holdfast.gate.connectors.s7.addresses import Address, decode, parse
from holdfast.gate.connectors.s7.plan import spans
from holdfast.gate.connectors.s7.stretch import Stretch


def values(addresses: list[Address], memory: bytes) -> list[float]:
    found = np.full(len(addresses), np.nan)
    for span in spans(addresses, gap_max=16, pdu_bytes=240):
        Stretch(span, addresses).into(memory[span.start : span.start + span.count], found)
    return [float(value) for value in found]


def test_numbers_and_bits_lie_where_their_addresses_say() -> None:
    memory = bytes.fromhex("3fc00000 fffe 8001 a5 ff 0000000000000002")
    texts = ["DB1.DBD0:REAL", "DB1.DBW4:INT", "DB1.DBW4:WORD", "DB1.DBX8.0", "DB1.DBX8.1", "DB1.DBB9:SINT", "DB1.DBD10:LINT", "DB1.DBB8"]
    assert values([parse(text) for text in texts], memory) == [1.5, -2.0, 65534.0, 1.0, 0.0, -1.0, 2.0, 165.0]


def test_whatever_lies_there_is_what_decoding_it_alone_gives() -> None:
    random = Random(1)
    kinds = ("BYTE", "USINT", "SINT", "WORD", "UINT", "INT", "DWORD", "UDINT", "DINT", "REAL", "LWORD", "ULINT", "LINT", "LREAL", "BOOL")
    for _ in range(200):
        memory = random.randbytes(120)
        addresses: list[Address] = []
        for _ in range(random.randrange(1, 30)):
            kind = random.choice(kinds)
            addresses.append(
                Address(area="DB", db=1, byte=random.randrange(112), kind=kind, bit=random.randrange(8) if kind == "BOOL" else None)
            )
        alone = [decode(a, memory[a.byte : a.byte + a.bytes]) for a in addresses]
        for one, other in zip(values(addresses, memory), alone, strict=True):
            assert one == other or (math.isnan(one) and math.isnan(other))
