"""Models come into a home whole or not at all, by the command that a person types."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from packed import card, key_file, packed, trust  # pyright: ignore[reportMissingImports]
from typer.testing import CliRunner

from holdfast.agent.models.bundles import archive
from holdfast.agent.models.bundles import bundle as bundle_room
from holdfast.agent.models.bundles.bundle import Bundle, open_bundle
from holdfast.agent.models.bundles.registry import Broken, Registry
from holdfast.cli import models
from holdfast.site import modellayout
from holdfast.site.modelcard import BundleError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def key(tmp_path: Path, home: Path) -> Path:
    key = key_file(tmp_path)
    trust(home, key)
    return key


def told(*arguments: str | Path) -> tuple[int, str]:
    app = typer.Typer()
    models.register(app)
    found = CliRunner().invoke(app, ["models", *map(str, arguments)], env={"COLUMNS": "300"})
    return found.exit_code, found.output


def facts(*arguments: str | Path) -> Any:
    code, out = told(*arguments, "--json")
    assert code == 0, out
    return json.loads(out.splitlines()[-1])


def kept(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir() if path.name not in ("trusted", "measured"))


def test_a_file_becomes_a_model_with_the_facts_given(tmp_path: Path, home: Path, key: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08m")
    (tmp_path / "eval.json").write_text(
        json.dumps(
            {"name": "registers", "seed": 3, "data": [{"path": "x", "sha256": "ab" * 32}], "figures": {"all": {"exact": 0.9}, "n": 5}}
        )
        + "\n"
    )
    arguments = ("add", tmp_path / "m.onnx", "--name", "mine", "--version", "1", "--key", key, "--skill", "registers", "--language", "zh")
    more = (
        "--licence",
        "MIT",
        "--profile",
        "cpu-int8-tp1-pp1=experimental",
        "--evaluation",
        tmp_path / "eval.json",
        "--higher",
        "all.exact",
    )
    found = facts(*arguments, *more, "--clearance", "site", "--memory", "12", "--home", home)
    assert (found["vouching"], found["signer"]) == ("trusted", "mill")
    assert found["card"]["evaluations"] == [
        {"suite": "registers", "data": "ab" * 32, "seed": 3, "figures": [{"name": "all.exact", "value": 0.9, "better": "higher"}]}
    ]
    assert (found["card"]["clearance"], found["card"]["memory_mib"], found["card"]["profiles"][0]["state"]) == ("site", 12, "experimental")
    assert kept(home) == [found["digest"]]


def test_a_file_without_licence_is_refused_in_one_sentence_and_nothing_is_kept(tmp_path: Path, home: Path, key: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08m")
    code, out = told("add", tmp_path / "m.onnx", "--name", "mine", "--version", "1", "--key", key, "--skill", "registers", "--home", home)
    assert code == 1
    assert "no licence" in out
    assert "SPDX" in out
    assert kept(home) == []


def test_a_figure_that_the_evaluation_has_not_is_named(tmp_path: Path, home: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08m")
    (tmp_path / "eval.json").write_text(
        json.dumps({"name": "a", "seed": 3, "data": [{"path": "x", "sha256": "ab" * 32}], "figures": {"exact": 0.9}})
    )
    code, out = told(
        "add",
        tmp_path / "m.onnx",
        "--name",
        "a",
        "--version",
        "1",
        "--evaluation",
        tmp_path / "eval.json",
        "--higher",
        "f1",
        "--home",
        home,
    )
    assert code == 2
    assert "no figure 'f1'" in out
    assert "exact" in out


def test_a_stick_carries_a_model_from_one_home_to_another(tmp_path: Path, home: Path, key: Path) -> None:
    made = packed(tmp_path, key=key)
    assert facts("import", made.path, "--home", home)["digest"] == made.digest
    told("export", "registers", tmp_path / "a.tar", "--home", home)
    other = tmp_path / "other"
    found = facts("import", tmp_path / "a.tar", "--home", other)
    assert (found["digest"], found["vouching"]) == (made.digest, "unknown")  # nobody there has put the key in
    assert told("verify", "--home", other)[0] == 1
    trust(other, key)
    assert told("verify", "--home", other)[0] == 0
    assert [path.stat().st_mode & 0o777 for path in (other / "models" / made.digest).rglob("*") if path.is_file()] == [0o644] * 7


def test_a_model_that_is_here_already_is_taken_again_and_a_damaged_one_is_replaced(tmp_path: Path, home: Path, key: Path) -> None:
    made = packed(tmp_path, key=key)
    registry = Registry(home)
    first = registry.import_(made.path)
    assert registry.import_(made.path).digest == first.digest
    first.weights.write_bytes(b"\x08changed")
    assert registry.import_(made.path).weights.read_bytes() == b"\x08weights"
    assert len(kept(home)) == 1


def tampered(change: Callable[[Path], object]) -> Callable[[Path, Path], Path]:
    def make(tmp_path: Path, key: Path) -> Path:
        made = packed(tmp_path, key=key)
        change(made.path)
        return made.path

    return make


def largest(folder: Path) -> Path:
    return max((folder / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)


def linked(path: Path) -> None:
    """A link to the same bytes elsewhere."""
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to("../elsewhere")


def cut(tmp_path: Path, key: Path) -> Path:
    bundle = open_bundle(packed(tmp_path, key=key).path, {})
    archive.write(bundle, tmp_path / "a.tar")
    (tmp_path / "cut.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:3000])
    return tmp_path / "cut.tar"


def foreign(tmp_path: Path, key: Path) -> Path:
    (tmp_path / "a.tar").write_bytes(b"not a tar" * 1000)
    return tmp_path / "a.tar"


BAD: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "a changed blob": (tampered(lambda at: largest(at).write_bytes(b"\x08other")), "not what it was packed as"),
    "a missing blob": (tampered(lambda at: largest(at).unlink()), "not whole"),
    "an index that is no JSON": (tampered(lambda at: (at / "index.json").write_text("{")), "no JSON"),
    "a blob that is a link": (tampered(lambda at: linked(largest(at))), "not whole"),
    "a link that nothing names": (tampered(lambda at: (at / "blobs/sha256" / ("a" * 64)).symlink_to("/etc/passwd")), "nothing of it names"),
    "a file that nothing names": (tampered(lambda at: (at / "blobs/sha256/run.sh").write_text("x")), "nothing of it names"),
    "a file cut short": (cut, "not copied whole"),
    "a file of another kind": (foreign, "no plain tar archive"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_bundle_is_one_sentence_and_changes_nothing(tmp_path: Path, home: Path, key: Path, what: str) -> None:
    make, says = BAD[what]
    source = make(tmp_path, key)
    code, out = told("import", source, "--home", home)
    assert code in (1, 2)
    assert says in out
    assert kept(home) == []


def test_what_a_kill_left_of_an_import_is_swept_away(tmp_path: Path, home: Path, key: Path) -> None:
    (home / "models" / ".incoming-dead").mkdir()
    Registry(home).import_(packed(tmp_path, key=key).path)
    assert not (home / "models" / ".incoming-dead").exists()


def test_a_disk_that_refuses_keeps_nothing(tmp_path: Path, home: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = packed(tmp_path, key=key)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    code, out = told("import", made.path, "--home", home)
    assert (code, "No space left" in out, kept(home)) == (2, True, [])


def test_a_damaged_model_is_listed_as_such_beside_the_others(tmp_path: Path, home: Path, key: Path) -> None:
    registry = Registry(home)
    whole = registry.import_(packed(tmp_path, key=key).path)
    broken = registry.import_(packed(tmp_path, key=key, version="2").path)
    (broken.layout.folder / "index.json").unlink()
    mine = [one for one in registry.list() if isinstance(one, Broken) or one.digest == whole.digest]
    assert [type(one) for one in mine if isinstance(one, Bundle)] == [Bundle]
    assert [one.path for one in mine if isinstance(one, Broken)] == [broken.layout.folder]
    code, out = told("list", "--home", home)
    assert code == 1
    assert "not whole" in out


def test_a_name_that_fits_several_models_asks_which(tmp_path: Path, home: Path, key: Path) -> None:
    registry = Registry(home)
    first = registry.import_(packed(tmp_path, key=key, name="mine").path)
    registry.import_(packed(tmp_path, key=key, name="mine", version="2").path)
    with pytest.raises(BundleError) as raised:
        registry.find("mine")
    assert raised.value.code == "model.several"
    assert registry.find("mine:1").digest == registry.find(first.digest[:8]).digest == first.digest


def test_a_damaged_model_is_found_when_it_is_wanted(tmp_path: Path, home: Path, key: Path) -> None:
    found = Registry(home).import_(packed(tmp_path, key=key, name="mine").path)
    found.weights.write_bytes(b"\x08other")
    code, out = told("verify", "mine", "--home", home)
    assert code == 1
    assert "not what it was packed as" in out
    assert told("fit", "mine", "--home", home)[0] == 1


def test_a_model_is_measured_here_and_the_figures_are_kept(tmp_path: Path, home: Path, key: Path) -> None:
    weights = tmp_path / "double.onnx"
    weights.write_bytes(double_model())
    arguments = ("--name", "double", "--version", "1", "--key", key, "--skill", "registers", "--licence", "MIT", "--home", home)
    made = facts("add", weights, *arguments)
    found = facts("measure", "double", "--runs", "20", "--length", "7", "--home", home)
    assert found["runs"] == 20
    assert 0 < found["p50_ms"] <= found["p95_ms"]
    assert found["rss_mib"] > 0
    (row,) = [one for one in facts("list", "--home", home)["models"] if one["digest"] == made["digest"]]
    assert row["measured"] == found


def test_a_model_that_does_not_run_is_said_so(tmp_path: Path, home: Path, key: Path) -> None:
    Registry(home).import_(packed(tmp_path, key=key, name="mine").path)
    code, out = told("measure", "mine", "--home", home)
    assert code == 1
    assert "does not run here" in out


def test_training_without_its_library_names_the_extra(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "torch", None)
        code, out = told("train", "registers", "--out", tmp_path / "t")
    assert code == 2
    assert "train" in out


def test_promoting_without_a_gate_says_that_none_runs(tmp_path: Path, home: Path, key: Path) -> None:
    Registry(home).import_(packed(tmp_path, key=key, name="mine").path)
    app = typer.Typer()
    models.register(app)
    found = CliRunner().invoke(app, ["models", "promote", "registers", "mine", "--as", "eva", "--home", str(home)], input="password\n")
    assert found.exit_code == 2
    assert "no gate answers" in found.output


def double_model() -> bytes:
    """y = x + x, x float (batch, n) with both left open, as ONNX: protocol buffers written out, field by field of onnx.proto."""

    def field(place: int, body: bytes) -> bytes:
        return bytes([place << 3 | 2, len(body)]) + body

    def number(place: int, value: int) -> bytes:
        return bytes([place << 3, value])

    def value(name: bytes) -> bytes:
        dims = field(1, field(2, b"batch")) + field(1, field(2, b"n"))
        return field(1, name) + field(2, field(1, number(1, 1) + field(2, dims)))

    node = field(1, b"x") + field(1, b"x") + field(2, b"y") + field(4, b"Add")
    graph = field(1, node) + field(2, b"double") + field(11, value(b"x")) + field(12, value(b"y"))
    return number(1, 8) + field(7, graph) + field(8, field(1, b"") + number(2, 13))


def test_no_root_is_needed_to_read_what_was_kept(tmp_path: Path, home: Path, key: Path) -> None:
    """Agents run as other users: folders and files of a model are for all to read."""
    old = os.umask(0o077)
    try:
        found = Registry(home).import_(packed(tmp_path, key=key, of=card()).path)
    finally:
        os.umask(old)
    assert found.layout.folder.stat().st_mode & 0o555 == 0o555
    assert found.weights.stat().st_mode & 0o444 == 0o444


def test_what_training_left_goes_into_the_package_with_a_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a release is made: the model is verified like any other, and nobody keeps the key."""
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(modellayout, "SHIPPED", shipped)
    monkeypatch.setattr(bundle_room, "SHIPPED", shipped)
    (tmp_path / "model.onnx").write_bytes(b"\x08m")
    left = {"name": "reader", "made_from": "worlds", "seed": 7, "steps": 10, "for": "reading", "licence": "MIT", "tried_on": "others"}
    (tmp_path / "card.json").write_text(json.dumps(left))
    made = ("add", tmp_path / "model.onnx", "--release", "--name", "reader", "--version", "1", "--card", tmp_path / "card.json")
    found = facts(*made, "--home", tmp_path / "home")
    assert (found["vouching"], found["signer"]) == ("trusted", "holdfast-reader")
    assert found["card"]["skills"] == ["reader"]
    assert found["card"]["provenance"] == "worlds; seed 7, 10 steps; for reading"
    assert sorted(path.name for path in shipped.iterdir()) == ["holdfast-reader.pem", "reader"]
    assert [one["model"] for one in facts("list", "--home", tmp_path / "home")["models"]] == ["reader"]


def test_a_key_that_can_not_be_read_is_named_by_the_command(tmp_path: Path, home: Path, key: Path) -> None:
    (home / "models" / "trusted" / "broken.pem").write_text("no key")
    code, out = told("list", "--home", home)
    assert code == 2
    assert "broken.pem: no public key" in out
