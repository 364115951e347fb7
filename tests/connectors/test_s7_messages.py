"""S7's messages as bytes: what we send is what the sources say, and no truncated, mangled or hostile answer becomes a wrong value."""

import struct
from random import Random

import pytest

from connectors.faulty_s7 import read_of, value
from holdfast.gate.connectors.s7 import frames, telegrams
from holdfast.gate.connectors.s7.addresses import decode, encode, parse
from holdfast.gate.connectors.s7.frames import Frames, NoS7
from holdfast.gate.connectors.s7.plan import Span, spans
from holdfast.gate.connectors.s7.telegrams import DONE

CONFIRM = bytes.fromhex("0300 0016 11 d0 0001 4431 00 c0 01 0a c1 02 0100 c2 02 0302")
ADDRESSES = [parse(text) for text in ("DB1.DBD0:REAL", "DB2.DBB0", "MW10:INT")]
SPANS = spans(ADDRESSES, gap_max=0, pdu_bytes=240)
TRUE = {"DB1": b"\x3f\xc0\x00\x00", "DB2": b"\x07", "M0": b"\x02\x80"}
ANSWER = read_of(b"\x00\x01", value(TRUE["DB1"]), value(TRUE["DB2"]) + b"\x00", value(TRUE["M0"]))


def opened() -> Frames:
    made = Frames()
    assert made.feed(CONFIRM) == []
    assert made.tpdu_bytes == 1024
    return made


def holds(made: Frames) -> int:
    return len(made._buffer) + len(made._message)


def right(found: list[tuple[int, bytes]]) -> list[bool]:
    """Of each stretch that can be read, whether it is what the device holds."""
    assert len(found) == len(SPANS)
    return [data == TRUE[f"{span.area}{span.db}"] for span, (code, data) in zip(SPANS, found, strict=True) if code == DONE and data]


def test_requests_are_the_bytes_that_the_sources_say() -> None:
    assert frames.connection_request(0x0302).hex(" ") == "03 00 00 16 11 e0 00 00 00 01 00 c1 02 01 00 c2 02 03 02 c0 01 0a"
    span = Span(area="DB", db=10, start=4, count=4, members=(0,))
    asked = frames.data(telegrams.request(1, telegrams.read([span])), 1024)
    assert asked.hex(" ") == "03 00 00 1f 02 f0 80 32 01 00 00 00 01 00 0e 00 00 04 01 12 0a 10 02 00 04 00 0a 84 00 00 20"
    assert telegrams.setup(480).hex(" ") == "f0 00 00 01 00 01 01 e0"


@pytest.mark.parametrize(
    ("address", "raw", "item", "data"),
    [
        ("DB1.DBX0.3", 1.0, "01 00 01 00 01 84 00 00 03", "00 03 00 01 01"),
        ("DB10.DBD4:REAL", 1.5, "08 00 01 00 0a 84 00 00 20", "00 07 00 04 3f c0 00 00"),
        ("MW10:INT", -2.0, "05 00 01 00 00 83 00 00 50", "00 05 00 10 ff fe"),
        ("QW2:WORD", 258.0, "04 00 01 00 00 82 00 00 10", "00 04 00 10 01 02"),
        ("DB3.DBD8000:DINT", 1.0, "07 00 01 00 03 84 00 fa 00", "00 05 00 20 00 00 00 01"),
        ("DB1.DBB9", 7.0, "02 00 01 00 01 84 00 00 48", "00 04 00 08 07"),
        ("DB1.DBD8:LREAL", 1.0, "02 00 08 00 01 84 00 00 40", "00 04 00 40 3f f0 00 00 00 00 00 00"),
    ],
)
def test_a_value_is_written_under_its_own_type(address: str, raw: float, item: str, data: str) -> None:
    where = parse(address)
    parameters, sent = telegrams.write(where, encode(where, raw))
    assert (parameters.hex(" "), sent.hex(" ")) == (f"05 01 12 0a 10 {item}", data)


def test_a_stream_is_the_same_messages_however_it_is_cut() -> None:
    stream = ANSWER * 3
    whole = opened().feed(stream)
    assert [len(message) for message in whole] == [len(ANSWER) - 7] * 3
    for at in range(len(stream) + 1):
        made = opened()
        assert made.feed(stream[:at]) + made.feed(stream[at:]) == whole
    made = opened()
    assert [message for at in range(len(stream)) for message in made.feed(stream[at : at + 1])] == whole


def test_an_answer_in_several_packets_is_one_and_so_is_a_request_for_a_cpu_of_short_packets() -> None:
    message = bytes(range(256)) * 2
    packets = frames.data(message, 128)
    assert len(packets) == 512 + 5 * 7  # 125 bytes each: four whole ones and 12
    assert opened().feed(packets) == [message]
    assert frames.data(message, 1024) == b"\x03\x00\x02\x07\x02\xf0\x80" + message


@pytest.mark.parametrize(
    ("came", "why"),
    [
        (b"HTTP/1.1 400", "no packet of RFC 1006"),
        (b"\x03\x00\x00\x06\x02\xf0", "no packet of RFC 1006"),
        (b"\x03\x00\xff\xff", "no packet of RFC 1006"),
        (b"\x04", "no packet of RFC 1006"),
        (bytes.fromhex("0300000b06800000000001"), "refusal of the connection"),
        (CONFIRM, "has no place here"),
        (b"\x03\x00\x00\x08\x03\xf0\x80\x00", "has no place here"),
    ],
)
def test_what_has_no_place_in_the_stream_is_refused_at_once(came: bytes, why: str) -> None:
    with pytest.raises(NoS7, match=why):
        opened().feed(came)


@pytest.mark.parametrize(
    "confirm", [CONFIRM[:4] + b"\x30" + CONFIRM[5:], CONFIRM.replace(b"\xc0\x01\x0a", b"\xc0\x01\x40"), b"\x03\x00\x00\x08\x03\xd0\x00\x01"]
)
def test_a_confirm_that_does_not_add_up_is_refused(confirm: bytes) -> None:
    with pytest.raises(NoS7, match="confirm"):
        Frames().feed(confirm)


def test_data_before_the_connection_is_confirmed_are_refused() -> None:
    with pytest.raises(NoS7, match="before it confirmed"):
        Frames().feed(ANSWER)


def test_a_confirm_that_says_nothing_of_sizes_takes_whole_messages() -> None:
    made = Frames()
    made.feed(b"\x03\x00\x00\x0b\x06\xd0\x00\x01\x00\x02\x00")
    assert made.tpdu_bytes == frames.UNLIMITED


def test_a_message_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    made = opened()
    part = b"\x03\x00\x01\x07\x02\xf0\x00" + bytes(256)  # no end-of-message bit
    for _ in range(3):
        made.feed(part)
    with pytest.raises(NoS7, match="more than 960 bytes"):
        made.feed(part)
    assert holds(made) <= frames.MESSAGE_MAX


def test_a_truncated_answer_gives_what_is_whole_and_nothing_else() -> None:
    message = ANSWER[7:]
    whole = telegrams.stretches(telegrams.answer(message), SPANS)
    assert right(whole) == [True, True, True]
    assert [decode(a, data) for a, (_, data) in zip(ADDRESSES, _by_address(whole), strict=True)] == [1.5, 7.0, 640.0]
    for length in range(len(message)):
        with pytest.raises(NoS7):
            telegrams.answer(message[:length])
    data = message[14:]
    for length in range(len(data)):
        short = telegrams.Answer(1, 0, b"\x04\x03", data[:length])
        assert all(right(telegrams.stretches(short, SPANS)))
        assert len(right(telegrams.stretches(short, SPANS))) < 3


def _by_address(found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [next(item for span, item in zip(SPANS, found, strict=True) if i in span.members) for i in range(len(ADDRESSES))]


def test_no_byte_around_the_values_can_be_changed_so_that_a_value_is_wrong() -> None:
    values = [ANSWER.index(b"\x3f\xc0"), ANSWER.index(b"\x08\x07") + 1, len(ANSWER) - 2]
    inside = {at + n for at, count in zip(values, (4, 1, 2), strict=True) for n in range(count)}
    read = refused = 0
    for at in range(len(ANSWER)):
        for byte in range(256) if at not in inside else ():
            mangled = ANSWER[:at] + bytes((byte,)) + ANSWER[at + 1 :]
            try:
                for message in opened().feed(mangled):
                    found = telegrams.answer(message)
                    if found.reference == 1 and not found.error:
                        assert all(right(telegrams.stretches(found, SPANS))), (at, byte)
                        read += 1
            except NoS7:
                refused += 1
    assert read > 1000  # codes, fillers, reserved bytes
    assert refused > 1000


def test_bytes_by_chance_are_refused_or_waited_for_and_never_kept_without_bound() -> None:
    random = Random(1)
    for _ in range(3000):
        made = opened()
        try:
            for _ in range(8):
                start = bytes.fromhex(random.choice(("", "03", "0300", "0300001c02f080", "0300001c02f000", "0300001c02f08032030000")))
                for message in made.feed(start + random.randbytes(random.randrange(200))):
                    telegrams.stretches(telegrams.answer(message), SPANS)
                assert holds(made) <= frames.SIZE_MAX + frames.MESSAGE_MAX
        except NoS7:
            continue


@pytest.mark.parametrize("left", [b"\x00", b"\xff\x04\x00\x10\x00\x07"])
def test_an_answer_with_something_left_over_is_not_believed(left: bytes) -> None:
    found = telegrams.answer(read_of(b"\x00\x01", *(value(data) for data in (b"\x3f\xc0\x00\x00", b"\x07\x00")), left)[7:])
    pair = (*SPANS[:1], Span(area="M", db=0, start=10, count=2, members=(1,)))
    found = found._replace(parameters=b"\x04\x02")
    assert telegrams.stretches(found, pair) == [(DONE, b""), (DONE, b"")]


def test_a_refusal_that_says_it_has_bytes_leaves_the_neighbours_unread_where_they_do_not_add_up() -> None:
    four = [Span(area="M", db=0, start=100 * n, count=2, members=(n,)) for n in range(4)]
    bytes_like_a_value = value(b"\x00\x63")
    refused = struct.pack(">BBH", 0x0A, 0x04, 8 * len(bytes_like_a_value)) + bytes_like_a_value
    cut = value(b"\x00\x05")[:5]
    said = telegrams.Answer(1, 0, b"\x04\x04", value(b"\x00\x01") + refused + cut)
    assert telegrams.stretches(said, four) == [(DONE, b"\x00\x01"), (0x0A, b""), (DONE, b""), (DONE, b"")]
    said = telegrams.Answer(1, 0, b"\x04\x03", value(b"\x00\x01") + refused + value(b"\x00\x05"))
    assert telegrams.stretches(said, four[:3]) == [(DONE, b""), (0x0A, b""), (DONE, b"")], "one value too many: which one?"
    without = value(TRUE["DB1"]) + struct.pack(">BBH", 0x0A, 0x00, 4) + value(TRUE["M0"])  # as some controllers answer
    assert right(telegrams.stretches(_read(without), SPANS)) == [True, True]


def _read(data: bytes) -> telegrams.Answer:
    return telegrams.Answer(1, 0, b"\x04\x03", data)
