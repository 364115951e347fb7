"""Who looks at the bench's console: pages' streams read by this process, and one real browser with the overview open."""

import re
import shutil
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from holdfast.console.visit import SESSION_COOKIE
from holdfast.terms import Word

STAMP = re.compile(rb'event: values\ndata: \{"table":"[^"]*","t":(\d+)')
ALONE = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--no-pings",
         "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--no-sandbox", "--disable-gpu")  # fmt: skip
SIZE = {"width": 1280, "height": 800}
FLOOR_S = 3.0
# A frame's time is counted where it begins. What a listener saw drawn is on the screen when the frame after it begins.
FRAMES = """(seconds) => new Promise((done) => {
  const begins = [], late = [];
  let newest = 0, over = performance.now() + 1000 * seconds;
  const stop = window.holdfast ? holdfast.listen((values) => {
    let t = 0;
    for (const now of values.values()) t = Math.max(t, now[2]);
    if (t <= newest) return;
    newest = t;
    requestAnimationFrame(() => late.push(Date.now() - t));
  }) : () => null;
  const frame = (at) => {
    begins.push(at);
    if (performance.now() < over) requestAnimationFrame(frame); else { stop(); done({ begins, late: late.slice(1) }); }
  };
  requestAnimationFrame(frame);
})"""


class Seen(Word, eq=False):
    """Of one browser: when each frame began (ms), and how old each sample was when it was on the screen (ms)."""

    frames_ms: Sequence[float]
    late_ms: Sequence[float]
    tags: int  # that the page shows as Good
    floor_frames_ms: Sequence[float]  # of an empty page just before


async def read(address: str, token: str, until_s: float, late_ns: list[int]) -> int:
    """Read one page's stream until `until_s` (monotonic); how many messages with values came. Appends how old each was."""
    values = 0
    limit = aiohttp.ClientTimeout(total=None, sock_read=max(until_s - time.monotonic(), 0.1) + 5.0)
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: token}, timeout=limit, read_bufsize=1 << 20) as http,
        http.get(f"{address}/live") as answer,
    ):
        answer.raise_for_status()
        async for chunk in answer.content.iter_any():
            now_ns = time.time_ns()
            for stamp in STAMP.findall(chunk):
                values += 1
                late_ns.append(now_ns - int(stamp) * 1_000_000)
            if time.monotonic() >= until_s:
                break
    return values


def no_browser() -> str:
    """Why there is none; "" where there is one."""
    if not chromium():
        return "skipped: no chromium on this machine (`make browser` installs Debian's)"
    try:
        import playwright.async_api  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        return "skipped: playwright is not installed (it comes with the development requirements)"
    return ""


def chromium() -> str:
    return next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))), "")


class Browser:
    """`async with`: Chromium with the overview open."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token

    async def __aenter__(self) -> "Browser":
        from playwright.async_api import async_playwright

        self._playwright = await async_playwright().start()
        self._browser = await self._playwright.chromium.launch(executable_path=chromium(), args=list(ALONE))
        context = await self._browser.new_context(viewport=SIZE)  # type: ignore[arg-type]
        await context.add_cookies([{"name": SESSION_COOKIE, "value": self._token, "url": self._address}])
        self._page = await context.new_page()
        empty: dict[str, Any] = await self._page.evaluate(FRAMES, FLOOR_S)
        self._floor = empty["begins"]
        await self._page.goto(self._address)
        await self._page.wait_for_selector("[data-row] [data-quality=good]")
        return self

    async def look(self, seconds: float) -> Seen:
        found: dict[str, Any] = await self._page.evaluate(FRAMES, seconds)
        tags: int = await self._page.evaluate(
            "new Set([...document.querySelectorAll('[data-quality=good]')].map((o) => o.dataset.tag)).size"
        )
        return Seen(frames_ms=found["begins"], late_ms=found["late"], tags=tags, floor_frames_ms=self._floor)

    async def __aexit__(self, *_: object) -> None:
        await self._browser.close()
        await self._playwright.stop()
