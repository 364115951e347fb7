"""Alarms that a server raises itself: shown apart from the plant's limits, as that server's words, with nothing to press."""

import dataclasses
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from holdfast.console.house import TEMPLATES
from holdfast.console.pages.alarms import SHAPES, Board
from holdfast.console.shown import Shown
from holdfast.console.visit import Visit
from holdfast.terms import ServerAlarm

ALARM = ServerAlarm(
    connection="mill", id="i=1", source="Tank", name="Level", message="<script>level</script> high", severity=700,
    active=True, acknowledged=False, shelved=False, standing=True, at_ns=1_700_000_000_000_000_000,
)  # fmt: skip


def page(language: str, *, known: bool) -> str:
    server = {"connection": "mill", "known": known, "why": "" if known else "lost", "alarms": [dataclasses.asdict(ALARM)]}
    board = Board(ringing=(), shelved=(), groups=(), findings=(), flood=False, per_10min=0, servers=(server,))
    shown = Shown(language, ZoneInfo("Asia/Shanghai"))
    pages = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return pages.get_template("_alarms_list.html").render(t=shown.t, shown=shown, visit=Visit(), board=board, shapes=SHAPES)


@pytest.mark.parametrize(("language", "says"), [("en", "mill raises 1 alarms itself"), ("zh", "mill 自身的报警：1 条")])
def test_it_is_shown_under_its_server_as_text_and_without_a_button(language: str, says: str) -> None:
    found = page(language, known=True)
    assert says in found
    assert "&lt;script&gt;level&lt;/script&gt; high" in found
    assert "2023-11-15 06:13:20" in found
    assert "<button" not in found


def test_where_the_server_is_not_heard_it_says_that_there_may_be_more_or_fewer() -> None:
    assert "the last that was heard" in page("en", known=False)
    assert "the last that was heard" not in page("en", known=True)
