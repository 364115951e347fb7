"""`bench pages`: how long the console takes for each of its pages, over a generated year of a plant's ledger.

Real processes: the demo plant, a gate over the year that `records` makes, and the console; one visitor who is signed in fetches
each page ROUNDS times, one after the other. A time goes from the request's first byte to the answer's last, so the gate's part
and the visitor's own are in it; nothing is kept between two of them but what the console itself keeps.
"""

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from holdfast.clock import RealClock, VirtualClock
from holdfast.console.gate import Gate, GateError
from holdfast.console.visit import SESSION_COOKIE
from holdfast.evals.bench.quantiles import spread
from holdfast.evals.bench.records import RECORDS, YEAR_S, write_year
from holdfast.evals.suites import Figures, Options, SuiteError
from holdfast.gate.history.store import History
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.index import RecordIndex
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.link import LinkError
from holdfast.link.http import HttpLink
from holdfast.run.mill import mill_site, past, site_file
from holdfast.run.supervise import Child, Home, StartError, enrol, python, start
from holdfast.terms import SECOND_NS, Proposal, Word, Write

ROUNDS = 20
PAGE_MS_MAX = 200.0
PERSON, PASSWORD, AGENT, LOOP = "bench", "a page that nobody reads", "mill-agent", "stand-4/tension"
SLOW_S = 60.0
TRIES, PAUSE_S = 300, 0.1  # for the plant's first values, and for a loop that may be written
LINES_TOLD = 6
# Every page of the console that a person opens or that a page fetches; what is braced stands for one that there is.
PAGES = (
    "/", "/overview/trend?tags=stand-4/tension.pv,stand-4/vibration&range_s=600",
    "/overview/trend?tags=stand-4/tension.pv,stand-4/vibration&range_s=86400",
    "/approvals", "/approvals/cards", "/approvals/{card}", "/approvals/{card}/card",
    "/alarms", "/alarms/list", "/alarms/{alarm}/shelve",
    "/incidents", "/incidents/list", "/incidents?before={middle}", "/incidents/{incident}", "/incidents/{incident}?view=timeline",
    "/incidents/{incident}?view=raw", "/incidents/{incident}/part", "/incidents/{incident}/cause",
    "/incidents/{old}", "/incidents/of/{proposal}", "/incidents/of/{card}",
    "/ledger", "/ledger?before={middle}", "/ledger?after=1", "/ledger?kind=decision", "/ledger?person=li.wei", "/ledger?agent=night-agent",
    "/ledger?tag=stand-3/vibration", "/ledger?kind=approval&agent=night-agent&tag=stand-1/force", "/ledger?kind=egress",
    "/ledger?agent=night-agent&person=ann", "/ledger?proposal={proposal}", "/ledger?from={day}&to={day}+23:59",
    "/ledger/1", "/ledger/{middle}", "/ledger/verify",
    "/policy", "/policy/list", "/policy/compare?old={former}&new={digest}", "/policy/of/{digest}", "/policy/propose", "/policy/rollback",
    "/commissioning", "/commissioning/loop?loop=" + LOOP, "/commissioning/ladder?loop=" + LOOP, "/commissioning/protocol?loop=" + LOOP,
    "/connections", "/connections/list", "/connections/of/mill", "/connections/of/mill/facts", "/detectors", "/detectors/list",
    "/compliance", "/compliance/list",
    "/reports", "/reports/shift", "/reports/compliance", "/reports/incidents/{incident}", "/reports/incidents/{old}",
    "/people", "/people/list", "/people/add", "/people/of/" + PERSON, "/people/password", "/people/agents/add",
    "/people/agents/of/" + AGENT, "/ask", "/ask/talk", "/models", "/models/list", "/stop", "/sign-in",
)  # fmt: skip
# Work that a person asks for on such a page, told beside the pages and held to no time.
WORK = ("/ledger/verify?run=1",)


class Place(Word):
    """What the year and the run have to show."""

    address: str
    token: str
    names: Mapping[str, str]


def run(options: Options) -> Figures:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        figures = asyncio.run(_measured(Path(folder), options))
    return Figures(name="pages", seed=options.seed, figures=figures, pass_=good(figures))


def good(figures: Mapping[str, Any]) -> bool:
    """Every page was the page that was asked for, and none took longer than PAGE_MS_MAX, not once."""
    return not figures["wrong"] and figures["slowest_ms"] <= PAGE_MS_MAX


async def _measured(folder: Path, options: Options) -> dict[str, Any]:
    home, records = Home(path=folder / "home"), options.n or RECORDS
    load = os.getloadavg()[0]
    indexed = _year(home, records, options)
    async with _running(home, folder) as place:
        names = {**place.names, "middle": str(records // 2), "old": "f-1", "proposal": "p-1", "day": _day()}
        took_ns, wrong = await _fetched(place.address, place.token, [page.format(**names) for page in PAGES], ROUNDS, options)
        work_ns, work_wrong = await _fetched(place.address, place.token, [page.format(**names) for page in WORK], 1, options)
    pages = {page: spread(took_ns[at]) for at, page in enumerate(PAGES)}
    return {
        "records": indexed,
        "rounds": ROUNDS,
        "pages": len(PAGES),
        "slowest_ms": max(told["max"] or 0.0 for told in pages.values()),
        "slowest": max(pages, key=lambda page: pages[page]["max"] or 0.0),
        "slowest_median_ms": max(told["p50"] or 0.0 for told in pages.values()),
        "wrong": [*wrong, *work_wrong],
        "page_ms": {page: {"p50": told["p50"], "max": told["max"]} for page, told in pages.items()},
        "work_ms": {page: spread(work_ns[at])["max"] for at, page in enumerate(WORK)},
        "cores": os.cpu_count(),
        "load_before": round(load, 2),  # with all cores busy by what else runs here, the slowest time is not the pages'
        "load_after": round(os.getloadavg()[0], 2),
        "aim": {"page_ms_max": PAGE_MS_MAX},
    }


def _day() -> str:
    """In the middle of the year that ends now."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - YEAR_S / 2))


def _year(home: Home, records: int, options: Options) -> int:
    """A gate's folder with a year that ends now, a day of the plant's values, a person and an agent; how many records there are."""
    home.gate.mkdir(parents=True, mode=0o700)
    options.progress(0.0, f"{records} records")
    with contextlib.closing(State(home.gate, durable=False)) as state:
        Log(state, VirtualClock(0))  # makes its tables
        write_year(state, records, options.seed, time.time_ns() - YEAR_S * SECOND_NS)
        People(state, Log(state, RealClock()), RealClock(), os.urandom).add(
            PERSON, ["operator", "process-engineer", "administrator"], PASSWORD
        )
    enrol(home, [AGENT])
    with contextlib.closing(History(home.gate / "history.db", durable=False)) as history:
        for frame in past(mill_site().site, 1, time.time_ns()):
            history.append(frame)
    with contextlib.closing(RecordIndex(home.gate)) as index:  # a gate does so while the record grows
        while left := index.step():
            options.progress(0.2 + 0.4 * (1 - left / records), "indexing")
        return index.done()


@contextlib.asynccontextmanager
async def _running(home: Home, folder: Path) -> AsyncGenerator[Place]:
    """Plant, gate and console, somebody signed in, and a question that waits."""
    env, children = {"PATH": os.defpath, "LANG": "C.UTF-8"}, list[Child]()

    async def process(name: str, module: str, *arguments: str | Path, stdin: int | None = None) -> Child:
        child = await start(name, python(module, *arguments), env=env, log=folder / f"{name}.log", stdin=stdin)
        children.append(child)
        return child

    site = folder / "site"
    site.mkdir()
    for name in ("site.yaml", "policy.yaml"):
        (site / name).write_text(site_file().with_name(name).read_text())
    try:
        plant = await process("plant", "holdfast.sim.serve", "--home", site, stdin=asyncio.subprocess.PIPE)
        env |= {"HOLDFAST_MILL_URL": str(plant.first["mill_url"]), "HOLDFAST_COOLING_PORT": str(plant.first["cooling_port"])}
        await process("gate", "holdfast.gate", "--site", site / "site.yaml", "--home", home.path)
        console = await process("console", "holdfast.console.process", "--gate", home.people)
        assert plant.process.stdin is not None  # noqa: S101
        plant.process.stdin.write(b"mode tension external\n")
        yield await _place(str(console.first["address"]), home, site)
    except StartError as error:
        said = [line for log in sorted(folder.glob("*.log")) for line in log.read_text().splitlines()[-LINES_TOLD:]]
        raise SuiteError(f"{error}; its processes said last:\n  " + "\n  ".join(said)) from error
    finally:
        for child in reversed(children):
            await child.end()


async def _place(address: str, home: Home, site: Path) -> Place:
    people, link = Gate(home.people), HttpLink(f"unix:{home.link}", (home.agent(AGENT) / "token").read_text())
    named = {"person": PERSON, "password": PASSWORD}
    try:
        token = str((await people.post("/v1/session", named))["token"])
        former = str((await people.get("/v1/status"))["configuration"])
        digest = await _activated(people, site, named)
        await people.post("/v1/autonomy", {"scope": "*", "level": "ask", **named})
        card = await _asks(link)
        alarms = await people.get("/v1/alarms", {"all": 1})
        newest = (await people.get("/v1/incidents", {"limit": 1}))[0]["id"]
        names = {
            "card": card,
            "alarm": str(alarms["alarms"][0]["id"]),
            "incident": str(newest),
            "digest": digest,
            "former": former,
        }
        return Place(address=address, token=token, names=names)
    except (GateError, LinkError) as error:
        raise SuiteError(f"the gate over the generated year says no: {error}") from error
    finally:
        await people.close()
        await link.close()


async def _activated(people: Gate, site: Path, named: Mapping[str, str]) -> str:
    """A second configuration, so that there are two to compare and one to go back to; its digest. Raises GateError."""
    files = {file.name: file.read_text() for file in site.iterdir() if file.suffix == ".yaml"}
    files["policy.yaml"] = files["policy.yaml"].replace("revision: 1", "revision: 2")
    laid = await people.post("/v1/configurations/propose", {"main": "site.yaml", "files": files, **named}, timeout_s=SLOW_S)
    await people.post("/v1/configurations/activate", {"digest": laid["digest"], **named}, timeout_s=SLOW_S)
    return str(laid["digest"])


async def _asks(link: HttpLink) -> str:
    """A proposal that waits for people, as soon as the plant's values are good enough for a decision; its id. Raises SuiteError."""
    failed: list[str] = []
    for number in range(TRIES):  # each by a name of its own: what was decided once is not decided again
        wanted = Proposal(
            id=f"bench-card-{number}", incident="bench", action=Write(sets=((f"{LOOP}.sp", 101.0),)), reason="to have a card", evidence=(),
            valid_s=3600.0,
        )  # fmt: skip
        decision = await link.propose(wanted)
        if decision.verdict == "ask":
            return wanted.id
        failed = [reason.code for reason in decision.reasons if not reason.passed]
        await asyncio.sleep(PAUSE_S)
    raise SuiteError(f"the demo's loop was not asked for: {', '.join(failed)}")


async def _fetched(address: str, token: str, paths: Sequence[str], rounds: int, options: Options) -> tuple[list[list[int]], list[str]]:
    """By page how long each took in ns, and what was not the page that was asked for."""
    took_ns: list[list[int]] = [[] for _ in paths]
    wrong: list[str] = []
    async with aiohttp.ClientSession(cookies={SESSION_COOKIE: token}, timeout=aiohttp.ClientTimeout(total=600)) as http:
        for _ in range(rounds):
            for at, path in enumerate(paths):
                began_ns = time.perf_counter_ns()
                async with http.get(address + path, allow_redirects=False) as answer:
                    await answer.read()
                took_ns[at].append(time.perf_counter_ns() - began_ns)
                if answer.status not in (200, 303 if path.startswith("/incidents/of/") else 200):
                    wrong.append(f"{path}: {answer.status}")
            options.progress(0.7, "fetching")
    return took_ns, list(dict.fromkeys(wrong))
