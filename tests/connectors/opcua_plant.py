"""A small plant behind asyncua's server on a free loopback port; WriteRequests are counted as the server gets them."""

# pyright: reportArgumentType=false, reportOptionalMemberAccess=false, reportPrivateImportUsage=false
import datetime
import socket
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

URI = "urn:test:mill"
SERVER_URI = "urn:test:server"


_POINTS: tuple[tuple[str, Any, ua.VariantType], ...] = (
    ("Stand4.Tension.PV", 101.5, ua.VariantType.Double),
    ("Stand4.Tension.SP", 100.0, ua.VariantType.Float),
    ("Stand4.Speed", 812, ua.VariantType.UInt16),
    ("Stand4.Run", True, ua.VariantType.Boolean),
    ("Stand4.Locked", 1.0, ua.VariantType.Double),
    ("Stand4.Grade", "DC01", ua.VariantType.String),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Operators(UserManager):
    def get_user(self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> User | None:
        return User(role=UserRole.User) if (username, password) == ("mill", "right") else None


class Plant:
    """`async with Plant() as plant`: nodes of namespace `URI`, after a namespace that shifts its index."""

    def __init__(self, secure: Path | None = None) -> None:
        self.port = free_port()
        self.url = f"opc.tcp://127.0.0.1:{self.port}/"
        self.writes = 0
        self.certificate = Path()
        self._secure = secure
        self.server = Server(user_manager=Operators()) if secure else Server()
        self.nodes: dict[str, Any] = {}

    async def __aenter__(self) -> "Plant":
        await self.server.init()
        self.server.set_endpoint(self.url)
        if self._secure is not None:
            await self._lock(self._secure)
        else:
            self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await self.server.register_namespace("urn:test:other")
        index = await self.server.register_namespace(URI)
        folder = await self.server.nodes.objects.add_folder(ua.NodeId("Stand4", index), "Stand4")
        for name, value, kind in _POINTS:
            node = await folder.add_variable(ua.NodeId(name, index), name.rsplit(".", 1)[1], value, kind)
            self.nodes[name] = node
            if name in ("Stand4.Tension.SP", "Stand4.Speed", "Stand4.Run"):
                await node.set_writable()
        await self._describe(self.nodes["Stand4.Tension.PV"])
        self._count()
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop()

    async def set(self, name: str, value: Any, kind: ua.VariantType, status: int = 0, at: datetime.datetime | None = None) -> None:
        data = ua.DataValue(ua.Variant(value, kind), ua.StatusCode(status), at or datetime.datetime.now(datetime.UTC))
        await self.server.write_attribute_value(self.nodes[name].nodeid, data)

    async def reset(self) -> None:
        for name, value, kind in _POINTS:
            await self.set(name, value, kind)
        self.writes = 0

    def held(self, name: str) -> Any:
        return self.server.iserver.aspace[self.nodes[name].nodeid].attributes[ua.AttributeIds.Value].value.Value.Value

    def _count(self) -> None:
        """Every Write service call passes the attribute service, once a request."""
        service = self.server.iserver.attribute_service
        inner = service.write

        async def write(params: Any, *args: Any, **kwargs: Any) -> Any:
            self.writes += 1
            return await inner(params, *args, **kwargs)

        service.write = write  # type: ignore[method-assign]

    async def _describe(self, node: Any) -> None:
        await node.write_attribute(
            ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText("strip tension"), ua.VariantType.LocalizedText))
        )
        await node.add_property(
            ua.NodeId("Stand4.Tension.PV.EU", 3), "0:EngineeringUnits", ua.EUInformation(DisplayName=ua.LocalizedText("kN"))
        )
        await node.add_property(ua.NodeId("Stand4.Tension.PV.Range", 3), "0:EURange", ua.Range(Low=0.0, High=150.0))

    async def _lock(self, folder: Path) -> None:
        self.certificate, key = make_certificate(folder, "server")
        await self.server.set_application_uri(SERVER_URI)
        self.server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt], permission_ruleset=SimpleRoleRuleset())
        await self.server.load_certificate(str(self.certificate))
        await self.server.load_private_key(str(key))


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(SERVER_URI)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / f"{name}.der", folder / f"{name}.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate_path, key_path
