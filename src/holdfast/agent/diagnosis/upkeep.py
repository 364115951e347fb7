"""Keeps each detector on the state that is in force: offers the first, follows what changes, relearns when asked, tells of drift.

Nothing is adopted here. A state that this agent learned without one being in force is offered, and is in force by the gate's word; a
candidate that a person asked for is offered with evidence and waits for people, while the detector stays on what is in force.
"""

import contextlib
from collections.abc import Callable, Sequence

from holdfast.agent.diagnosis.candidate import NotQuiet, evidence, learned_anew
from holdfast.agent.diagnosis.past import past_rows
from holdfast.agent.diagnosis.watch import Watch
from holdfast.agent.diagnosis.wording import Language
from holdfast.language import say
from holdfast.link import DetectorTold, LearnedOffer, LearnedStanding, Link, LinkRefused, RelearnDeclined
from holdfast.site.model import Site
from holdfast.site.quiet import conditions
from holdfast.terms import SECOND_NS, Adopt, Proposal, TagTable

LOOK_NS = 10 * SECOND_NS  # between looks at what is in force and asked for
TELL_NS = 30 * SECOND_NS
MARGIN_ROWS = 60  # asked of the history beyond what is needed: some of the newest are not joined yet
VALID_S = 8 * 3600.0  # people have a shift to decide on a candidate
WAITING_MAX = 16  # proposals whose answer was lost


class Upkeep:
    """`busy` says whether something of a watch's is being pursued: then it learns nothing."""

    def __init__(
        self,
        link: Link,
        site: Site,
        watches: Sequence[Watch],
        tables: Sequence[TagTable],
        tags: Sequence[str],
        busy: Callable[[Watch], bool],
    ) -> None:
        self._link, self._site, self._watches = link, site, tuple(watches)
        self._tables, self._tags, self._busy = tuple(tables), tuple(tags), busy
        self.drift: tuple[tuple[str, float], ...] = ()  # (detector, wanders) of those whose normal state moved
        self._offered: set[str] = set()  # names whose own state the gate has, or has refused
        self._trouble: dict[str, str] = {}
        self._done: dict[str, str] = {}  # by detector: the request that was answered last
        self._proposals: list[Proposal] = []
        self._made: tuple[LearnedOffer, bytes, Proposal] | None = None  # the last candidate, whole: a lost answer is asked for again
        self._looked_ns = self._told_ns = -(10**18)

    async def begin(self) -> None:
        """Before the first row: take over what is in force. Raises LinkError."""
        if self._watches:
            await self._follow(await self._link.learned())

    async def step(self, now_ns: int) -> None:
        """Do what is due. Raises LinkError where the gate is away; what is lost by it is done again."""
        for watch in self._watches:
            if watch.quiet is not None and watch.spec.name not in self._offered:
                await self._offer_own(watch, now_ns)
        if self._made is not None:
            await self._put_forward(*self._made)
        for proposal in tuple(self._proposals):
            await self._propose(proposal)
        if self._watches and now_ns - self._looked_ns >= LOOK_NS:
            standings = await self._link.learned()
            self._looked_ns = now_ns
            await self._follow(standings)
            for standing in standings:
                if standing.relearn and self._done.get(standing.name) != standing.relearn:
                    await self._answer(standing, now_ns)
        if self._watches and now_ns - self._told_ns >= TELL_NS:
            told = tuple(self._of(watch) for watch in self._watches)
            self.drift = tuple((one.name, one.drift) for one in told if one.drifted and one.drift is not None)
            await self._link.tell_detectors(told)
            self._told_ns = now_ns

    def _of(self, watch: Watch) -> DetectorTold:
        learning, drift = watch.learning, watch.drift
        worst = None if drift is None else drift.worst
        return DetectorTold(
            name=watch.spec.name,
            digest=watch.digest,
            learning=1.0 if learning is None else round(learning, 3),
            active=watch.active is not None,
            drift=None if worst is None else round(worst, 2),
            drifted=drift is not None and drift.judge(),
            tags=() if drift is None else drift.furthest(),
            trouble=self._trouble.get(watch.spec.name, "") or watch.off,
        )

    # ---- what is in force ----------------------------------------------------------------------------------------------

    async def _follow(self, standings: Sequence[LearnedStanding]) -> None:
        by_name = {watch.spec.name: watch for watch in self._watches}
        for standing in standings:
            watch = by_name.get(standing.name)
            if watch is None or not standing.in_force:
                continue
            self._offered.add(standing.name)
            if watch.digest != standing.in_force:
                await self._load(watch, standing.in_force)

    async def _load(self, watch: Watch, of: str) -> None:
        """What can't be used is said, and leaves the detector as it is: learning something else in its place would be silent."""
        name, state = watch.spec.name, await self._link.learned_state(of)
        watch.held = watch.quiet is None
        if state is None:
            self._trouble[name] = "learned.gone"
            return
        try:
            watch.load(state)
            self._trouble.pop(name, None)
        except ValueError:
            self._trouble[name] = "learned.unreadable"

    async def _offer_own(self, watch: Watch, now_ns: int) -> None:
        """What was learned where nothing was in force, by this run or by one of an older release that kept it in the agent's folder."""
        rows, from_ns, to_ns = watch.stretch
        if not rows:  # it was loaded, and the stretch is not in it
            rows, from_ns, to_ns = 0 if watch.quiet is None else watch.quiet.rows, now_ns, now_ns
        offer = LearnedOffer(name=watch.spec.name, rows=max(rows, 1), from_ns=from_ns, to_ns=to_ns)
        try:
            standing = await self._link.offer_learned(offer, watch.save())
        except LinkRefused:
            self._offered.add(watch.spec.name)
            self._trouble[watch.spec.name] = "learned.refused"
            return
        self._offered.add(watch.spec.name)
        await self._follow((standing,))

    # ---- a candidate ---------------------------------------------------------------------------------------------------

    async def _answer(self, standing: LearnedStanding, now_ns: int) -> None:
        watch = next(watch for watch in self._watches if watch.spec.name == standing.name)
        try:
            await self._relearn(watch, standing.relearn, now_ns)
        except NotQuiet as no:
            await self._decline(standing.relearn, no)
        except LinkRefused:
            pass  # another agent was quicker, or it took too long: the gate knows of it
        self._done[standing.name] = standing.relearn

    async def _decline(self, relearn: str, no: NotQuiet) -> None:
        try:
            await self._link.decline_relearn(RelearnDeclined(relearn=relearn, code=no.code, facts=tuple(no.facts.items())))
        except LinkRefused:
            return

    async def _relearn(self, watch: Watch, relearn: str, now_ns: int) -> None:
        if watch.active is not None or watch.stuck_now or self._busy(watch):
            raise NotQuiet("relearn.incident", name=watch.spec.name)
        self._made = await self._candidate(watch, relearn, now_ns)
        await self._put_forward(*self._made)

    async def _put_forward(self, offer: LearnedOffer, state: bytes, proposal: Proposal) -> None:
        """Raises LinkError: then it is done again, with the same bytes."""
        try:
            await self._link.offer_learned(offer, state)
        except LinkRefused:
            self._made = None  # another agent was quicker, or it took too long: the gate knows of it
            return
        self._made = None
        self._proposals.append(proposal)
        del self._proposals[:-WAITING_MAX]
        await self._propose(proposal)

    async def _candidate(self, watch: Watch, relearn: str, now_ns: int) -> tuple[LearnedOffer, bytes, Proposal]:
        rows = await past_rows(self._link, self._tables, self._tags, watch.rows_wanted + MARGIN_ROWS, now_ns)
        candidate = learned_anew(watch, rows, self._tags, conditions(self._site, watch.spec))
        language = _language(self._site)
        n, from_ns, to_ns = candidate.stretch
        shown = evidence(self._site, watch, candidate, rows, language)
        offer = LearnedOffer(name=watch.spec.name, rows=n, from_ns=from_ns, to_ns=to_ns, relearn=relearn)
        proposal = Proposal(
            id=f"learned-{relearn}-{candidate.digest[:12]}",
            incident=f"learned-{relearn}",
            action=Adopt(what="learned", name=watch.spec.name, digest=candidate.digest),
            reason=say("learned.reason", {"name": watch.spec.name}, language),
            evidence=shown,
            valid_s=VALID_S,
        )
        return offer, candidate.save(), proposal

    async def _propose(self, proposal: Proposal) -> None:
        """Raises LinkError. The gate decides, and people after it; posting it again after a lost answer is posting it once."""
        with contextlib.suppress(LinkRefused):
            await self._link.propose(proposal)
        self._proposals.remove(proposal)


def _language(site: Site) -> Language:
    return "zh" if site.language == "zh" else "en"
