"""What a server offers before anything is trusted: its certificate, its policies, how long it holds. Nothing is signed in to."""

import datetime

from asyncua import ua
from asyncua.client.client import Client
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from holdfast.gate.connectors.opcua import identity
from holdfast.gate.connectors.opcua.limit import at_most
from holdfast.ports import ConnectionLost
from holdfast.terms import Word


class Offered(Word):
    """A server's certificate as GetEndpoints shows it (OPC 10000-4 §5.4.4): shown, and proven by nothing yet."""

    der: bytes
    thumbprint: str  # SHA-1, as OPC UA tools show it
    sha256: str
    subject: str
    issuer: str
    self_signed: bool
    not_before: datetime.datetime
    not_after: datetime.datetime
    policies: tuple[str, ...]  # "Basic256Sha256 SignAndEncrypt", …


async def offered(url: str, timeout_s: float) -> Offered:
    """Ask over an unsecured channel. Raises ConnectionLost, ValueError where the server has no certificate."""
    try:
        async with at_most(timeout_s):
            endpoints = await Client(url, timeout=timeout_s).connect_and_get_server_endpoints()
    except (OSError, TimeoutError, ua.UaError) as error:
        raise ConnectionLost(f"{url} does not say what it offers ({error or type(error).__name__}); check address and port") from None
    ders = {identity.leaf(bytes(e.ServerCertificate)) for e in endpoints if e.ServerCertificate}
    if not ders:
        raise ValueError(f"{url} has no certificate: it offers no security; set one up on the server")
    if len(ders) > 1:
        raise ValueError(f"{url} offers {len(ders)} different certificates; take the one that its engineer shows you, as a file")
    (der,) = ders
    found = x509.load_der_x509_certificate(der)
    policies = sorted({f"{_policy(e.SecurityPolicyUri)} {ua.MessageSecurityMode(e.SecurityMode).name.rstrip('_')}" for e in endpoints})
    return Offered(
        der=der,
        thumbprint=identity.thumbprint(der),
        sha256=found.fingerprint(hashes.SHA256()).hex(),
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        self_signed=found.subject == found.issuer,
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        policies=tuple(policies),
    )


def _policy(uri: str | None) -> str:
    return (uri or "").rpartition("#")[2]
