"""Which endpoint answers a request, and why: the first rung that may see the data, can do it, and is expected to meet the deadline.

    router = Router(site.models, engines, clock)
    answered = await router.ask(Ask(skill="ask", language="zh", said=…, deadline_s=20.0))
    answered.endpoint == ""        # no model answered in time: the deterministic answer stands, `answered.code` says why

Labels are joined here from the parts of the prompt; nobody can pass a lower one. An endpoint that fails, is late or answers unfit is left
for the next rung, each at most once a request; below the last stands the answer that needs no model. Nothing is sent twice to one endpoint.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from random import Random

from holdfast.agent.models.serving.labels import LabelError, Said, join, label_of_all, may_see, turns_of
from holdfast.agent.models.serving.lanes import Expected, Lane, size_of
from holdfast.agent.models.serving.probe import probe
from holdfast.agent.models.serving.schema import Schema
from holdfast.agent.models.serving.structured import Answers, Unfit
from holdfast.clock import Clock
from holdfast.ports import Engine, EngineFault, Generated
from holdfast.site.model import Endpoint
from holdfast.terms import SECOND_NS, Label, Word

HOPE = 0.85  # of what 1 of 10 takes: who may be as lucky as that is still tried, where nobody fits surely
RESERVE_S = 0.05  # kept of a deadline for what comes after the model
RESCUE = 1.25  # times what the quickest other rung is likely to take, kept for it
STRAGGLER = 2.0  # times the p95 of what was measured, after which the next rung is a better bet
STRAGGLER_S_MIN = 0.5
PROBE_S = 20.0
SEEN = ("enforced", "partly", "unenforced")  # who was not seen yet is taken at its word
LEEWAY_S = 0.25  # beyond its deadline for an engine to end by itself
ANSWERS_MAX = 64  # compiled schemas that are kept
CONFIGURED = frozenset({"401", "403", "404"})  # refusals that say something of the endpoint, not of the request


class Ask(Word):
    """A request for a model. `schema_label` is of what the schema itself tells (names of tags, of causes): none is restricted."""

    skill: str
    language: str
    said: tuple[Said, ...]
    schema: Schema | None = None
    schema_label: Label | None = None
    max_tokens: int = 512
    deadline_s: float

    @property
    def label(self) -> Label:
        return join([label_of_all(self.said), *([self.schema_label] if self.schema is not None else [])])


class Wanted(Word):
    """What routing needs to know of a request, and nothing of what it says."""

    skill: str
    language: str
    label: Label
    prompt_tokens: int
    max_tokens: int
    schema: bool = False

    @property
    def size(self) -> int:
        return size_of(self.prompt_tokens, self.max_tokens)


class Passed(Word):
    """An endpoint that was not asked, or whose answer did not count, and why: `code` is of words/routing or words/engines."""

    endpoint: str
    code: str
    facts: tuple[tuple[str, str], ...] = ()


class Pick(Word):
    """The rung that is asked. `endpoint` "": none; `budget_s` from now on, waiting included."""

    endpoint: str
    code: str
    budget_s: float = 0.0
    expected: Expected | None = None
    passed: tuple[Passed, ...] = ()


class Answered(Word):
    """`text` fits the request's schema where it had one. `passed`: the rungs above, and what became of them."""

    endpoint: str  # "" where no model answered: what needs no model stands
    code: str
    label: Label
    text: str = ""
    model: str = ""
    took_s: float = 0.0
    passed: tuple[Passed, ...] = ()
    generated: Generated | None = None


class Router:
    def __init__(self, endpoints: Sequence[Endpoint], engines: Mapping[str, Engine], clock: Clock) -> None:
        self.lanes: Mapping[str, Lane] = {endpoint.name: Lane(endpoint) for endpoint in endpoints}
        self._engines = engines
        self._clock = clock
        self._slots = {endpoint.name: asyncio.Semaphore(endpoint.at_once) for endpoint in endpoints}
        self._answers: dict[str, Answers] = {}

    # ---- choosing: pure but for what the lanes know

    def pick(self, wanted: Wanted, *, left_s: float, now_ns: int, tried: Collection[str] = ()) -> Pick:
        """The rung for a request with `left_s` of its deadline left, among those not tried yet."""
        passed: list[Passed] = []
        able: list[tuple[Lane, Expected]] = []
        lanes = list(self.lanes.values())
        if wanted.schema:  # who was seen to enforce a schema is asked before who was seen not to
            lanes.sort(key=lambda lane: SEEN.index(lane.probed.schema) if lane.probed is not None and lane.probed.schema in SEEN else 0)
        for lane in lanes:
            tried_it = lane.endpoint.name in tried
            why = Passed(endpoint=lane.endpoint.name, code="route.tried") if tried_it else _unfit(lane, wanted, now_ns)
            if why is not None:
                passed.append(why)
            else:
                able.append((lane, lane.expected(wanted.size, now_ns)))
        left_s -= RESERVE_S
        for lane, told in able:
            # Who is asked first leaves time for who is quickest, should it fail or be late: else one bad answer is the end.
            rescue_s = RESCUE * min((other.likely_s for one, other in able if one is not lane), default=0.0)
            keeps_s = rescue_s if rescue_s < told.likely_s or lane.doubtful(now_ns) else 0.0
            if told.likely_s > left_s or told.wait_s + told.p50_s > left_s - keeps_s:
                facts = (("expected_s", f"{told.likely_s:.3g}"), ("left_s", f"{max(left_s, 0.0):.3g}"))
                passed.append(Passed(endpoint=lane.endpoint.name, code="route.late", facts=facts))
                continue
            budget_s = _budget(lane, told, left_s - keeps_s)
            return Pick(endpoint=lane.endpoint.name, code="route.fits", budget_s=budget_s, expected=told, passed=tuple(passed))
        hopeful = [
            (-lane.chance(wanted.size, left_s, now_ns), told.likely_s, n)
            for n, (lane, told) in enumerate(able)
            if told.wait_s + HOPE * told.p10_s <= left_s
        ]
        if hopeful:  # most would be too late, but not all; what needs no model stands ready in any case
            lane, told = able[min(hopeful)[2]]
            rest = tuple(one for one in passed if one.endpoint != lane.endpoint.name)
            return Pick(endpoint=lane.endpoint.name, code="route.hopes", budget_s=_budget(lane, told, left_s), expected=told, passed=rest)
        return Pick(endpoint="", code="route.none" if passed else "route.no_models", passed=tuple(passed))

    # ---- asking

    async def ask(self, ask: Ask) -> Answered:
        """Ends by the deadline, on whatever the clock is. Raises nothing of any engine's."""
        began_ns = self._clock.monotonic_ns()
        label = ask.label
        turns = turns_of(ask.said)
        schema_text = "" if ask.schema is None else ask.schema.text
        wanted = Wanted(
            skill=ask.skill,
            language=ask.language,
            label=label,
            prompt_tokens=tokens_of("".join(turn.text for turn in turns) + schema_text),
            max_tokens=ask.max_tokens,
            schema=ask.schema is not None,
        )
        became: list[Passed] = []
        for _ in range(len(self.lanes) + 1):
            now_ns = self._clock.monotonic_ns()
            left_s = ask.deadline_s - (now_ns - began_ns) / SECOND_NS
            pick = self.pick(wanted, left_s=left_s, now_ns=now_ns, tried=[one.endpoint for one in became])
            if not pick.endpoint:
                break
            try:
                generated, text = await self._try(self.lanes[pick.endpoint], pick, wanted, ask)
            except (EngineFault, Unfit) as fault:
                became.append(Passed(endpoint=pick.endpoint, code=fault.code, facts=tuple(fault.facts.items())))
                continue
            took_s = (self._clock.monotonic_ns() - began_ns) / SECOND_NS
            passed = (*became, *(one for one in pick.passed if one.code != "route.tried"))
            return Answered(
                endpoint=pick.endpoint,
                code=pick.code,
                label=label,
                text=text,
                model=generated.model,
                took_s=took_s,
                passed=passed,
                generated=generated,
            )
        else:
            pick = Pick(endpoint="", code="route.none")
        took_s = (self._clock.monotonic_ns() - began_ns) / SECOND_NS
        passed = (*became, *(one for one in pick.passed if one.code != "route.tried"))
        return Answered(endpoint="", code=pick.code, label=label, took_s=took_s, passed=passed)

    async def _try(self, lane: Lane, pick: Pick, wanted: Wanted, ask: Ask) -> tuple[Generated, str]:
        """One request to one endpoint, within its budget. Raises EngineFault, Unfit, LabelError."""
        name = lane.endpoint.name
        if not may_see(lane.endpoint.clearance, ask.label):  # looked at again right before the wire, from the parts themselves
            raise LabelError(f"a prompt labelled {ask.label} was to go to {name}, which is cleared for {lane.endpoint.clearance}")
        entered_ns = self._clock.monotonic_ns()
        lane.claim_trial()
        lane.enter()
        try:
            async with asyncio.timeout(self._clock.real_s(pick.budget_s)):
                await self._slots[name].acquire()
        except TimeoutError:
            lane.leave()
            raise EngineFault("route.queued", after_s=f"{pick.budget_s:.3g}") from None
        except BaseException:
            lane.leave()
            raise
        lane.begin()
        begun_ns = self._clock.monotonic_ns()
        result = "neither"
        try:
            left_s = pick.budget_s - (begun_ns - entered_ns) / SECOND_NS
            schema = None if ask.schema is None else ask.schema.text
            deadline_s = self._clock.real_s(left_s)
            async with asyncio.timeout(deadline_s + LEEWAY_S):
                generated = await self._engines[name].generate(
                    turns_of(ask.said), schema=schema, max_tokens=ask.max_tokens, deadline_s=deadline_s
                )
            result = "failed"
            text = self._held(generated, ask)
            result = "good"
            return generated, text
        except Unfit:
            raise
        except TimeoutError:
            result = "failed"
            raise EngineFault("engine.timeout", after_s=f"{pick.budget_s:.3g}", busy=True) from None
        except EngineFault as fault:
            result = "neither" if fault.code in ("engine.cut", "engine.refused") and not _is_its_own(fault) else "failed"
            raise
        except Exception as error:  # a plug-in may fail in any way; the next rung does not care how
            result = "failed"
            raise EngineFault("engine.failed", why=f"{type(error).__name__}: {error}"[:200]) from error
        finally:
            now_ns = self._clock.monotonic_ns()
            lane.end(result, took_s=(now_ns - begun_ns) / SECOND_NS, size=wanted.size, now_ns=now_ns)
            self._slots[name].release()

    def _held(self, generated: Generated, ask: Ask) -> str:
        """The answer's text, where it is whole and fits. Raises EngineFault, Unfit."""
        if generated.ended == "cut":
            raise EngineFault("engine.cut", most=str(ask.max_tokens))
        if ask.schema is not None:
            if len(self._answers) >= ANSWERS_MAX:
                self._answers.clear()
            self._answers.setdefault(ask.schema.text, Answers(ask.schema)).read(generated.text)
        return generated.text

    async def probe(self, random: Random) -> None:
        """Find out of each endpoint whether it keeps to a schema, and how long a short answer takes. One after the other, bounded each."""
        for name, lane in self.lanes.items():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._clock.real_s(4 * PROBE_S)):
                    lane.probed = await probe(self._engines[name], random, self._clock, deadline_s=self._clock.real_s(PROBE_S))
            if lane.probed is not None and lane.probed.took_s > 0:
                lane.measure(lane.probed.took_s, 16, self._clock.monotonic_ns())

    async def close(self) -> None:
        for engine in self._engines.values():
            await engine.close()


def tokens_of(text: str) -> int:
    """At most about so many tokens: one for each character beyond Latin, one for every two others. Vocabularies differ; this errs high."""
    wide = sum(ord(character) > 0x2E7F for character in text)
    return wide + (len(text) - wide + 1) // 2


def _unfit(lane: Lane, wanted: Wanted, now_ns: int) -> Passed | None:
    """Why this endpoint is not asked, deadline apart. Clearance first: nothing else is worth saying of one that may not see the data."""
    end = lane.endpoint
    if not may_see(end.clearance, wanted.label):
        return Passed(endpoint=end.name, code="route.clearance", facts=(("clearance", end.clearance), ("label", wanted.label)))
    if wanted.skill not in end.skills:
        return Passed(endpoint=end.name, code="route.skill", facts=(("skill", wanted.skill),))
    if wanted.language not in end.languages:
        return Passed(endpoint=end.name, code="route.language", facts=(("language", wanted.language),))
    if (tokens := wanted.prompt_tokens + wanted.max_tokens) > end.context_tokens:
        return Passed(endpoint=end.name, code="route.context", facts=(("tokens", str(tokens)), ("most", str(end.context_tokens))))
    if (rests_s := lane.rests_s(now_ns)) > 0:
        return Passed(endpoint=end.name, code="route.rests", facts=(("rests_s", f"{rests_s:.3g}"),))
    if lane.full:
        return Passed(endpoint=end.name, code="route.full", facts=(("waiting", str(lane.waiting)),))
    return None


def _budget(lane: Lane, told: Expected, left_s: float) -> float:
    """How long to wait for it: so long as there is time, to its own time limit, or until it is so late that it will hardly come."""
    budget_s = min(left_s, told.wait_s + lane.endpoint.timeout_s)
    return min(budget_s, told.wait_s + max(STRAGGLER * told.p95_s, STRAGGLER_S_MIN)) if told.measured else budget_s


def _is_its_own(fault: EngineFault) -> bool:
    return fault.busy or fault.facts.get("status") in CONFIGURED
