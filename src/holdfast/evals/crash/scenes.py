"""For every place of the source where a gate can be killed: what it has to do to get there, and which faults keep it from there.

A test compares this table with the source, so that a new commit without a scene is found.
"""

from collections.abc import Iterable, Mapping
from random import Random

from holdfast.evals.crash.device import CONNECTION, PROCESS, Faults
from holdfast.terms import Word

CROSSED = ("", "mute", "too late", "twice", "lies", "half")
"""Of a connection, tried at every place: none, applied without an answer, an answer after the time limit, a second answer,
another value shown, an answer cut off in the middle of its frame."""

UNANSWERED = ("lies",)  # what is shown is never what was wanted
WHENS = ("before", "after")


class Scene(Word):
    """`acts`: one of them is done, of acts.py or of those that life.py does before a gate opens.

    `process`: one of what must go wrong behind the device; `nths`: one of the times that the place is reached.
    """

    acts: tuple[str, ...]
    process: tuple[str, ...] = ("",)
    connection: tuple[str, ...] = ()  # one must go wrong with it; (): nothing in particular
    never: tuple[str, ...] = ()  # of CROSSED: the place can't be reached then
    nths: tuple[int, ...] = (1,)


SCENES: Mapping[str, Scene] = {
    # an action's life
    "decision": Scene(acts=("any write",), nths=(1, 2, 3)),
    "approval": Scene(acts=("leave",), nths=(1, 2)),
    "expired": Scene(acts=("expire",)),
    "fell": Scene(acts=("any write",), process=("flickers",)),
    "intent": Scene(acts=("any write",), nths=(1, 2)),
    "reconciled": Scene(acts=("any write",)),
    "verified": Scene(acts=("any write",), never=UNANSWERED),
    "outcome": Scene(acts=("any write",), connection=("deaf", "refuses", "lies")),
    "effect": Scene(acts=("any write",), never=UNANSWERED),
    "retreat": Scene(acts=("any write",), process=("wrong", "no way back"), never=UNANSWERED),
    "restored": Scene(acts=("any write",), process=("wrong",), never=UNANSWERED),
    "escalated": Scene(acts=("any write",), process=("no way back",), never=UNANSWERED),
    "resolved": Scene(acts=("resolve",), connection=("lies",)),
    "write": Scene(acts=("any write",), nths=(1, 2)),
    "restore": Scene(acts=("any write",), process=("wrong", "no way back"), never=UNANSWERED),
    # orders
    "deliver": Scene(acts=("order",)),
    "outbox.ended": Scene(acts=("order",)),
    "outbox.failed": Scene(acts=("shut order",)),
    # people, agents, what they say
    "acts.resume": Scene(acts=("stop",)),
    "acts.set_autonomy": Scene(acts=("autonomy",)),
    "switch": Scene(acts=("stop",), nths=(1, 2)),
    "attend.do": Scene(acts=("alarm",), nths=(1, 2)),
    "agents.add": Scene(acts=("agent",)),
    "agents.revoke": Scene(acts=("agent",)),
    "people.add": Scene(acts=("people",)),
    "people.change": Scene(acts=("people",)),
    "people.remove": Scene(acts=("people",)),
    "questions.answer": Scene(acts=("question",)),
    "questions.ask": Scene(acts=("question",)),
    "store.also_if_rolled_back": Scene(acts=("leave",)),
    "debts.record": Scene(acts=("finding",)),
    # commissioning and configuration
    "commissioning.sign": Scene(acts=("commission",)),
    "commissioning.set_back_what_changed": Scene(acts=("another envelope",)),
    "activation.propose": Scene(acts=("live activation",)),
    "configuration.first": Scene(acts=("first configuration",)),
    "configuration.sign": Scene(acts=("live activation", "activate")),
    # what detectors learned, and what people know of causes
    "causes.sign": Scene(acts=("cause",), nths=(1, 2)),
    "learned.keep": Scene(acts=("learned",), nths=(1, 2)),
    "promotions.sign": Scene(acts=("model",), nths=(1, 2)),
    "learned.put_back": Scene(acts=("learned",)),
    "relearning.relearn": Scene(acts=("learned",)),
    # a copy put back
    "put_aside": Scene(acts=("put back",)),
    "put_back": Scene(acts=("put back",)),
    "setback.set_back": Scene(acts=("put back",)),
    # beside
    "checkpoint.sign": Scene(acts=("any write",)),
    "debts.now_ns": Scene(acts=("clock",)),
    "debts.record_faults": Scene(acts=("silence",)),
    "debts.settle": Scene(acts=("any write",), process=("", "operator")),
    "gatekeeper.start": Scene(acts=("any write",)),
    "jobs.trim": Scene(acts=("any write",)),
    "moves.alive": Scene(acts=("keep",)),
    "moves.shift_over_downtime": Scene(acts=("any write",)),
    "store.ensure": Scene(acts=("any write",), nths=(1, 5, 10, 15)),
}


class Aim(Word):
    """A place to be killed at, under a fault of the connection."""

    place: str
    connection: str

    def scene(self) -> Scene:
        return SCENES[self.place.rpartition(":")[0]]

    def faults(self, random: Random) -> Faults:
        scene = self.scene()
        connection = self.connection or (random.choice(scene.connection) if scene.connection else "")
        return Faults(connection=connection, process=random.choice(scene.process))


def aims() -> tuple[Aim, ...]:
    """Every place with every fault that lets a gate get there; without a fault first."""
    return tuple(
        Aim(place=f"{name}:{when}", connection=connection)
        for connection in CROSSED
        for name, scene in SCENES.items()
        for when in WHENS
        if connection not in scene.never and (not scene.connection or connection in ("", *scene.connection))
    )


def schedule(kills: int, seed: int, share: float) -> tuple[Aim | None, ...]:
    """What each kill is aimed at, None for one at a random moment. Each place comes once before any comes again."""
    random = Random(f"schedule {seed}")
    every = aims()
    plain = [aim for aim in every if not aim.connection]
    crossed = [aim for aim in every if aim.connection]
    random.shuffle(plain)
    random.shuffle(crossed)
    order = [*plain, *crossed]
    at_random = kills - min(max(round(kills * share), min(len(plain), round(kills * FIRST_SHARE))), kills)
    aimed = [order[i % len(order)] for i in range(kills - at_random)]
    found: list[Aim | None] = [*aimed, *([None] * at_random)]
    random.shuffle(found)
    return tuple(found)


FIRST_SHARE = 0.9  # of a short run may go to having each place once


def in_order(some: Iterable[Aim]) -> list[Aim]:
    """The same, but what finds an interrupted write right after what interrupts one: it would have nothing to do otherwise."""
    every = list(some)
    finds = [aim for aim in every if aim.place.startswith(FINDS)]
    found: list[Aim] = []
    for aim in every:
        if aim not in finds:
            found.append(aim)
            if finds and aim.place in INTERRUPTS:
                found.append(finds.pop(0))
    return [*found, *finds]


FINDS = "reconciled:"
INTERRUPTS = ("intent:after", "write:before", "write:after", "verified:before", "retreat:after", "restore:before", "restore:after")


def any_faults(random: Random) -> Faults:
    """For a kill at a random moment."""
    return Faults(connection=random.choice(("", "", "", *CONNECTION)), process=random.choice(PROCESS))
