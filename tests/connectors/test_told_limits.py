"""A server's own limits are asked for at connect; what it doesn't say bounds nothing, and a silent server holds nobody up for long."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.gate.connectors.limits import told_by
from holdfast.terms import ServerLimit, Tag

SP = Tag(name="stand/sp", connection="plc", address="ns=2;s=SP", unit="kN", writable=True)
PV = Tag(name="stand/pv", connection="plc", address="ns=2;s=PV", unit="kN")


class Server:
    def __init__(self, *shown: Tag) -> None:
        self.shown = shown

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        for tag in self.shown:
            yield tag


class Closed(Server):
    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        raise NotImplementedError
        yield SP


def there(address: str, span: Any, *, writable: bool = True) -> Tag:
    return Tag(name=address, connection="", address=address, unit="kN", eu_range=span, writable=writable)


@pytest.mark.parametrize(
    ("span", "wanted"),
    [((90.0, 110.0), (90.0, 110.0)), ((0.0, 0.0), None), ((110.0, 90.0), None), ((float("nan"), 1.0), None), (None, None)],
)
async def test_a_range_that_is_one_is_taken(span: Any, wanted: Any) -> None:
    server: Any = Server(there("ns=2;s=Other", (0.0, 1.0)), there("ns=2;s=SP", span))
    assert await told_by(server, (SP, PV)) == (ServerLimit(tag="stand/sp", range=wanted, writable=True),)


async def test_an_account_that_may_not_write_is_told() -> None:
    server: Any = Server(there("ns=2;s=SP", None, writable=False))
    assert await told_by(server, (SP,)) == (ServerLimit(tag="stand/sp", writable=False),)


@pytest.mark.parametrize("server", [Server(), Closed()])
async def test_who_shows_nothing_bounds_nothing(server: Any) -> None:
    assert await told_by(server, (SP, PV)) == ()


async def test_a_server_without_written_tags_is_not_browsed() -> None:
    assert await told_by(Closed(), (PV,)) == ()  # type: ignore[arg-type]
