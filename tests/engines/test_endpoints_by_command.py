"""`holdfast endpoints`: what is listed, what the canary found, and the exit code that goes with it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer, hangs, serving

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
SITE = """holdfast: 1
site: {name: s, language: LANG, timezone: UTC}
connections:
  plc: {type: modbus, host: 127.0.0.1}
equipment:
  pump:
    tags: {vibration: {on: plc, address: "40001:uint16", unit: mm/s}}
"""
MODEL = (
    "models:\n  llm: {engine: openai, url: 'URL', model: m, dialect: vllm, clearance: site, skills: [ask], "
    "languages: [en, zh], timeout: 300ms}\n"
)


async def told(folder: Path, models: str, *more: str, language: str = "en") -> tuple[int, str]:
    (folder / "site.yaml").write_text(SITE.replace("LANG", language) + models, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *HOLDFAST,
        "endpoints",
        str(folder / "site.yaml"),
        *more,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "250"},
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_site_without_models_needs_none(tmp_path: Path) -> None:
    code, said = await told(tmp_path, "")
    assert (code, said.strip()) == (0, "The site lists no language model; none is needed.")


@pytest.mark.parametrize(("enforces", "schema", "code", "shown"), [(True, "enforced", 0, "yes"), (False, "unenforced", 1, "no")])
async def test_what_the_canary_found_is_shown(tmp_path: Path, enforces: bool, schema: str, code: int, shown: str) -> None:
    async with serving(ModelServer("vllm", enforces=enforces)) as server:
        left, said = await told(tmp_path, MODEL.replace("URL", server.url), "--json")
        found: Any = json.loads(said.splitlines()[-1])
        assert (left, found["endpoints"][0]["probed"]["schema"]) == (code, schema)
        left, said = await told(tmp_path, MODEL.replace("URL", server.url))
        assert left == code
        assert shown in next(line for line in said.splitlines() if line.startswith("llm ")).split()
        assert ("it keeps to no schema" in said) == (not enforces)


async def test_one_that_hangs_is_told_in_the_sites_language(tmp_path: Path) -> None:
    async with serving(ModelServer("vllm")) as server:
        server.then = hangs
        code, said = await told(tmp_path, MODEL.replace("URL", server.url), language="zh")
    assert code == 1
    assert "模型在 0.3 秒 内没有给出回答" in said


async def test_nothing_is_sent_where_it_is_not_wanted(tmp_path: Path) -> None:
    async with serving(ModelServer("vllm")) as server:
        code, said = await told(tmp_path, MODEL.replace("URL", server.url), "--no-ask", "--json")
    assert (code, json.loads(said.splitlines()[-1])["endpoints"][0]["probed"], server.bodies) == (0, None, [])


async def test_a_site_file_that_is_none_is_wrong_use(tmp_path: Path) -> None:
    code, said = await told(tmp_path, MODEL.replace("URL", "http://8.8.8.8/v1"))
    assert code == 2
    assert "off the site" in said
