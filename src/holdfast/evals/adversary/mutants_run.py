"""The mutation run: each mutant in a process of its own, attacked until the suite notices or the bound is reached.

The suite can notice in three ways, told apart: a write outside reached the wire (`wire`), a legitimate action was refused or a
heartbeat stayed away (`refused`), or the gate broke down (`broke`). After the second or third it is attacked for a while longer,
since a write outside says more.
"""

import contextlib
import dataclasses
import logging
import multiprocessing
import os
import re
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Literal

import uvloop

from holdfast.evals.adversary import driver
from holdfast.evals.adversary.catalogue import Attack
from holdfast.evals.adversary.driver import Tally
from holdfast.evals.adversary.edges import EDGES
from holdfast.evals.adversary.mutants import Mutant, all_mutants, broken
from holdfast.evals.adversary.mutants_exempt import exempt, unattacked
from holdfast.evals.adversary.mutants_likely import likely, over_opcua
from holdfast.evals.adversary.world import World
from holdfast.terms import Word

LIKELY_MAX = 240  # sequences of the classes that are likely to notice; then the corpus at the edges; then of all classes
ROUNDS = 2  # of all classes
OPCUA_ROUNDS = 1
LONGER_MAX = 10  # sequences after a refusal or a breakdown, for a write outside to show
MUTANT_CPU_S_MAX = 240  # a dozen times what the slowest hunt takes; a process that needs more has broken down
MUTANT_S_MAX = 1800.0  # on a machine that has other things to do; a mutant that was not noticed until then is not caught
NOTHING = Mutant(name="nothing broken", edits=())
Way = Literal["wire", "refused", "broke", ""]
_RANK: tuple[Way, ...] = ("", "broke", "refused", "wire")


SHIFTED = re.compile(r"(<=? .* as <=?|>=? .* as >=?)( #\d+)?$")  # by one: what is exactly at the limit shows it soonest
_Plan = tuple[Sequence[Attack], int, bool]  # attacks, how many sequences, over OPC UA; no attacks: the corpus at the edges


class Noticed(Word):
    """What came of one mutant; `way` "" where the suite did not notice."""

    way: Way = ""
    by: str = ""  # class of attack, or edge of the corpus
    what: str = ""
    sequences: int = 0
    cpu_s: float = 0.0


class _Hunt:
    """The best that was found so far, and how long to go on."""

    def __init__(self, longer: int) -> None:
        self._longer = longer
        self.found = Noticed()
        self.sequences = 0
        self._until: int | None = None

    def saw(self, way: Way, by: str, what: str) -> None:
        if _RANK.index(way) > _RANK.index(self.found.way):
            self.found = Noticed(way=way, by=by, what=what[:300], sequences=self.sequences)
            self._until = self._until or self.sequences + self._longer

    @property
    def over(self) -> bool:
        return self.found.way == "wire" or (self._until is not None and self.sequences >= self._until)


async def hunt(mutant: Mutant, seed: int, *, rounds: int = ROUNDS) -> Noticed:
    """Attack the gate with the mutant in place, in this process; undone when it returns."""
    everyone, hinted = driver.named(()), likely(mutant.name)
    on_modbus, on_opcua = driver.fitting(everyone, "modbus"), driver.fitting(everyone, "opcua")
    over = over_opcua(mutant.name)
    first = tuple(attack for attack in (on_opcua if over else on_modbus) if attack.name in hinted)
    hints: _Plan = (first, LIKELY_MAX if first else 0, over)
    edges: _Plan = ((), 0, over)
    phases = [edges, hints] if SHIFTED.search(mutant.name) else [hints, edges]
    phases += [(on_modbus, rounds * len(on_modbus), False)]
    phases += [((), 0, True), (on_opcua, OPCUA_ROUNDS * len(on_opcua), True)] if rounds >= ROUNDS else []
    state = _Hunt(0 if SHIFTED.search(mutant.name) else LONGER_MAX)
    with broken(mutant):
        for attacks, count, opcua in dict.fromkeys(phases):  # no hints: the edges come first and once
            await _phase(state, seed, attacks, count, opcua)
            if state.over:
                break
    return state.found


async def _phase(state: _Hunt, seed: int, attacks: Sequence[Attack], count: int, opcua: bool) -> None:
    """Sequences of attacks, or the corpus at the edges where there are none, over one gate."""
    with tempfile.TemporaryDirectory(prefix="holdfast-mutant-") as folder:
        world = World(Path(folder), Random(f"{seed} mutants"), opcua=opcua)
        try:
            await world.start()
            for number in range(count):
                attack = attacks[number % len(attacks)]
                await _sequence(state, world, attack, seed, number)
                if state.over:
                    return
            if not attacks:
                await _edges(state, world, seed)
        except Exception as error:  # noqa: BLE001 - whatever the broken gate breaks
            state.saw("broke", "start", repr(error))
        finally:
            with contextlib.suppress(Exception):
                await world.close()


async def _sequence(state: _Hunt, world: World, attack: Attack, seed: int, number: int) -> None:
    tally = Tally()
    try:
        await driver.one(world, attack, seed, number, tally)
    except Exception as error:  # noqa: BLE001 - whatever the broken gate breaks
        state.saw("broke", attack.name, repr(error))
    state.sequences += 1
    for refusal in tally.refusals:
        state.saw("refused", "legitimate", refusal)
    _look(state, world, attack.name)


async def _edges(state: _Hunt, world: World, seed: int) -> None:
    for name, edge in EDGES.items():
        rng = Random(f"{seed} edge {name}")
        world.oracle.judgements.clear()
        try:
            await world.settle(rng)
            if refused := await edge(world, rng):
                state.saw("refused", name, refused)
        except Exception as error:  # noqa: BLE001 - whatever the broken gate breaks
            state.saw("broke", name, repr(error))
        state.sequences += 1
        _look(state, world, name)
        if state.over:
            return


def _look(state: _Hunt, world: World, by: str) -> None:
    for judgement in world.oracle.judgements:
        if judgement.faults:
            state.saw("wire", by, f"{judgement.arrival.tag} = {judgement.arrival.value}: {', '.join(judgement.faults)}")


# ---- each in a process of its own ------------------------------------------------------------------------------------


def noticed(mutants: Sequence[Mutant], seed: int, *, rounds: int = ROUNDS) -> Iterator[tuple[Mutant, Noticed]]:
    """Each mutant and what came of it, one process after another; one that hangs has broken down."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # once for all of them
    for mutant in mutants:
        with tempfile.TemporaryDirectory(prefix="holdfast-mutants-") as folder:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_alone, args=(mutant, seed, rounds, folder, theirs), daemon=True)
            process.start()
            theirs.close()
            found = Noticed()
            try:
                if ours.poll(MUTANT_S_MAX):
                    found = ours.recv()
            except EOFError:
                found = Noticed(way="broke", what="its process ended, or did not come to an end")
            process.kill()
            process.join()
            ours.close()
        yield mutant, found


def _alone(mutant: Mutant, seed: int, rounds: int, folder: str, answer: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (MUTANT_CPU_S_MAX, MUTANT_CPU_S_MAX))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what breaks is told in the figures
    logging.disable(logging.CRITICAL)
    tempfile.tempdir = folder  # taken away by the parent, however this ends
    found = uvloop.run(hunt(mutant, seed, rounds=rounds))
    answer.send(dataclasses.replace(found, cpu_s=time.process_time()))


def judged(seed: int, progress: Callable[[float, str], None], answer: Callable[[str, Any], None]) -> dict[str, Any]:
    """The figures of the whole run; `not_caught` names what the suite did not notice. `answer` is told of each as it comes."""
    every, begun = all_mutants(), time.perf_counter()
    counted = [mutant for mutant in every if not exempt(mutant.name)]
    hunted = [mutant for mutant in counted if not unattacked(mutant.name)]
    ((_, control),) = noticed((NOTHING,), seed)  # of a whole gate the suite must notice nothing, or noticing means nothing
    ways: Counter[str] = Counter()
    by: dict[str, str] = {}
    cpu_s = control.cpu_s
    for number, (mutant, found) in enumerate(noticed(hunted, seed)):
        ways[found.way] += 1
        cpu_s += found.cpu_s
        answer(mutant.name, found)
        by[mutant.name] = f"{found.way} after {found.sequences}, {found.by}: {found.what}" if found.way else "NOT CAUGHT"
        progress((number + 1) / len(hunted), f"mutants: {ways['']} of {number + 1} not caught")
    return {
        "mutants": len(counted),
        "mutants_caught": 0 if control.way else len(hunted) - ways[""],
        "mutants_caught_outside": ways["wire"],
        "mutants_caught_refused": ways["refused"],
        "mutants_caught_broke": ways["broke"],
        "whole_gate_noticed": f"{control.way} {control.by}: {control.what}" if control.way else "",
        "mutants_exempt": len(every) - len(counted),
        "mutants_s": round(time.perf_counter() - begun, 1),
        "mutants_cpu_s": round(cpu_s, 1),
        "not_caught": [name for name, told in by.items() if told == "NOT CAUGHT"],
        "not_attacked": [mutant.name for mutant in counted if unattacked(mutant.name)],
        "by_mutant": by,
    }
