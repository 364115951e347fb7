"""The agent's process: on duty on the real clock until it is told to end, or another configuration is in force."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from holdfast.agent.ask.duty import Duty, duty_of, ways_of
from holdfast.agent.diagnosis.agent import Agent
from holdfast.agent.knowledge.manuals.fused import ByMeaning
from holdfast.agent.models.bundles.hardware.found import found
from holdfast.agent.models.bundles.in_use import InUse
from holdfast.agent.models.embeddings.encoder import SKILL as EMBEDDINGS
from holdfast.agent.models.embeddings.in_force import InForce
from holdfast.clock import Clock, RealClock, ScaledClock
from holdfast.link import ANOTHER_CONFIGURATION, LinkError
from holdfast.link.http import HttpLink
from holdfast.plugins import PluginError
from holdfast.site.model import Site, SiteError
from holdfast.terms import digest

if TYPE_CHECKING:
    from holdfast.agent.ask.opinion import Opinions

TOKEN_BYTES_MAX = 4096
RETRY_S, RETRY_S_MAX = 0.5, 30.0


def _token(given: argparse.Namespace) -> str:
    if given.token_fd is not None:
        with open(given.token_fd, encoding="ascii") as opened:  # the only thing handed over, read once and closed
            return opened.read(TOKEN_BYTES_MAX).strip()
    return Path(given.token_file).read_text("ascii")[:TOKEN_BYTES_MAX].strip()


def _kept(folder: Path | None, site: Site) -> dict[str, bytes]:
    """Learned states of earlier runs, by detector name; file names are digests, since names may be Chinese."""
    if folder is None:
        return {}
    paths = {spec.name: folder / f"{digest(spec)[:32]}.npz" for spec in site.perception}
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def _opinions(link: HttpLink, site: Site, clock: Clock) -> "Opinions | None":
    """None where the site lists no model for it, or what a model server needs is not installed here (extra `agent`)."""
    if not any("rerank" in one.skills for one in site.models):
        return None
    try:
        from holdfast.agent.ask.opinion import opinions_of
    except ImportError:
        return None
    return opinions_of(link, site, clock=clock, sockets=ways_of(link))


async def serve(
    link: HttpLink,
    clock: Clock,
    *,
    name: str,
    folder: Path | None,
    random: Random,
    stop: asyncio.Event,
    models: Path | None = None,
    papers: Path | None = None,
) -> int:
    """On duty until `stop`, or until another configuration is in force; how the process is to end.

    What an agent knows of the site it knows from its start: under another configuration it ends, and is started anew with that.
    A gate that is away is waited for with jittered backoff of at most RETRY_S_MAX.
    """
    agent: Agent | None = None
    duty: Duty | None = None
    opinions: Opinions | None = None
    failures, known, in_use = 0, "", InUse(link, models, found)
    near = ByMeaning(InForce(lambda: in_use.of(EMBEDDINGS), lambda of: in_use.unfit(of, "model.unfit")), clock)
    while not stop.is_set():
        try:
            if agent is None:
                site = await link.site()
                known = link.configuration
                opinions = _opinions(link, site, clock)
                heard = None if opinions is None else opinions.hear
                made = Agent(link, site, clock, name=name, learned=_kept(folder, site), heard=heard)
                await made.start()
                agent, duty = made, duty_of(link, site, papers, clock=clock, name=name, folder=folder, near=near)
                print(json.dumps({"agent": name, "learning": [who for who, _ in agent.status().learning]}), flush=True)  # noqa: T201
            learning = bool(agent.status().learning)
            await agent.step(wait_s=1.0)
            if duty is not None:
                await duty.step()
            if opinions is not None:
                opinions.step()
            await in_use.step(clock.now_ns())
            if learning and not agent.status().learning:
                print(json.dumps({"agent": name, "learning": []}), flush=True)  # noqa: T201
            failures = 0
            if link.configuration != known:
                why = {"agent": name, "ends": "another configuration is in force", "was": known[:16], "is": link.configuration[:16]}
                print(json.dumps(why), file=sys.stderr, flush=True)  # noqa: T201
                return ANOTHER_CONFIGURATION
        except LinkError as error:
            failures += 1
            pause_s = min(RETRY_S * 2.0 ** min(failures - 1, 10), RETRY_S_MAX) * (0.5 + random.random())
            print(json.dumps({"agent": name, "link": str(error), "retry_s": round(pause_s, 1)}), file=sys.stderr, flush=True)  # noqa: T201
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)
    return 0


async def _run(given: argparse.Namespace, token: str) -> int:
    clock: Clock = RealClock() if given.epoch_ns is None else ScaledClock(given.epoch_ns, given.factor)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    link = HttpLink(given.link, token)
    try:
        return await serve(
            link, clock, name=given.name, folder=given.keep, random=SystemRandom(), stop=stop, models=given.models, papers=given.papers
        )
    finally:
        await link.close()


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m holdfast.agent.process --link unix:/path --token-file FILE --name NAME`. 2: wrong use, 3: another configuration."""
    parser = argparse.ArgumentParser(prog="holdfast.agent.process", description="The agent on duty.")
    parser.add_argument("--link", required=True, help="unix:/path or https://host:port of the gate")
    parser.add_argument("--name", required=True, help="as in the site file's `agents`")
    token = parser.add_mutually_exclusive_group(required=True)
    token.add_argument("--token-file", type=Path, help="mode 0400")
    token.add_argument("--token-fd", type=int)
    parser.add_argument("--keep", type=Path, help="folder of the agent's own for what its detectors learned")
    parser.add_argument("--models", type=Path, help="the home whose `models` it may use; those of this release without it")
    parser.add_argument("--papers", type=Path, help="folder with manuals, maintenance records and standards, to read")
    parser.add_argument("--epoch-ns", type=int)
    parser.add_argument("--factor", type=float, default=1.0, help="of the demo's clock")
    given = parser.parse_args(argv)
    try:
        secret = _token(given)
        if given.keep is not None:
            given.keep.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_run(given, secret))
    except OSError as error:
        print(f"{error.filename or given.token_fd}: {error.strerror}; the agent needs its token and a folder to write to", file=sys.stderr)  # noqa: T201
        return 2
    except (ValueError, PluginError, SiteError) as error:
        print(str(error), file=sys.stderr)  # noqa: T201
        return 2


if __name__ == "__main__":
    sys.exit(main())
