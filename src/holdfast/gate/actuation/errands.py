"""What the gate does beside its pulse because it may take its time: look at context again, deliver orders, tell of refused egress."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from holdfast.clock import Clock
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.actuation.outbox import Outbox
from holdfast.gate.context.tables import Context
from holdfast.gate.egress import EgressLock, addresses_of, prove
from holdfast.gate.ledger.store import StateError
from holdfast.site.model import Site

ROUND_S = 0.5  # of the clock's seconds, between two rounds


class Errands:
    def __init__(self, *, context: Context, outbox: Outbox, debts: Debts, told: Callable[[], None]) -> None:
        self._context, self._outbox, self._debts, self._told = context, outbox, debts, told
        self._egress: EgressLock | None = None

    def lock(self, site: Site, folder: Path) -> None:
        """Lock this process to the addresses of its site file, try the lock, and put both on record.

        For a process that is a gate and nothing else: it can't be undone. Raises EgressOpen, SecretError, PluginError,
        ValueError.
        """
        allowed = addresses_of(site, folder)
        self._egress = EgressLock(allowed)
        proven = prove(self._egress)
        self._debts.owe("egress", {"state": "locked", "allowed": allowed, "proven": proven})

    async def step(self) -> bool:
        """One round; True if anything happened. While nothing can be recorded, nothing is delivered."""
        if self._context.due():
            await self._context.refresh()
            self._debts.owe_all([("context", body) for body in self._context.news()], ())
        if self._egress is not None and (refused := self._egress.refused()):
            self._debts.owe_all([("egress", body) for body in refused], ())
        if self._debts.fault is not None or not self._outbox.waiting():
            return False
        try:
            delivered = await self._outbox.advance()
        except StateError as error:
            self._debts.ill(error)
            return False
        if delivered:
            self._told()
        return delivered

    async def run(self, clock: Clock) -> None:
        """Rounds, until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(clock.real_s(ROUND_S))
