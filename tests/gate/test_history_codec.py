"""A column of history comes back bit for bit, whatever was in it, and a damaged one is said to be damaged."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.gate.history import codec
from holdfast.gate.history.codec import ChunkError, decode_column, decode_spine, encode_column, encode_spine

I64 = st.integers(-(2**63), 2**63 - 1)
BITS = st.integers(0, 2**64 - 1)  # any double there is: NaN payloads, -0.0, denormals, infinities
ODD = st.sampled_from([0x8000_0000_0000_0000, 0x7FF8_0000_0000_0001, 0xFFF0_0000_0000_0000, 1, 0x7FEF_FFFF_FFFF_FFFF, 0])
DECIMAL = st.builds(
    lambda whole, places: struct.unpack("<Q", struct.pack("<d", whole / 10**places))[0], st.integers(-(10**7), 10**7), st.integers(0, 6)
)
COLUMN = st.one_of(
    st.lists(BITS | ODD, min_size=1, max_size=80), st.lists(DECIMAL, min_size=1, max_size=80), st.lists(ODD, min_size=1, max_size=80)
)


@settings(max_examples=300, deadline=None)
@given(COLUMN, st.data())
def test_every_double_status_and_time_comes_back_bit_for_bit(bits: list[int], data: st.DataObject) -> None:
    rows = len(bits)
    values = np.array(bits, np.uint64).view(np.float64)
    status = np.array(
        data.draw(st.lists(st.sampled_from([0, 0x4000_0000, 0x8031_0000, 2**32 - 1]), min_size=rows, max_size=rows)), np.uint32
    )
    received = np.array(data.draw(st.lists(I64, min_size=rows, max_size=rows)), np.int64)
    source = np.array(data.draw(st.lists(I64, min_size=rows, max_size=rows)), np.int64)
    lead = data.draw(st.sampled_from([source, received]))
    chunk = encode_column(values, status, source, received, lead)
    found_values, found_status, found_source = decode_column(chunk, received, lead)
    assert found_values.view(np.uint64).tolist() == bits
    assert found_status.tolist() == status.tolist()
    assert found_source.tolist() == source.tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(I64 | st.integers(1_700_000_000, 1_700_000_100).map(lambda s: s * 10**9), min_size=1, max_size=60), st.data())
def test_times_that_double_or_run_backwards_come_back(times: list[int], data: st.DataObject) -> None:
    received = np.array(times, np.int64)
    seqs = np.array(data.draw(st.lists(I64, min_size=len(times), max_size=len(times))), np.int64)
    lead = np.array(data.draw(st.permutations(times)), np.int64)
    found = decode_spine(encode_spine(received, seqs, lead))
    assert [part.tolist() for part in found] == [times, seqs.tolist(), lead.tolist()]


def kept(values: list[float]) -> int:
    rows = len(values)
    times = np.arange(rows, dtype=np.int64) * 10**9
    return len(encode_column(np.array(values), np.zeros(rows, np.uint32), times, times, times))


def test_a_value_that_never_changes_costs_next_to_nothing() -> None:
    assert kept([math.pi] * 3600) < 60


def test_two_decimals_of_small_noise_cost_less_than_a_byte() -> None:
    rng = np.random.default_rng(1)
    assert kept(np.round(100.0 + rng.normal(0, 0.2, 3600), 2).tolist()) < 3600


def test_raw_counts_of_a_scaled_input_cost_less_than_a_byte_and_a_half() -> None:
    # 0…27648 counts over 0…150: no decimals, but few different values
    counts = np.random.default_rng(1).normal(5000, 20, 3600).round()
    assert kept((counts * 150.0 / 27648.0).tolist()) < 5400


def test_a_ramp_is_told_as_its_step() -> None:
    assert kept([float(i) for i in range(3600)]) < 80


@pytest.mark.parametrize("at", [0, 10, -1])
def test_a_damaged_chunk_is_said_to_be_damaged(at: int) -> None:
    times = np.arange(100, dtype=np.int64)
    values = np.random.default_rng(1).normal(size=100)
    chunk = bytearray(encode_column(values, np.zeros(100, np.uint32), times, times, times))
    chunk[at] ^= 0x55
    with pytest.raises(ChunkError):
        decode_column(bytes(chunk), times, times)
    with pytest.raises(ChunkError):
        decode_column(bytes(chunk[:-20]), times, times)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_what_only_looks_like_a_chunk_is_refused_with_a_word(data: bytes) -> None:
    times = np.arange(7, dtype=np.int64)
    chunk = codec._compressed(struct.pack("<I", 7) + data)
    try:
        values, status, source = decode_column(chunk, times, times)
    except ChunkError:
        return
    assert (len(values), len(status), len(source)) == (7, 7, 7)


def test_a_column_of_another_length_than_its_segment_is_refused() -> None:
    times = np.arange(5, dtype=np.int64)
    chunk = encode_column(np.ones(5), np.zeros(5, np.uint32), times, times, times)
    with pytest.raises(ChunkError, match="as many rows"):
        decode_column(chunk, times[:4], times[:4])


@pytest.mark.parametrize(
    "values",
    [
        [-0.0, 1.0, 2.5],  # minus nothing among decimals
        [1.0] * 40 + [-0.0],
        [0.1] * 40 + [0.1 + 0.2],  # no decimal after the first that were tried
        [1.0] * 40 + [math.nan],
        [1.0, 2.0**53 + 2, 2.0**60],
        [5e-324, 0.0],
        [math.inf, 1.5, -math.inf],
    ],
)
def test_what_only_looks_like_decimals_comes_back_as_it_was(values: list[float]) -> None:
    array, times = np.array(values), np.arange(len(values), dtype=np.int64)
    found, _, _ = decode_column(encode_column(array, np.zeros(len(values), np.uint32), times, times, times), times, times)
    assert found.view(np.uint64).tolist() == array.view(np.uint64).tolist()
