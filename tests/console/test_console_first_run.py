"""`holdfast run` on an empty folder: a site file is made in the browser, read-only, and then the site runs with it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_visitor import PATIENCE_MS, PHONE
from playwright.sync_api import Browser, Page, expect

from holdfast.run.supervise import python
from holdfast.site.load import load

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
START_MS = 60_000  # a gate and a console start
Look = Callable[..., Page]


class Run:
    """A run of an empty folder beside the mill's server, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.site, self.home = folder / "site", folder / "home"
        plant = folder / "plant"
        plant.mkdir()
        self.site.mkdir()
        self._plant = subprocess.Popen(
            python("holdfast.sim.serve", "--scenario", "normal", "--home", plant), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._plant.stdout is not None
        self.url = str(json.loads(self._plant.stdout.readline())["mill_url"])
        self.user, _, self.password = (plant / "mill.login").read_text().strip().partition(":")
        (self.site / "plc.der").write_bytes((plant / "mill-server.der").read_bytes())
        self._run = subprocess.Popen(
            (*HOLDFAST, "run", str(self.site), "--home", str(self.home), "--console", "127.0.0.1:0"), stdout=subprocess.PIPE, text=True
        )
        line = self.says("with the code:")
        self.address = line.split("browser:")[1].split()[0]
        self.code = line.split("with the code:")[1].split()[0]

    def says(self, text: str) -> str:
        assert self._run.stdout is not None
        for line in self._run.stdout:
            if text in line:
                return line
        raise AssertionError(f"it ended and never said {text!r}")

    def end(self) -> None:
        for process in (self._run, self._plant):
            process.terminate()
            process.wait(20)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:  # short: a socket's path has 107 bytes
        made = Run(Path(folder))
        try:
            yield made
        finally:
            made.end()


@pytest.fixture
def visit(browser: Browser, run: Run) -> Iterator[Look]:
    contexts = []

    def opened(lang: str = "en", size: tuple[int, int] = (1280, 800), code: str = "") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="zh-CN" if lang == "zh" else "en-GB", base_url=run.address
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto("/")
        if code:
            expect(page.locator("input[name=code]")).to_be_focused()  # there is nothing else to do here
            page.keyboard.type(code)
            page.keyboard.press("Enter")
            page.wait_for_selector("input[name=url]")
        return page

    yield opened
    for context in contexts:
        context.close()


def test_nobody_goes_on_without_the_code_of_the_terminal(run: Run, visit: Look) -> None:
    page = visit()
    page.fill("input[name=code]", "AAAA-BBBB")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This is not the code")
    for path in ("/tags", "/look"):
        page.goto(path)
        expect(page.locator("input[name=code]")).to_be_visible()
    csrf = page.locator("main input[name=csrf]").input_value()
    for path in ("/browse", "/write"):
        page.request.post(path, form={"csrf": csrf, "url": run.url})
    assert sorted(file.name for file in run.site.iterdir()) == ["plc.der"]


def test_a_server_that_is_not_there_is_said_and_nothing_is_left_behind(run: Run, visit: Look) -> None:
    page = visit("zh", PHONE, run.code)
    page.fill("input[name=url]", "http://127.0.0.1:1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("opc.tcp://")
    page.fill("input[name=url]", "opc.tcp://127.0.0.1:1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("127.0.0.1:1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not (run.site / "site.yaml").exists()


def test_a_site_file_is_made_read_only_written_once_and_run(run: Run, visit: Look) -> None:
    page = visit(code=run.code)
    page.fill("input[name=url]", run.url)
    page.select_option("select[name=security]", "Basic256Sha256")
    page.locator("summary").click()
    page.fill("input[name=user]", run.user)
    page.fill("input[name=password]", run.password)
    page.fill("input[name=server]", "file:plc.der")
    page.get_by_role("button", name="Look at the server").click()
    expect(page.get_by_text("shows 35 values")).to_be_visible()
    page.fill("input[name=name]", "mill-5")
    page.get_by_role("button", name="Choose none of these").click()
    page.fill("[data-find]", "tension")
    page.get_by_role("button", name="Choose these").click()
    expect(page.locator("[data-chosen]")).to_have_text("chosen: 7")
    page.get_by_role("button", name="Show the site file").click()
    expect(page.locator("pre")).to_contain_text("Tension.PV: {address:")
    assert run.password not in page.content()
    assert not (run.site / "site.yaml").exists()
    page.get_by_role("button", name="Write it and start").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The site file is written")).to_be_visible()
    site = load(run.site / "site.yaml").site
    assert (site.name, len(site.tags), any(tag.writable for tag in site.tags)) == ("mill-5", 7, False)
    assert ((run.site / "plc.login").stat().st_mode & 0o777) == 0o600
    # The console comes at the same address, and asks for the first administrator.
    assert run.says("console: ").split()[1] == run.address
    page.wait_for_url("**/set-up", timeout=START_MS)
    expect(page.get_by_role("heading", name="Make the first administrator")).to_be_visible()
    assert not (run.home / "first" / "first.sock").exists()
