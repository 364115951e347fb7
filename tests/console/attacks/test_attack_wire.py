"""The console under attack: whatever comes over the wire, a header, a path, a form, is refused and breaks nothing."""

from collections.abc import Callable

import pytest
from console_scene import Scene
from console_visitor import Visitor, raw

from attacks.attacked import EVIL, routes_of
from holdfast.console.app import HEADERS
from holdfast.console.hosts import name_in
from holdfast.console.visit import SESSION_COOKIE


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
