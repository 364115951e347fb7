"""One policy's way through the world, event by event on a virtual clock: who is asked, who waits, what comes back when.

A policy chooses; what happens then is the same for all. The router is the one that runs live, with its lanes; the other tries the permitted
endpoints in the site file's order, each to its time limit, as a list of fallbacks does.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from holdfast.agent.models.serving.lanes import Lane
from holdfast.agent.models.serving.router import Router
from holdfast.clock import VirtualClock
from holdfast.evals.routing.world import Request, Served, World
from holdfast.terms import LABELS, SECOND_NS, Word

CANARY = 16  # tokens
START_NS = 1_700_000_000 * SECOND_NS


class Choice(Word):
    endpoint: str  # "": none, the answer that needs no model
    budget_s: float = math.inf  # from now on, waiting included
    work_s: float = math.inf  # from when it is begun


class Sent(Word):
    """One request on one wire."""

    request: int
    endpoint: str
    at_s: float


class Ended(Word):
    request: int
    endpoint: str  # "" for the answer without a model
    at_s: float


class Policy(Protocol):
    def choose(self, request: Request, tried: list[str], now_s: float) -> Choice: ...

    def entered(self, endpoint: str) -> None: ...

    def left(self, endpoint: str) -> None: ...

    def begun(self, endpoint: str) -> None: ...

    def ended(self, request: Request, endpoint: str, *, good: bool, took_s: float, now_s: float) -> None: ...


class Routed:
    """Holdfast's router, its choices and its lanes, without its sockets."""

    def __init__(self, world: World) -> None:
        self._clock = VirtualClock(START_NS)
        self._router = Router(world.endpoints, {}, self._clock)
        self._lanes: Mapping[str, Lane] = self._router.lanes
        for end in world.endpoints:  # as the canary measures each endpoint at the start
            self._lanes[end.name].measure(world.canary_s(end.name), CANARY, START_NS)

    def choose(self, request: Request, tried: list[str], now_s: float) -> Choice:
        left_s = request.deadline_s - (now_s - request.at_s)
        pick = self._router.pick(request.wanted, left_s=left_s, now_ns=_ns(now_s), tried=tried)
        if pick.endpoint:
            self._lanes[pick.endpoint].claim_trial()
        return Choice(endpoint=pick.endpoint, budget_s=pick.budget_s)

    def entered(self, endpoint: str) -> None:
        self._lanes[endpoint].enter()

    def left(self, endpoint: str) -> None:
        self._lanes[endpoint].leave()

    def begun(self, endpoint: str) -> None:
        self._lanes[endpoint].begin()

    def ended(self, request: Request, endpoint: str, *, good: bool, took_s: float, now_s: float) -> None:
        result = "good" if good else "failed"
        self._lanes[endpoint].end(result, took_s=took_s, size=request.wanted.size, now_ns=_ns(now_s))


class FixedOrder:
    """The list of fallbacks: who may see it and can do it, in the file's order, each to its time limit. It minds labels too."""

    def __init__(self, world: World) -> None:
        self._world = world

    def choose(self, request: Request, tried: list[str], now_s: float) -> Choice:
        wanted = request.wanted
        for end in self._world.endpoints:
            able = wanted.skill in end.skills and wanted.language in end.languages
            fits = wanted.prompt_tokens + wanted.max_tokens <= end.context_tokens
            if end.name not in tried and able and fits and LABELS.index(wanted.label) <= LABELS.index(end.clearance):
                return Choice(endpoint=end.name, work_s=end.timeout_s)
        return Choice(endpoint="")

    def entered(self, endpoint: str) -> None: ...

    def left(self, endpoint: str) -> None: ...

    def begun(self, endpoint: str) -> None: ...

    def ended(self, request: Request, endpoint: str, *, good: bool, took_s: float, now_s: float) -> None: ...


class Course:
    """Runs all requests of a world under one policy. `sent` and `ended` tell what happened."""

    def __init__(self, world: World, policy: Policy) -> None:
        self.sent: list[Sent] = []
        self.ended: list[Ended] = []
        self._world, self._policy = world, policy
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0
        self._free = {end.name: end.at_once for end in world.endpoints}
        self._queues: dict[str, deque[_Waiting]] = {end.name: deque() for end in world.endpoints}

    def run(self, progress: Callable[[float], None] = lambda _: None) -> None:
        for request in self._world.requests:
            self._at(request.at_s, lambda now_s, r=request: self._next(r, [], now_s))
        last_s = self._world.requests[-1].at_s
        while self._events:
            now_s, _, act = heapq.heappop(self._events)
            if self._count % 1000 == 0:
                progress(min(now_s / last_s, 1.0))
            act(now_s)

    def _at(self, at_s: float, act: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (at_s, self._count, act))

    def _next(self, request: Request, tried: list[str], now_s: float) -> None:
        choice = self._policy.choose(request, tried, now_s)
        if not choice.endpoint:
            self.ended.append(Ended(request=request.number, endpoint="", at_s=now_s))
            return
        self._policy.entered(choice.endpoint)
        waiting = _Waiting(request, [*tried, choice.endpoint], choice, now_s)
        self._queues[choice.endpoint].append(waiting)
        if math.isfinite(choice.budget_s):
            self._at(now_s + choice.budget_s, lambda at_s: self._given_up(waiting, at_s))
        self._begin(choice.endpoint, now_s)

    def _given_up(self, waiting: "_Waiting", now_s: float) -> None:
        """Its budget is over before it was begun."""
        if waiting.begun or waiting.gone:
            return
        waiting.gone = True
        self._queues[waiting.choice.endpoint].remove(waiting)
        self._policy.left(waiting.choice.endpoint)
        self._next(waiting.request, waiting.tried, now_s)

    def _begin(self, endpoint: str, now_s: float) -> None:
        while self._free[endpoint] and self._queues[endpoint]:
            waiting = self._queues[endpoint].popleft()
            waiting.begun = True
            self._free[endpoint] -= 1
            self._policy.begun(endpoint)
            self.sent.append(Sent(request=waiting.request.number, endpoint=endpoint, at_s=now_s))
            served = self._world.served(waiting.request, endpoint, now_s)
            until_s = min(waiting.entered_s + waiting.choice.budget_s, now_s + waiting.choice.work_s)
            good = served.mood in ("well", "slow") and now_s + served.service_s <= until_s
            end_s = min(now_s + served.service_s, until_s)
            self._at(end_s, lambda at_s, w=waiting, s=served, g=good, b=now_s: self._done(w, s, g, b, at_s))

    def _done(self, waiting: "_Waiting", served: Served, good: bool, begun_s: float, now_s: float) -> None:
        endpoint = waiting.choice.endpoint
        self._free[endpoint] += 1
        self._policy.ended(waiting.request, endpoint, good=good, took_s=now_s - begun_s, now_s=now_s)
        if good:
            self.ended.append(Ended(request=waiting.request.number, endpoint=endpoint, at_s=now_s))
        else:
            self._next(waiting.request, waiting.tried, now_s)
        self._begin(endpoint, now_s)


class _Waiting:
    def __init__(self, request: Request, tried: list[str], choice: Choice, entered_s: float) -> None:
        self.request, self.tried, self.choice, self.entered_s = request, tried, choice, entered_s
        self.begun = self.gone = False


def _ns(at_s: float) -> int:
    return START_NS + round(at_s * SECOND_NS)
