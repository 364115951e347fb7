"""A model's second opinion on a diagnosis, published beside the rules' own: marked as the model's, and nothing is done by it.

One is asked for whenever another cause comes first, one at a time, beside the agent's work. What the rules ranked stays what it is: the
opinion names another order with what speaks for each cause that it moved up. One that drops a cause is not published; the log says so.
"""

import asyncio
import contextlib
import logging
from collections import deque
from pathlib import Path

from holdfast.agent.ask.modelled import opened
from holdfast.agent.ask.rerank import Reranked, rerank
from holdfast.agent.models.serving.router import Router
from holdfast.agent.tools.look import Look
from holdfast.agent.tools.named import label_in
from holdfast.clock import Clock
from holdfast.language import say
from holdfast.link import Link, LinkError
from holdfast.site.model import Site
from holdfast.terms import Diagnosis, Report, ReportText

SKILL = "rerank"
WAITING_MAX = 4  # the oldest is let go: a newer diagnosis says more
TIME_S = 20.0
LOG = logging.getLogger(__name__)


class Opinions:
    """`hear` takes what was told; `step` asks about the next of it, and returns at once. Raises nothing."""

    def __init__(self, link: Link, site: Site, router: Router, clock: Clock) -> None:
        self._link, self._site, self._router = link, site, router
        self._look = Look(link, site, None, clock)
        self._waiting: deque[tuple[Diagnosis, Report]] = deque(maxlen=WAITING_MAX)
        self._beside: asyncio.Task[None] | None = None

    def hear(self, diagnosis: Diagnosis, report: Report) -> None:
        """A diagnosis that puts another cause first, with what was published of it."""
        self._waiting.append((diagnosis, report))

    def step(self) -> None:
        if self._waiting and (self._beside is None or self._beside.done()):
            self._beside = asyncio.create_task(self._ask(*self._waiting.popleft()))

    async def settled(self) -> None:
        """Once nothing is asked any more."""
        while self._waiting or (self._beside is not None and not self._beside.done()):
            self.step()
            if self._beside is not None:
                await self._beside

    async def close(self) -> None:
        if self._beside is not None:
            self._beside.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beside
        await self._router.close()

    async def _ask(self, diagnosis: Diagnosis, report: Report) -> None:
        try:
            label = label_in(self._look, diagnosis, "site")
            found = await rerank(diagnosis, self._router, language=self._site.language, label=label, deadline_s=TIME_S)
            if found.code == "llm.reordered":
                text = ReportText(text=self._said(found), language=self._site.language, made_by=found.made_by)
                await self._link.publish(Report(id=f"{report.id}-opinion", incident=report.incident, texts=(*report.texts, text)))
            elif found.code not in ("llm.same_order", "llm.none"):
                LOG.warning("%s: %s", diagnosis.id, say(found.code, dict(found.facts), "en"))
        except LinkError as error:
            LOG.warning("an opinion on %s could not be published: %s", diagnosis.id, error)
        except Exception:  # an opinion is never worth an agent
            LOG.exception("no opinion on %s", diagnosis.id)

    def _said(self, found: Reranked) -> str:
        language = self._site.language
        lines = [say("llm.opinion", {"order": " > ".join(found.order)}, language)]
        for one in found.opinions:
            cited = "; ".join(f"{evidence.quote} [{evidence.ref}]" for evidence in one.cites)
            lines.append(f"{one.mode}: {one.why}{f' ({cited})' if cited else ''}")
        return "\n".join(lines)


def opinions_of(link: Link, site: Site, *, clock: Clock, sockets: Path | None) -> Opinions | None:
    """None where the site lists no model for it, or none can be reached from here. `sockets`: where the ways to endpoints lie."""
    listed = [one for one in site.models if SKILL in one.skills]
    engines, _ = opened(listed, sockets) if listed else ({}, "")
    return Opinions(link, site, Router([one for one in listed if one.name in engines], engines, clock), clock) if engines else None
