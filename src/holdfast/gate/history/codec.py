"""One column of one stretch of time as few bytes, bit for bit: what repeats is said once, what is left goes through zstd.

A transmitter has 12 to 16 bits, so an hour of it has few different values, most of them decimals: a column is told as one value,
as whole numbers over a power of ten, as places in a list of the values that occur, or, where nothing of that holds, as each
value's difference from the one before (XOR, as in Pelkonen et al., Gorilla, VLDB 2015, §4.1.2), in planes of equal bytes.
Whole numbers are told from their least, or as steps where those vary less. All arithmetic is modulo 2^64, so nothing is ever
rounded: -0.0, the bits of a NaN, denormals and times that run backwards come back as they were.
"""

import struct
import threading

import numpy as np
import zstandard
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.uint32]

LEVEL = 1  # zstd's: what is left is noise, and more effort finds nothing in it
ROWS_MAX = 1 << 24  # of a chunk that is read: a damaged head can't ask for more memory than that
DECIMALS = np.array([10.0**d for d in range(7)])
TRIED = 32  # values that a power of ten is tried on first
EXACT = 2.0**53  # below it every whole number is a double
TIME_UNITS_NS = (1_000_000_000, 1_000_000, 1_000, 100, 1)  # 100 ns: OPC UA Part 6 §5.2.2.5
ONE, STEPS, OFFSETS = 0, 1, 2
CONSTANT, DECIMAL, LISTED, XORED = 0, 1, 2, 3
RUNS, EACH, ALIKE = 0, 1, 2
SHIFTED, AS_LEAD, OFFSET, ITSELF = 0, 1, 2, 3
_HEAD = struct.Struct("<Bq")
_COUNT = struct.Struct("<I")
_BYTE = struct.Struct("<B")
_ONE_CODE = struct.Struct("<BI")
_WIDE = struct.Struct("<BqqB")


class ChunkError(ValueError):
    """These bytes are no chunk: damaged, or of another form."""


def encode_spine(received_ns: Ints, seqs: Ints, lead_ns: Ints) -> bytes:
    """What the columns of a segment share: (rows,) times of receipt, row numbers, and the source times of its first column."""
    parts = (_times(received_ns), _ints(seqs), _source(lead_ns, received_ns, None))
    return _compressed(struct.pack("<I", len(received_ns)) + b"".join(parts))


def decode_spine(data: bytes) -> tuple[Ints, Ints, Ints]:
    """(received_ns, seqs, lead_ns) of `encode_spine`. Raises ChunkError."""
    cursor = _Cursor(data)
    rows = cursor.rows
    received = cursor.times(rows)
    return received, cursor.ints(rows), cursor.source(rows, received, None)


def decode_times(data: bytes) -> Ints:
    """received_ns alone, of `encode_spine`. Raises ChunkError."""
    cursor = _Cursor(data)
    return cursor.times(cursor.rows)


def encode_column(values: Floats, status: Codes, source_ns: Ints, received_ns: Ints, lead_ns: Ints) -> bytes:
    """All (rows,) with at least one row."""
    with np.errstate(all="ignore"):  # what overflows here is found out below and told otherwise
        parts = (_values(values), _status(status), _source(source_ns, received_ns, lead_ns))
    return _compressed(struct.pack("<I", len(values)) + b"".join(parts))


def decode_column(data: bytes, received_ns: Ints, lead_ns: Ints) -> tuple[Floats, Codes, Ints]:
    """(values, status, source_ns) of `encode_column`. Raises ChunkError."""
    cursor = _Cursor(data)
    rows = cursor.rows
    if rows != len(received_ns):
        raise ChunkError("a column has not as many rows as its segment")
    return cursor.values(rows), cursor.status(rows), cursor.source(rows, received_ns, lead_ns)


def decode_values(data: bytes) -> tuple[Floats, Codes]:
    """(values, status) alone: what a trend needs. Raises ChunkError."""
    cursor = _Cursor(data)
    return cursor.values(cursor.rows), cursor.status(cursor.rows)


# ---- writing ---------------------------------------------------------------------------------------------------------


def _compressed(data: bytes) -> bytes:
    return _mine.squeezer.compress(data)


class _Mine(threading.local):
    """Of each thread its own: making one costs more than its work on a column, and two threads must not share one."""

    def __init__(self) -> None:
        self.squeezer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self.opener = zstandard.ZstdDecompressor()


_mine = _Mine()


def _planes(numbers: NDArray[np.uint64], width: int) -> bytes:
    raw = np.ascontiguousarray(numbers, "<u8").view(np.uint8).reshape(-1, 8)
    return raw[:, 0].tobytes() if width == 1 else raw[:, :width].T.tobytes()


def _width(greatest: int) -> int:
    return max(1, -(-greatest.bit_length() // 8))


def _ints(numbers: Ints) -> bytes:
    first, least, most = int(numbers[0]), int(numbers.min()), int(numbers.max())
    if least == most:
        return _HEAD.pack(ONE, first)
    steps = numbers[1:] - numbers[:-1]
    if float(np.abs(steps.astype(np.float64)).mean()) < (float(most) - float(least)) / 8:
        # Either way holds; steps only where they are so much smaller than the range that they surely pay.
        low = int(steps.min())
        if low == int(steps.max()):
            return _WIDE.pack(STEPS, first, low, 0)
        if _entropy(steps) < _entropy(numbers):
            up = (steps - np.int64(low)).view(np.uint64)
            width = _width(int(up.max()))
            return _WIDE.pack(STEPS, first, low, width) + _planes(up, width)
    up = (numbers - np.int64(least)).view(np.uint64)
    width = _width(int(up.max()))
    return _WIDE.pack(OFFSETS, 0, least, width) + _planes(up, width)


def _entropy(numbers: Ints) -> float:
    """About how many bits a number takes if nothing but its frequency is known: of a normal one, log2(σ·√(2πe))."""
    return float(np.log2(max(numbers.astype(np.float64).std(), 0.25)))


def _times(times_ns: Ints) -> bytes:
    """With the greatest unit that divides them all."""
    for place, unit in enumerate(TIME_UNITS_NS):
        if unit == 1 or not (times_ns % unit).any():
            return bytes((place,)) + _ints(times_ns // unit if unit > 1 else times_ns)
    raise AssertionError("the last unit divides everything")


def _values(values: Floats) -> bytes:
    bits = values.view(np.int64)
    if bits[0] == bits[-1] and (bits == bits[0]).all():
        return _HEAD.pack(CONSTANT, int(bits[0]))
    tried = values[:TRIED, None]
    for place in np.flatnonzero((np.rint(tried * DECIMALS) / DECIMALS == tried).all(axis=0)).tolist():
        power = DECIMALS[place]
        whole = np.rint(values * power)
        if float(np.abs(whole).max()) < EXACT:
            numbers = whole.astype(np.int64)
            if ((numbers / power).view(np.int64) == bits).all():
                return bytes((DECIMAL, place)) + _ints(numbers)
    listed, places = np.unique(bits, return_inverse=True)
    if len(listed) <= len(bits) // 2:
        return struct.pack("<BI", LISTED, len(listed)) + _ints(listed) + _ints(places.astype(np.int64))
    turned = bits.copy()
    turned[1:] ^= bits[:-1]
    return bytes((XORED,)) + _planes(turned.view(np.uint64), 8)


def _status(status: Codes) -> bytes:
    if (status == status[0]).all():
        return _ONE_CODE.pack(ALIKE, int(status[0]))
    codes = status.astype(np.int64)
    begins = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    if len(begins) * 4 >= len(codes):
        return bytes((EACH,)) + _ints(codes)
    begins = np.concatenate(([0], begins)).astype(np.int64)
    return struct.pack("<BI", RUNS, len(begins)) + _ints(begins) + _ints(codes[begins])


def _source(source_ns: Ints, received_ns: Ints, lead_ns: Ints | None) -> bytes:
    if lead_ns is not None and (source_ns[0] == lead_ns[0]) and (source_ns == lead_ns).all():
        return bytes((AS_LEAD,))
    shift = source_ns - received_ns
    if (shift == shift[0]).all():
        return _HEAD.pack(SHIFTED, int(shift[0]))
    forms = (bytes((OFFSET,)) + _times(shift), bytes((ITSELF,)) + _times(source_ns))
    return min(forms, key=lambda form: len(_compressed(form)))  # rare: only where a device stamps each value by itself


# ---- reading ---------------------------------------------------------------------------------------------------------


class _Cursor:
    """Reads the parts of one chunk in the order in which they were written."""

    def __init__(self, data: bytes) -> None:
        try:
            self._data = _mine.opener.decompress(data)
        except zstandard.ZstdError as error:
            raise ChunkError(f"a chunk of history is damaged ({error})") from error
        self._at = 0
        (self.rows,) = self._take(_COUNT)
        if not 0 < self.rows <= ROWS_MAX:
            raise ChunkError(f"a chunk of history says it has {self.rows} rows")

    def _take(self, form: struct.Struct) -> tuple[int, ...]:
        try:
            found = form.unpack_from(self._data, self._at)
        except struct.error as error:
            raise ChunkError("a chunk of history is cut short") from error
        self._at += form.size
        return found

    def _kind(self) -> int:
        """The next byte, which stays."""
        return self._data[self._at] if self._at < len(self._data) else -1

    def _planes(self, count: int, width: int) -> NDArray[np.uint64]:
        size = count * width
        if width > 8 or self._at + size > len(self._data):
            raise ChunkError("a chunk of history is cut short")
        raw = np.frombuffer(self._data, np.uint8, size, self._at).reshape(width, count)
        self._at += size
        if width == 1:
            return raw[0].astype(np.uint64)
        full = np.zeros((count, 8), np.uint8)
        full[:, :width] = raw.T
        return full.view("<u8").reshape(count)

    def ints(self, count: int) -> Ints:
        kind = self._kind()
        if kind == ONE:
            return np.full(count, self._take(_HEAD)[1], np.int64)
        if kind not in (STEPS, OFFSETS):
            raise ChunkError("a chunk of history has a form that this version does not know")
        _, first, low, width = self._take(_WIDE)
        if kind == OFFSETS:
            return self._planes(count, width).view(np.int64) + np.int64(low)
        steps = np.full(count, low, np.int64)
        steps[0] = first
        if width:
            steps[1:] += self._planes(count - 1, width).view(np.int64)
        return np.cumsum(steps)

    def times(self, count: int) -> Ints:
        (place,) = self._take(_BYTE)
        if place >= len(TIME_UNITS_NS):
            raise ChunkError("a chunk of history has a unit of time that this version does not know")
        return self.ints(count) * TIME_UNITS_NS[place]

    def values(self, count: int) -> Floats:
        kind = self._kind()
        if kind == CONSTANT:
            return np.full(count, self._take(_HEAD)[1], np.int64).view(np.float64)
        self._at += 1
        if kind == DECIMAL:
            (place,) = self._take(_BYTE)
            if place >= len(DECIMALS):
                raise ChunkError("a chunk of history has a scale that this version does not know")
            return self.ints(count) / DECIMALS[place]
        if kind == LISTED:
            (length,) = self._take(_COUNT)
            if not 0 < length <= count:
                raise ChunkError("a chunk of history lists more values than it has rows")
            listed = self.ints(length)
            places = self.ints(count)
            if int(places.max()) >= length or int(places.min()) < 0:
                raise ChunkError("a chunk of history points outside its list of values")
            return listed[places].view(np.float64)
        if kind != XORED:
            raise ChunkError("a chunk of history has a form that this version does not know")
        return np.bitwise_xor.accumulate(self._planes(count, 8)).view(np.float64)

    def status(self, count: int) -> Codes:
        kind = self._kind()
        if kind == ALIKE:
            return np.full(count, self._take(_ONE_CODE)[1], np.uint32)
        self._at += 1
        if kind == EACH:
            return self.ints(count).astype(np.uint32)
        (runs,) = self._take(_COUNT)
        if kind != RUNS or not 0 < runs <= count:
            raise ChunkError("a chunk of history has a form that this version does not know")
        begins, codes = self.ints(runs), self.ints(runs)
        lengths = np.diff(begins, append=count)
        if int(begins[0]) or int(lengths.min()) <= 0:
            raise ChunkError("a chunk of history has runs that don't follow each other")
        return np.repeat(codes.astype(np.uint32), lengths)

    def source(self, count: int, received_ns: Ints, lead_ns: Ints | None) -> Ints:
        kind = self._kind()
        if kind == SHIFTED:
            return received_ns + np.int64(self._take(_HEAD)[1])
        self._at += 1
        if kind == AS_LEAD and lead_ns is not None:
            return lead_ns
        if kind == OFFSET:
            return received_ns + self.times(count)
        if kind != ITSELF:
            raise ChunkError("a chunk of history has a form that this version does not know")
        return self.times(count)
