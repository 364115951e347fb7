"""A learned state survives its file, and a changed file is refused."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from holdfast.agent.perception.learned import Learned, load
from holdfast.agent.perception.limits import Limits


@pytest.fixture
def learned() -> Learned:
    rule = Limits(k=2.0)
    rule.fit(np.array([[1.0], [3.0], [1.0], [3.0]]), ["tank/液位"])
    return Learned(
        detector="limits",
        tags=("tank/液位",),
        options=(("k", 2.0),),
        state=rule.save(),
        limit=1.5,
        normal=0.5,
        rows=4,
        calibration="4 rows",
    )


def test_what_was_saved_is_what_is_loaded(learned: Learned, tmp_path: Path) -> None:
    learned.save(tmp_path / "a.learned")
    again = load(tmp_path / "a.learned")
    assert again == learned
    assert again.digest == learned.digest
    again.save(tmp_path / "b.learned")
    assert (tmp_path / "a.learned").read_bytes() == (tmp_path / "b.learned").read_bytes()
    rule = Limits()
    rule.load(again.state)
    assert rule.score(np.array([[6.0]])).tolist() == [2.0]  # (6 - 2) / (2 · 1)


@pytest.mark.parametrize("entry", ["learned.json", "state.bin"])
def test_a_changed_file_is_refused(learned: Learned, tmp_path: Path, entry: str) -> None:
    learned.save(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    held[entry] = held[entry].replace(b"1.5", b"9.5") if entry == "learned.json" else held[entry] + b"x"
    with zipfile.ZipFile(tmp_path / "b", "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="do not match their digest"):
        load(tmp_path / "b")


def test_a_foreign_file_an_absent_one_and_a_cut_one_are_refused_by_name(learned: Learned, tmp_path: Path) -> None:
    (tmp_path / "foreign").write_bytes(b"sample,score\n")
    learned.save(tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-30])
    for name in ("foreign", "absent", "cut"):
        with pytest.raises(ValueError, match=f"{name}: this is no learned state"):
            load(tmp_path / name)
