"""Every reason that a person may meet on the page of models has words, in both languages."""

import re
from pathlib import Path

import pytest

from holdfast.language import say

SOURCE = Path(__file__).parents[2] / "src/holdfast"
FILES = ("site/modelcard.py", "site/modellayout.py", "site/modelroles.py", "gate/actuation/promotions.py", "agent/models/bundles/in_use.py")
CODES = sorted({code for file in FILES for code in re.findall(r'"(model\.[a-z_]+)"', (SOURCE / file).read_text())} - {"model.running"})


def test_there_are_reasons() -> None:
    assert len(CODES) > 20


@pytest.mark.parametrize("code", CODES)
def test_a_reason_has_words(code: str) -> None:
    assert not say(code, {}, "en").startswith("model.")
    assert say(code, {}, "zh") != say(code, {}, "en")
