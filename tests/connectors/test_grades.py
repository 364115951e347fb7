"""No grade without a test behind it: docs/connectors.json names tests that exist, and docs/connectors.md tells the same grades."""

import ast
import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GRADES: tuple[str, ...] = ("library only", "own files", "own server", "independent server", "fault-injected", "real device")


def problems(graded: dict[str, Any], root: Path) -> list[str]:
    """What is wrong with the grades, a line each with the cure."""
    found: list[str] = []
    for name, entry in graded["connectors"].items():
        grade = entry["grade"]
        if grade not in GRADES:
            found.append(f"{name}: {grade!r} is no grade: write one of {', '.join(GRADES)}")
            continue
        independent = [test for peer in entry["independent"] for test in peer["tests"]]
        rank = GRADES.index(grade)
        needs = {
            "independent": (independent, rank >= GRADES.index("independent server")),
            "faults": (entry["faults"], rank >= GRADES.index("fault-injected")),
            "real": (entry.get("real", []), rank >= GRADES.index("real device")),
            "own": (entry["own"], grade in ("own files", "own server")),
        }
        found += [f"{name}: {grade!r} needs tests under {kind!r}" for kind, (tests, needed) in needs.items() if needed and not tests]
        tests = (*independent, *entry["own"], *entry["faults"], *entry.get("real", []))
        found += [f"{name}: there is no test {test}: name one that exists, or lower the grade" for test in tests if not _exists(test, root)]
    return found


def told(page: str) -> dict[str, str]:
    """Grade of each connector as the table tells people; what stands behind a colon explains."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", page, re.MULTILINE)
    return {name: grade.partition(":")[0].strip() for name, grade in rows}


def _exists(test: str, root: Path) -> bool:
    file, _, name = test.partition("::")
    path = root / file
    if not (path.is_file() and path.name.startswith("test_") and name.startswith("test_")):
        return False
    return name in set(_collected(ast.parse(path.read_text(encoding="utf-8")).body))


def _collected(body: Iterable[ast.stmt]) -> Iterable[str]:
    """Test functions of a module that no mark skips whatever happens."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            if not any(mark.startswith(("pytest.mark.skip(", "pytest.mark.xfail")) or mark == "pytest.mark.skip" for mark in marks):
                yield node.name


@pytest.fixture
def graded() -> dict[str, Any]:
    return json.loads((ROOT / "docs" / "connectors.json").read_text(encoding="utf-8"))


def test_every_grade_has_tests_behind_it(graded: dict[str, Any]) -> None:
    assert problems(graded, ROOT) == []


def test_people_are_told_the_same_grades(graded: dict[str, Any]) -> None:
    page = told((ROOT / "docs" / "connectors.md").read_text(encoding="utf-8"))
    written = {name: entry["grade"] for name, entry in graded["connectors"].items()}
    assert page == {name: written.get(name) for name in page}, "docs/connectors.md and docs/connectors.json must tell the same"


def test_every_connector_that_is_shipped_has_a_grade(graded: dict[str, Any]) -> None:
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]["holdfast.connectors"]
    assert set(shipped) <= set(graded["connectors"]), "add the new connector to docs/connectors.json"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grade": "very good"}, "is no grade"),
        ({"grade": "real device"}, "needs tests under 'real'"),
        ({"faults": []}, "needs tests under 'faults'"),
        ({"independent": []}, "needs tests under 'independent'"),
        ({"faults": ["tests/connectors/test_faults.py::test_that_nobody_wrote"]}, "there is no test"),
        ({"faults": ["tests/connectors/proxy.py::test_x"]}, "there is no test"),
    ],
)
def test_a_grade_without_a_test_is_found(graded: dict[str, Any], change: dict[str, Any], said: str) -> None:
    graded["connectors"] = {"modbus": graded["connectors"]["modbus"] | change}
    (problem,) = problems(graded, ROOT)
    assert said in problem


def test_a_test_that_is_always_skipped_is_none(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("import pytest\n\n@pytest.mark.skip(reason='x')\ndef test_a(): ...\n\ndef test_b(): ...\n")
    assert not _exists("test_x.py::test_a", tmp_path)
    assert _exists("test_x.py::test_b", tmp_path)
