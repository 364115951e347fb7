"""Runs sequences of attack classes, many to a gate, and counts what reached the wire."""

import asyncio
import dataclasses
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Literal

from holdfast.evals.adversary.apart import Apart
from holdfast.evals.adversary.catalogue import ATTACKS, Attack, Where
from holdfast.evals.adversary.classes import FILES
from holdfast.evals.adversary.legal import legal
from holdfast.evals.adversary.world import World
from holdfast.evals.oracle import Judgement

A_GATE = 150  # sequences before a fresh gate and plant
SEQUENCE_S_MAX = 300  # real ones; a sequence takes some hundredths of one, and a gate of its own a second
TRIES_AN_ACTION = 3
Stage = Literal["modbus", "opcua", "apart"]  # the wire; or, over Modbus, a gate in a process of its own
FITS: dict[Stage, tuple[Where, ...]] = {
    "modbus": ("both", "inside"),
    "opcua": ("both", "inside", "opcua"),
    "apart": ("both", "apart"),
}
LEGAL_FIRST = 0.6  # of the sequences begin with something legitimate


@dataclasses.dataclass
class Tally:
    """What a run found."""

    sequences: Counter[str] = dataclasses.field(default_factory=Counter[str])
    legal: int = 0  # sequences that put something legitimate on the wire
    stages: Counter[str] = dataclasses.field(default_factory=Counter[str])  # sequences by stage
    writes: Counter[str] = dataclasses.field(default_factory=Counter[str])  # by wire
    outside: list[tuple[str, int, Judgement]] = dataclasses.field(default_factory=list[tuple[str, int, Judgement]])
    legitimate: int = 0
    refusals: list[str] = dataclasses.field(default_factory=list[str])  # of what was legitimate
    beats: int = 0

    def add(self, other: "Tally") -> None:
        self.sequences += other.sequences
        self.legal += other.legal
        self.stages += other.stages
        self.writes += other.writes
        self.outside += other.outside
        self.legitimate += other.legitimate
        self.refusals += other.refusals
        self.beats += other.beats


def everything(classes: Sequence[str]) -> tuple[Attack, ...]:
    """The classes asked for, all where none is. Raises KeyError for one that is not there."""
    found = {name: known for name, known in ATTACKS.items() if known.sequence.__module__ in {file.__name__ for file in FILES}}
    return tuple(found[name] for name in classes) if classes else tuple(found.values())


def named(classes: Sequence[str]) -> tuple[Attack, ...]:
    """The same, where none is asked for without those that want a gate in a process of its own."""
    return tuple(attack for attack in everything(classes) if classes or attack.where != "apart")


def fitting(attacks: Sequence[Attack], stage: Stage) -> tuple[Attack, ...]:
    """Those that can be tried on a stage. On `apart` every second one is of those that can be tried nowhere else."""
    fit = tuple(attack for attack in attacks if attack.where in FITS[stage])
    only = tuple(attack for attack in fit if attack.where == "apart")
    if not only or len(only) == len(fit):
        return fit
    others = [attack for attack in fit if attack.where != "apart"]
    return tuple(one for number, other in enumerate(others) for one in (only[number % len(only)], other))


def turn(attacks: Sequence[Attack], number: int) -> Attack:
    """Whose turn the sequence is: each in turn, but for those that leave some of their turns to who comes after them."""
    cycle, place = divmod(number, len(attacks))
    for step in range(len(attacks)):
        attack = attacks[(place + step) % len(attacks)]
        if cycle % attack.one_in == 0:
            return attack
    return attacks[place]


async def assail(seed: int, first: int, count: int, attacks: Sequence[Attack], *, stage: Stage = "modbus") -> Tally:
    """Sequences `first` to `first + count`; each is a function of seed, its number and the state that those before it left."""
    tally = Tally()
    number, end = first, first + count
    attacks = fitting(attacks, stage)
    while attacks and number < end:
        with tempfile.TemporaryDirectory(prefix="hf-") as folder:
            random = Random(f"{seed} world {number}")
            world = Apart(Path(folder), random) if stage == "apart" else World(Path(folder), random, opcua=stage == "opcua")
            try:
                await world.start()
                for _ in range(min(A_GATE, end - number)):
                    attack = turn(attacks, number)
                    try:
                        async with asyncio.timeout(SEQUENCE_S_MAX):
                            await one(world, attack, seed, number, tally)
                    except TimeoutError:
                        raise RuntimeError(f"sequence {number} ({attack.name}, {stage}) hung for {SEQUENCE_S_MAX} s") from None
                    number += 1
            finally:
                await world.close()
    return tally


async def spare(seed: int, first: int, count: int) -> Tally:
    """`count` legitimate actions and nothing else: the corpus of which next to none may be refused."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="holdfast-adversary-") as folder:
        world = World(Path(folder), Random(f"{seed} legitimate {first}"))
        await world.start()
        try:
            for number in range(first, first + TRIES_AN_ACTION * count):  # now and then all budgets are used up
                rng = Random(f"{seed} action {number}")
                await world.settle(rng)
                refused = await legal(world, rng)
                tally.legitimate += refused is not None
                tally.refusals += [f"action {number}: {refused}"] if refused else []
                if tally.legitimate == count:
                    break
            for judgement in world.oracle.judgements:
                tally.writes[judgement.arrival.wire] += 1
                tally.outside += [("legitimate", first, judgement)] if judgement.faults else []
        finally:
            await world.close()
    return tally


async def one(world: World, attack: Attack, seed: int, number: int, tally: Tally) -> None:
    rng = Random(f"{seed} sequence {number}")
    world.oracle.judgements.clear()
    await world.settle(rng)
    if rng.random() < LEGAL_FIRST:
        refused = await legal(world, rng)
        tally.legitimate += refused is not None
        tally.refusals += [f"sequence {number}: {refused}"] if refused else []
    await attack.sequence(world, rng)
    await world.run(2)
    judged = world.oracle.judgements
    tally.sequences[attack.name] += 1
    tally.stages["apart" if isinstance(world, Apart) else world.wire.name] += 1
    tally.legitimate += len(world.meanwhile)
    tally.refusals += [f"sequence {number}, {attack.name}: {refused}" for refused in world.meanwhile if refused]
    world.meanwhile.clear()
    tally.legal += any(not j.faults for j in judged)
    for judgement in judged:
        tally.writes[judgement.arrival.wire] += 1
        if judgement.faults:
            tally.outside.append((attack.name, number, judgement))
    tally.beats += world.oracle.beats
    world.oracle.beats = 0
