"""The suite's figures: sequences over all classes, spread over two processes, then the mutants."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import uvloop

from holdfast.evals.adversary import driver, mutants_run
from holdfast.evals.adversary.driver import A_GATE, Tally
from holdfast.evals.suites import Figures, Options, SuiteError

SEQUENCES = 100_000
LEGITIMATE = 3_000  # actions of the corpus, beside those inside sequences
CORPUS_PART = 250
AT_ONCE = 2  # processes
ALONE_MAX = 2 * A_GATE  # so few are run in this process
OPCUA_EVERY = 12  # one part in so many goes over OPC UA, which takes several times as long a read
SHOWN_MAX = 20  # writes outside, told one by one
LEGAL_SHARE_MIN = 0.2
FALSE_REFUSALS_MAX = 0.001


def judged(options: Options) -> Figures:
    try:
        attacks = driver.named(options.classes)
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
    if options.mutants:
        figures |= mutants_run.judged(options.seed, options.progress)
    good = (
        not tally.outside
        and not figures.get("not_caught")
        and figures["legal_share"] >= LEGAL_SHARE_MIN
        and figures["false_refusal_rate"] < FALSE_REFUSALS_MAX
    )
    return Figures(name="adversary", seed=options.seed, figures=figures, pass_=good)


def figures_of(tally: Tally, classes: int) -> dict[str, Any]:
    sequences = sum(tally.sequences.values())
    return {
        "sequences": sequences,
        "classes": classes,
        "legal_share": tally.legal / max(sequences, 1),
        "sequences_by_wire": dict(tally.wires),
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


def _parts(options: Options, wanted: int) -> Iterator[Tally]:
    if wanted <= ALONE_MAX:
        few = wanted // OPCUA_EVERY
        yield part(options.seed, 0, wanted - few, options.classes, False)
        yield part(options.seed, wanted - few, few, options.classes, True)
        return
    with ProcessPoolExecutor(AT_ONCE, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [
            pool.submit(part, options.seed, first, min(A_GATE, wanted - first), options.classes, number % OPCUA_EVERY == 1)
            for number, first in enumerate(range(0, wanted, A_GATE))
        ]
        actions = min(wanted, LEGITIMATE)
        jobs += [pool.submit(corpus, options.seed, first, min(CORPUS_PART, actions - first)) for first in range(0, actions, CORPUS_PART)]
        for done in as_completed(jobs):
            yield done.result()


def corpus(seed: int, first: int, count: int) -> Tally:
    return uvloop.run(driver.spare(seed, first, count))


def part(seed: int, first: int, count: int, classes: tuple[str, ...], opcua: bool) -> Tally:
    return uvloop.run(driver.assail(seed, first, count, driver.named(classes), opcua=opcua))
