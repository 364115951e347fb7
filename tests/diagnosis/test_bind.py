"""Which tags of a site a mode speaks of: by role, by kind of equipment, by band of a spectrum."""

from holdfast.agent.diagnosis.bind import Bound, bind
from holdfast.agent.knowledge.modes import Mode, library
from holdfast.site.model import Equipment, Site
from holdfast.terms import Tag


def site(*tags: tuple[str, str], kinds: tuple[str, ...] = ("centrifugal pump",)) -> Site:
    """Tags as (name, role) of one pump."""
    made = tuple(Tag(name=f"pump-1/{name}", connection="c", address=name, unit="1", role=role) for name, role in tags)
    return Site(name="s", language="en", timezone="UTC", equipment=(Equipment(name="pump-1", kinds=kinds),), tags=made)


def mode(id: str) -> Mode:
    return next(one for one in library() if one.id == id)


def only(site: Site, id: str) -> Bound | None:
    return next(iter(bind(site, (mode(id),))), None)


HYDRAULICS = (("suction", "suction_pressure"), ("discharge", "discharge_pressure"), ("flow", "flow"), ("current", "motor_current"))


def test_a_mode_of_a_kind_binds_to_equipment_of_that_kind_alone() -> None:
    assert only(site(*HYDRAULICS), "pump_suction_blocked") is not None
    assert only(site(*HYDRAULICS, kinds=("fan",)), "pump_suction_blocked") is None
    assert only(site(*HYDRAULICS, kinds=()), "pump_suction_blocked") is None


def test_a_band_is_shown_by_its_own_tag_and_else_by_the_broadband_one() -> None:
    banded = only(site(("vib", "vibration"), ("x1", "vibration:1x"), ("x2", "vibration:2x")), "pump_unbalance")
    assert banded is not None
    assert dict(banded.tags) == {"vibration:1x": "pump-1/x1", "vibration:2x": "pump-1/x2"}
    broad = only(site(("vib", "vibration")), "pump_unbalance")
    assert broad is not None
    assert dict(broad.tags) == {"vibration:1x": "pump-1/vib"}  # of 2x nothing can be told, least of all that it is steady


def test_a_more_particular_mode_stands_for_the_general_one_where_it_fits() -> None:
    import dataclasses

    general = mode("pump_suction_blocked")
    own = dataclasses.replace(general, id="our_strainer", instead_of=("pump_suction_blocked",))
    assert [one.id for one in bind(site(*HYDRAULICS), (own, general))] == ["our_strainer"]
    assert [one.id for one in bind(site(*HYDRAULICS, kinds=("centrifugal pump",)), (general,))] == ["pump_suction_blocked"]
