"""Records by kind, person, agent, tag, proposal and time: pages of exact leaves, each found by an index and never by reading all.

The shortest of the lists that a query names is walked, the others are looked up in. A walk that finds little stops after
PROBES_MAX records and says where to go on, so that no page takes much longer than another.
"""

import math
from typing import Literal

from holdfast.gate.ledger.index import BLOCK, RecordIndex
from holdfast.terms import Word

LIMIT_MAX = 1_000  # records a page
PAGE_BYTES_MAX = 4 << 20
PROBES_MAX = 10_000  # records looked at for one page
KINDS_MAX = 16
NAMED = ("agent", "person", "tag")  # these have a list for each kind too
Order = Literal["asc", "desc"]
Span = tuple[int, int]


class Query(Word):
    """`after` and `before` are numbers of records, themselves not among what is wanted; times are UTC ns, both ends included."""

    after: int = 0
    before: int | None = None
    limit: int = 100
    kinds: tuple[str, ...] = ()
    person: str = ""
    agent: str = ""
    tag: str = ""
    proposal: str = ""
    from_ns: int | None = None
    to_ns: int | None = None
    order: Order = "asc"


class Page(Word):
    """Leaves in order, their exact bytes. `next`: where to go on (as `after`, or `before` where newest come first); None at the end."""

    leaves: tuple[bytes, ...]
    next: int | None


class Statement(Word):
    """SQL that gives (seq,), and what is bound in it."""

    sql: str
    bindings: tuple[int, ...]


def page(index: RecordIndex, query: Query) -> Page:
    """Raises StateError; ValueError for more than KINDS_MAX kinds. What is not indexed yet is not found."""
    if len(query.kinds) > KINDS_MAX:
        raise ValueError(f"at most {KINDS_MAX} kinds are asked for at once")
    limit, down = max(1, min(query.limit, LIMIT_MAX)), query.order == "desc"
    span = span_of(index, query)
    found: set[int] = set()
    # Beyond the nearest place where a walk stopped short it is not known what there is.
    known = -math.inf if down else math.inf
    for statement in statements(index, query, span) if span else ():
        rows = index.rows(statement.sql, statement.bindings)
        matches = [seq for seq, matched in rows if matched]
        found.update(matches[: limit + 1])
        stopped = matches[limit] if len(matches) > limit else rows[-1][0] if len(rows) >= PROBES_MAX else None
        if stopped is not None:
            known = max(known, stopped) if down else min(known, stopped)
    seqs = [seq for seq in sorted(found, reverse=down) if (seq >= known if down else seq <= known)]
    following = seqs[limit - 1] if len(seqs) > limit else int(known) if math.isfinite(known) else None
    return _read(index, seqs[:limit], following)


def statements(index: RecordIndex, query: Query, span: Span) -> list[Statement]:
    """How a query is answered, for `page` and for whoever checks the plan: rows (seq, matches), at most PROBES_MAX each."""
    wanted = {name: value for name in ("agent", "person", "tag", "proposal") if (value := getattr(query, name))}
    if not query.kinds:
        return _walk(index, query, span, tuple(wanted.items()))
    base = min((name for name in wanted if name in NAMED), key=lambda name: index.count(name, wanted[name]), default="")
    if not base:
        return [s for kind in query.kinds for s in _walk(index, query, span, (("kind", kind), *wanted.items()))]
    rest = tuple((name, value) for name, value in wanted.items() if name != base)
    return [s for kind in query.kinds for s in _walk(index, query, span, ((f"{base}+kind", f"{kind}\n{wanted[base]}"), *rest))]


def _walk(index: RecordIndex, query: Query, span: Span, wanted: tuple[tuple[str, str], ...]) -> list[Statement]:
    """Nothing where one of the lists is empty."""
    lists = sorted((index.term(what, value) for what, value in wanted), key=lambda term: term.n)
    if lists and lists[0].n == 0:
        return []
    down = "DESC" if query.order == "desc" else "ASC"
    bindings: list[int] = []
    matches: list[str] = []
    for term in lists[1:]:
        matches.append("EXISTS (SELECT 1 FROM post AS o WHERE o.term = ? AND o.seq = w.seq)")
        bindings.append(term.id)
    for bound, sign in ((query.from_ns, ">="), (query.to_ns, "<=")):
        if bound is not None:
            matches.append(f"(SELECT at_ns FROM entry AS e WHERE e.seq = w.seq) {sign} ?")  # noqa: S608 - constants
            bindings.append(bound)
    if lists:
        walked, where = "post", "term = ? AND seq BETWEEN ? AND ?"
        bindings.append(lists[0].id)
    else:
        walked, where = "record.leaf", "seq BETWEEN ? AND ?"
    most = PROBES_MAX if matches else min(query.limit, LIMIT_MAX) + 1
    walk = f"SELECT seq FROM {walked} WHERE {where} ORDER BY seq {down} LIMIT ?"  # noqa: S608 - constants
    sql = f"SELECT w.seq, {' AND '.join(matches) or '1'} FROM ({walk}) AS w"  # noqa: S608 - constants
    return [Statement(sql=sql, bindings=(*bindings, *span, max(most, 2)))]


def span_of(index: RecordIndex, query: Query) -> Span | None:
    """The numbers between which all that is wanted lies; None where there is nothing. A clock that was set back widens it."""
    low, high = max(query.after + 1, 1), (query.before or 2**62) - 1
    if query.from_ns is not None:
        ((block,),) = index.rows("SELECT min(id) FROM block WHERE last_ns >= ?", (query.from_ns,))
        if block is None:
            return None
        low = max(low, block * BLOCK + 1)
    if query.to_ns is not None:
        ((block,),) = index.rows("SELECT max(id) FROM block WHERE first_ns <= ?", (query.to_ns,))
        if block is None:
            return None
        high = min(high, (block + 1) * BLOCK)
    return (low, high) if low <= high else None


def _read(index: RecordIndex, seqs: list[int], following: int | None) -> Page:
    leaves: list[bytes] = []
    total = 0
    for seq in seqs:
        rows = index.rows("SELECT bytes FROM record.leaf WHERE seq = ?", (seq,))
        leaf = bytes(rows[0][0]) if rows else b""
        total += len(leaf)
        if leaves and total > PAGE_BYTES_MAX:
            return Page(leaves=tuple(leaves), next=seqs[len(leaves) - 1])
        leaves.append(leaf)
    return Page(leaves=tuple(leaves), next=following)
