"""Lots and their genealogy: what was on the line when, what it was made of, who supplied it. Plain functions over rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from holdfast.terms import Word

DEPTH_MAX = 32  # generations that are followed
FOUND_MAX = 10_000  # lots in one answer


class Lot(Word):
    """One lot of material. `to_ns` None: it is on the line still."""

    lot: str
    material: str = ""
    supplier: str = ""
    supplier_lot: str = ""
    parents: tuple[str, ...] = ()
    from_ns: int
    to_ns: int | None = None


def on_line(lots: Iterable[Lot], from_ns: int, to_ns: int) -> tuple[Lot, ...]:
    """Lots that were on the line at any time in [from_ns, to_ns), in order of their beginning."""
    if to_ns < from_ns:
        raise ValueError("the end of a time span lies before its beginning")
    found = [lot for lot in lots if lot.from_ns < to_ns and (lot.to_ns is None or lot.to_ns > from_ns)]
    return tuple(sorted(found, key=lambda lot: (lot.from_ns, lot.lot))[:FOUND_MAX])


def ancestors(lots: Sequence[Lot], lot: str) -> tuple[Lot, ...]:
    """What a lot was made of, nearest first, each once; parents without a row of their own are left out (see `unknown`)."""
    known = {row.lot: row for row in lots}
    return _walk(known, lot, lambda row: row.parents)


def descendants(lots: Sequence[Lot], lot: str) -> tuple[Lot, ...]:
    """What was made of a lot, nearest first, each once."""
    known = {row.lot: row for row in lots}
    children: dict[str, list[str]] = {}
    for row in lots:
        for parent in row.parents:
            children.setdefault(parent, []).append(row.lot)
    return _walk(known, lot, lambda row: children.get(row.lot, ()), start=children.get(lot, ()))


def unknown(lots: Sequence[Lot], lot: str) -> tuple[str, ...]:
    """Names of ancestors that no row tells of: there the genealogy ends without an answer."""
    known = {row.lot for row in lots}
    of = [row for row in lots if row.lot == lot]
    return tuple(dict.fromkeys(p for row in (*of, *ancestors(lots, lot)) for p in row.parents if p not in known))


def supplier_lots(lots: Sequence[Lot], lot: str) -> tuple[tuple[str, str], ...]:
    """(supplier, supplier's lot) of a lot and of all that it was made of, each once."""
    of = tuple(row for row in lots if row.lot == lot)
    return tuple(dict.fromkeys((row.supplier, row.supplier_lot) for row in (*of, *ancestors(lots, lot)) if row.supplier_lot))


def _walk(known: Mapping[str, Lot], lot: str, nexts: Callable[[Lot], Iterable[str]], start: Iterable[str] | None = None) -> tuple[Lot, ...]:
    """Breadth first, each lot once, so that a circle in the rows ends too."""
    first = known.get(lot)
    level = list(start if start is not None else nexts(first) if first is not None else ())
    seen, found = {lot}, list[Lot]()
    for _ in range(DEPTH_MAX):
        following: list[str] = []
        for name in level:
            row = known.get(name)
            if name in seen or row is None:
                continue
            seen.add(name)
            found.append(row)
            following += nexts(row)
        if not following or len(found) >= FOUND_MAX:
            break
        level = following
    return tuple(found[:FOUND_MAX])
