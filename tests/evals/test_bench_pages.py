"""Every page of the console is timed over a generated year, by real processes, and a slow or missing one is told."""

import re
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from holdfast.clock import RealClock
from holdfast.console.app import console_app
from holdfast.evals.bench import pages
from holdfast.evals.suites import Options

# No pages of their own: streams and files, and the first administrator's, which is there only before the year.
NOT_TIMED = {"/live", "/health", "/static/{file_path:path}", "/ledger/verify/run", "/ledger/export", "/ask/{question:str}/steps", "/set-up"}


def of_console() -> list[str]:
    app = console_app(Path("nowhere"), RealClock(), bytes(32), language="en", secure=False)
    return [r.path_format for r in app.routes if isinstance(r, HTTPRoute) and "GET" in r.methods and r.path not in NOT_TIMED]


def test_no_page_of_the_console_is_left_out() -> None:
    asked = [re.sub(r"\{\w+\}", "x", page.partition("?")[0]) for page in pages.PAGES]
    routes = [re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)) for path in of_console()]
    assert len(routes) > 30
    assert [route.pattern for route in routes if not any(route.fullmatch(path) for path in asked)] == []


def test_a_small_year_is_paged_through_and_every_page_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "ROUNDS", 1)
    figures = pages.run(Options(n=2_000)).figures
    assert figures["wrong"] == []
    assert figures["records"] > 2_000
    assert set(figures["page_ms"]) == set(pages.PAGES)
    assert all(told["max"] > 0 for told in figures["page_ms"].values())


@pytest.mark.parametrize(("slowest_ms", "wrong", "so"), [(200.0, [], True), (200.1, [], False), (9.0, ["/alarms: 500"], False)])
def test_a_slow_or_a_broken_page_falls_short(slowest_ms: float, wrong: list[str], so: bool) -> None:
    figures: dict[str, Any] = {"slowest_ms": slowest_ms, "wrong": wrong}
    assert pages.good(figures) is so
