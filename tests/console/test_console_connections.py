"""How each connection stands is seen at once, what is lost first, and its tags with their values now."""

from collections.abc import Callable, Iterator

import pytest
from console_scene import Scene, ready
from console_visitor import PHONE
from playwright.sync_api import Page, expect

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"))
    try:
        made.start()
        ready(made)
        yield made
    finally:
        made.end()


def test_a_connection_shows_its_tags_with_units_and_values_as_they_come(scene: Scene, look: Open) -> None:
    page = look("/connections", lang="zh", size=PHONE)
    expect(page.locator("li.connection").filter(has_text="mill")).to_contain_text("已连接")
    page.get_by_role("link", name="mill", exact=True).click()
    row = page.locator("table.tags tr").filter(has_text="stand-4/tension.pv")
    expect(row).to_contain_text("kN")
    expect(row.locator("[data-quality=good]")).to_be_visible()
    expect(page.locator("table.tags tr").filter(has_text="line/state").locator("[data-tag]")).to_have_text("运行")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_lost_connection_says_so_with_a_shape_why_and_since_when(scene: Scene, look: Open) -> None:
    page = look("/connections")
    card = page.locator("li.connection").first
    expect(card.locator(".state")).to_contain_text("✓ connected since")
    scene.end("plant")
    lost = page.locator("li.connection").filter(has_text="◆ LOST since")
    expect(lost.first).to_be_visible()
    expect(lost.first.locator(".said.wrong")).not_to_be_empty()
    expect(lost.first.locator("dl")).to_contain_text("Times lost since the gate's start1")
