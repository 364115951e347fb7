"""The page of detectors, over the real gate: what is in force, what the agent says, and the forms to relearn and to put back."""

import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import pytest_asyncio
from mill_world import AGENT, NAME, PASSWORD, learning_site
from served_mill import Served, serving

from holdfast.clock import RealClock
from holdfast.console.app import console_app
from holdfast.console.visit import SESSION_COOKIE
from holdfast.link import DetectorTold


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as world:
        yield world


@contextlib.asynccontextmanager
async def looking(served: Served) -> AsyncGenerator[httpx.AsyncClient]:
    """ann, signed in at the console."""
    door = httpx.AsyncHTTPTransport(uds=str(served.folder / "people.sock"))
    async with httpx.AsyncClient(transport=door, base_url="http://gate") as gate:
        token = (await gate.post("/v1/session", json={"person": "ann", "password": PASSWORD})).json()["token"]
    console = console_app(served.folder / "people.sock", RealClock(), bytes(32), language="en", secure=False)
    transport = httpx.ASGITransport(console)  # pyright: ignore[reportArgumentType] - theirs is wider than the standard's
    cookies = {SESSION_COOKIE: token}
    async with (
        console.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies, timeout=20.0) as http,
    ):
        yield http


async def fields(page: httpx.AsyncClient, **more: str) -> dict[str, str]:
    text = (await page.get("/detectors")).text
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', text[text.index("/detectors/relearn") :])
    assert found is not None
    return {"csrf": found[1], "name": NAME, "password": PASSWORD, "reason": "new rolls", **more}


async def test_the_page_shows_what_is_in_force_and_what_the_agent_says(served: Served) -> None:
    async with looking(served) as page:
        told = DetectorTold(name=NAME, digest=served.in_force, drift=4.5, drifted=True, tags=(("stand-4/force", -4.5),))
        served.gate.learning.told(AGENT, (told,))
        text = (await page.get("/detectors")).text
        for said in (NAME, served.in_force[:12], "by mill-agent", "has drifted: 4.5 times", "stand-4/force", "-4.5", "in force"):
            assert said in text, said
        chinese = (await page.get("/detectors", headers={"accept-language": "zh"})).text
        assert "现行已学状态" in chinese
        assert "已漂移" in chinese
        assert "console." not in re.sub(r"<[^>]*>", "", text + chinese)


async def test_relearn_and_put_back_are_plain_forms_that_the_gate_decides(served: Served) -> None:
    async with looking(served) as page:
        first = served.in_force
        assert (await page.post("/detectors/relearn", data=await fields(page))).headers["location"] == "/detectors"
        assert served.records("relearn")[0]["person"] == "ann"
        assert "the agent has not answered yet" in (await page.get("/detectors")).text
        await served.run(12)
        assert "people decide on its adoption" in (await page.get("/detectors/list")).text
        served.sign(served.asked())
        await served.run(12)
        answer = await page.post("/detectors/put-back", data=await fields(page, digest=first))
        assert (answer.status_code, served.in_force) == (303, first)


async def test_when_a_detector_learns_anew_by_the_site_file_is_told() -> None:
    async with serving(learning_site(relearn_every_s=7 * 86_400.0)) as served, looking(served) as page:
        text = (await page.get("/detectors")).text
        assert "Learns anew every 7 d by the site file; due 2026-01-" in text
        assert "每 7 天重新学习一次；最早于 2026-01-" in (await page.get("/detectors", headers={"accept-language": "zh"})).text


async def test_a_refusal_is_told_in_the_visitors_words(served: Served) -> None:
    async with looking(served) as page:
        form = await fields(page)
        served.gate.acts.press_stop("stand-4", "ann")
        answer = await page.post("/detectors/relearn", data=form, headers={"accept-language": "zh"})
        assert answer.status_code == 409
        assert "已停止：stand-4" in answer.text
        assert (await page.post("/detectors/relearn", data={**form, "csrf": "0" * 64})).status_code == 403
        assert served.records("relearn") == []
