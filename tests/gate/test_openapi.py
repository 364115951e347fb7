"""The description of both doors, and what they do with whatever can be said by it: a no in words, never a fault, never a write."""

import ast
import asyncio
import inspect
import os
import socket
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from litestar import Litestar
from people_door import Served
from requests.adapters import HTTPAdapter
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from small_plant import ASKING, PASSWORD, T, site
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.described import asked, body_of, document, handlers_of, words_of
from holdfast.gate.api.messages import BODY_BYTES_MAX
from holdfast.gate.api.people import people_app
from holdfast.terms import Finding

EXAMPLES = int(os.environ.get("HOLDFAST_FUZZ", "3"))  # of each kind, a route; HOLDFAST_FUZZ=200 is a long look
SEED = int(os.environ.get("HOLDFAST_FUZZ_SEED", "1"))
ANSWER_S_MAX = 20.0
ENDLESS = {"/v1/events"}  # goes on for ever by design
SLOW = {"/v1/export", "/v1/verify"}  # a process of its own each
READS_NOTHING = {"/v1/alarms/{alarm}/acknowledge", "/v1/alarms/{alarm}/unshelve"}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
KNOWN_BODY = {"person": "rosa", "password": PASSWORD, "proposal": "p1", "loop": T, "scope": "stand", "new_password": "other words here"}


class Unix(HTTPAdapter):
    """Requests to whatever host, through one Unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        super().__init__()

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        path = self._path

        class Connection(HTTPConnection):
            def connect(self) -> None:
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(ANSWER_S_MAX)
                self.sock.connect(path)

        pool = HTTPConnectionPool("gate")
        pool.ConnectionCls = Connection  # type: ignore[assignment]
        return pool


class Door:
    """A gate with a proposal that waits, an alarm, a finding, an administrator and an operator; its loop runs in a thread."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._ended = asyncio.Event()
        try:
            self.do(self._open(folder))
        except BaseException:
            self._rest()
            raise
        self.living = self._later(self._live())

    async def _open(self, folder: Path) -> None:
        self.world = Served(folder, site(rules=ASKING))
        gate = self.world.gate
        gate.people.add("rosa", ["administrator"], PASSWORD)
        gate.people.add("ann", ["operator"], PASSWORD)
        self.world.open_doors()
        await self.world.run(3)
        self.world.plc.pv[T] = 140.0  # above its limit
        await self.world.run(2)
        seen = {"detector": "d", "onset_ns": 1, "found_ns": 2, "confidence": 0.5, "score": 2.0, "shares": ((f"{T}.pv", 1.0),)}
        gate.find("ann-agent", Finding(id="f1", incident="f1", **seen))  # type: ignore[arg-type]
        assert self.world.propose(101.0).verdict == "ask"
        alarm, digest = gate.alarms.shown(normal=True)[0].id, gate.compiled.digest
        self.path = {"proposal": "p1", "alarm": alarm, "digest": digest, "name": "ann", "seq": 2, "incident": "f1"}

    async def _live(self) -> None:
        while not self._ended.is_set():
            await self.world.run(1)
            await asyncio.sleep(0.25)

    def do(self, what: Any) -> Any:
        return self._later(what).result(30.0)

    def _later(self, what: Any) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(what, self.loop)

    def token(self) -> str:
        return self.do(self._token())

    async def _token(self) -> str:
        self.world.clock.advance(600.0)  # whatever was said as rosa meanwhile: the lock ends
        return await self.world.sign_in("rosa")

    def written(self) -> list[tuple[str, float]]:
        return [*self.world.plc.written, *self.do(self._intents())]

    async def _intents(self) -> list[Any]:
        return self.world.records("intent")

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._ended.set)
        self.living.result(30.0)
        self.do(self.world.close_doors())
        self.loop.call_soon_threadsafe(self.world.gate.close)
        self._rest()

    def _rest(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10.0)
        self.loop.close()


@pytest.fixture
def door() -> Iterator[Door]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        made = Door(Path(folder))
        yield made
        made.close()


@pytest.fixture(scope="module")
def apps() -> Iterator[tuple[Litestar, Litestar]]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        world = Served(Path(folder), site())
        yield people_app(world.gate, world.agents), agents_app(world.gate, world.agents)
        world.gate.close()


# ---- what is described -----------------------------------------------------------------------------------------------


def test_every_route_says_what_it_is_for_and_what_it_reads(apps: tuple[Litestar, Litestar]) -> None:
    for app in apps:
        for path, method, handler in handlers_of(app):
            assert words_of(handler), f"{method} {path}: its docstring is its description; there is none"
            if method == "POST":
                nothing = body_of(handler) is None and "takes" not in handler.opt
                assert nothing == (path in READS_NOTHING), f"{method} {path}: no body, or one that is not looked for"


def test_every_query_parameter_that_a_route_reads_is_declared(apps: tuple[Litestar, Litestar]) -> None:
    for app in apps:
        for path, method, handler in handlers_of(app):
            told = {one.name for one in asked(handler)}
            read = parameters_read(cast(Any, handler.fn))
            assert read <= told, f"{method} {path}: reads {read - told}, which no `query=` beside it declares, so nobody can ask it"


def parameters_read(what: Callable[..., Any]) -> set[str]:
    """The names in `number(request, NAME)`, `request.query_params.get(NAME)` and `NAME in request.query_params`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(what)))
    found: set[str] = set()
    for node in ast.walk(tree):
        at = {"number": 1, "request.query_params.get": 0}.get(ast.unparse(node.func)) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and at is not None and isinstance(node.args[at], ast.Constant):
            found.add(str(cast(ast.Constant, node.args[at]).value))
        if isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "request.query_params":
            found |= {node.left.value} if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str) else set()
    return found


def test_the_document_says_of_a_vote_what_is_asked_for(apps: tuple[Litestar, Litestar]) -> None:
    told = document(apps[0], "people")
    vote = told["paths"]["/v1/approvals"]["post"]
    body = vote["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["required"]) == {"proposal", "person", "password", "yes"}
    assert (body["additionalProperties"], body["properties"]["reason"]["maxLength"]) == (False, 4000)
    assert vote["responses"]["default"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    days = told["paths"]["/v1/configurations/{digest}/replay"]["get"]["parameters"][1]
    assert (days["name"], days["required"], days["schema"]) == ("days", False, {"type": "integer", "minimum": 1, "maximum": 31})


async def test_both_doors_serve_their_description_and_the_agents_only_to_an_agent() -> None:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        served = Served(Path(folder), site())
        served.open_doors()
        told = await served.ask("GET", "/v1/openapi.json")
        assert (told.status, told.body["openapi"], "/v1/approvals" in told.body["paths"]) == (200, "3.1.0", True)
        assert (await served.ask("GET", "/v1/openapi.json", door=served.link)).status == 401
        told = await served.ask("GET", "/v1/openapi.json", door=served.link, token=served.agent_token)
        assert (told.status, "/v1/proposals" in told.body["paths"], "/v1/approvals" in told.body["paths"]) == (200, True, False)
        await served.close_doors()
        served.gate.close()


@pytest.mark.parametrize(
    "query",
    ["form_ns=1", "limit=1&limit=2", "limit=1.5", "limit=９", "order=up", "after=-1", f"after={2**62 + 1}", "kind=" + "x" * 5000],
    ids=["misspelt", "twice", "no whole number", "no digit", "no choice", "below", "above", "long"],
)
async def test_a_parameter_that_is_not_understood_is_refused_and_never_passed_over(query: str) -> None:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        served = Served(Path(folder), site())
        served.open_doors()
        answer = await served.ask("GET", f"/v1/records?{query}")
        assert (answer.status, set(answer.body)) == (400, {"error", "code", "message", "facts", "retry_after_s"})
        assert (await served.ask("GET", "/v1/records?limit=1")).status == 200
        await served.close_doors()
        served.gate.close()


# ---- whatever can be said --------------------------------------------------------------------------------------------


@pytest.mark.timeout(180 if EXAMPLES <= 3 else 7200)
@pytest.mark.parametrize("who", ["nobody", "administrator"])
def test_whatever_is_said_at_the_peoples_door_is_answered_and_writes_nothing(door: Door, who: str) -> None:
    told = requests_of(door.world.people).get("http://gate/v1/openapi.json", timeout=ANSWER_S_MAX).json()
    found = fuzz(told, door.world.people, door.path, door.token if who == "administrator" else str)
    assert not found, "\n\n".join(found)
    assert door.written() == []


@pytest.mark.timeout(180 if EXAMPLES <= 3 else 7200)
def test_whatever_an_agent_says_is_answered_and_writes_nothing(door: Door) -> None:
    session = requests_of(door.world.link)
    headers = {"authorization": f"Bearer {door.world.agent_token}"}
    told = session.get("http://gate/v1/openapi.json", headers=headers, timeout=ANSWER_S_MAX).json()
    found = fuzz(told, door.world.link, door.path, lambda: door.world.agent_token)
    assert not found, "\n\n".join(found)
    assert door.written() == []


def requests_of(path: Path) -> requests.Session:
    session = requests.Session()
    session.mount("http://", Unix(path))
    return session


def fuzz(told: dict[str, Any], path: Path, known: Mapping[str, Any], token: Callable[[], str]) -> list[str]:
    """What each route was found to do wrong. Half of what is said is wrong on purpose, half of the rest names what there is."""
    session = requests_of(path)
    wrong: list[str] = []
    for found in schemathesis.openapi.from_dict(told).get_all_operations():
        operation = cast(Any, found).ok()
        if operation.path not in ENDLESS:
            headers = {"authorization": f"Bearer {held}"} if (held := token()) else {}
            wrong += fuzz_one(operation, session, headers, known)
    return wrong


def fuzz_one(operation: Any, session: requests.Session, headers: dict[str, str], known: Mapping[str, Any]) -> Iterator[str]:
    def say(case: Any, checks: list[Any]) -> None:
        if "wait_ms" in (case.query or {}):
            case.query["wait_ms"] = 1
        answer = case.call(base_url="http://gate", session=session, headers=headers, timeout=ANSWER_S_MAX)
        case.validate_response(answer, checks=checks)

    def right(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(GenerationMode.POSITIVE))
        if data.draw(st.booleans()):
            as_there_is(case, known)
        say(case, CHECKS)

    def otherwise(data: st.DataObject) -> None:
        say(data.draw(operation.as_strategy(GenerationMode.NEGATIVE)), [*CHECKS, refused])

    bounded = settings(
        max_examples=1 if operation.path in SLOW else EXAMPLES,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
    says = [right, otherwise] if operation.path not in SLOW and (operation.body or operation.query) else [right]
    for one in says:
        try:
            seed(SEED)(bounded(given(st.data())(one)))()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001
            yield f"{operation.method} {operation.path} ({one.__name__}): {error}"


def refused(context: Any, response: Any, case: Any) -> bool | None:
    """What breaks the description gets a no; 413 is one, which schemathesis does not count."""
    return None if response.status_code == 413 else negative_data_rejection(context, response, case)


def as_there_is(case: Any, known: Mapping[str, Any]) -> None:
    """Names, and the password, of what the gate has: so that it goes on to what comes after not knowing them."""
    for name in case.path_parameters or {}:
        if name in known:
            case.path_parameters[name] = known[name]
    if isinstance(case.body, dict):
        case.body.update({name: value for name, value in KNOWN_BODY.items() if name in case.body})


@pytest.mark.parametrize("what", ["a long text", "a deep list", "no end"])
def test_a_body_without_bounds_is_refused_on_every_route(door: Door, what: str) -> None:
    body = {"a long text": b'{"person":"' + b"x" * BODY_BYTES_MAX + b'"}', "a deep list": b"[" * 60_000, "no end": b'{"person":'}[what]
    transport = httpx.HTTPTransport(uds=str(door.world.people))
    with httpx.Client(transport=transport, base_url="http://gate", timeout=ANSWER_S_MAX) as http:
        told = http.get("/v1/openapi.json").json()["paths"]
        posts = [path for path, methods in told.items() if "requestBody" in methods.get("post", {})]
        assert len(posts) > 15
        for path in posts:
            given_path = path.format(**door.path)
            answer = http.post(given_path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in (400, 401, 413), (path, answer.status_code, answer.text[:200])
