"""The names that this console answers to. Another site's page can have its name led to this machine (DNS rebinding) and its
scripts then count as ours to the browser; but it can't make the browser send our name, so any other Host is refused.

The port is not looked at: a tunnel's end has one of its own, and it is the name that an attacker brings.
"""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from litestar.types import ASGIApp, Receive, Scope, Send

HERE = frozenset({"127.0.0.1", "localhost", "::1"})
ANSWER = b"This console does not answer to that name. Open the address that it printed when it started, or a name in its certificate.\n"
_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::[0-9]{1,5})?", re.IGNORECASE)


def names_of(bound: str, certificate: Path | None) -> frozenset[str]:
    """What a Host may say: the address that is listened at, this machine's own names for itself, and the certificate's names.

    Raises OSError, ValueError for a certificate that can't be read.
    """
    found = {bound.lower()} - {"0.0.0.0", "::"}
    if certificate is not None:
        found |= set(_certified(certificate.read_bytes()))
    return frozenset(found) | HERE


def _certified(pem: bytes) -> Iterable[str]:
    """The names that a browser holds the certificate to (RFC 6125 §6.4)."""
    try:
        told = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from (name.lower() for name in told.get_values_for_type(x509.DNSName))
    yield from (str(address) for address in told.get_values_for_type(x509.IPAddress))


def name_in(host: str) -> str:
    """The name in a Host header, "" for one that is none."""
    found = _HOST.fullmatch(host)
    if found is None:
        return ""
    if found[2]:
        return found[2].lower()
    try:
        return str(ipaddress.ip_address(found[1]))
    except ValueError:
        return ""


class Ours:
    """Answers 421 (RFC 9110 §15.5.20) to a request for another name, or for none or several, before anything is read of it."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or not self._is_ours(name_in(hosts[0].decode("latin-1"))):
                headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(ANSWER)).encode())]
                await send({"type": "http.response.start", "status": 421, "headers": headers})
                await send({"type": "http.response.body", "body": ANSWER, "more_body": False})
                return
        await self._app(scope, receive, send)

    def _is_ours(self, name: str) -> bool:
        """A wildcard stands for one label, as in the certificate that it is from."""
        return name in self._names or f"*.{name.partition('.')[2]}" in self._names
