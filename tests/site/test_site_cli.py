"""`holdfast check`, `schema` and `init` as a person calls them; --online and init against a real OPC UA server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from asyncua import ua
from asyncua.server.server import Server
from typer.testing import CliRunner

import holdfast
from holdfast.cli import site as commands
from holdfast.site.load import load

MILL = Path(holdfast.__file__).parent / "sim" / "mill" / "site.yaml"
runner = CliRunner()
app = typer.Typer()
commands.register(app)

SITE = """\
holdfast: 1
site: {{name: p}}
connections: {{plc: {{type: opcua, url: "{url}", security: none, namespace: "urn:plant"}}}}
equipment:
  pump:
    tags:
      speed: {{address: Pump.Speed, unit: {unit}}}
      load: {{address: {load}, unit: "%"}}
"""


def test_check_of_a_good_file_is_0() -> None:
    result = runner.invoke(app, ["check", str(MILL), "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output.splitlines()[-1])
    assert (answer["ok"], answer["digest"]) == (True, load(MILL).digest)


def test_check_of_a_bad_file_is_1_with_every_line(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(url="opc.tcp://h:1", unit="m/z", load="Pump.Load").replace("name: p", "nam: p"), encoding="utf-8")
    result = runner.invoke(app, ["check", str(path), "--json"])
    assert result.exit_code == 1
    assert [p["line"] for p in json.loads(result.output.splitlines()[-1])["problems"]] == [2, 2, 7]
    shown = runner.invoke(app, ["check", str(path)]).output
    assert f"{path}:7: " in shown
    assert "3 errors" in shown


def test_check_tells_what_is_wrong_with_a_condition(tmp_path: Path) -> None:
    text = MILL.read_text(encoding="utf-8")
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    policy = (MILL.parent / "policy.yaml").read_text(encoding="utf-8").replace("proposed > 112.0", "proposed > ")
    (tmp_path / "policy.yaml").write_text(policy, encoding="utf-8")
    result = runner.invoke(app, ["check", str(tmp_path / "site.yaml"), "--json"])
    assert result.exit_code == 1
    problems = json.loads(result.output.splitlines()[-1])["problems"]
    assert [(Path(p["file"]).name, p["line"]) for p in problems if p["severity"] == "error"] == [("policy.yaml", 4)]


def test_check_of_no_file_is_2(tmp_path: Path) -> None:
    result = runner.invoke(app, ["check", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2


def test_schema_prints_json() -> None:
    assert json.loads(runner.invoke(app, ["schema"]).output)["title"] == "Holdfast site file"


# ---- a real server ---------------------------------------------------------------------------------------------------


@dataclass
class Plant:
    url: str = ""


async def _serve(plant: Plant, ready: threading.Event, stop: asyncio.Event) -> None:
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:plant")
    for name, unit, writable in (("Speed", "m/min", False), ("Load", "%", False), ("Setpoint", "m/min", True)):
        node = await server.nodes.objects.add_variable(ua.NodeId.from_string(f"ns={index};s=Pump.{name}"), name, 1.0, ua.VariantType.Double)
        info = ua.EUInformation(DisplayName=ua.LocalizedText(unit))
        await node.add_property(ua.NodeId.from_string(f"ns={index};s=Pump.{name}.EU"), ua.QualifiedName("EngineeringUnits", 0), info)
        if writable:
            await node.set_writable()
    async with server:
        sockets = server.bserver._server.sockets  # type: ignore[union-attr]  # the port that was given for 0
        plant.url = f"opc.tcp://127.0.0.1:{sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    found, ready = Plant(), threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(found, ready, stop)), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield found
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()


def online(folder: Path, url: str, *, unit: str = "m/min", load: str = "Pump.Load") -> list[str]:
    path = folder / "site.yaml"
    path.write_text(SITE.format(url=url, unit=unit, load=load), encoding="utf-8")
    result = runner.invoke(app, ["check", str(path), "--online", "--json"])
    answer = json.loads(result.output.splitlines()[-1])
    assert result.exit_code == (0 if answer["ok"] else 1)
    return [p["what"] for p in answer["problems"]]


def test_online_finds_an_account_that_may_write_too_much(tmp_path: Path, plant: Plant) -> None:
    assert online(tmp_path, plant.url) == ["plc: the account may write Pump.Setpoint, which has no envelope"]


def test_online_finds_an_address_that_is_not_there(tmp_path: Path, plant: Plant) -> None:
    assert any("pump/load can't be read at Pump.Lod" in what for what in online(tmp_path, plant.url, load="Pump.Lod"))


def test_online_finds_another_unit(tmp_path: Path, plant: Plant) -> None:
    assert any("pump/speed is in m/s, but the server says m/min" in what for what in online(tmp_path, plant.url, unit="m/s"))


def test_online_says_when_the_server_is_absent(tmp_path: Path, unused_tcp_port: int) -> None:
    assert any("no connection" in what for what in online(tmp_path, f"opc.tcp://127.0.0.1:{unused_tcp_port}"))


def test_init_makes_a_read_only_site_file_that_loads(tmp_path: Path, plant: Plant) -> None:
    out = tmp_path / "site.yaml"
    result = runner.invoke(app, ["init", plant.url, "--out", str(out), "--name", "first"])
    assert result.exit_code == 0, result.output
    site = load(out).site
    assert {(t.name, t.unit, t.writable) for t in site.tags} == {
        ("Pump/Speed", "m/min", False),
        ("Pump/Load", "%", False),
        ("Pump/Setpoint", "m/min", False),
    }
    again = runner.invoke(app, ["init", plant.url, "--out", str(out)])
    assert again.exit_code == 2, "it never overwrites"
    assert runner.invoke(app, ["check", str(out)]).exit_code == 0


def test_init_without_out_only_prints(tmp_path: Path, plant: Plant) -> None:
    result = runner.invoke(app, ["init", plant.url])
    assert "Pump:" in result.output
    assert list(tmp_path.iterdir()) == []


def test_init_from_a_tag_list(tmp_path: Path) -> None:
    (tmp_path / "line.csv").write_text("name,address,unit\nspeed,Line.Speed,m/min\n", encoding="utf-8")
    out = tmp_path / "site.yaml"
    assert runner.invoke(app, ["init", str(tmp_path / "line.csv"), "--out", str(out)]).exit_code == 0
    assert [t.name for t in load(out).site.tags] == ["line/speed"]


def test_init_from_a_broken_tag_list_says_where(tmp_path: Path) -> None:
    (tmp_path / "line.csv").write_text("name,unit\nspeed,m/min\n", encoding="utf-8")
    result = runner.invoke(app, ["init", str(tmp_path / "line.csv")])
    assert result.exit_code == 2
    assert "line.csv:1" in result.stderr
