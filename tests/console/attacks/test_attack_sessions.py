"""The console under attack: whose session it is, and whose form."""

import re
from collections.abc import Callable, Mapping

from console_scene import PASSWORD, Scene
from console_visitor import Visitor

from attacks.attacked import all_records, bodies, refusals, routes_of
from holdfast.console.visit import SESSION_COOKIE


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


FORGED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "no proof": ("", {}),
    "another's proof": ("another", {}),
    "a foreign origin": ("own", {"origin": "https://evil.example"}),
    "an opaque origin": ("own", {"origin": "null"}),
    "this host's other port": ("own", {"origin": "http://127.0.0.1:1"}),
    "from across": ("own", {"sec-fetch-site": "cross-site"}),
    "from the same site": ("own", {"sec-fetch-site": "same-site"}),
}


def test_a_form_that_is_not_ours_does_nothing_and_is_on_record(scene: Scene, visitor: Callable[..., Visitor], waiting: str) -> None:
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
    assert not {"stop", "approval", "session", "person"} & made
    told = {(act, why) for person, act, why in refusals(scene) if person == "li.wei"}
    assert {(f"POST {path}", "csrf") for path in ("/stop", "/sign-out", "/approvals/{proposal}", "/people/add")} <= told


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
