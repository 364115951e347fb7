"""A plant that only knows things: no writable tag, a policy that permits a note where context says so, stepped by hand."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from holdfast.clock import VirtualClock
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.seal import Cost
from holdfast.gate.process import open_gate
from holdfast.site.load import load
from holdfast.terms import SECOND_NS, Decision, Frame, Order, Proposal

START_NS = 1_772_323_200 * SECOND_NS  # 2026-03-01T00:00:00Z, 08:00 in Shanghai
SITE = """
holdfast: 1
site: {{name: knows, timezone: Asia/Shanghai}}
connections: {{plc: {{type: modbus, host: 127.0.0.1}}}}
equipment:
  stand:
    tags:
      vibration: {{address: "40001:uint16", unit: mm/s}}
      state: {{address: "40002:uint16", states: {{0: maintenance, 1: production}}}}
agents: {{ann: {{autonomy: act}}}}
policy: policy.yaml
context: {context}
outbox: {outbox}
"""


class Knowing:
    def __init__(
        self, folder: Path, context: str, when: str = "true", *, files: Mapping[str, str] | None = None, outbox: str = "{}"
    ) -> None:
        self.folder = folder
        for name, text in (files or {}).items():
            self.write(name, text)
        (folder / "site.yaml").write_text(SITE.format(context=context, outbox=outbox))
        (folder / "policy.yaml").write_text(
            f"revision: 1\nrules:\n  - {{id: tell, effect: permit, tags: [stand], actions: [notify, work_order], when: '{when}'}}\n"
        )
        self.clock = VirtualClock(START_NS)
        self.gate = self._open()
        self._count = 0

    def _open(self) -> Gatekeeper:
        site = load(self.folder / "site.yaml").site
        cheap = Cost(passes=1, memory_kib=8, lanes=1)
        gate, _ = open_gate(site, self.folder / "gate", self.clock, {}, durable=False, cost=cheap, boot="test", site_folder=self.folder)
        return gate

    def again(self) -> None:
        self.gate.close()
        self.gate = self._open()

    def write(self, name: str, text: str | bytes, *, age_s: float = 0.0) -> None:
        """As if written `age_s` before the plant's now."""
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        now_ns = self.clock.now_ns() if hasattr(self, "clock") else START_NS
        at = now_ns - round(age_s * SECOND_NS)
        os.utime(path, ns=(at, at))

    def frame(self, vibration: float, state: float = 1.0, status: int = 0) -> None:
        now = self.clock.now_ns()
        (table,) = self.gate.tables
        self.gate.ingest(
            Frame(
                table=table,
                seq=0,
                received_ns=np.array([now], np.int64),
                source_ns=np.full((1, 2), now, np.int64),
                values=np.array([[vibration, state]]),
                status=np.full((1, 2), status, np.uint32),
            )
        )

    async def later(self, seconds: float = 0.0) -> dict[str, object]:
        """Facts after so many seconds and a round of errands."""
        self.clock.advance(seconds)
        await self.gate.errands.step()
        return {name: value for name, value, _ in self.gate.context.facts(self.clock.now_ns())}

    def note(self, *, kind: str = "notify", text: str = "look at it", id: str = "") -> Decision:
        self._count += 1
        order = Order(kind=kind, target="stand", text=text)  # type: ignore[arg-type]
        return self.gate.propose("ann", Proposal(id=id or f"p{self._count}", incident="i", action=order, reason="because"))

    def records(self, kind: str) -> list[dict[str, object]]:
        return [dict(r.body) for r in self.gate.log.read(0, 10_000) if r.kind == kind]

    def flaws(self) -> list[tuple[str, str]]:
        return [flaw for table in self.gate.context.told(self.clock.now_ns()).tables for flaw in table.flaws]


def failed(decision: Decision) -> dict[str, str]:
    return {r.code: dict(r.facts).get("why", "") for r in decision.reasons if not r.passed}
