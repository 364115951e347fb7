"""The mill's OPC UA server: Basic256Sha256 with sign and encrypt, a user with a password, nodes named as in the site file.

A client's write reaches the plant at once, through the address space's value setter; what the plant shows is published
after each step with the plant's time as source timestamp.
"""

import datetime
import secrets
from collections.abc import Callable, Sequence
from typing import cast

from asyncua import ua
from asyncua.common.node import Node
from asyncua.crypto.cert_gen import generate_self_signed_app_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import NodeData
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from holdfast.sim.mill.plant import Mill
from holdfast.sim.mill.points import POINTS, Point
from holdfast.terms import SECOND_NS

NAMESPACE = "urn:holdfast:mill"
APPLICATION = "urn:holdfast:mill:server"
KINDS = {"float": ua.VariantType.Double, "integer": ua.VariantType.Int32, "bool": ua.VariantType.Boolean, "state": ua.VariantType.Int32}
# UNECE Recommendation 20 codes; OPC UA Part 8 §5.6.3 makes the unit id from their characters.
UNECE = {"kN": "B47", "L/min": "L2", "°C": "CEL", "m/min": "2X", "mm/s": "C16", "MN": "B73", "A": "AMP", "um": "4H", "m3/h": "MQH"}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class _OneUser(UserManager):
    def __init__(self, name: str, password: str) -> None:
        self._name, self._password = name, password

    def get_user(
        self, iserver: object, username: str | None = None, password: str | None = None, certificate: object = None
    ) -> User | None:
        known = username is not None and secrets.compare_digest(username.encode(), self._name.encode())
        right = password is not None and secrets.compare_digest(password.encode(), self._password.encode())
        return User(role=UserRole.User, name=username) if known and right else None


class MillServer:
    """Serves one Mill. `certificate` (DER) is what clients pin; the key never leaves this process."""

    def __init__(self, mill: Mill, epoch_ns: int, user: str, password: str) -> None:
        self._mill = mill
        self.epoch_ns = epoch_ns
        self._server = Server(user_manager=_OneUser(user, password))
        self._nodes: list[tuple[ua.NodeId, int, ua.VariantType]] = []
        self._ours: ua.DataValue | None = None
        self._up = False
        self.certificate = b""

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self._port}/holdfast/mill"

    async def start(self) -> None:
        server = self._server
        await server.init()
        server.set_endpoint("opc.tcp://127.0.0.1:0/holdfast/mill")
        server.set_server_name("Holdfast demo mill")
        await server.set_application_uri(APPLICATION)
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        server.set_identity_tokens([ua.UserNameIdentityToken])
        await self._certify()
        index = await server.register_namespace(NAMESPACE)
        folders: dict[str, Node] = {}
        for number, point in enumerate(POINTS):
            if point.server == "mill":
                await self._add(index, folders, number, point)
        await server.start()
        door = server.bserver
        if door is None or not door.port:
            raise RuntimeError("the OPC UA server started without a port: this asyncua is not the one pinned in requirements.txt")
        self._port = door.port
        self._up = True
        await self.publish()

    async def stop(self) -> None:
        await self._server.stop()

    async def set_up(self, up: bool) -> None:
        """Take the server's door away (all connections close) or bring it back on the same port."""
        door = self._server.bserver
        if up == self._up or door is None:
            return
        self._up = up
        await (door.start() if up else door.stop())

    async def publish(self) -> None:
        """Show the plant's row as of now."""
        stamp = self._stamp()
        row = self._mill.row
        for node_id, number, kind in self._nodes:
            await self._show(node_id, row[number], kind, stamp)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _stamp(self) -> ua.DateTime:
        at_ns = self.epoch_ns + round(self._mill.time_s * SECOND_NS)
        return cast(ua.DateTime, EPOCH + datetime.timedelta(microseconds=at_ns // 1000))  # asyncua encodes any datetime

    async def _show(self, node_id: ua.NodeId, value: float, kind: ua.VariantType, stamp: ua.DateTime) -> None:
        self._ours = ua.DataValue(_variant(value, kind), SourceTimestamp=stamp, ServerTimestamp=stamp)
        await self._server.write_attribute_value(node_id, self._ours)

    async def _certify(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        names: Sequence[x509.GeneralName] = [x509.UniformResourceIdentifier(APPLICATION), x509.DNSName("localhost")]
        certificate = generate_self_signed_app_certificate(
            key, "Holdfast demo mill", {}, list(names), [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.DER)
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        await self._server.load_certificate(self.certificate, "der")
        await self._server.load_private_key(pem, format="pem")

    async def _add(self, index: int, folders: dict[str, Node], number: int, point: Point) -> None:
        parent = self._server.get_objects_node()
        *path, leaf = point.address.split(".")
        for depth in range(len(path)):
            name = ".".join(path[: depth + 1])
            if name not in folders:
                folders[name] = await parent.add_object(_node_id(name, index), ua.QualifiedName(path[depth], index))
            parent = folders[name]
        kind = KINDS[point.type]
        node_id = _node_id(point.address, index)
        node = await parent.add_variable(node_id, ua.QualifiedName(leaf, index), _variant(self._mill.row[number], kind))
        if point.eu_range is not None:
            low, high = point.eu_range
            await node.add_property(0, "EURange", ua.Range(Low=low, High=high))
        if point.unit != "1":
            await node.add_property(0, "EngineeringUnits", _unit(point.unit))
        if point.states:
            await node.add_property(0, "EnumStrings", [ua.LocalizedText(name) for _, name in point.states])
        if point.writable:
            await node.set_writable()
            self._server.iserver.aspace.set_attribute_value_setter(node_id, AttributeIds.Value, self._setter(number, point))  # type: ignore[arg-type]
        self._nodes.append((node_id, number, kind))

    def _setter(self, number: int, point: Point) -> Callable[[NodeData, AttributeIds, ua.DataValue], None]:
        def received(node: NodeData, attribute: AttributeIds, value: ua.DataValue) -> None:
            shown = value
            if value is not self._ours:
                if value.Value is None or value.Value.Value is None:
                    raise ua.UaStatusCodeError(StatusCodes.BadTypeMismatch)
                self._mill.write(point.server, point.address, float(value.Value.Value))
                stamp = self._stamp()
                shown = ua.DataValue(_variant(self._mill.row[number], KINDS[point.type]), SourceTimestamp=stamp, ServerTimestamp=stamp)
            node.attributes[attribute].value = shown

        return received


def _node_id(name: str, index: int) -> ua.NodeId:
    return ua.NodeId(ua.String(name), ua.Int16(index))


def _variant(value: float, kind: ua.VariantType) -> ua.Variant:
    if kind is ua.VariantType.Double:
        return ua.Variant(value, kind)
    return ua.Variant(bool(value) if kind is ua.VariantType.Boolean else int(value), kind)


def _unit(unit: str) -> ua.EUInformation:
    number = -1
    if unit in UNECE:
        number = 0
        for letter in UNECE[unit]:
            number = number << 8 | ord(letter)
    return ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
        UnitId=number,
        DisplayName=ua.LocalizedText(unit),
        Description=ua.LocalizedText(unit),
    )
