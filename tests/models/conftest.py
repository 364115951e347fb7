"""What the release ships is no part of these tests: where one is about a shipped model, it ships its own."""

from pathlib import Path

import pytest

from holdfast.site import modellayout


@pytest.fixture(autouse=True)
def nothing_shipped(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("shipped")
    monkeypatch.setattr(modellayout, "SHIPPED", folder)
    return folder
