"""What an agent wrote is shown in a terminal and steers none: no escape sequence, no turned direction."""

import pytest
import typer

from holdfast.cli.render import Answer, fail, render

STEERS = "f1\x1b]0;taken\x07\x1b[2J\x9b2J\r\u202e\u2066"


def test_no_sign_that_steers_a_terminal_comes_through_the_renderer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        render(Answer(data={}, title=STEERS, columns=("a",), rows=((STEERS,),), lines=(STEERS, "4号机架\t1.5 µm")), json=False)
    with pytest.raises(typer.Exit):
        fail(STEERS)
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "f1" in text
        assert not set(text) & set(STEERS[2:]) - set("]0;taken[2J")
    assert "4号机架" in told.out
    assert "1.5 µm" in told.out
