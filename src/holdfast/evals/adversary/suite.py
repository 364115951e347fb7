"""The suite's figures: sequences over all classes, spread over two processes; or, with mutants, how many of them it notices."""

import gc
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import uvloop

from holdfast.evals.adversary import driver, mutants_run
from holdfast.evals.adversary.driver import A_GATE, Stage, Tally
from holdfast.evals.suites import Figures, Options, SuiteError

SEQUENCES = 100_000
LEGITIMATE = 3_000  # actions of the corpus, beside those inside sequences
CORPUS_SHARE = 0.4  # and no more than that for each sequence of a short run: about half of those have one of their own
CORPUS_PART = 250
AT_ONCE = 2  # processes
ALONE_MAX = 2 * A_GATE  # so few are run in this process
# Parts come in cycles of so many; each twentieth goes over OPC UA, which takes several times as long, and a smaller one to a gate in
# a process of its own, which takes thirty times as long.
CYCLE = 60
STAGES: dict[int, tuple[Stage, int]] = {1: ("opcua", A_GATE), 11: ("apart", 40), 21: ("opcua", A_GATE), 41: ("opcua", A_GATE)}
PLAIN: tuple[Stage, int] = ("modbus", A_GATE)
FEW: dict[Stage, int] = {"opcua": 12, "apart": 40}  # of what is run alone, one in so many
DEAREST: tuple[Stage, ...] = ("apart", "opcua", "modbus")  # first, so that no process is left with it at the end
SHOWN_MAX = 20  # writes outside, told one by one
LEGAL_SHARE_MIN = 0.2
FALSE_REFUSALS_MAX = 0.001


def judged(options: Options) -> Figures:
    if options.mutants:  # a run of its own, that takes about as long
        found = mutants_run.judged(options.seed, options.progress, options.answer)
        return Figures(name="adversary", seed=options.seed, figures=found, pass_=found["mutants_caught"] == found["mutants"])
    try:
        attacks = driver.everything(options.classes)
    except KeyError as error:
        raise SuiteError(f"no class {error.args[0]!r}; there are: {', '.join(driver.ATTACKS)}") from None
    wanted = options.n or SEQUENCES
    tally = Tally()
    for part in _parts(options, wanted):
        tally.add(part)
        options.progress(sum(tally.sequences.values()) / wanted, f"{len(tally.outside)} outside")
    figures = figures_of(tally, len(attacks))
    figures["refused_wrongly"] = tally.refusals[:SHOWN_MAX]
    figures["outside"] = [_told(*found) for found in tally.outside[:SHOWN_MAX]]
    good = not tally.outside and figures["legal_share"] >= LEGAL_SHARE_MIN and figures["false_refusal_rate"] < FALSE_REFUSALS_MAX
    return Figures(name="adversary", seed=options.seed, figures=figures, pass_=good)


def figures_of(tally: Tally, classes: int) -> dict[str, Any]:
    sequences = sum(tally.sequences.values())
    return {
        "sequences": sequences,
        "classes": classes,
        "legal_share": tally.legal / max(sequences, 1),
        "sequences_by_stage": dict(tally.stages),
        "writes_on_wire": sum(tally.writes.values()),
        "writes_by_wire": dict(tally.writes),
        "writes_outside": len(tally.outside),
        "legitimate": tally.legitimate,
        "false_refusal_rate": len(tally.refusals) / max(tally.legitimate, 1),
        "heartbeats": tally.beats,
        "by_class": dict(tally.sequences),
    }


def _told(attack: str, number: int, judgement: Any) -> dict[str, Any]:
    arrival = judgement.arrival
    return {
        "class": attack,
        "sequence": number,
        "tag": arrival.tag,
        "value": arrival.value if arrival.value == arrival.value else None,
        "wire": arrival.wire,
        "bytes": arrival.raw.hex(),
        "faults": list(judgement.faults),
    }


def _plan(wanted: int, classes: tuple[str, ...]) -> list[tuple[Stage, int, int]]:
    """(stage, first, count) of each part; a stage for which none of the classes asked for fits is left to those that do."""
    attacks = driver.everything(classes)
    fit: list[Stage] = [stage for stage in DEAREST if driver.fitting(attacks, stage)]
    found: list[tuple[Stage, int, int]] = []
    first = 0
    while first < wanted:
        stage, size = STAGES.get(len(found) % CYCLE, PLAIN)
        if wanted <= ALONE_MAX:
            stage = DEAREST[len(found)]
            size = wanted // FEW[stage] if stage in FEW else wanted
        size = min(size, wanted - first)
        where: Stage = stage if stage in fit else fit[-1]
        found.append((where, first, size))
        first += size
    return sorted(found, key=lambda part: DEAREST.index(part[0]))


def _parts(options: Options, wanted: int) -> Iterator[Tally]:
    plan = _plan(wanted, options.classes)
    if wanted <= ALONE_MAX:
        for stage, first, count in plan:
            yield part(options.seed, first, count, options.classes, stage)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, mp_context=context, initializer=_collect_seldom) as pool:
        jobs = [pool.submit(part, options.seed, first, count, options.classes, stage) for stage, first, count in plan]
        actions = min(round(wanted * CORPUS_SHARE), LEGITIMATE)
        jobs += [pool.submit(corpus, options.seed, first, min(CORPUS_PART, actions - first)) for first in range(0, actions, CORPUS_PART)]
        for done in as_completed(jobs):
            yield done.result()


def _collect_seldom() -> None:
    """In a process that lives for this run alone: some of its time goes into looking for cycles that aren't there."""
    gc.set_threshold(100_000, 20, 50)


def corpus(seed: int, first: int, count: int) -> Tally:
    return uvloop.run(driver.spare(seed, first, count))


def part(seed: int, first: int, count: int, classes: tuple[str, ...], stage: Stage) -> Tally:
    found = uvloop.run(driver.assail(seed, first, count, driver.everything(classes), stage=stage))
    gc.collect()  # the gate and the plant of this part, which hold on to each other
    return found
