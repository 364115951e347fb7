"""Failure modes as data: the shipped library holds together, and a broken file says where and what would be right."""

import pytest

from holdfast.agent.knowledge.modes import Mode, Trim, library, modes_of, read_modes
from holdfast.site.model import Problem, Site, SiteError
from holdfast.terms import Tag, canonical

GOOD = """\
holdfast_modes: 1
modes:
  - id: fouling
    name: {en: fouled exchanger, zh: 换热器结垢}
    equipment: heat exchanger
    cause: {en: deposits on the tubes, zh: 管束结垢}
    signature:
      - {role: coolant_temperature, shows: up, weight: 2, order: 1}
      - {role: coolant_flow, shows: steady}
    actions:
      - {trim: coolant_flow, move: up, by: 0.5, "on": coolant_temperature, expect: falls}
      - notify: {en: clean it, zh: 清洗}
    checks:
      - {en: pressure drop, zh: 检查压差}
    sources: [TEMA 10th ed.]
"""


def problems(text: str) -> tuple[Problem, ...]:
    return read_modes(text, "own.yaml")[1]


def only(text: str) -> Problem:
    found = problems(text)
    assert len(found) == 1, found
    return found[0]


def test_the_shipped_library_has_no_problem_and_every_mode_its_source_action_and_check() -> None:
    for mode in library():
        assert mode.sources
        assert mode.actions
        assert mode.checks
        assert mode.name.zh
        assert mode.name.en
    assert {"lubrication_loss", "bearing_wear", "sensor_frozen", "gauge_drift", "chatter_by_speed"} <= {m.id for m in library()}


def test_a_mode_is_read_as_it_is_written() -> None:
    modes, found = read_modes(GOOD, "own.yaml")
    assert found == ()
    mode = modes[0]
    assert (mode.id, mode.prior, mode.line, mode.roles()) == ("fouling", 1.0, 3, ("coolant_temperature", "coolant_flow"))
    assert mode.signature[0].order == 1
    assert mode.actions[0] == Trim(role="coolant_flow", move="up", by=0.5, expect_role="coolant_temperature", expect="falls")


def test_an_unknown_role_is_named_with_its_line() -> None:
    found = only(GOOD.replace("role: coolant_flow, shows", "role: coolant_flwo, shows"))
    assert found.line == 9
    assert "unknown role 'coolant_flwo'" in found.what
    assert "coolant_flow" in found.cure


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("shows: up", "shows: upwards", 8, "'shows' is 'upwards'"),
        ("weight: 2", "weight: 9", 8, "'weight' is 9"),
        ("sources: [TEMA 10th ed.]", "sources: []", 15, "'sources' must be a list"),
        ("zh: 结垢", "zh: 结垢", 0, ""),
        ("by: 0.5", "by: 3", 11, "'by' is 3"),
        ("equipment: heat exchanger", "equipment: 7", 5, "'equipment' must be text"),
        ("    checks:", "    check:", 13, "no key 'check'"),
        ("holdfast_modes: 1", "holdfast_modes: 2", 1, "version"),
        ("{en: clean it, zh: 清洗}", "{en: clean it}", 12, "'zh' must be text"),
    ],
)
def test_each_slip_is_told_with_file_line_and_cure(old: str, new: str, line: int, what: str) -> None:
    found = problems(GOOD.replace(old, new))
    if not line:
        assert found == ()
        return
    assert any(p.line == line and what in p.what and p.cure and p.file == "own.yaml" for p in found), found


def test_a_duplicate_key_is_no_mode() -> None:
    found = only(GOOD.replace("    equipment: heat exchanger", "    equipment: heat exchanger\n    equipment: pump"))
    assert "duplicate key" in found.what
    assert found.line == 6


def test_two_modes_that_show_alike_and_act_opposite_contradict() -> None:
    twin = GOOD.split("modes:\n", 1)[1].replace("id: fouling", "id: other").replace("move: up", "move: down")
    found = only(GOOD + twin)
    assert found.severity == "error"
    assert "opposite ways" in found.what


def test_the_same_id_twice_is_an_error() -> None:
    found = only(GOOD + GOOD.split("modes:\n", 1)[1].replace("shows: up", "shows: down"))
    assert "stands twice" in found.what


def test_a_role_that_shows_two_things_at_once_is_told() -> None:
    found = only(GOOD.replace("shows: steady}", "shows: steady}\n      - {role: coolant_flow, shows: up}"))
    assert found.line == 10
    assert "both 'steady' and 'up'" in found.what


def test_a_mode_of_either_direction_moves_no_setpoint() -> None:
    found = only(GOOD.replace("    signature:", "    mirror: true\n    signature:"))
    assert found.line == 7
    assert "either direction" in found.what


def test_a_mode_that_only_says_what_does_not_happen_is_told() -> None:
    found = problems(GOOD.replace("shows: up, weight: 2, order: 1", "shows: calm"))
    assert any("expects nothing to move" in p.what for p in found)


def test_a_file_may_bring_roles_of_its_own() -> None:
    brine = GOOD.replace("role: coolant_flow", "role: brine_flow").replace("trim: coolant_flow", "trim: brine_flow")
    assert any("unknown role 'brine_flow'" in p.what for p in problems(brine))
    assert problems(brine.replace("modes:\n", "roles:\n  brine_flow: {en: brine flow, zh: 盐水流量}\nmodes:\n", 1)) == ()


def site(modes: str, role: str = "") -> Site:
    tag = Tag(name="e/t", connection="c", address="a", unit="1", role=role)
    return Site(name="s", language="en", timezone="UTC", tags=(tag,), modes=modes)


def test_a_sites_own_mode_wins_over_the_shipped_one_of_the_same_id() -> None:
    own: tuple[Mode, ...] = modes_of(site(GOOD.replace("id: fouling", "id: bearing_wear")))
    assert [m.equipment for m in own if m.id == "bearing_wear"] == ["heat exchanger"]
    assert len(own) == len(library())


def test_a_sites_own_modes_arrive_as_canonical_json_and_may_speak_of_its_own_roles() -> None:
    text = canonical({"holdfast_modes": 1, "modes": []}).decode()
    with pytest.raises(SiteError, match="at least one item"):
        modes_of(site(text))
    assert "fouling" in {m.id for m in modes_of(site(GOOD.replace("role: coolant_flow", "role: brine"), role="brine"))}
