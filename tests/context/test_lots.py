"""Which lots were on the line, what they were made of, and where the genealogy ends without an answer."""

import pytest

from holdfast.lots import Lot, ancestors, descendants, on_line, supplier_lots, unknown

H1 = Lot(lot="H1", supplier="Baosteel", supplier_lot="B-7", from_ns=0, to_ns=10)
H2 = Lot(lot="H2", supplier="Angang", supplier_lot="A-3", from_ns=10, to_ns=20)
C1 = Lot(lot="C1", parents=("H1", "H2"), from_ns=100, to_ns=200)
C2 = Lot(lot="C2", parents=("H2", "H9"), from_ns=200, to_ns=300)
F1 = Lot(lot="F1", parents=("C1",), from_ns=400)
ALL = (F1, C2, C1, H2, H1)


@pytest.mark.parametrize(
    ("span", "names"),
    [((100, 200), ["C1"]), ((199, 201), ["C1", "C2"]), ((20, 100), []), ((9, 11), ["H1", "H2"]), ((300, 400), []), ((999, 1000), ["F1"])],
)
def test_a_lot_is_on_the_line_from_its_beginning_until_just_before_its_end(span: tuple[int, int], names: list[str]) -> None:
    assert [lot.lot for lot in on_line(ALL, *span)] == names


def test_ancestors_come_nearest_first_and_descendants_too() -> None:
    assert [lot.lot for lot in ancestors(ALL, "F1")] == ["C1", "H1", "H2"]
    assert [lot.lot for lot in descendants(ALL, "H2")] == ["C2", "C1", "F1"]
    assert descendants(ALL, "F1") == ancestors(ALL, "H1") == ancestors(ALL, "nobody") == ()


def test_supplier_lots_are_those_of_all_that_a_lot_was_made_of() -> None:
    assert supplier_lots(ALL, "F1") == (("Baosteel", "B-7"), ("Angang", "A-3"))
    assert unknown(ALL, "C2") == ("H9",)
    assert unknown(ALL, "F1") == ()


def test_a_circle_of_parents_ends() -> None:
    circle = (Lot(lot="A", parents=("B",), from_ns=0), Lot(lot="B", parents=("A",), from_ns=0))
    assert [lot.lot for lot in ancestors(circle, "A")] == ["B"]


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="before its beginning"):
        on_line(ALL, 2, 1)
