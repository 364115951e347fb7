"""The micro-model that the release ships: small, verified, the same bits again, made by a generator that knows no plant."""

import random
from collections import Counter

from holdfast.agent.models.bundles.bundle import shipped_model
from holdfast.agent.models.requests.both import BothReader, model
from holdfast.agent.models.requests.task import KINDS as TASKS
from holdfast.agent.models.requests.task import Request
from holdfast.evals.requests.suite import OPEN, OWN, read_cases
from holdfast.run.mill import mill_site
from holdfast.training.requests_worlds import KINDS, make

BYTES_MAX = 5_000_000


def test_the_shipped_model_is_small_and_tells_the_kinds_of_the_reader() -> None:
    bundle = shipped_model("requests")
    assert bundle.weights.stat().st_size < BYTES_MAX
    assert set(model().classes) == {*TASKS, "unsafe", "outside"} == set(KINDS)
    assert model().mark("把张力设到103") == model().mark("把张力设到103")


def test_with_the_model_a_look_in_other_words_is_read_and_nothing_unsafe_is_taken() -> None:
    reader = BothReader(mill_site().site, model())
    assert reader.read("震动值念给我听") == Request(kind="show", tag="stand-4/vibration")
    for name in OPEN:
        for case in read_cases(OWN.with_name(name)):
            if case["expected"].get("refuse") == "unsafe":
                assert reader.read(case["text"]).kind == ""


def test_the_generator_gives_the_same_requests_for_the_same_seed_and_marks_what_it_says() -> None:
    one, other = ([make(source) for _ in range(300)] for source in (random.Random(5), random.Random(5)))
    assert one == other
    assert set(Counter(example.kind for example in one)) == set(KINDS)
    for example in one:
        assert all(0 <= span.start < span.end <= len(example.text) for span in example.spans)


def test_the_generator_copies_no_request_of_the_hand_written_sets() -> None:
    source = random.Random(9)
    made = {make(source).text.lower() for _ in range(5000)}
    written = {case["text"].lower() for name in OPEN for case in read_cases(OWN.with_name(name))}
    assert len(made & written) <= len(written) * 0.06, sorted(made & written)  # "stop" is "stop" in every plant
