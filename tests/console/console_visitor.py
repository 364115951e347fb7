"""Who comes to the console without a browser's goodwill, and what they bring: forged headers, a socket of their own, a certificate."""

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
from console_scene import PASSWORD, Scene
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Page

from holdfast.run.supervise import Home

PATIENCE_MS = 20_000  # a busy machine is no fault of the page's
DESK, PHONE = (1280, 800), (390, 844)


class Visitor(httpx.Client):
    """A browser without its goodwill: it follows nothing, and sends what it is told to."""

    def __init__(self, scene: Scene, person: str = "", *, verify: ssl.SSLContext | bool = True) -> None:
        super().__init__(base_url=scene.address, timeout=20.0, verify=verify)
        if person:
            assert self.sign_in(person).status_code == 303

    def sign_in(self, person: str, *, to: str = "/", password: str = PASSWORD) -> httpx.Response:
        form = {"csrf": self.proof("/sign-in"), "person": person, "password": password, "to": to}
        return self.post("/sign-in", data=form)

    def proof(self, path: str = "/stop") -> str:
        """The proof that the page's own forms carry."""
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path).text)
        assert found is not None
        return found[1]

    def act(self, path: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.post(path, data={"csrf": self.proof(), **(form or {})}, headers=dict(headers or {}))


def sign_in(page: Page, person: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    page.fill("input[name=person]", person)
    page.fill("input[name=password]", password)
    page.click("main button")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def raw(scene: Scene, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """As it is written, with nothing made tidy on the way."""
    connection = http.client.HTTPConnection(scene.address.removeprefix("http://"), timeout=20)
    try:
        connection.putrequest(method, path)
        for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Elsewhere(Home):
    """The same folder, and another people's socket."""

    socket: Path

    @property
    def people(self) -> Path:
        return self.socket


def certificate_for(folder: Path, names: list[str]) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "console")])
    now = datetime.now(UTC)
    found = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    found = found.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    every = [x509.IPAddress(ip_address("127.0.0.1")), *map(x509.DNSName, names)]
    made = found.add_extension(x509.SubjectAlternativeName(every), critical=False).sign(key, hashes.SHA256())
    paths = folder / "console.pem", folder / "console.key"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(*plain))
    return paths


def http_answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def foreign(folder: Path, says: bytes) -> Path:
    """Another program at the socket: it says the same to whoever comes, until the test is over."""
    path = folder / "people.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def serve() -> None:
        while True:
            come, _ = listening.accept()
            with come:
                come.recv(65536)
                come.sendall(says)

    threading.Thread(target=serve, daemon=True).start()
    return path
