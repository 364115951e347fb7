"""Mutants: every place that decides has one or a stated reason for none, each is undone, and the suite notices a broken gate."""

import ast
import asyncio
import tempfile
from pathlib import Path
from random import Random

import pytest

from holdfast.evals.adversary import driver, mutants_run
from holdfast.evals.adversary.edges import EDGES
from holdfast.evals.adversary.mutants import Mutant, all_mutants, broken, judged_mutants, module_of
from holdfast.evals.adversary.mutants_exempt import EXEMPT, UNATTACKED, exempt, unattacked
from holdfast.evals.adversary.mutants_found import FILES, found, functions, span, tree
from holdfast.evals.adversary.mutants_likely import LIKELY
from holdfast.evals.adversary.mutants_listed import listed
from holdfast.evals.adversary.world import World
from holdfast.gate.guard import decide, physics, readings, standing

ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
IDENTITY = (ast.Is, ast.IsNot)


def edits_of(file: str) -> set[tuple[int, int]]:
    return {(edit.start, edit.end) for mutant in all_mutants() for edit in mutant.edits if edit.file == file}


@pytest.mark.parametrize("file", FILES)
def test_every_comparison_has_its_mutants(file: str) -> None:
    """Counted here from the tree alone: between the two sides of each comparison, two edits for <, <=, >, >=, one for the others."""
    edits = [edit for mutant in all_mutants() for edit in mutant.edits if edit.file == file and mutant.name.startswith(file)]
    for within, function in functions(file):
        for node in ast.walk(function):
            if not isinstance(node, ast.Compare):
                continue
            left: ast.expr = node.left
            for op, right in zip(node.ops, node.comparators, strict=True):
                place = (span(file, left)[1], span(file, right)[0])
                here = [edit for edit in edits if (edit.start, edit.end) == place]
                wanted = 2 if isinstance(op, ORDER) else 0 if isinstance(op, IDENTITY) else 1
                assert len(here) >= wanted, f"{file} {within}: {ast.unparse(node)}"
                left = right


@pytest.mark.parametrize("file", FILES)
def test_no_comparison_hides_outside_the_functions(file: str) -> None:
    inside = {node for _, function in functions(file) for node in ast.walk(function)}
    assert [ast.unparse(node) for node in ast.walk(tree(file)) if isinstance(node, ast.Compare) and node not in inside] == []


def test_every_check_of_the_guard_has_a_mutant() -> None:
    names = {mutant.name for mutant in all_mutants()}
    assert {f"without {name}" for name, _ in (*decide.BEFORE_POLICY, *decide.AFTER_POLICY)} <= names


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("guard/")])
def test_every_failed_reason_of_the_guard_has_a_mutant(file: str) -> None:
    """By itself, or by the ruling against that it is a part of."""
    edits = edits_of(file)
    for within, function in functions(file):
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or within == "failed":
                continue
            if node.func.id == "failed":
                start, end = span(file, node)
                assert any(first <= start and end <= last for first, last in edits), f"{file} {within}: {ast.unparse(node)}"
            elif node.func.id == "judged" and not isinstance(node.args[2], ast.Constant):
                assert span(file, node.args[2]) in edits, f"{file} {within}: {ast.unparse(node)}"


def test_a_reason_is_made_in_no_other_way() -> None:
    """`passed` and `settled` can't refuse; `failed` and `judged` have mutants. Whoever adds a fifth must teach the finder."""
    makers = [
        within
        for within, function in functions("guard/case.py")
        if any(isinstance(node, ast.Call) and ast.unparse(node.func) in ("_reason", "Reason") for node in ast.walk(function))
    ]
    assert set(makers) <= {"passed", "settled", "failed", "judged"}
    for file in FILES:
        made = [ast.unparse(node) for node in ast.walk(tree(file)) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Reason"]
        assert [call for call in made if file.startswith("guard/") and "passed=True" not in call] == []


def test_every_number_that_a_file_names_has_a_larger_and_a_smaller_one() -> None:
    constants = {(edit.file, edit.constant) for mutant in all_mutants() for edit in mutant.edits if edit.constant}
    for known in (
        ("guard/readings.py", "SKEW_S_MAX"),
        ("guard/standing.py", "FLOAT32_ROUNDING"),
        ("guard/wellformed.py", "VALID_S_MIN"),
        ("guard/rules.py", "FACT_AGE_S_MAX"),
        ("actuation/watchdog.py", "AGENT_SILENT_S"),
        ("approval/inbox.py", "VALID_S_MAX"),
    ):
        assert known in constants


def test_no_two_mutants_have_one_name() -> None:
    names = [mutant.name for mutant in all_mutants()]
    assert len(set(names)) == len(names)


def test_every_exemption_and_every_hint_is_about_something() -> None:
    names = [mutant.name for mutant in all_mutants()]
    assert [beginning for beginning in (*EXEMPT, *UNATTACKED, *LIKELY) if not any(f"{name}.".startswith(beginning) for name in names)] == []
    assert all((*EXEMPT.values(), *UNATTACKED.values()))
    assert [name for name in names if exempt(name) and unattacked(name)] == []


def test_every_hint_names_a_class_that_there_is() -> None:
    there = {attack.name for attack in driver.named(())}
    assert [beginning for beginning, classes in LIKELY.items() if not there & set(classes)] == []


def test_what_is_exempt_is_few_and_not_hunted() -> None:
    hunted = {mutant.name for mutant in judged_mutants()}
    assert hunted == {mutant.name for mutant in all_mutants() if not exempt(mutant.name)}


def test_a_mutant_changes_what_runs_and_is_undone() -> None:
    for mutant in (*found()[::5], *listed()):
        before = running(mutant)
        with broken(mutant):
            assert running(mutant) != before, mutant.name
        assert running(mutant) == before, mutant.name


def running(mutant: Mutant) -> list[object]:
    """The code, or the constants, that the mutant is about."""
    now: list[object] = []
    for edit in mutant.edits:
        owner: object = module_of(edit.file)
        for name in (edit.within or edit.constant).split("."):
            owner = vars(owner)[name]
        for decorated in ("fget", "_make", "__func__", "__wrapped__"):
            owner = getattr(owner, decorated, owner)
        now.append(getattr(owner, "__code__", owner))
    return now


def test_a_constant_is_another_wherever_it_was_imported() -> None:
    (twice,) = (mutant for mutant in all_mutants() if mutant.name == "guard/readings.py SKEW_S_MAX twice")
    with broken(twice):
        assert readings.SKEW_S_MAX == standing.SKEW_S_MAX == 20.0
    assert readings.SKEW_S_MAX == standing.SKEW_S_MAX == 10.0


def test_who_imported_a_function_before_runs_what_it_became() -> None:
    held = physics.step
    (mutant,) = (m for m in all_mutants() if m.name == "guard/physics.py _step: wide <= bound.step as <")
    before = held.__globals__["_step"].__code__
    with broken(mutant):
        assert held.__globals__["_step"].__code__ is not before
    assert held.__globals__["_step"].__code__ is before


@pytest.mark.parametrize("name", EDGES)
def test_what_is_exactly_at_a_limit_is_let_through(name: str, tmp_path: Path) -> None:
    async def refused() -> tuple[str, list[tuple[str, ...]]]:
        world = World(tmp_path, Random(name))
        await world.start()
        try:
            await world.settle(Random(name))
            world.oracle.judgements.clear()
            told = await EDGES[name](world, Random(name))
            return told, [judged.faults for judged in world.oracle.judgements if judged.faults]
        finally:
            await world.close()

    assert asyncio.run(refused()) == ("", [])


ON_THE_WIRE = (
    "without envelope.range",
    "without envelope.rate",
    "without stop",
    "no second look",
    "a yes binds nothing",
    "approval/standing.py objection: 'approval.self' is no fault",
    "no intent on record",
    "sent again when not acknowledged",
    "downtime counts as time",
    "a first value is movement",
)
REFUSED = ("guard/physics.py _step: wide <= bound.step as <", "guard/physics.py _dwell: since_ns >= bound.dwell_ns as >")


def mutant_of(name: str) -> Mutant:
    return next(mutant for mutant in all_mutants() if mutant.name == name)


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_a_gate_broken_on_purpose_is_noticed_on_the_wire(name: str) -> None:
    assert asyncio.run(mutants_run.hunt(mutant_of(name), 1, rounds=1)).way == "wire"


@pytest.mark.parametrize("name", REFUSED)
def test_a_limit_one_too_strict_is_noticed_by_what_it_refuses(name: str) -> None:
    assert asyncio.run(mutants_run.hunt(mutant_of(name), 1, rounds=1)).way == "refused"


def test_a_mutant_runs_in_a_process_of_its_own_and_leaves_nothing() -> None:
    before = set(Path(tempfile.gettempdir()).glob("holdfast-mutant*"))
    ((mutant, came),) = mutants_run.noticed((mutant_of("without envelope.step"),), 1, rounds=1)
    assert (mutant.name, came.way) == ("without envelope.step", "wire")
    assert set(Path(tempfile.gettempdir()).glob("holdfast-mutant*")) <= before
