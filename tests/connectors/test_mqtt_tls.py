"""MQTT over TLS: our own authority, certificates on both sides, and what is refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.mosquitto import AS_US, Broker, client, connected, needs_mosquitto, running, until
from holdfast.ports import ConnectionLost
from holdfast.terms import GOOD, Tag

pytestmark = needs_mosquitto


class Papers:
    """An authority, a broker's certificate for 127.0.0.1 and a client's, as PEM files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.ca, _ = self._made("authority", None)
        self.broker, self.broker_key = self._made("broker", "authority")
        self.gate, self.gate_key = self._made("gate", "authority")

    def _made(self, name: str, issuer: str | None) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer, issuing = key, subject
        if issuer is not None:
            loaded = serialization.load_pem_private_key((self._folder / f"{issuer}.key").read_bytes(), None)
            assert isinstance(loaded, ec.EllipticCurvePrivateKey)
            signer, issuing = loaded, x509.load_pem_x509_certificate((self._folder / f"{issuer}.pem").read_bytes()).subject
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuing).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(signer, hashes.SHA256())
        )  # fmt: skip
        paths = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return paths


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[tuple[Broker, Papers]]:
    papers = Papers(tmp_path / "papers")
    lines = (f"cafile {papers.ca}", f"certfile {papers.broker}", f"keyfile {papers.broker_key}", "require_certificate true")
    async with running(tmp_path, *lines, *AS_US) as broker:
        yield broker, papers


async def test_a_secured_broker_takes_us_by_our_certificate_and_carries_large_messages(secured: tuple[Broker, Papers]) -> None:
    broker, papers = secured
    of = Tag(name="plant/big", connection="broker", address="plant/big#v", unit="1")
    echo = {"security": "tls", "server": papers.ca, "client_cert": papers.gate, "client_key": papers.gate_key, "timeout_s": 3.0}
    async with connected(broker.port, **echo) as connector, connected(broker.port, **echo) as other:
        await connector.read((of,))
        link = other._session
        assert link is not None
        link.publish("plant/big", b'{"v": 6.5, "rest": "' + b"x" * 200_000 + b'"}', qos=0, expires_s=5)
        assert (await until(connector, of, lambda sample: sample.status == GOOD)).value == 6.5


async def test_a_broker_of_another_authority_is_refused_and_told(secured: tuple[Broker, Papers], tmp_path: Path) -> None:
    broker, papers = secured
    other = Papers(tmp_path / "others")
    connector = client(broker.port, security="tls", server=other.ca, client_cert=papers.gate, client_key=papers.gate_key)
    with pytest.raises(ConnectionLost, match=r"certificate is refused.*check that `server`"):
        await connector.connect()


async def test_a_secured_broker_without_our_certificate_refuses_us(secured: tuple[Broker, Papers]) -> None:
    broker, papers = secured
    of = Tag(name="plant/speed", connection="broker", address="plant/speed -> plant/set", unit="1")
    connector = client(broker.port, security="tls", server=papers.ca)
    with pytest.raises(ConnectionLost, match="check"):
        await connector.connect()
    assert await connector.write(of, 1.0, timeout_s=0.1) == "rejected"


async def test_a_broker_that_speaks_in_the_clear_is_refused_where_tls_is_wanted(tmp_path: Path) -> None:
    papers = Papers(tmp_path / "papers")
    async with running(tmp_path) as broker:
        with pytest.raises(ConnectionLost, match="check address, port, `security`"):
            await client(broker.port, security="tls", server=papers.ca).connect()
