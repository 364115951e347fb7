"""A headless Chromium that can reach this machine alone, and the scene it looks at."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_scene import Scene
from console_visitor import DESK, PATIENCE_MS, sign_in
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

# The shell without a window of its own costs half as much.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))), "")
# Nothing of a browser's own leaves the box, and no name is resolved but this machine's.
OFFLINE = (
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps", "--no-first-run",
    "--disable-domain-reliability", "--disable-client-side-phishing-detection", "--no-pings", "--metrics-recording-only",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--no-sandbox", "--disable-gpu",
)  # fmt: skip
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole run: while its driver is open it has an event loop running in this thread, where other tests want their own."""
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: `make browser` installs Debian's")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The demo mill, normal, on the real clock; asked for everything, so that a proposal waits for people."""
    made = Scene(tmp_path_factory.mktemp("scene"))
    try:
        yield made.start()
    finally:
        made.end()


Open = Callable[..., Page]


@pytest.fixture
def look(browser: Browser, scene: Scene) -> Iterator[Open]:
    """`look(path, person, lang, size)`: a page in a browser of its own, signed in unless person is "". Every request that would
    leave the box, and every error in the page, fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(path: str = "/", person: str = "li.wei", lang: str = "en", size: tuple[int, int] = DESK) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="zh-CN" if lang == "zh" else "en-GB", base_url=scene.address
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("request", lambda request: None if request.url.startswith((scene.address, "data:")) else wrong.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None)
        if person:
            sign_in(page, person)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where HOLDFAST_PICTURES says that screenshots go; None: nowhere."""
    folder = os.environ.get("HOLDFAST_PICTURES")
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)
