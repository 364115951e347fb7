"""The bytes that digests, signatures and the ledger are made over: the same by the quick way as by the plain one."""

import json
import math
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.site.model import Rule
from holdfast.terms import Decision, Reading, Reason, Snapshot, Word, canonical, plain

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.booleans() | st.none()
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
reasons = st.builds(Reason, code=texts, passed=st.booleans(), tag=texts, facts=st.lists(st.tuples(texts, texts), max_size=3).map(tuple))
readings = st.builds(
    Reading,
    tag=texts,
    value=st.floats(allow_nan=False, allow_infinity=False),
    status=st.integers(),
    source_ns=st.integers(),
    age_s=st.just(0.5),
    still_s=st.just(-0.0),
)
snapshots = st.builds(Snapshot, at_ns=st.integers(), readings=st.lists(readings, max_size=3).map(tuple))
leaves = numbers | texts | st.binary(max_size=6) | reasons | snapshots
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=12)


@given(values)
def test_the_quick_way_gives_the_bytes_of_the_plain_way(value: Any) -> None:
    plainly = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    assert canonical(value) == plainly


def test_the_bytes_are_these() -> None:
    reason = Reason(code="envelope.step", passed=True, tag="stand-4/tension.sp", facts=(("value", "1 °C"),))
    assert canonical(MappingProxyType({"b": reason, "a": (1, 2.0, None, b"\x01\xff")})) == (
        b'{"a":[1,2.0,null,"01ff"],"b":{"code":"envelope.step","facts":[["value","1 \xc2\xb0C"]],"passed":true,"tag":"stand-4/tension.sp"}}'
    )


def test_a_field_that_is_set_apart_is_not_in_the_bytes() -> None:
    assert canonical(Rule(id="r", effect="ask", agents=("*",), tags=("*",), line=3)) == canonical(
        Rule(id="r", effect="ask", agents=("*",), tags=("*",), line=9)
    )


class Other(Word):
    value: Any


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_what_is_no_number_has_no_bytes(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical(value)


@pytest.mark.parametrize("value", [{1, 2}, object(), Other(value=1j), Decision])
def test_what_is_no_word_has_no_bytes(value: Any) -> None:
    with pytest.raises(TypeError, match="no canonical form"):
        canonical(value)
