"""The page of models, over the real gate: who serves which role, what each agent says it runs, and the forms to promote and roll back."""

import asyncio
import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
from packed import card, key_file, packed, trust  # pyright: ignore[reportMissingImports]

sys.path.insert(0, str(Path(__file__).parents[1] / "gate"))

from small_plant import ASKING, PASSWORD, World, site  # pyright: ignore[reportMissingImports]

from holdfast.clock import RealClock
from holdfast.console.app import console_app
from holdfast.console.visit import SESSION_COOKIE
from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.people import people_app
from holdfast.gate.process import Doors
from holdfast.link.http import HttpLink
from holdfast.site.model import Rule
from holdfast.site.modelroles import ModelFit, ModelRunning, ModelStanding, ModelsTold

ADOPT = Rule(id="models", effect="ask", agents=("*",), tags=("model/*",), actions=("adopt",), approvals=("engineer",))


class Served:
    """A gate at both doors over a home with two models, an agent's link, and eva signed in at the console."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="hf"))  # a socket's path is short
        self.world = World(self.home / "gate", site(rules=(*ASKING, ADOPT)))
        self.gate = self.world.gate
        self.gate.people.add("eva", ["engineer"], PASSWORD)
        key = key_file(self.home)
        trust(self.home, key)
        self.first, self.second = (self.put(version, exact, key) for version, exact in (("1", 0.95), ("2", 0.9)))
        self.unsigned = self.put("3", 0.99, None)
        self.page: httpx.AsyncClient

    def put(self, version: str, exact: float, key: Path | None) -> str:
        made = packed(self.home, key=key, of=card(exact=exact), version=version)
        made.path.rename(self.home / "models" / made.digest)
        return made.digest

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator["Served"]:
        doors = {
            self.home / "link.sock": agents_app(self.gate, self.world.agents),
            self.home / "gate" / "people.sock": people_app(self.gate),
        }
        served = Doors(doors)
        task = asyncio.create_task(served.serve())
        self.link = HttpLink(f"unix:{self.home / 'link.sock'}", self.world.agents.add("ann-agent"))
        try:
            transport = httpx.AsyncHTTPTransport(uds=str(self.home / "gate" / "people.sock"))
            async with httpx.AsyncClient(transport=transport, base_url="http://gate", timeout=20.0) as gate:
                token = (await gate.post("/v1/session", json={"person": "eva", "password": PASSWORD})).json()["token"]
            console = console_app(self.home / "gate" / "people.sock", RealClock(), bytes(32), language="en", secure=False)
            inner = httpx.ASGITransport(console)  # pyright: ignore[reportArgumentType] - theirs is wider than the standard's
            cookies = {SESSION_COOKIE: token}
            async with (
                console.lifespan(),
                httpx.AsyncClient(transport=inner, base_url="http://127.0.0.1", cookies=cookies, timeout=20.0) as self.page,
            ):
                yield self
        finally:
            await self.link.close()
            served.close()
            await task
            self.gate.close()
            shutil.rmtree(self.home)

    async def text(self, language: str = "en") -> str:
        return (await self.page.get("/models", headers={"accept-language": language})).text

    async def form(self, **more: str) -> dict[str, str]:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', (await self.text())[-20_000:])
        found = found or re.search(r'name="csrf" value="([0-9a-f]+)"', await self.text())
        assert found is not None
        return {"csrf": found[1], "role": "registers", "password": PASSWORD, "reason": "better", **more}


def plainly(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


async def test_the_page_shows_hash_signature_licence_and_evaluation_in_both_languages() -> None:
    async with Served().open() as served:
        english, chinese = plainly(await served.text()), plainly(await served.text("zh"))
        for said in ("registers 1", served.first[:12], "by mill", "by nobody", "Apache-2.0", "exact 0.95", "no model: the rules serve"):
            assert said in english, said
        for said in ("由 mill 签名", "无人签名", "许可证", "无模型：由规则承担"):
            assert said in chinese, said
        assert "console." not in english + chinese
        assert "model." not in english + chinese


async def test_promote_and_roll_back_are_plain_forms_that_the_gate_decides() -> None:
    async with Served().open() as served:
        answer = await served.page.post("/models/promote", data=await served.form(digest=served.first))
        assert (answer.status_code, answer.headers.get("location")) == (303, "/models")
        assert await served.link.models() == (ModelStanding(role="registers", digest=served.first),)
        assert "by eva" in plainly(await served.text())
        assert (await served.page.post("/models/rollback", data=await served.form())).status_code == 303
        assert await served.link.models() == ()
        assert [one["act"] for one in served.world.records("model")] == ["promote", "rollback"]


async def test_a_worse_model_and_one_that_nobody_signed_are_refused_in_the_visitors_words() -> None:
    async with Served().open() as served:
        await served.page.post("/models/promote", data=await served.form(digest=served.first))
        worse = await served.page.post("/models/promote", data=await served.form(digest=served.second), headers={"accept-language": "zh"})
        assert worse.status_code == 409
        assert "registers 2 不如现行模型：测试集 registers 的 exact 为 0.9，要求不差于 0.95。" in worse.text
        unsigned = await served.page.post("/models/promote", data=await served.form(digest=served.unsigned))
        assert (unsigned.status_code, "registers 3 is signed by nobody" in unsigned.text) == (409, True)
        wrong = await served.page.post("/models/promote", data=await served.form(digest=served.second, password="wrong"))
        assert wrong.status_code == 403
        forged = await served.page.post("/models/promote", data={**await served.form(digest=served.second), "csrf": "0" * 64})
        assert forged.status_code == 403
        assert (await served.link.models())[0].digest == served.first


async def test_what_an_agent_runs_is_shown_beside_what_is_in_force_and_where_they_differ() -> None:
    async with Served().open() as served:
        await served.page.post("/models/promote", data=await served.form(digest=served.first))
        running = ModelRunning(role="registers", digest=served.second, name="registers", version="2")
        fits = (ModelFit(digest=served.first, fits="tight", needs_mib=100, has_mib=110),)
        await served.link.tell_models(ModelsTold(running=(running,), fits=fits))
        text = plainly(await served.text())
        assert f"ann-agent says that it runs registers 2 {served.second[:12]} · ▲ that is not what is in force" in text
        assert "tight: 100 of 110 MiB (ann-agent)" in text
        await served.link.tell_models(ModelsTold(running=(ModelRunning(role="registers", trouble="model.changed"),)))
        text = plainly(await served.text())
        assert "says that it runs no model" in text
        assert "was changed since it was packed" in text
        await served.link.tell_models(
            ModelsTold(running=(ModelRunning(role="registers", digest=served.first, name="registers", version="1"),))
        )
        assert "that is not what is in force" not in plainly(await served.text())


async def test_the_record_tells_a_promotion_as_a_sentence() -> None:
    async with Served().open() as served:
        await served.page.post("/models/promote", data=await served.form(digest=served.first))
        ledger = plainly((await served.page.get("/ledger?kind=model")).text)
        assert f"registers 1 ({served.first[:12]}) is in force for registers, by eva: better" in ledger


async def test_a_bundle_that_was_changed_is_said_so_and_is_no_choice() -> None:
    async with Served().open() as served:
        (served.home / "models" / served.first / "index.json").write_text("{")
        text = await served.text()
        assert "A document of the bundle can&#39;t be read" in text
        assert f'<option value="{served.first}"' not in text
