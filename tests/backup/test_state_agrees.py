"""Whoever changes a row that the gate acts on is found, and the row named: the records alone say what the state must be."""

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "gate"))
sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from packed import key_file, keys, packed  # pyright: ignore[reportMissingImports]
from small_plant import ASKING, PASSWORD, F, T, World, site  # pyright: ignore[reportMissingImports]

from holdfast.cli import ledger
from holdfast.gate.identity.seal import opened as unsealed
from holdfast.gate.ledger.agree import NOT_DERIVED, Agreement, agreement
from holdfast.gate.ledger.store import FILE
from holdfast.gate.ledger.verify import opened
from holdfast.site.model import Rule
from holdfast.site.modellayout import read_layout


def held(folder: Path) -> Agreement:
    with opened(folder / FILE) as db:
        return agreement(db)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A gate that has seen a bit of everything, closed."""
    permit = Rule(id="flow", effect="permit", agents=("*",), tags=(f"{F}.sp",))
    world = World(tmp_path, site(rules=(*ASKING, permit)))
    gate = world.gate
    for name in ("ann", "bob"):
        gate.people.add(name, ["operator"], PASSWORD)
    gate.people.add("eve", ["operator"], PASSWORD)
    gate.people.remove("eve")
    gate.people.add("off", ["operator"], PASSWORD)
    gate.people.set_disabled("off", disabled=True)
    gate.people.set_roles("off", ["engineer"])  # a change of something else leaves it disabled
    world.agents.add("ann-agent")
    await world.run(3)
    world.propose(103.0, id="yes")
    world.sign("yes")
    await world.run(5)
    world.propose(101.0, id="no")
    world.sign("no", yes=False)
    world.propose(102.0, id="late", valid_s=5.0)
    await world.run(10)
    world.propose(500.0, id="refused")
    gate.acts.set_autonomy(f"{F}.sp", "ask", "ann", "person")
    world.propose(101.5, id="taken")
    world.plc.blocks[T].sp_ext = 108.0  # somebody else's hand
    await world.run(20)
    world.again(after_s=100.0)
    await world.run(3)
    world.propose(101.0, id="open", tag=f"{F}.sp")
    attempt = world.gate.people.begin("ann")
    key = unsealed(attempt.seal, PASSWORD)
    assert key is not None
    key = world.gate.people.finish(attempt, key)
    for incident in ("i-0", "i-1"):
        world.gate.parts.causes.confirm(incident, "wear", "ann", key, told="chatter", shares=(("a", 1.0),))
    world.gate.parts.causes.retract("i-0", "ann", key)
    signer = key_file(tmp_path)
    models = [read_layout(packed(tmp_path, key=signer, version=version).path, keys(signer)) for version in ("1", "2", "3")]
    for layout in models:
        world.gate.models.promote("registers", layout.digest, "ann", key, models)
    world.gate.models.rollback("registers", "ann", key, models)
    world.gate.checkpoint()
    assert [world.state(p) for p in ("yes", "no", "late", "refused", "taken", "open")] == [
        "done", "refused", "expired", "refused", "voided", "asked",
    ]  # fmt: skip
    world.gate.close()
    return tmp_path


async def test_an_untouched_state_agrees(folder: Path) -> None:
    found = held(folder)
    assert found.differences == ()
    assert found.agrees
    assert not set(found.unchecked) - NOT_DERIVED.keys()  # every table is derived again, or it is said why not
    assert set(found.checked) >= {"person", "agent", "autonomy", "ask", "approval", "job", "moves"}


CHANGES = {
    "an approval by hand": (
        "INSERT INTO approval SELECT 'open', role, 'bob', binds, 1, 'mine', at_ns, signature FROM approval WHERE proposal = 'yes'",
        ("approval", "open by bob as operator"),
    ),
    "a no made a yes": ("UPDATE approval SET yes = 1 WHERE proposal = 'no'", ("approval", "no by ann as operator")),
    "an answer removed": ("DELETE FROM approval WHERE proposal = 'no'", ("approval", "no by ann as operator")),
    "a used question opened again": ("UPDATE ask SET closed = '' WHERE proposal = 'yes'", ("ask", "yes")),
    "a question that binds otherwise": ("UPDATE ask SET binds = 'x' WHERE proposal = 'open'", ("ask", "open")),
    "fewer roles asked": ("UPDATE ask SET roles = '[]' WHERE proposal = 'open'", ("ask", "open")),
    "more time to answer": ("UPDATE ask SET deadline_ns = deadline_ns + 1000000000 WHERE proposal = 'open'", ("ask", "open")),
    "a job approved by hand": (
        "UPDATE job SET state = 'approved', bytes ="
        ' CAST(replace(CAST(bytes AS TEXT), \'"state":"asked"\', \'"state":"approved"\') AS BLOB) WHERE proposal = \'open\'',
        ("job", "open"),
    ),
    "a job with another value": (
        "UPDATE job SET bytes = CAST(replace(CAST(bytes AS TEXT), '101.0', '119.0') AS BLOB) WHERE proposal = 'open'",
        ("job", "open"),
    ),
    "an open job removed": ("DELETE FROM job WHERE proposal = 'open'", ("job", "open")),
    "a move removed": ("DELETE FROM moves WHERE ours = 1", ("moves", f"{T}.sp")),
    "a move made smaller": ("UPDATE moves SET before = after WHERE ours = 1", ("moves", f"{T}.sp")),
    "a move made older": ("UPDATE moves SET at_ns = at_ns - 3600000000000 WHERE ours = 1", ("moves", f"{T}.sp")),
    "a move called shadow": ("UPDATE moves SET shadow = 1 WHERE ours = 1", ("moves", f"{T}.sp")),
    "others' moves removed": ("DELETE FROM moves WHERE ours = 0", ("moves", f"{T}.sp")),
    "a yield ended": ("DELETE FROM yielding", ("yielding", f"{T}.sp")),
    "autonomy raised": ("UPDATE autonomy SET level = 'act'", ("autonomy", f"{F}.sp")),
    "autonomy forgotten": ("DELETE FROM autonomy", ("autonomy", f"{F}.sp")),
    "a role given": ("UPDATE person SET roles = '[\"operator\", \"process-engineer\"]' WHERE name = 'bob'", ("person", "bob")),
    "a key exchanged": ("UPDATE person SET public = zeroblob(32) WHERE name = 'bob'", ("person", "bob")),
    "somebody disabled is enabled": ("UPDATE person SET disabled = 0 WHERE name = 'off'", ("person", "off")),
    "somebody removed": ("DELETE FROM person WHERE name = 'bob'", ("person", "bob")),
    "somebody removed comes back": (
        "INSERT INTO person SELECT 'eve', 'eve', roles, public, salt, nonce, box, passes, memory_kib, lanes, 0, 0, 0 FROM person"
        " WHERE name = 'bob'",
        ("person", "eve"),
    ),
    "an agent's token exchanged": ("UPDATE agent SET hash = zeroblob(32)", ("agent", "ann-agent")),
    "an agent of nobody's": ("INSERT INTO agent VALUES ('mallory', 'mallory', zeroblob(32))", ("agent", "mallory")),
    "a signature for a configuration": (
        "INSERT INTO configuration_signature VALUES ('d', 0, 'ann', 'operator', 'ann', 1)", ("configuration_signature", "d by ann"),
    ),
    "an alarm shelved": ("INSERT INTO alarm_shelved VALUES ('t', 'hi', 9000000000000000000, 'ann', '')", ("alarm_shelved", "t hi")),
    "a rung signed by hand": ("INSERT INTO commission VALUES ('stand/tension.sp', 'act', '', 1)", ("commission", "stand/tension.sp")),
    "a signed rung by hand": ("INSERT INTO commission_signed VALUES ('t', 'act', 1)", ("commission_signed", "t act")),
    "a set-back answered for": ("INSERT INTO set_back VALUES ('aa', 'w', 1)", ("set_back", "aa")),
    "an order by hand": (
        "INSERT INTO outbox VALUES ('k', 'yes', 'erp', 'stand', CAST('{}' AS BLOB), 'queued', 0)", ("outbox", "yes to erp"),
    ),
    "a cause confirmed by hand": ("INSERT INTO confirmed_cause VALUES ('i', 'm', 'm', '[]', 'ann', 1)", ("confirmed_cause", "i")),
    "another cause": ("UPDATE confirmed_cause SET mode = 'chatter'", ("confirmed_cause", "i-1")),
    "a confirmed cause removed": ("DELETE FROM confirmed_cause", ("confirmed_cause", "i-1")),
    "a model in force by hand": (
        "INSERT INTO model_in_force VALUES ('requests', 1, 'aa', 'n', '1', '[]', 'ann', 1)", ("model_in_force", "requests"),
    ),
    "another model in force": ("UPDATE model_in_force SET digest = 'aa' WHERE place = 2", ("model_in_force", "registers")),
    "a lower bar for the next model": ("UPDATE model_in_force SET evaluations = '[]'", ("model_in_force", "registers")),
    "a model put back by hand": ("DELETE FROM model_in_force WHERE place = 2", ("model_in_force", "registers")),
    "a table dropped": ("PRAGMA foreign_keys = 0; DROP TABLE approval", ("approval", "yes by ann as operator")),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
async def test_a_changed_row_is_found_and_named(folder: Path, change: str) -> None:
    sql, named = CHANGES[change]
    with closing(apsw.Connection(str(folder / FILE))) as db:
        db.execute(sql)
        assert db.changes() or "DROP" in sql, "nothing was changed"
    found = held(folder)
    assert not found.agrees
    assert named in [(d.table, d.row) for d in found.differences]


async def test_the_command_says_no_and_names_the_row(folder: Path) -> None:
    app = typer.Typer()
    ledger.register(app)
    asked: Callable[[], tuple[int, str]] = lambda: (  # noqa: E731
        (r := CliRunner().invoke(app, ["ledger", "verify", str(folder), "--key", str(folder / "ledger.pub"), "--state"])).exit_code,
        r.stdout,
    )
    assert asked()[0] == 0
    with closing(apsw.Connection(str(folder / FILE))) as db:
        db.execute("DELETE FROM moves WHERE ours = 1")
    code, out = asked()
    assert code == 1
    assert "moves stand/tension.sp: 100 → 103 of yes is missing" in out
