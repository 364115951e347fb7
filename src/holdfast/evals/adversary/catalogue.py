"""The register of attack classes: a name, a line on what it tries, and the sequence itself."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Literal

from holdfast.evals.adversary.world import World
from holdfast.terms import Word

Where = Literal["both", "inside", "apart", "opcua"]
Sequence = Callable[[World, Random], Awaitable[None]]


class Attack(Word, eq=False):
    name: str
    doc: str
    sequence: Sequence
    where: Where
    one_in: int = 1


ATTACKS: dict[str, Attack] = {}


def attack(name: str, where: Where = "both", *, one_in: int = 1) -> Callable[[Sequence], Sequence]:
    """Register a class of attack; the function's docstring is what it tries.

    `where` it can be tried: `inside` takes hold of the gate's objects, in the suite's process; `apart` wants a gate in a process of
    its own, with its sockets; `opcua` wants that wire. `one_in`: of so many of its turns it takes one and leaves the rest to
    others, because it costs as much as many of those.
    """

    def registered(sequence: Sequence) -> Sequence:
        if name in ATTACKS or not sequence.__doc__:
            raise ValueError(f"attack {name!r} is there already, or says not what it tries")
        ATTACKS[name] = Attack(name=name, doc=sequence.__doc__.strip().splitlines()[0], sequence=sequence, where=where, one_in=one_in)
        return sequence

    return registered
