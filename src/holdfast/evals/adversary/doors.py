"""Attacks on the doors of a real gate process: each goes on while legitimate writes must still come through."""

import json
import socket
import threading
from contextlib import ExitStack, suppress
from random import Random
from typing import cast

from holdfast.evals.adversary.apart import Apart
from holdfast.evals.adversary.bounds import PEOPLE
from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import legal, near
from holdfast.evals.adversary.world import PASSWORD, World

SPEED, FORCE, COUNT = "press/speed.sp", "press/force.sp", "oven/count_sp"
SOCKETS_MAX = 100


def _apart(world: World) -> Apart:
    return cast(Apart, world)


async def _goes_on(world: World, rng: Random) -> None:
    """Something legitimate in the middle of it; a refusal is counted as one."""
    await world.run(2)
    if (refused := await legal(world, rng)) is not None:
        world.meanwhile.append(refused)


def _dial(apart: Apart, *, people: bool = False) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(2.0)
    sock.connect(str(apart.people_door if people else apart.link))
    return sock


@attack("oversized messages", "apart")
async def oversized(world: World, rng: Random) -> None:
    """Bodies, headers, texts and lists that are too long, said to be short or long, or that never end."""
    apart = _apart(world)
    good = world.message((SPEED, near(world, SPEED, rng)))
    for message in (
        {**good, "reason": "x" * rng.choice((4001, 70_000, 2_000_000))},
        {**good, "evidence": [{"kind": "finding", "ref": "r"}] * 600},
        {**good, "action": {"kind": "write", "sets": [[SPEED, near(world, SPEED, rng)]] * 2000}},
        {**good, "x": "y" * 100_000},
    ):
        world.say("alpha", message)
    token = apart.tokens["alpha"]
    body = json.dumps(good).encode()
    apart.deliver(body, token, **{"x-long": "h" * rng.choice((9_000, 90_000))})
    apart.deliver(body, "t" * 100_000)
    for length in (10, 10_000_000_000, -1):
        with _dial(apart) as sock:
            head = f"POST /v1/proposals HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
            sock.sendall(head.encode() + body[: max(0, min(length, len(body)))])
    await world.act()
    await _goes_on(world, rng)


@attack("malformed messages", "apart")
async def malformed(world: World, rng: Random) -> None:
    """What is no HTTP, no JSON or no proposal: cut, doubled, smuggled, deep, in another encoding, under another method."""
    apart = _apart(world)
    token = apart.tokens["alpha"]
    value = near(world, SPEED, rng)
    body = json.dumps(world.message((SPEED, value))).encode()
    for raw in (
        b"",
        b"null",
        b"[" * 50_000,
        body[:-1],
        body + body,
        body.decode().encode("utf-16"),
        b"\xff" + body,
        body.replace(b'"id"', b'"\\ud800"'),
    ):
        apart.deliver(raw, token)
    big = json.dumps(world.message((SPEED, 1.0))).replace("1.0", "1" * 5000).encode()
    apart.deliver(big, token)
    chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    smuggled = f"POST /v1/findings HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {token}\r\ncontent-length: 4\r\n"
    for raw in (
        b"GARBAGE\r\n\r\n",
        b"POST /v1/proposals HTTP/9.9\r\n\r\n" + body,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"POST /v1/../v1/proposals HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n",
        f"{smuggled}transfer-encoding: chunked\r\n\r\n".encode() + chunk,
    ):
        with _dial(apart) as sock:
            sock.sendall(raw)
    for method, path in (("PUT", "/v1/proposals"), ("DELETE", "/v1/proposals/p1"), ("GET", "/v1/approvals"), ("POST", "/v1/resume")):
        apart.call(apart.link, method, path, body, token)
    await world.act()
    await _goes_on(world, rng)


@attack("slow callers", "apart")
async def slow(world: World, rng: Random) -> None:
    """Callers that send a byte now and then, or stop in the middle of a header or of a body; the others don't wait for them."""
    apart = _apart(world)
    token = apart.tokens["alpha"]
    with ExitStack() as open_:
        slow_ones = [open_.enter_context(_dial(apart, people=rng.random() < 0.2)) for _ in range(rng.choice((5, 30)))]
        for number, sock in enumerate(slow_ones):
            head = f"POST /v1/proposals HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {token}\r\ncontent-length: 400\r\n\r\n".encode()
            sock.sendall(head[: rng.randrange(1, len(head))] if number % 2 else head + b'{"id": "slow')
        await _goes_on(world, rng)
        for sock in slow_ones:
            with suppress(OSError):  # the gate may have had enough of it
                sock.sendall(b" ")
        await _goes_on(world, rng)


@attack("sockets left open", "apart")
async def left_open(world: World, rng: Random) -> None:
    """One agent opens connections and keeps them, idle, at its door, until the door is full; writes decided already and people go on."""
    apart = _apart(world)
    decision = world.say("alpha", world.message((FORCE, world.present(FORCE) + rng.choice((-3.5, 3.5)))))
    with ExitStack() as open_:
        for _ in range(rng.choice((20, SOCKETS_MAX))):
            open_.enter_context(_dial(apart))
        if decision is not None and decision.verdict == "ask":
            world.agree(decision)
        await world.act()
        await _goes_on(world, rng)
        world.stop("*")  # whoever wants it to stop is heard
        await world.push("beta", (SPEED, near(world, SPEED, rng)))


@attack("another's identity", "apart")
async def identity(world: World, rng: Random) -> None:
    """An agent that may only observe says it is another: in the body, in headers, in the token's spelling, at the people's door."""
    apart = _apart(world)
    mine, theirs = apart.tokens["watcher"], apart.tokens["alpha"]
    value = near(world, SPEED, rng)

    def tries(token: str, extra: dict[str, object], **headers: str) -> None:
        message = {**world.message((SPEED, value)), **extra}
        world.oracle.posted("watcher", message)
        apart.deliver(json.dumps(message).encode(), token, **headers)

    tries(mine, {"author": "alpha"})
    tries(mine, {}, **{"x-forwarded-user": "alpha", "x-agent": "alpha", "cookie": "agent=alpha", "from": "alpha"})
    for wrong in (
        theirs.swapcase(),
        theirs[:-1],
        theirs + "=",
        theirs[:20],
        f"{mine},{theirs[:-2]}",
        "",
        "null",
        "Bearer",
        "alpha",
        theirs[::-1],
    ):
        tries(wrong, {})
    tries("", {}, authorization=f"Basic {theirs}")
    apart.call(apart.link, "POST", "/v1/approvals", b"{}", mine)
    body = json.dumps({"proposal": "p1", "person": "watcher", "password": mine, "yes": True}).encode()
    apart.call(apart.people_door, "POST", "/v1/approvals", body)
    await world.act()
    await _goes_on(world, rng)


@attack("revoked token", "apart")
async def revoked(world: World, rng: Random) -> None:
    """An agent's token is revoked, or renewed; the old one is tried on a new gate, with what the agent asked for before still waiting."""
    apart = _apart(world)
    old = apart.tokens["beta"]
    before = world.message((SPEED, near(world, SPEED, rng)))
    renewed = rng.random() < 0.5

    def revoke() -> None:
        with apart.shut_gate() as (_, agents):
            agents.revoke("beta")
            if renewed:
                apart.tokens["beta"] = agents.add("beta")

    await world.reboot(meanwhile=revoke)
    await world.run(3)
    for message in (before, world.message((SPEED, near(world, SPEED, rng))), world.message((FORCE, near(world, FORCE, rng)))):
        world.oracle.posted("nobody", message)
        apart.deliver(json.dumps(message).encode(), old)
        await world.act()
    await _goes_on(world, rng)
    if not renewed:

        def renew() -> None:
            with apart.shut_gate() as (_, agents):
                apart.tokens["beta"] = agents.add("beta")

        await world.reboot(meanwhile=renew)
        await world.run(3)


@attack("flood at the door", "apart")
async def flood(world: World, rng: Random) -> None:
    """One agent posts as fast as the socket takes it, from several connections at once; another agent's action comes through."""
    apart = _apart(world)
    token = apart.tokens["shady"]
    bodies = [json.dumps(world.message((SPEED, near(world, SPEED, rng)))).encode() for _ in range(50)]

    def pour() -> None:
        for body in bodies:
            try:
                with _dial(apart) as sock:
                    head = f"POST /v1/proposals HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
                    sock.sendall(head.encode() + body)
                    sock.recv(1 << 16)
            except OSError:
                continue

    threads = [threading.Thread(target=pour) for _ in range(4)]
    for thread in threads:
        thread.start()
    await _goes_on(world, rng)
    for thread in threads:
        thread.join()
    await _goes_on(world, rng)


@attack("guessed passwords", "apart")
async def guessed(world: World, rng: Random) -> None:
    """Whoever reaches the people's door answers in a person's name without that person's password."""
    apart = _apart(world)
    decision = world.say("alpha", world.message((FORCE, world.present(FORCE) + rng.choice((-3.5, 3.5)))))
    if decision is None:
        return
    for person in ("eve", "ANN", rng.choice(tuple(PEOPLE))):
        for password in rng.sample(("", "brass kettle", PASSWORD.upper(), "x" * 5000, "password1234", PASSWORD + "\u0000"), 2):
            vote = {"proposal": decision.proposal, "person": person, "role": "operator", "password": password, "yes": True}
            apart.post("/v1/approvals", vote)
    for body in (b"{}", b"[]", json.dumps({"proposal": decision.proposal, "yes": True, "person": ["ann"], "password": PASSWORD}).encode()):
        apart.call(apart.people_door, "POST", "/v1/approvals", body)
    await world.act()
    await world.run(2)


@attack("killed in the middle", "apart")
async def killed(world: World, rng: Random) -> None:
    """The gate's process is killed while it acts, and started again: nothing is sent twice, no yes is used twice."""
    tag = rng.choice((SPEED, FORCE, COUNT))
    message = world.message((tag, near(world, tag, rng)), valid_s=3600.0)
    decision = world.say("alpha", message)
    if decision is not None and decision.verdict == "ask":
        world.agree(decision)
    if rng.random() < 0.5:
        await world.act()
    await world.reboot(kill=True, away_s=rng.choice((0, 30)))
    await world.run(3)
    world.say("alpha", message)
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.run(1)
