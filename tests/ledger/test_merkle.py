"""The tree is RFC 9162's: its hashes by hand, its proofs against an independent implementation."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle import verify_inclusion as their_verify_inclusion

from holdfast.gate.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency,
    consistent,
    frontier_of,
    included,
    inclusion,
    leaf_hash,
    node_hash,
)


def h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def tree_of(leaves: list[bytes]):
    """Every complete subtree, the slow way."""

    def perfect(level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(leaves[index])
        return node_hash(perfect(level - 1, 2 * index), perfect(level - 1, 2 * index + 1))

    return perfect


def grown(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf_hash(leaf))
    return frontier


def test_the_root_of_seven_leaves_is_the_one_of_the_rfc_drawing():
    d = [bytes([i]) for i in range(7)]  # RFC 9162 section 2.1.5: hash = f(k, l), k = f(g, h), l = f(i, j)
    a, b, c, dd, e, f, j = (h(b"\x00" + x) for x in d)
    g, hh, i = (h(b"\x01" + x + y) for x, y in ((a, b), (c, dd), (e, f)))
    k, ll = h(b"\x01" + g + hh), h(b"\x01" + i + j)
    assert grown(d).root() == h(b"\x01" + k + ll)
    perfect = tree_of(d)
    assert inclusion(0, 7, perfect) == (b, hh, ll)
    assert inclusion(3, 7, perfect) == (c, g, ll)
    assert inclusion(4, 7, perfect) == (f, j, k)
    assert inclusion(6, 7, perfect) == (i, k)
    assert consistency(3, 7, perfect) == (c, dd, g, ll)
    assert consistency(4, 7, perfect) == (ll,)
    assert consistency(6, 7, perfect) == (i, j, k)


def test_an_empty_tree_has_the_hash_of_nothing():
    assert Frontier().root() == EMPTY_ROOT == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


leaves_lists = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


@settings(max_examples=60, deadline=None)
@given(leaves_lists, st.data())
def test_roots_and_paths_are_those_of_pymerkle(leaves: list[bytes], data: st.DataObject):
    theirs = InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        theirs.append_entry(leaf)
    root = grown(leaves).root()
    assert root == theirs.get_root()
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion(index, len(leaves), tree_of(leaves))
    assert [leaf_hash(leaves[index]), *path] == list(theirs.prove_inclusion(index + 1, len(leaves)).path)
    their_verify_inclusion(leaf_hash(leaves[index]), root, theirs.prove_inclusion(index + 1, len(leaves)))
    assert included(index, len(leaves), leaf_hash(leaves[index]), path, root)


@settings(max_examples=60, deadline=None)
@given(leaves_lists, st.data())
def test_a_proof_proves_nothing_else(leaves: list[bytes], data: st.DataObject):
    size = len(leaves)
    perfect, root = tree_of(leaves), grown(leaves).root()
    index = data.draw(st.integers(0, size - 1))
    path = inclusion(index, size, perfect)
    leaf = leaf_hash(leaves[index])
    assert not included(index, size, h(b"another"), path, root)
    assert not included(index, size, leaf, [*path, leaf], root)
    assert not included(size, size, leaf, path, root)
    if path:
        assert not included(index, size, leaf, path[:-1], root)


@settings(max_examples=60, deadline=None)
@given(leaves_lists, st.data())
def test_consistency_holds_for_every_beginning_and_for_no_other_root(leaves: list[bytes], data: st.DataObject):
    new = len(leaves)
    old = data.draw(st.integers(1, new))
    perfect = tree_of(leaves)
    old_root, new_root = grown(leaves[:old]).root(), grown(leaves).root()
    path = consistency(old, new, perfect)
    assert consistent(old, new, old_root, new_root, path)
    assert not consistent(old, new, h(b"x"), new_root, path)
    if old < new:
        assert not consistent(old, new, old_root, h(b"x"), path)
        assert not consistent(old, new, old_root, new_root, path[:-1])


@given(leaves_lists)
def test_a_frontier_read_back_is_the_one_that_grew(leaves: list[bytes]):
    assert frontier_of(len(leaves), tree_of(leaves)).peaks == grown(leaves).peaks


def test_what_can_not_be_proved_is_refused():
    perfect = tree_of([b"a", b"b"])
    with pytest.raises(ValueError, match="no leaf 2"):
        inclusion(2, 2, perfect)
    with pytest.raises(ValueError, match="at least 1 leaf"):
        consistency(0, 2, perfect)
    with pytest.raises(ValueError, match="complete subtrees"):
        Frontier(3, [b""])
