"""The page of models in a real browser: promoted and rolled back by the keyboard alone, in both languages, read by everybody."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_scene import PASSWORD, Scene
from console_visitor import DESK, PHONE
from playwright.sync_api import Page, expect
from test_console_keyboard import TOO_WIDE, Keys
from test_console_pictures import serious

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from packed import card, key_file, packed, trust  # pyright: ignore[reportMissingImports]

from holdfast.site.modelroles import ModelFit, ModelRunning, ModelsTold

Open = Callable[..., Page]
ALONE = [("en", DESK), ("en", PHONE), ("zh", DESK), ("zh", PHONE)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two models that the site's key signed, one that nobody did, and an agent that runs another than is in force."""
    folder = tmp_path_factory.mktemp("scene")
    made = Scene(folder)
    key = key_file(folder)
    trust(made.home.path, key)
    digests = [
        _put(made, packed(folder, key=of, of=card(exact=exact, skills=("reader",)), version=version).path)
        for version, exact, of in (("1", 0.95, key), ("2", 0.97, key), ("3", 0.99, None))
    ]
    try:
        made.start_asking()
        told = ModelsTold(
            running=(ModelRunning(role="reader", digest="cd" * 32, name="registers", version="0"),),
            fits=tuple(ModelFit(digest=of, fits="fits", needs_mib=65, has_mib=4000) for of in digests),
        )
        made.agent(lambda link: link.tell_models(told))
        yield made
    finally:
        made.end()


def _put(scene: Scene, bundle: Path) -> str:
    of = next(path.name for path in (bundle / "blobs" / "sha256").iterdir() if b"artifactType" in path.read_bytes())
    shutil.move(bundle, scene.home.path / "models" / of)
    return of


@pytest.mark.parametrize(("lang", "size"), ALONE, ids=["en-desk", "en-phone", "zh-desk", "zh-phone"])
def test_a_model_is_promoted_and_rolled_back_by_the_keyboard_alone(scene: Scene, look: Open, lang: str, size: tuple[int, int]) -> None:
    page = look("/sign-in", person="", lang=lang, size=size)
    keys = Keys(page, f"{lang}-models")
    keys.sign_in("zhang.min")
    keys.go("/models")
    panel = page.locator("#role-reader")
    before = panel.locator("code").first.inner_text() if panel.locator("> p code").count() else ""
    keys.press(panel.locator("details.act summary").first)
    keys.to(panel.locator("select[name=digest]"))
    page.keyboard.press("Home")
    keys.type(panel.locator("input[name=password]").first, PASSWORD)
    keys.press(panel.locator("button.yes").first)
    expect(panel.locator("> p").first).to_contain_text("zhang.min")
    assert page.evaluate(TOO_WIDE) == []
    keys.press(panel.locator("details.act summary").last)
    keys.type(panel.locator("input[name=password]").last, PASSWORD)
    keys.press(panel.locator("button.yes").last)
    expect(panel.locator("> p").first).not_to_contain_text("zhang.min")
    assert before == ""


@pytest.mark.parametrize(("lang", "size"), ALONE, ids=["en-desk", "en-phone", "zh-desk", "zh-phone"])
def test_the_page_can_be_read_by_everybody(scene: Scene, look: Open, lang: str, size: tuple[int, int]) -> None:
    page = look("/models", person="zhang.min", lang=lang, size=size)
    expect(page.locator("section.model")).to_have_count(len(page.locator("section.model").all()))
    for one in page.locator("details.act summary").all():
        one.click()
    assert serious(page) == []
    assert page.evaluate(TOO_WIDE) == []


def test_a_promotion_comes_to_an_open_page_by_itself(scene: Scene, look: Open) -> None:
    page = look("/models", person="li.wei")
    first = page.locator("#role-reader option").first.get_attribute("value")
    expect(page.locator("#role-reader > p").first).not_to_contain_text("zhang.min")
    wanted = {"role": "reader", "digest": first, "person": "zhang.min", "password": PASSWORD, "reason": ""}
    scene.desk(lambda desk: desk.act("/v1/models/promote", wanted))
    expect(page.locator("#role-reader > p").first).to_contain_text("zhang.min")
    back = {"role": "reader", "person": "zhang.min", "password": PASSWORD, "reason": ""}
    scene.desk(lambda desk: desk.act("/v1/models/rollback", back))
