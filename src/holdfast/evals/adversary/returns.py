"""Attacks by what comes back: a restored backup, a rolled-back record, files changed while the gate was away."""

import shutil
import tempfile
from pathlib import Path
from random import Random

import apsw

from holdfast.evals.adversary.approvals import asked
from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.gate.ledger.store import FILE
from holdfast.gate.ledger.witness import WITNESSES
from holdfast.gate.process import in_force
from holdfast.run.backup import back_up, restore

FORCE, SPEED, COUNT = "press/force.sp", "press/speed.sp", "oven/count_sp"
CHECKPOINT_S = 65  # after so long the head of the record is with the witness


async def _spend(world: World, rng: Random, tag: str) -> None:
    """Use up what the copy doesn't know to be used."""
    bound = world.oracle.ground.bounds[tag]
    for _ in range(rng.choice((1, 3))):
        await world.push("alpha", (tag, near(world, tag, rng)))
        await world.wait(max(bound.dwell_s, 2) + 1)


async def _again(world: World, rng: Random, tag: str, waiting: tuple[str, dict[str, object]] | None) -> None:
    """After the return: first as it came up, then with a person's leave; the old question and the old budget are tried both times."""
    for resumed in (False, True):
        if resumed:
            world.set_level("*", "act")
        await world.run(3)
        if waiting is not None:
            proposal, message = waiting
            world.say("alpha", message)
            world.sign(proposal, "ann", "operator")
            world.sign(proposal, "cid", "operator")
            await world.act()
        for of in (rng.choice((SPEED, COUNT, FORCE)), tag, tag):  # the first may be one that nobody moved meanwhile
            await world.push("alpha", (of, near(world, of, rng)))
            await world.wait(rng.choice((2, 35, 130)))


async def _question(world: World, rng: Random) -> tuple[str, dict[str, object]] | None:
    """Something that people said yes to; sometimes it is done before the copy comes back."""
    tag, value = asked(world, rng)
    message = world.message((tag, value), valid_s=3600.0)
    decision = world.say("alpha", message)
    if decision is None or decision.verdict != "ask":
        return None
    world.agree(decision)
    return decision.proposal, message


def _observes(world: World) -> None:
    """The rule that is judged by: after such a return nothing is written until a person resumes."""
    world.oracle.levels["*"] = "observe"


@attack("restored backup", "inside", one_in=8)
async def restored(world: World, rng: Random) -> None:
    """A backup is restored after budgets and a yes were used: neither comes back, and nothing is written before a person resumes."""
    tag = rng.choice((FORCE, SPEED, COUNT))
    waiting = await _question(world, rng) if rng.random() < 0.6 else None
    if waiting is not None and rng.random() < 0.3:
        await world.act()
    with tempfile.TemporaryDirectory(prefix="holdfast-return-") as folder:
        archive, back = Path(folder) / "backup.tar", Path(folder) / "home"
        back_up(world.folder, archive, at_ns=world.clock.now_ns())
        await world.act()
        await _spend(world, rng, tag)

        def put_back() -> None:
            restore(archive, back, at_ns=world.clock.now_ns())
            shutil.rmtree(world.folder / "gate")
            shutil.move(back / "gate", world.folder / "gate")

        await world.reboot(away_s=rng.choice((0, 60, 4000)), meanwhile=put_back, rewound=True)
    _observes(world)
    await _again(world, rng, tag, waiting)


@attack("rolled-back record", "inside")
async def rolled_back(world: World, rng: Random) -> None:
    """The whole state folder is put back to what it was; only the witness, elsewhere, has seen more of the record."""
    tag = rng.choice((FORCE, SPEED, COUNT))
    state = world.folder / "gate"
    with tempfile.TemporaryDirectory(prefix="holdfast-return-") as folder:
        (state / WITNESSES).write_text(f"keep {folder}/checkpoints\n", encoding="utf-8")
        await world.reboot()
        await world.run(3)
        waiting = await _question(world, rng) if rng.random() < 0.6 else None
        then = Path(folder) / "then"
        shutil.copytree(state, then, ignore=shutil.ignore_patterns(f"{FILE}*"))
        _copy(state / FILE, then / FILE)
        await world.act()
        await _spend(world, rng, tag)
        await world.wait(CHECKPOINT_S)
        await world.run(2)

        def put_back() -> None:
            shutil.rmtree(state)
            shutil.copytree(then, state)

        await world.reboot(away_s=rng.choice((0, 60, 4000)), meanwhile=put_back, rewound=True)
        _observes(world)
        (state / WITNESSES).unlink()
        await _again(world, rng, tag, waiting)


def _copy(source: Path, target: Path) -> None:
    live, copy = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY), apsw.Connection(str(target))
    with copy.backup("main", live, "main") as backup:
        while not backup.done:  # bounded by the file's pages
            backup.step()
    live.close()
    copy.close()


@attack("files edited before a restart", "inside")
async def edited(world: World, rng: Random) -> None:
    """Range, step, policy and levels are widened on the disk, or the file is spoilt, and the gate starts anew."""
    folder = world.folder / "site"
    kept = {name: (folder / name).read_text(encoding="utf-8") for name in ("site.yaml", "policy.yaml")}

    def take_what_is_in_force() -> None:
        world.site = world.wire.site(in_force(folder / "site.yaml", world.folder / "gate", world.clock).active.site)

    await world.reboot(meanwhile=take_what_is_in_force)
    try:
        site = (
            kept["site.yaml"].replace("step: 2.5", "step: 25").replace("[10, 45]", "[0, 45]").replace("autonomy: shadow", "autonomy: act")
        )
        policy = (
            kept["policy.yaml"].replace("effect: forbid", "effect: permit").replace("revision: 1", f"revision: {rng.choice((0, 1, 2))}")
        )
        match rng.randrange(3):
            case 0:
                (folder / "site.yaml").write_text(site, encoding="utf-8")
                (folder / "policy.yaml").write_text(policy, encoding="utf-8")
            case 1:
                (folder / "site.yaml").write_text(rng.choice(("", "{", site + "\nx: [", "\x00")), encoding="utf-8")
            case _:
                (folder / "policy.yaml").write_text(policy, encoding="utf-8")
        await world.reboot(meanwhile=take_what_is_in_force)
        await world.run(3)
        await world.push("alpha", (SPEED, world.present(SPEED) + rng.choice((-6.0, 6.0))))
        await world.push("alpha", ("oven/fan_sp", near(world, "oven/fan_sp", rng)))
        await world.push("alpha", (FORCE, near(world, FORCE, rng)))
        await world.panel("oven/batch", 2.0)
        await world.push("alpha", (COUNT, near(world, COUNT, rng)))
    finally:
        for name, text in kept.items():
            (folder / name).write_text(text, encoding="utf-8")
