"""The console under attack: whatever a page, a name, a form, a header or a socket brings, it is refused or shown as text."""

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import sign_in
from console_scene import AGENT, PASSWORD, PEOPLE, Scene, fresh_id
from console_visitor import Elsewhere, Visitor, certificate_for, foreign, http_answer, raw
from litestar.routes import HTTPRoute
from playwright.sync_api import Browser, Page, expect

from holdfast.clock import RealClock
from holdfast.console.app import HEADERS, console_app
from holdfast.console.hosts import name_in
from holdfast.console.process import main
from holdfast.console.visit import SESSION_COOKIE
from holdfast.run.desk import Vote
from holdfast.site.load import load
from holdfast.site.model import SiteError
from holdfast.terms import Evidence, Finding, Proposal, Word, Write

EVIL = '<script>window.taken=1</script><img src=x onerror="window.taken=1">"\'><svg onload=window.taken=1>{{7*7}}'
SHOWN = '<script>window.taken=1</script><img src=x onerror="window.taken=1">'
SETPOINT = "stand-4/tension.sp"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The mill with an alarm that stands, descriptions that are scripts, and everything asked of two people."""

    def hostile(site: str) -> str:
        site = site.replace("hi: 4.5", "hi: 0.01").replace(
            "{template: loop, on: mill, at: Stand4.Tension,",
            f"{{description: {_quoted(EVIL)}, template: loop, on: mill, at: Stand4.Tension,",
        )
        return site.replace("vibration:    {on: mill,", f"vibration:    {{description: {_quoted(EVIL)}, on: mill,")

    def two_roles(policy: str) -> str:
        return policy.replace("proposed > 112.0", "proposed > 100.1").replace(
            "approvals: [operator]", "approvals: [operator, process-engineer]"
        )

    made = Scene(tmp_path_factory.mktemp("scene"), site_edit=hostile, policy_edit=two_roles, people=PEOPLE)
    try:
        made.start_asking()
        yield made
    finally:
        made.end()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture(scope="module")
def visitor(scene: Scene) -> Iterator[Callable[..., Visitor]]:
    """Who is signed in stays so for the whole module: a password takes its time."""
    known: dict[str, Visitor] = {}
    made: list[Visitor] = []

    def come(person: str = "", *, anew: bool = False) -> Visitor:
        if not anew and person in known:
            return known[person]
        made.append(Visitor(scene, person))
        if person and not anew:
            known[person] = made[-1]
        return made[-1]

    yield come
    for one in made:
        one.close()


def asks_for(scene: Scene, tension: float = 101.0, text: str = "vibration grows with tension") -> str:
    wanted = Proposal(
        id=fresh_id("trim"), incident="i-1", action=Write(sets=((SETPOINT, tension),)), reason=text,
        evidence=(Evidence(kind="finding", ref="f-1", quote=text),), expect=text, valid_s=300.0,
    )  # fmt: skip
    decision = scene.agent(lambda link: link.propose(wanted))
    assert decision.verdict == "ask", [reason for reason in decision.reasons if not reason.passed]
    return wanted.id


@pytest.fixture
def waiting(scene: Scene) -> Iterator[str]:
    """A proposal that waits; what the test leaves of it is refused."""
    proposal = asks_for(scene)
    yield proposal
    for progress in scene.desk(lambda desk: desk.waiting()):
        refuse(scene, str(progress["proposal"]))
    scene.until(lambda: not scene.desk(lambda desk: desk.status())["jobs"])


def refuse(scene: Scene, proposal: str, reason: str = "end of test") -> None:
    """By somebody whose role has not signed yet."""
    roles = {one["role"] for one in scene.desk(lambda desk: desk._ask("GET", f"/v1/approvals/{proposal}"))["signed"]}
    person, role = ("zhang.min", "process-engineer") if "operator" in roles else ("li.wei", "operator")
    no = Vote(proposal=proposal, person=person, password=PASSWORD, yes=False, reason=reason, role=role)
    scene.desk(lambda desk: desk.vote(no))


def bodies(scene: Scene, *kinds: str) -> list[dict[str, Any]]:
    return [record["body"] for record in all_records(scene) if record["kind"] in kinds]


def all_records(scene: Scene) -> list[dict[str, Any]]:
    return [cast(dict[str, Any], record) for record in scene.desk(lambda desk: desk.records(0))]


def refusals(scene: Scene) -> set[tuple[str, str, str]]:
    return {(one["person"], one["act"], one["why"]) for one in bodies(scene, "refused.act")}


# ---- whose session it is ---------------------------------------------------------------------------------------------


def test_a_cookie_that_was_brought_along_is_never_taken_over(scene: Scene, visitor: Callable[..., Visitor]) -> None:
    brought = "A" * 43
    someone = visitor()
    someone.cookies.set(SESSION_COOKIE, brought, domain="127.0.0.1")
    assert someone.get("/").headers["location"].startswith("/sign-in")
    answer = someone.sign_in("li.wei")
    first = answer.cookies[SESSION_COOKIE]
    assert (first != brought, len(first) >= 43) == (True, True)
    other = visitor()
    other.cookies.set(SESSION_COOKIE, brought, domain="127.0.0.1")
    assert other.get("/approvals").status_code == 303
    other.cookies.clear()
    assert other.sign_in("li.wei").cookies[SESSION_COOKIE] != first


def test_signing_out_ends_the_token_and_not_the_cookie_alone(scene: Scene, visitor: Callable[..., Visitor]) -> None:
    someone = visitor("li.wei", anew=True)
    token = someone.cookies[SESSION_COOKIE]
    answer = someone.act("/sign-out")
    assert (answer.status_code, answer.headers["location"], "Max-Age=0" in answer.headers["set-cookie"]) == (303, "/sign-in", True)
    kept = visitor()
    kept.cookies.set(SESSION_COOKIE, token, domain="127.0.0.1")
    assert kept.get("/approvals").headers["location"].startswith("/sign-in")
    assert ("ended", "li.wei", "signed_out") in {(one["change"], one["person"], one["why"]) for one in bodies(scene, "session")}


def test_the_cookie_is_for_this_host_alone_and_out_of_every_scripts_reach(visitor: Callable[..., Visitor]) -> None:
    parts = {part.strip().lower() for part in visitor().sign_in("li.wei").headers["set-cookie"].split(";")[1:]}
    assert parts == {"httponly", "path=/", "samesite=strict"}


def test_signing_in_leads_nowhere_but_to_this_console(visitor: Callable[..., Visitor]) -> None:
    someone = visitor()
    for to in ("//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\r\nx: y", "", "evil", "/\t/evil"):
        asked = re.findall(r'name="to" value="([^"]*)"', someone.get("/sign-in", params={"to": to}).text)
        assert asked[-1] == "/", to
    for to, there in (("//evil.example", "/"), ("/\r\nx: y", "/"), ("/%0d%0ax:y", "/%0d%0ax:y"), ("/alarms?all=1", "/alarms?all=1")):
        answer = someone.sign_in("li.wei", to=to)
        assert (answer.status_code, answer.headers["location"], "x" in answer.headers) == (303, there, False), to
        someone.cookies.clear()


# ---- whose form it is ------------------------------------------------------------------------------------------------

FORGED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "no proof": ("", {}),
    "another's proof": ("another", {}),
    "a foreign origin": ("own", {"origin": "https://evil.example"}),
    "an opaque origin": ("own", {"origin": "null"}),
    "this host's other port": ("own", {"origin": "http://127.0.0.1:1"}),
    "from across": ("own", {"sec-fetch-site": "cross-site"}),
    "from the same site": ("own", {"sec-fetch-site": "same-site"}),
}


def test_a_form_that_is_not_ours_does_nothing(scene: Scene, visitor: Callable[..., Visitor], waiting: str) -> None:
    someone = visitor("li.wei")
    proofs = {"": "", "own": someone.proof(), "another": visitor("zhang.min").proof()}
    before = {record["seq"] for record in all_records(scene)}
    vote = {"answer": "yes", "person": "li.wei", "password": PASSWORD, "binds": "x"}
    forms = {"/stop": {"scope": "*"}, "/sign-out": {}, f"/approvals/{waiting}": vote, "/alarms/x/acknowledge": {}, "/people/add": {}}
    for how, (whose, headers) in FORGED.items():
        for path, form in forms.items():
            assert someone.post(path, data={**form, "csrf": proofs[whose]}, headers=dict(headers)).status_code == 403, (how, path)
    assert someone.get("/approvals").status_code == 200, "still signed in"
    made = {record["kind"] for record in all_records(scene) if record["seq"] not in before}
    assert not {"stop", "approval", "session", "refused.act", "person"} & made


def test_looking_changes_nothing(scene: Scene, visitor: Callable[..., Visitor], waiting: str) -> None:
    """Every page and part that can be opened, and every address that takes a form, asked with GET as an administrator."""
    someone = visitor("chen.jie")
    before = {record["seq"] for record in all_records(scene)}
    gets, posts = routes_of(waiting)
    for path in gets | posts:
        answer = someone.get(path)
        assert answer.status_code < 500, (path, answer.text[:300])
        assert path in gets or answer.status_code in (404, 405), path
    made = {record["kind"] for record in all_records(scene) if record["seq"] not in before}
    # An export is put on record: what leaves is told. Refused looks are too. The rest is the plant's and the agent's own.
    assert not made & {
        "session",
        "approval",
        "stop",
        "resume",
        "autonomy",
        "person",
        "alarm",
        "shelve",
        "commission.signed",
        "configuration",
    }


def routes_of(proposal: str) -> tuple[set[str], set[str]]:
    """What GET and POST may be sent to, with something put in for each name."""
    app = console_app(Path("/nowhere"), RealClock(), b"k" * 32, language="en", secure=False)
    found: dict[str, set[str]] = {"GET": set(), "POST": set()}
    for route in app.routes:
        if isinstance(route, HTTPRoute) and not route.path.startswith(("/static", "/live", "/ledger/verify/run")):
            path = re.sub(r"{\w+}", lambda match: "2" if match[0] == "{seq}" else proposal, route.path_format)
            for handler in route.route_handlers:
                for method in handler.http_methods & found.keys():
                    found[str(method)].add(path)
    assert min(map(len, found.values())) > 10
    return found["GET"], found["POST"] - found["GET"]


# ---- what is stored and shown ----------------------------------------------------------------------------------------


def test_a_tag_cant_be_named_as_a_script(scene: Scene, tmp_path: Path) -> None:
    text = (scene.site / "site.yaml").read_text()
    (tmp_path / "policy.yaml").write_text((scene.site / "policy.yaml").read_text())
    (tmp_path / "site.yaml").write_text(text.replace("coolant_temp:", '"<img src=x onerror=y>":'))
    with pytest.raises(SiteError, match="can't name a tag"):
        load(tmp_path / "site.yaml")


def test_a_stored_script_is_text_on_every_page_that_shows_it(scene: Scene, browser: Browser, waiting: str) -> None:
    finding = Finding(
        id=fresh_id("f"), incident=EVIL[:100], detector=EVIL, onset_ns=1, found_ns=2, confidence=0.9, score=2.0, shares=((SETPOINT, 1.0),)
    )
    scene.agent(lambda link: link.find(finding))
    refuse(scene, waiting, EVIL)
    proposal = asks_for(scene, text=EVIL)
    context = browser.new_context(base_url=scene.address, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    wrong: list[str] = []
    page.on("dialog", lambda dialog: wrong.append(f"dialog on {page.url}"))
    page.on("pageerror", lambda error: wrong.append(f"{error} on {page.url}"))
    page.on("console", lambda message: wrong.append(f"{message.text} on {page.url}") if "Security" in message.text else None)
    try:
        sign_in(page, "li.wei")
        _ask_and_answer(scene, page, proposal)
        _shelve(page)
        seqs = [
            record["seq"] for record in all_records(scene) if record["kind"] in ("finding", "proposal", "decision", "approval", "question")
        ]
        shows = 0
        for path in (
            "/", "/approvals", f"/approvals/{proposal}", "/alarms", "/incidents", f"/incidents/of/{proposal}", f"/incidents/of/{waiting}",
            "/ledger", *(f"/ledger/{seq}" for seq in seqs[-6:]), "/connections", "/commissioning", "/policy",
        ):  # fmt: skip
            page.goto(path)
            expect(page.locator("main")).to_be_visible()
            shows += SHOWN in (page.locator("body").text_content() or "")
            assert page.evaluate("window.taken") is None, path
            assert page.locator("script:not([src]), [onerror], [onload]").count() == 0, path
            assert "49" not in (page.locator(".claim").first.text_content() or "" if page.locator(".claim").count() else ""), path
        assert shows >= 6, "the pages did not show what was to be shown"
    finally:
        context.close()
    assert not wrong


class Answered(Word):
    question: str
    text: str


def _ask_and_answer(scene: Scene, page: Page, proposal: str) -> None:
    """A person's question and the agent's answer, both a script."""
    page.goto(f"/approvals/{proposal}")
    page.fill("#ask input[name=text]", EVIL)
    page.click("#ask button")
    expect(page.locator(".asked")).to_contain_text(SHOWN)
    asked = scene.desk(lambda desk: desk._ask("GET", f"/v1/questions?proposal={proposal}"))[-1]["id"]
    scene.agent(lambda link: link._ask("POST", "/v1/answers", body=Answered(question=asked, text=EVIL)))
    expect(page.locator(".questions .claim")).to_contain_text(SHOWN)


def _shelve(page: Page) -> None:
    page.goto("/alarms")
    page.locator("a[href$='/shelve']").first.click()
    page.locator("main input[name=reason]").fill(EVIL)
    page.locator("main form button").last.click()
    expect(page.locator("main")).to_contain_text(SHOWN)


# ---- what was signed -------------------------------------------------------------------------------------------------


def vote_of(page: str, proposal: str, **changes: str) -> dict[str, str]:
    binds = re.search(r'name="binds" value="([^"]+)"', page)
    assert binds is not None
    return {"answer": "yes", "person": "li.wei", "password": PASSWORD, "binds": binds[1], "reason": "fine", **changes}


def test_the_same_approval_sent_twice_counts_once_and_the_second_is_on_record(
    scene: Scene, visitor: Callable[..., Visitor], waiting: str
) -> None:
    someone = visitor("li.wei")
    vote = vote_of(someone.get(f"/approvals/{waiting}").text, waiting)
    assert someone.act(f"/approvals/{waiting}", vote).status_code == 303
    assert someone.act(f"/approvals/{waiting}", vote).status_code == 409
    assert [one["person"] for one in bodies(scene, "approval") if one["proposal"] == waiting] == ["li.wei"]
    assert ("li.wei", "POST /v1/approvals", "approval.twice") in refusals(scene)


@pytest.mark.parametrize("binds", ["0" * 64, ""])
def test_an_approval_of_another_proposal_than_the_one_that_is_there_signs_nothing(
    scene: Scene, visitor: Callable[..., Visitor], waiting: str, binds: str
) -> None:
    someone = visitor("li.wei")
    vote = vote_of(someone.get(f"/approvals/{waiting}").text, waiting, binds=binds)
    assert someone.act(f"/approvals/{waiting}", vote).status_code == 409
    assert not [one for one in bodies(scene, "approval") if one["proposal"] == waiting]
    assert ("li.wei", "POST /v1/approvals", "approval.changed") in refusals(scene)


# ---- who may ---------------------------------------------------------------------------------------------------------

NEW = {"name": "eve", "role.administrator": "on", "new": "long enough words", "again": "long enough words"}
RUNG = {"loop": "stand-4/tension", "rung": "wiring", "evidence": "0" * 64}
BEYOND: Mapping[str, tuple[str, Mapping[str, str], str]] = {
    "adding a person": ("/people/add", NEW, "POST /v1/people"),
    "becoming an administrator": ("/people/of/li.wei/roles", {"role.administrator": "on"}, "POST /v1/people/{name}/roles"),
    "letting another in no more": ("/people/of/wu.hao/disable", {}, "POST /v1/people/{name}/disable"),
    "removing another": ("/people/of/wu.hao/remove", {}, "POST /v1/people/{name}/remove"),
    "an agent's token": ("/people/agents/add", {"name": "spy"}, "POST /v1/agents"),
    "ending an agent": (f"/people/agents/of/{AGENT}/revoke", {}, "POST /v1/agents/{name}/revoke"),
    "going back": ("/policy/rollback", {}, "POST /v1/configurations/rollback"),
    "signing a rung": ("/commissioning/sign", RUNG, "POST /v1/commission/sign"),
}


@pytest.mark.parametrize("what", BEYOND)
def test_what_is_beyond_a_role_is_refused_by_the_gate_and_on_record(scene: Scene, visitor: Callable[..., Visitor], what: str) -> None:
    path, form, act = BEYOND[what]
    answer = visitor("li.wei").act(path, {**form, "password": PASSWORD, "person": "li.wei"})
    assert answer.status_code in (403, 409), answer.text[:500]
    assert act in {named for person, named, _ in refusals(scene) if person == "li.wei"}
    assert not [one for one in bodies(scene, "person", "agent") if one.get("by") == "li.wei"]


def test_a_page_beyond_a_role_shows_nothing_of_it(scene: Scene, visitor: Callable[..., Visitor]) -> None:
    someone = visitor("li.wei")
    for path in ("/people", "/people/list", "/people/of/chen.jie", "/people/agents/of/mill-agent"):
        answer = someone.get(path)
        assert "zhang.min" not in answer.text, path
        assert "wu.hao" not in answer.text, path
    assert ("li.wei", "GET /v1/people", "identity.not_administrator") in refusals(scene)


# ---- what comes over the wire ----------------------------------------------------------------------------------------


def test_every_answer_keeps_the_browser_at_home(visitor: Callable[..., Visitor]) -> None:
    someone = visitor()
    answers = [someone.get(path) for path in ("/", "/sign-in", "/static/console.css", "/nothing/here", "/static/nothing", "/health")]
    answers += [someone.post("/stop", data={}), someone.post("/nothing"), someone.get("/", headers={"host": "evil.example"})]
    for answer in answers:
        told = {name: answer.headers.get(name) for name in HEADERS}
        assert told == HEADERS, (answer.request.url, answer.status_code)
    policy = HEADERS["content-security-policy"]
    assert ("unsafe" in policy, "*" in policy, "frame-ancestors 'none'" in policy, "default-src 'none'" in policy) == (
        False,
        False,
        True,
        True,
    )


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "evil@127.0.0.1", "localhost.", "", "127.0.0.1:x", "0.0.0.0"],
)
def test_another_sites_name_for_this_machine_gets_nothing(visitor: Callable[..., Visitor], host: str) -> None:
    someone = visitor()
    for method, path in (("GET", "/sign-in"), ("POST", "/stop"), ("GET", "/live"), ("GET", "/static/console.css"), ("GET", "/no/page")):
        answer = someone.request(method, path, headers={"host": host})
        assert answer.status_code in (400, 421), (method, path)
        assert "csrf" not in answer.text


def test_this_machines_own_names_are_answered_whatever_port_a_tunnel_has(visitor: Callable[..., Visitor]) -> None:
    for host in ("localhost:9000", "127.0.0.1", "[::1]:443", "LOCALHOST"):
        assert visitor().get("/sign-in", headers={"host": host}).status_code == 200, host
    assert [name_in(host) for host in ("[0:0::1]:80", "[::1", "a b", "x:99999999")] == ["::1", "", "", ""]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/..%5capp.py", "/static//etc/passwd",
        "/static/vendor/../../app.py", "/static/%252e%252e/app.py", "/static/....//app.py", "/static/\\..\\app.py", "/../../etc/passwd",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_static_files(scene: Scene, path: str) -> None:
    status, content = raw(scene, "GET", path)
    assert 300 <= status < 500, status
    assert b"def console_app" not in content
    assert b"root:" not in content


@pytest.mark.parametrize("label", ["../../../etc/passwd", "site/../restricted", "", "site\r\nx: y", "nothing"])
def test_an_export_is_of_a_label_and_of_no_path(scene: Scene, visitor: Callable[..., Visitor], label: str) -> None:
    answer = visitor("wu.hao").get("/ledger/export", params={"label": label})
    assert (answer.status_code, "x" in answer.headers) == (404, False)
    assert "content-disposition" not in answer.headers


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..%2fsession", "a%00b", "x" * 3000])
def test_a_name_in_an_address_reaches_no_other_route_of_the_gate(visitor: Callable[..., Visitor], scene: Scene, name: str) -> None:
    token = visitor("chen.jie").cookies[SESSION_COOKIE]
    headers = {"cookie": f"{SESSION_COOKIE}={token}"}
    for path in (f"/approvals/{name}", f"/incidents/of/{name}", f"/people/of/{name}", f"/alarms/{name}/shelve", f"/policy/of/{name}"):
        status, content = raw(scene, "GET", path, headers=headers)
        assert 300 <= status < 500, (path, status, content[:500])


def test_a_form_without_bounds_is_refused_at_once(scene: Scene, visitor: Callable[..., Visitor]) -> None:
    someone = visitor("li.wei")
    for path in ("/sign-in", "/stop", "/alarms/x/shelve"):
        assert someone.post(path, content=b"csrf=" + b"a" * (2 << 20), headers={"content-type": FORM}).status_code == 413, path
        many = someone.post(path, content=b"&".join(b"f%d=1" % i for i in range(50_000)), headers={"content-type": FORM})
        assert many.status_code in (400, 403, 413), path


FORM = "application/x-www-form-urlencoded"


def test_nonsense_in_a_form_of_ours_is_answered_and_breaks_nothing(visitor: Callable[..., Visitor], waiting: str) -> None:
    someone = visitor("wu.hao")
    csrf = someone.proof()
    names = "answer binds shown person password reason text minutes scope loop rung evidence name new again"
    names += " roles files main step within hours digest code"
    for path in sorted(routes_of(waiting)[1] - {"/sign-out"}):
        for value in ("", "9" * 5000, "\x00", "-1e999", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), EVIL):
            form = {"csrf": csrf, **dict.fromkeys(names.split(), value)}
            answer = someone.post(path, data=form)
            assert answer.status_code < 500, (path, value[:20], answer.text[:800])


# ---- where it stands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "mill.example:0"])
def test_passwords_never_go_in_plain_to_where_others_can_listen(listen: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--gate", "/nowhere", "--listen", listen])
    assert (ended.value.code, "without TLS" in capsys.readouterr().err) == (2, True)


def test_over_tls_the_cookie_is_secure_and_the_certificates_names_are_answered(scene: Scene, tmp_path: Path) -> None:
    certificate, key = certificate_for(tmp_path, ["mill.example", "*.plant.example"])
    scene.end("console")
    address, module = scene.address, "holdfast.console.process"
    try:
        tls = ("--tls-certificate", certificate, "--tls-key", key)
        scene.address = str(scene._spawn("console", module, "--gate", scene.home.people, "--listen", "127.0.0.1:0", *tls)["address"])
        assert scene.address.startswith("https://127.0.0.1:")
        with Visitor(scene, verify=ssl.create_default_context(cafile=str(certificate))) as someone:
            assert "secure" in {part.strip().lower() for part in someone.sign_in("li.wei").headers["set-cookie"].split(";")}
            hosts = ("mill.example:8443", "west.plant.example", "plant.example", "a.b.plant.example", "evil.example")
            assert [someone.get("/sign-in", headers={"host": host}).status_code for host in hosts] == [200, 200, 421, 421, 421]
    finally:
        scene.end("console")
        scene.address = address
        scene.start_console()


@pytest.mark.parametrize("answers", ["", "rubbish", "a page", "a list"])
def test_a_socket_that_is_no_gates_is_told_as_away_and_signs_nobody_in(scene: Scene, tmp_path: Path, answers: str) -> None:
    page = {"rubbish": b"\x00\xff\r\n\r\n", "a page": http_answer(b"<html>"), "a list": http_answer(b"[]")}.get(answers)
    other = tmp_path / "people.sock" if page is None else foreign(tmp_path, page)
    scene.end("console")
    home, scene.home = scene.home, Elsewhere(path=scene.home.path, socket=other)
    try:
        scene.start_console()
        with Visitor(scene) as someone:
            opened = someone.get("/sign-in")
            assert opened.status_code == (500 if answers == "a list" else 200)  # JSON, and none of a gate's
            answer = someone.post(
                "/sign-in", data={"csrf": someone.proof("/stop") if opened.is_success else "", "person": "x", "password": "y"}
            )
            assert (answer.status_code in (403, 503), "set-cookie" in answer.headers) == (True, False)
            someone.cookies.set(SESSION_COOKIE, "A" * 43, domain="127.0.0.1")
            assert someone.get("/approvals").status_code in (303, 500, 503)
    finally:
        scene.end("console")
        scene.home = home
        scene.start_console()
