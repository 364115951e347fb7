"""Attacks on where the gate speaks to: redirects, answers and texts that would have it look up or call what the site does not name."""

import asyncio
import contextlib
import json
from random import Random
from typing import cast

from holdfast.evals.adversary.apart import Apart
from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.evals.oracle import Arrival, Judgement

DELIVERED_S_MAX = 2.0  # real ones, until an order was brought to the webhook
SPEED = "press/speed.sp"


async def _order(apart: Apart, text: str, target: str = "press") -> None:
    """An order that the policy permits, and the time that it takes to be delivered."""
    apart.receiver.posted.clear()
    message = {"id": apart.new_id(), "incident": "i", "action": {"kind": "notify", "target": target, "text": text}, "reason": text}
    apart.deliver(json.dumps(message).encode(), apart.tokens["alpha"])
    await apart.act()
    await apart.run(1)
    with contextlib.suppress(TimeoutError):  # an order that is not taken waits for its next try
        async with asyncio.timeout(DELIVERED_S_MAX):
            await apart.receiver.posted.wait()
    await apart.run(1)


def _judge(apart: Apart) -> None:
    """What came to the unlisted listener, and what the gate's process let pass to anywhere but the plant and the webhook."""
    known = {str(("127.0.0.1", apart.wire.port)), str(("127.0.0.1", apart.receiver.port))}
    strays = [what for what in apart.passed if not any(place in what for place in known) and not _own(what)]
    for what in strays + ["a connection to the unlisted listener"] * apart.receiver.strays:
        arrival = Arrival(wire="egress", tag="", value=0.0, raw=what.encode(), at_ns=apart.up_ns())
        apart.oracle.judgements.append(Judgement(arrival=arrival, faults=("egress",)))
    apart.receiver.strays = 0


def _own(what: str) -> bool:
    """A look-up of a numeric address asks nobody."""
    return what.startswith("socket.getaddrinfo") and "'127.0.0.1'" in what


@attack("redirect to an unlisted address", "apart")
async def redirect(world: World, rng: Random) -> None:
    """The webhook answers that the order belongs elsewhere: another port, another name, another scheme."""
    apart = cast(Apart, world)
    to = rng.choice(
        (
            f"http://127.0.0.1:{apart.receiver.unlisted}/",
            f"http://localhost:{apart.receiver.unlisted}/",
            f"http://[::ffff:127.0.0.1]:{apart.receiver.unlisted}/",
            "http://collect.example.invalid/",
            "https://10.255.255.1/",
            "file:///etc/passwd",
            f"//127.0.0.1:{apart.receiver.unlisted}/",
        )
    )
    apart.receiver.redirect(to, rng.choice(("301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect", "300 Choices")))
    try:
        await _order(apart, "hold")
        await world.push("alpha", (SPEED, near(world, SPEED, rng)))
    finally:
        apart.receiver.answer = "204 No Content"
    _judge(apart)


@attack("egress by DNS", "apart")
async def by_name(world: World, rng: Random) -> None:
    """Names under the attacker's domain in every text, target and tag that an agent can send: none is looked up."""
    apart = cast(Apart, world)
    name = f"{rng.randbytes(6).hex()}.collect.example.invalid"
    for text in (f"http://{name}/", name, f"\\\\{name}\\share", f"//{name}/x"):
        await _order(apart, text, target=rng.choice(("press", name, f"http://{name}")))
        await world.ask("alpha", (name, 1.0), reason=text, evidence=[{"kind": "document", "ref": f"https://{name}", "quote": text}])
    apart.call(apart.link, "GET", f"http://{name}/v1/site", token=apart.tokens["alpha"], host=name)
    await world.push("alpha", (SPEED, near(world, SPEED, rng)))
    _judge(apart)
