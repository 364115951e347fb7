"""The console under attack: where it listens, under which certificate, and who answers at its gate's socket."""

import ssl
from pathlib import Path

import pytest
from console_scene import Scene
from console_visitor import Elsewhere, Visitor, certificate_for, foreign, http_answer

from holdfast.console.process import main
from holdfast.console.visit import SESSION_COOKIE


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
