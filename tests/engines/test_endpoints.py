"""The site file's `models`: which addresses are on the site, and what may be sent off it."""

import asyncio
import sys
from pathlib import Path

import pytest

from holdfast.site.endpoints import place_of
from holdfast.site.load import load
from holdfast.site.model import Endpoint, Problem, Site, SiteError
from holdfast.site.plugged import problems
from holdfast.terms import canonical, digest

SITE = """holdfast: 1
site: {{name: s, language: en, timezone: UTC}}
connections:
  plc: {{type: modbus, host: 127.0.0.1}}
equipment:
  pump:
    tags: {{vibration: {{on: plc, address: "40001:uint16", unit: mm/s}}}}
models:
  {models}
"""
LLM = (
    "line-llm: {engine: openai, url: 'URL', model: Qwen3-8B, dialect: vllm, clearance: LABEL, skills: [ask, rerank], "
    "languages: [zh, en], key: file:llm.key, at_once: 4, context: 32768, timeout: 30s}"
)


def read(folder: Path, models: str) -> Site:
    (folder / "site.yaml").write_text(SITE.format(models=models), encoding="utf-8")
    return load(folder / "site.yaml").site


def at(url: str, label: str = "site") -> str:
    return LLM.replace("URL", url).replace("LABEL", label)


def refused(folder: Path, models: str) -> Problem:
    with pytest.raises(SiteError) as error:
        read(folder, models)
    return next(p for p in error.value.problems if p.severity == "error")


def test_an_endpoint_says_where_what_for_and_what_it_may_see(tmp_path: Path) -> None:
    assert read(tmp_path, at("http://10.1.4.30:8000/v1")).models == (
        Endpoint(
            name="line-llm",
            engine="openai",
            url="http://10.1.4.30:8000/v1",
            model="Qwen3-8B",
            dialect="vllm",
            clearance="site",
            skills=("ask", "rerank"),
            languages=("zh", "en"),
            key="file:llm.key",
            at_once=4,
            context_tokens=32768,
            timeout_s=30.0,
            line=9,
        ),
    )


def test_the_order_of_the_file_is_the_order_of_the_rungs(tmp_path: Path) -> None:
    second = at("http://10.1.4.31:8000/v1").replace("line-llm", "a-smaller-one")
    assert [one.name for one in read(tmp_path, at("http://10.1.4.30:8000/v1") + "\n  " + second).models] == ["line-llm", "a-smaller-one"]


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("127.0.0.1", "site"),
        ("localhost", "site"),
        ("::1", "site"),
        ("10.1.4.30", "site"),
        ("172.16.0.1", "site"),
        ("172.31.255.255", "site"),
        ("172.32.0.1", "off"),
        ("192.168.1.1", "site"),
        ("192.0.2.1", "off"),
        ("100.64.0.1", "off"),
        ("8.8.8.8", "off"),
        ("0.0.0.0", "off"),
        ("fd00::1", "site"),
        ("2001:db8::1", "off"),
        ("::ffff:8.8.8.8", "off"),
        ("::ffff:10.0.0.1", "site"),
        ("llm.plant.example", "name"),
        ("2130706433", "name"),  # 127.0.0.1 to some resolvers, and to others not
        ("127.1", "name"),
        ("10.0.0.1.evil.example", "name"),
        ("localhost.evil.example", "name"),
    ],
)
def test_only_what_is_surely_on_the_site_is_taken_for_it(host: str, place: str) -> None:
    assert place_of(host) == place


@pytest.mark.parametrize("host", ["8.8.8.8", "llm.example.com", "[2001:db8::1]", "10.0.0.1.evil.example"])
def test_an_address_off_the_site_gets_public_data_or_nothing(tmp_path: Path, host: str) -> None:
    for label in ("partner", "site", "restricted"):
        problem = refused(tmp_path, at(f"https://{host}/v1", label))
        assert problem.line == 9
        assert "off the site" in problem.what
        assert "clearance: public" in problem.cure
    assert read(tmp_path, at(f"https://{host}/v1", "public")).models[0].clearance == "public"
    assert any("leaves the site" in w.cure for w in load(tmp_path / "site.yaml").warnings)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ftp://10.0.0.1/v1", "url"),
        ("http://10.0.0.1@evil.example/v1", "url"),
        ("http://10.0.0.1:99999/v1", "url"),
        ("http:///v1", "url"),
        ("http://10.0.0.1/v1?to=evil", "url"),
        ("10.0.0.1:8000", "url"),
    ],
)
def test_a_url_that_names_no_server_alone_is_refused(tmp_path: Path, url: str, what: str) -> None:
    assert f"`{what}` can't be used" in refused(tmp_path, at(url)).what


@pytest.mark.parametrize(
    ("changed", "to", "what", "cure"),
    [
        ("clearance: site", "clearance: secret", "secret", "restricted"),
        ("clearance: site, ", "", "clearance", "clearance"),
        ("engine: openai", "engine: opnai", 'no engine "opnai"', "openai"),
        ("dialect: vllm", "dialect: vlm", "vlm", "vllm"),
        ("dialect: vllm, ", "", "dialect", "dialect"),
        ("skills: [ask, rerank]", "skills: [write]", "write", "ask"),
        ("skills: [ask, rerank]", "skills: []", "skills", "1 or more"),
        ("key: file:llm.key", "key: sk-12345", "stands in the site file", "file:"),
        ("at_once: 4", "at_once: 0", "at_once", "from 1"),
        ("timeout: 30s", "timeout: 30", "timeout", "30s"),
    ],
)
def test_what_is_wrong_is_told_with_the_cure(tmp_path: Path, changed: str, to: str, what: str, cure: str) -> None:
    problem = refused(tmp_path, at("http://10.1.4.30:8000/v1").replace(changed, to))
    assert what in problem.what
    assert cure in problem.cure, problem.cure


def test_a_site_without_models_keeps_the_digest_that_it_had(tmp_path: Path) -> None:
    site = read(tmp_path, "{}")
    assert site.models == ()
    assert b'"models"' not in canonical(site)
    assert digest(site) != digest(read(tmp_path, at("http://10.1.4.30:8000/v1")))


def test_raising_a_clearance_is_another_configuration(tmp_path: Path) -> None:
    one, other = (digest(read(tmp_path, at("http://10.1.4.30:8000/v1", label))) for label in ("site", "restricted"))
    assert one != other


def told(folder: Path, models: str) -> list[Problem]:
    return list(problems(read(folder, models), "site.yaml"))


def test_the_check_knows_the_options_of_each_engine(tmp_path: Path) -> None:
    rest = "clearance: site, skills: [ask], languages: [en]"
    assert told(tmp_path, at("http://10.1.4.30:8000/v1")) == []
    assert told(tmp_path, f"small: {{engine: onnx, folder: models/small, {rest}}}") == []
    (lacks,) = told(tmp_path, f"small: {{engine: onnx, {rest}}}")
    assert lacks.line == 9
    assert "lacks `folder`" in lacks.what
    (unknown,) = told(tmp_path, f"small: {{engine: onnx, folder: a, foldre: b, {rest}}}")
    assert 'no option "foldre"' in unknown.what
    assert "folder" in unknown.cure


def test_the_gate_imports_no_engine_to_check_its_site(tmp_path: Path) -> None:
    assert (
        list(
            problems(read(tmp_path, f"small: {{engine: onnx, {'clearance: site, skills: [ask], languages: [en]'}}}"), "f", detectors=False)
        )
        == []
    )


async def test_no_client_of_models_and_no_engine_is_in_the_gates_modules(tmp_path: Path) -> None:
    """A gate that has read a site with models, as its process does."""
    read(tmp_path, at("http://10.1.4.30:8000/v1"))
    code = (
        "import sys, pathlib, holdfast.gate.process\n"
        "from holdfast.site.load import load\n"
        "from holdfast.site.plugged import problems\n"
        "site = load(pathlib.Path(sys.argv[1])).site\n"
        "assert not list(problems(site, 'f', detectors=False)) and site.models\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules}), [m for m in sys.modules if m.startswith('holdfast.agent')])"
    )
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", code, str(tmp_path / "site.yaml"), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(ran.communicate(), 30.0)
    assert ran.returncode == 0
    loaded = out.decode()
    for name in (
        "pydantic_ai",
        "openai",
        "llguidance",
        "jsonschema",
        "onnxruntime",
        "torch",
        "transformers",
        "tokenizers",
        "holdfast.agent",
    ):
        assert f"'{name}" not in loaded, name
