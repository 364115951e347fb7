"""A seeded site for routing: six endpoints with their moods, and ten thousand requests with labels, deadlines and sizes.

How long an endpoint would take for a request, and whether it would fail, is drawn from the request's and the endpoint's numbers alone: the
same for every policy, whatever that asks and in which order.
"""

import math
from random import Random
from typing import Literal

from holdfast.agent.models.serving.router import RESERVE_S, Wanted
from holdfast.site.model import Endpoint
from holdfast.terms import LABELS, Label, Word

Mood = Literal["well", "slow", "refuses", "hangs", "breaks", "babbles"]
BOTH, ALL = ("zh", "en"), ("ask", "explain", "rerank")
PER_S = 0.5  # requests
SLOW = 4.0
LOST = 0.01  # of requests, at an endpoint that is well: it fails for this one alone
REFUSES_S, BREAKS_S = 0.01, 0.2
FAILURES: tuple[Mood, ...] = ("refuses", "hangs", "breaks", "babbles")
MOODS: tuple[Mood, ...] = ("slow", *FAILURES)


class Speed(Word):
    """Seconds for a request itself, and for each token of answer; spread is the standard deviation of its logarithm."""

    base_s: float
    token_s: float
    spread: float


class Request(Word):
    number: int
    at_s: float
    deadline_s: float
    wanted: Wanted


class Served(Word):
    """What an endpoint does with a request that it begins at some time."""

    mood: Mood
    service_s: float  # of a good answer; of a failure how long until it is told, inf for one that is never told


def _end(
    name: str, clearance: Label, at_once: int, timeout_s: float, skills: tuple[str, ...] = ALL, languages: tuple[str, ...] = BOTH
) -> Endpoint:
    return Endpoint(
        name=name,
        engine="openai",
        clearance=clearance,
        skills=skills,
        languages=languages,
        at_once=at_once,
        context_tokens=16_384,
        timeout_s=timeout_s,
    )


# In the order of the site file: the best answers first.
SITE: tuple[tuple[Endpoint, Speed], ...] = (
    (_end("large", "site", 4, 30.0), Speed(base_s=0.8, token_s=0.025, spread=0.25)),
    (_end("large-2", "site", 4, 30.0), Speed(base_s=0.9, token_s=0.028, spread=0.25)),
    (_end("domain", "restricted", 4, 20.0), Speed(base_s=0.4, token_s=0.012, spread=0.2)),
    (_end("chinese", "restricted", 2, 20.0, ("ask", "explain"), ("zh",)), Speed(base_s=0.3, token_s=0.008, spread=0.2)),
    (_end("small", "restricted", 4, 10.0), Speed(base_s=0.1, token_s=0.004, spread=0.15)),
    (_end("outside", "public", 16, 30.0), Speed(base_s=0.5, token_s=0.006, spread=0.4)),
)


class World:
    def __init__(self, seed: int, requests: int) -> None:
        self.endpoints = tuple(end for end, _ in SITE)
        self._speeds = {end.name: speed for end, speed in SITE}
        self._seed = seed
        random = Random(seed)
        self.requests = tuple(_requests(random, requests))
        self.moods = {end.name: tuple(_moods(random, self.requests[-1].at_s)) for end in self.endpoints}

    def canary_s(self, endpoint: str) -> float:
        """A short request of sixteen tokens, before any of the others."""
        speed = self._speeds[endpoint]
        return speed.base_s + 16 * speed.token_s

    def served(self, request: Request, endpoint: str, at_s: float) -> Served:
        """Of a request that is begun at `at_s`."""
        random = Random(f"{self._seed}/{request.number}/{endpoint}")
        speed = self._speeds[endpoint]
        service_s = (speed.base_s + speed.token_s * request.wanted.size) * math.exp(random.gauss(0.0, speed.spread))
        lost = random.random() < LOST
        mood = _mood(self.moods[endpoint], at_s)
        if mood == "well" and lost:
            mood = FAILURES[random.randrange(len(FAILURES))]
        if mood == "slow":
            service_s *= SLOW
        told_s = {"refuses": REFUSES_S, "breaks": BREAKS_S, "hangs": math.inf}
        return Served(mood=mood, service_s=told_s.get(mood, service_s))

    def could(self, request: Request, endpoint: Endpoint) -> bool:
        """With hindsight: asked at once, nobody before it, it would have answered well with RESERVE_S to spare, and may see the data."""
        wanted = request.wanted
        able = wanted.skill in endpoint.skills and wanted.language in endpoint.languages
        if not able or LABELS.index(wanted.label) > LABELS.index(endpoint.clearance):
            return False
        if wanted.prompt_tokens + wanted.max_tokens > endpoint.context_tokens:
            return False
        served = self.served(request, endpoint.name, request.at_s)
        return served.mood in ("well", "slow") and served.service_s <= min(request.deadline_s - RESERVE_S, endpoint.timeout_s)


def _mood(moods: tuple[tuple[float, float, Mood], ...], at_s: float) -> Mood:
    for begin, end, mood in moods:
        if begin <= at_s < end:
            return mood
    return "well"


def _requests(random: Random, count: int) -> list[Request]:
    at_s, made = 0.0, list[Request]()
    for number in range(count):
        at_s += random.expovariate(PER_S)
        wanted = Wanted(
            skill=random.choice(ALL),
            language=random.choice(BOTH),
            label=random.choices(LABELS, weights=(15, 10, 60, 15))[0],
            prompt_tokens=round(min(random.lognormvariate(6.5, 1.0), 20_000)),
            max_tokens=random.choice((32, 64, 128, 256, 512)),
            schema=random.random() < 0.7,
        )
        deadline_s = min(max(random.lognormvariate(1.8, 0.9), 0.3), 60.0)
        made.append(Request(number=number, at_s=at_s, deadline_s=deadline_s, wanted=wanted))
    return made


def _moods(random: Random, until_s: float) -> list[tuple[float, float, Mood]]:
    """(from, to, mood): well for about an hour, then something for some minutes."""
    at_s, made = random.expovariate(1 / 3600), list[tuple[float, float, Mood]]()
    while at_s < until_s:
        for_s = random.uniform(30.0, 600.0)
        made.append((at_s, at_s + for_s, random.choice(MOODS)))
        at_s += for_s + random.expovariate(1 / 3600)
    return made
