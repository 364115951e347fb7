"""A backup carries what makes a promotion stand: the model, and the key that vouches for it."""

from pathlib import Path

import pytest
from test_promotion import Models  # pyright: ignore[reportMissingImports]

from holdfast.agent.models.bundles import registry
from holdfast.agent.models.bundles.registry import Registry
from holdfast.run.backup import back_up, restore


def test_a_restored_home_has_the_model_in_force_and_trusts_it(tmp_path: Path) -> None:
    there = Models(tmp_path)
    of = there.put("1")
    there.promote(of)
    there.gate.checkpoint()
    there.gate.close()
    back_up(there.home, tmp_path / "b.tar", at_ns=7)
    bare = tmp_path / "bare"
    restore(tmp_path / "b.tar", bare, at_ns=8)
    found = Registry(bare).find(of)
    assert (found.vouching, found.weights.stat().st_mode & 0o444) == ("trusted", 0o444)


def test_a_large_model_stays_out_and_its_stick_is_needed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CARRIED_BYTES_MAX", 100)
    there = Models(tmp_path)
    there.put("1")
    there.gate.checkpoint()
    there.gate.close()
    made = back_up(there.home, tmp_path / "b.tar", at_ns=7)
    assert [one.path for one in made.files if one.path.startswith("models/")] == ["models/trusted/mill.pem"]
