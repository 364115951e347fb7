"""A backup brings a gate back on a bare box, says what was altered in it, and revives neither approvals nor budgets."""

import asyncio
import contextlib
import io
import json
import random
import sys
import tarfile
from pathlib import Path

import apsw
import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "gate"))

from small_plant import ASKING, PASSWORD, START_NS, T, World, site  # pyright: ignore[reportMissingImports]

from holdfast.agent.knowledge.manuals.index import Index
from holdfast.agent.knowledge.manuals.passage import Manual, Passage
from holdfast.cli import backup as commands
from holdfast.gate.actuation.setback import MARKER
from holdfast.gate.ledger.checkpoint import make_key, read_public
from holdfast.gate.ledger.store import FILE
from holdfast.gate.ledger.verify import verify
from holdfast.run.backup import BackupError, back_up, read, restore
from holdfast.site.model import Writes

SP = f"{T}.sp"


def holdfast(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    commands.register(app)
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def lived(home: Path, *, budget: int = 6, asking: bool = False) -> World:
    """A running gate in home/gate, with a person, an agent and its learned state; one write of 103 done or asked for."""
    rules = {"rules": ASKING} if asking else {}
    world = World(home / "gate", site(tension={"writes": Writes(max=budget, per_s=3600.0)}, **rules))
    world.gate.people.add("ann", ["operator"], PASSWORD)
    world.agents.add("ann-agent")
    learned = home / "agents" / "ann-agent"
    learned.mkdir(parents=True)
    (learned / "token").write_text("secret")
    (learned / "chatter.npz").write_bytes(b"learned")
    return world


async def test_a_home_is_restored_on_a_bare_box_and_its_gate_starts_there(tmp_path: Path) -> None:
    world = lived(tmp_path / "home")
    await world.run(3)
    world.propose(103.0)
    await world.run(5)
    world.gate.checkpoint()
    records = world.gate.log.size
    made = back_up(tmp_path / "home", tmp_path / "b.tar", at_ns=7)  # while the gate runs
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    assert made.records == records
    assert {f.path for f in made.files} >= {"gate/state.db", "gate/ledger.key", "gate/ledger.pub", "agents/ann-agent/chatter.npz"}
    assert not any("token" in f.path or "history" in f.path for f in made.files)
    world.gate.close()

    bare = tmp_path / "other" / "home"
    manifest, aside = restore(tmp_path / "b.tar", bare, at_ns=8, key=read_public(tmp_path / "home" / "gate" / "ledger.pub"))
    assert (manifest, aside) == (made, None)
    assert (bare / "agents" / "ann-agent" / "chatter.npz").read_bytes() == b"learned"
    again = World(bare / "gate", world.site)
    assert again.gate.log.size > records
    assert [p.name for p in again.gate.people.list()] == ["ann"]
    assert again.agents.list() == ("ann-agent",)
    assert again.state() == "done"
    again.gate.checkpoint()
    again.gate.close()
    assert verify(bare / "gate", read_public(bare / "gate" / "ledger.pub")).ok


async def test_restored_it_observes_until_a_person_resumes_and_every_budget_is_used_up(tmp_path: Path) -> None:
    world = lived(tmp_path / "home", budget=1)
    await world.run(3)
    world.gate.checkpoint()
    back_up(tmp_path / "home", tmp_path / "b.tar", at_ns=7)
    world.propose(103.0)  # uses up the budget, after the backup
    await world.run(5)
    assert len(world.plc.written) == 1
    world.gate.close()
    restore(tmp_path / "b.tar", tmp_path / "home", at_ns=8, force=True)

    world.again()
    assert [r["restored"]["records"] for r in world.records("set_back")] == [str(read(tmp_path / "b.tar").records)]
    assert world.gate.autonomy.all() == (("*", "observe"),)
    assert not (tmp_path / "home" / "gate" / MARKER).exists()
    await world.run(3)
    assert world.propose(102.0, id="p2").verdict == "refuse"
    world.gate.acts.set_autonomy("*", "act", "ann", "person")
    assert world.failed(world.propose(102.0, id="p3")) == {"yield.operator"}  # the lost move may still count
    await world.run(3590)
    assert world.propose(102.0, id="p4").verdict == "refuse"
    await world.run(20)
    assert world.propose(102.0, id="p5").verdict == "permit"
    world.again()  # the next start finds nothing new
    assert len(world.records("set_back")) == 1
    world.gate.close()


async def test_a_restored_approval_is_void_even_in_the_same_boot(tmp_path: Path) -> None:
    world = lived(tmp_path / "home", asking=True)
    await world.run(3)
    world.propose(103.0)
    world.sign()
    world.gate.checkpoint()
    back_up(tmp_path / "home", tmp_path / "b.tar", at_ns=7)
    world.gate.close()
    restore(tmp_path / "b.tar", tmp_path / "home", at_ns=8, force=True)
    world.again()
    assert world.gate.inbox.state("p1") == "voided"
    assert world.state() == "voided"
    world.gate.acts.set_autonomy("*", "act", "ann", "person")
    await world.run(10)
    assert world.plc.written == []
    world.gate.close()


async def test_a_gate_behind_its_witness_observes_until_a_person_resumes(tmp_path: Path) -> None:
    world = World(tmp_path / "gate")
    (tmp_path / "gate" / "witnesses").write_text(f"read {tmp_path / 'worm'}\n")
    (tmp_path / "worm").touch()
    await world.run(3)
    world.gate.checkpoint()
    world.gate.close()
    old = {p.name: p.read_bytes() for p in (tmp_path / "gate").iterdir() if p.is_file()}
    world.again()
    await world.run(3)
    world.propose(103.0)
    await world.run(5)
    world.gate.checkpoint()
    (tmp_path / "worm").write_text((tmp_path / "gate" / "checkpoints").read_text())
    world.gate.close()
    for path in (tmp_path / "gate").iterdir():
        path.unlink()
    for name, data in old.items():
        (tmp_path / "gate" / name).write_bytes(data)

    world.again()
    (told,) = world.records("set_back")
    assert [b["code"] for b in told["behind"]] == ["ledger.behind_witness"]
    assert world.gate.autonomy.all() == (("*", "observe"),)
    world.gate.acts.set_autonomy("*", "act", "ann", "person")
    world.again()  # answered for: the same head is not held against it twice
    assert world.gate.autonomy.all() == (("*", "act"),)
    assert len(world.records("set_back")) == 1
    (tmp_path / "worm").unlink()
    world.again()
    assert [b["code"] for b in world.records("set_back")[-1]["behind"]] == ["ledger.witness_unreadable"]
    assert world.gate.autonomy.all() == (("*", "observe"),)
    world.gate.close()


def test_a_gate_level_with_its_witness_starts_as_it_was(tmp_path: Path) -> None:
    world = World(tmp_path / "gate")
    world.gate.log.append("tick", {})
    world.gate.checkpoint()
    (tmp_path / "gate" / "witnesses").write_text(f"keep {tmp_path / 'worm'}\n")
    (tmp_path / "worm").touch()
    world.again()
    world.gate.log.append("tick", {})
    world.gate.checkpoint()
    assert (tmp_path / "worm").read_text() == world.gate.checkpoints.last().note
    world.again()
    assert world.records("set_back") == []
    assert world.gate.autonomy.all() == ()
    world.gate.close()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    world = lived(tmp_path / "home")
    world.gate.checkpoint()
    back_up(tmp_path / "home", tmp_path / "b.tar", at_ns=START_NS)
    world.gate.close()
    return tmp_path / "b.tar"


def rewritten(archive: Path, out: Path, change: str) -> Path:
    """The archive with one thing altered."""
    with tarfile.open(archive) as tar, tarfile.open(out, "w:") as to:
        for member in tar.getmembers():
            source = tar.extractfile(member)
            assert source
            data = source.read()
            match change, member.name:
                case "file", "agents/ann-agent/chatter.npz":
                    data = b"LEARNED"
                case "list", "manifest.json":
                    data = data.replace(b'"records":', b'"records":1')
                case "missing", "gate/ledger.pub":
                    continue
                case _:
                    pass
            member.size = len(data)
            to.addfile(member, io.BytesIO(data))
        if change == "more":
            extra = tarfile.TarInfo("gate/witnesses")
            to.addfile(extra)
    return out


@pytest.mark.parametrize(("change", "code"), [("file", "file"), ("list", "signature"), ("missing", "file"), ("more", "file")])
def test_whatever_is_altered_in_an_archive_it_is_refused_and_nothing_is_left(archive: Path, tmp_path: Path, change: str, code: str) -> None:
    bad = rewritten(archive, tmp_path / "bad.tar", change)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(BackupError) as refused:
        restore(bad, tmp_path / "new", at_ns=8)
    assert refused.value.code == f"restore.{code}"
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_damaged_archive_is_reported_wherever_it_is_cut_or_overwritten(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    rng = random.Random(4)
    for number in range(40):
        at = rng.randrange(0, len(whole) - 1024)
        damaged = whole[:at] if number % 2 else whole[:at] + rng.randbytes(64) + whole[at + 64 :]
        (tmp_path / "d.tar").write_bytes(damaged)
        try:
            restore(tmp_path / "d.tar", tmp_path / f"new-{number}", at_ns=8)
        except BackupError:
            assert not (tmp_path / f"new-{number}").exists()
        else:  # it hit the padding between two files: then nothing that counts was altered
            assert verify(tmp_path / f"new-{number}" / "gate", read_public(tmp_path / "home" / "gate" / "ledger.pub")).ok


def test_another_gates_backup_is_refused_where_a_key_is_given(archive: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", "small", random.Random(9).randbytes)
    with pytest.raises(BackupError, match="not by the key"):
        restore(archive, tmp_path / "new", at_ns=8, key=other)


def test_a_home_that_is_not_empty_is_moved_aside_only_by_force(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "diary").write_text("mine")
    code, _ = holdfast("restore", archive, "--home", tmp_path / "new")
    assert (code, (tmp_path / "new" / "diary").exists()) == (2, True)
    code, out = holdfast("restore", archive, "--home", tmp_path / "new", "--force", "--json")
    told = json.loads(out)
    assert (code, Path(told["aside"], "diary").read_text()) == (0, "mine")
    assert (tmp_path / "new" / "gate" / FILE).exists()


def test_a_dry_run_lists_and_changes_nothing(archive: Path, tmp_path: Path) -> None:
    code, out = holdfast("restore", archive, "--home", tmp_path / "new", "--dry-run", "--json")
    assert code == 0
    assert "gate/state.db" in [f["path"] for f in json.loads(out)["files"]]
    assert not (tmp_path / "new").exists()


def test_a_home_where_a_gate_runs_is_never_replaced(archive: Path, tmp_path: Path) -> None:
    world = World(tmp_path / "new" / "gate")
    assert holdfast("restore", archive, "--home", tmp_path / "new", "--force")[0] == 2
    assert (tmp_path / "new" / "gate" / FILE).exists()
    world.gate.close()


def test_the_commands_say_yes_no_or_what_is_wrong(tmp_path: Path) -> None:
    world = lived(tmp_path / "home")
    world.gate.checkpoint()
    code, out = holdfast("backup", "--home", tmp_path / "home", "--out", tmp_path / "b.tar.gz", "--history", "--json")
    assert code == 0
    assert "gate/history.db" in [f["path"] for f in json.loads(out)["files"]]
    assert holdfast("backup", "--home", tmp_path / "home", "--out", tmp_path / "b.tar.gz")[0] == 2  # never overwritten
    assert holdfast("backup", "--home", tmp_path / "home", "--out", tmp_path / "b.zip")[0] == 2
    assert holdfast("backup", "--home", tmp_path / "nowhere", "--out", tmp_path / "c.tar")[0] == 2
    world.gate.close()
    assert holdfast("restore", tmp_path / "b.tar.gz", "--home", tmp_path / "new")[0] == 0
    assert holdfast("restore", tmp_path / "none.tar", "--home", tmp_path / "none")[0] == 2
    (tmp_path / "diary.tar").write_text("Dear diary")
    assert holdfast("restore", tmp_path / "diary.tar", "--home", tmp_path / "none")[0] == 1


def test_a_backup_of_a_tampered_ledger_is_refused(tmp_path: Path) -> None:
    world = lived(tmp_path / "home")
    world.gate.checkpoint()
    world.gate.close()
    db = apsw.Connection(str(tmp_path / "home" / "gate" / FILE))
    db.execute("UPDATE leaf SET bytes = zeroblob(10) WHERE seq = 1")
    db.close()
    assert holdfast("backup", "--home", tmp_path / "home", "--out", tmp_path / "b.tar")[0] == 1
    assert not (tmp_path / "b.tar").exists()


def test_what_the_site_gave_it_to_know_is_carried_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    world = lived(home)
    world.gate.checkpoint()
    world.gate.close()
    (home / "standards.json").write_text('{"standards": []}')
    (home / "maintenance.json").write_text('{"sources": []}')
    said = Passage(page=1, paragraph=1, text="Grease the bearing every 2000 h.")
    with contextlib.closing(Index(home / "manuals.db")) as index:
        index.add("pump.md", "0" * 64, 100, Manual(pages=1, passages=(said,)), 5)
    back_up(home, tmp_path / "b.tar", at_ns=7)
    restore(tmp_path / "b.tar", tmp_path / "new", at_ns=8)
    assert (tmp_path / "new" / "standards.json").read_text() == '{"standards": []}'
    assert (tmp_path / "new" / "maintenance.json").read_text() == '{"sources": []}'
    with contextlib.closing(Index(tmp_path / "new" / "manuals.db")) as index:
        assert [hit.text for hit in index.search("grease")] == ["Grease the bearing every 2000 h."]


def test_a_ledger_without_a_checkpoint_is_not_backed_up_and_is_told_apart_from_a_tampered_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    lived(home).gate.close()  # it signs when a minute has passed, or at the end of a run
    db = apsw.Connection(str(home / "gate" / "state.db"))
    db.execute("DELETE FROM checkpoint")
    db.close()
    (home / "gate" / "checkpoints").unlink(missing_ok=True)
    code, said = holdfast("backup", "--home", home, "--out", tmp_path / "b.tar")
    assert (code, "killed in its first minute" in said, "keep the folder as it is" in said) == (1, True, True), said
    assert not (tmp_path / "b.tar").exists()


def test_a_backup_taken_while_records_are_written_holds_together(tmp_path: Path) -> None:
    world = lived(tmp_path / "home")

    async def both() -> int:
        made = asyncio.to_thread(back_up, tmp_path / "home", tmp_path / "b.tar", at_ns=7)
        task = asyncio.create_task(made)
        while not task.done():
            world.gate.log.append("tick", {"x": "y" * 500})
            await asyncio.sleep(0)
        return (await task).records

    world.gate.checkpoint()
    records = asyncio.run(both())
    assert records <= world.gate.log.size
    world.gate.close()
    restore(tmp_path / "b.tar", tmp_path / "new", at_ns=8)
