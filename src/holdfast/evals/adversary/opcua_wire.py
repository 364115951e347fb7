"""The plant behind a real OPC UA server; what its oracle judges is each WriteRequest as the attribute service gets it."""

import dataclasses
import datetime
import logging
from collections.abc import Callable
from typing import Any, cast

from asyncua import ua
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import User
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from holdfast.evals.adversary.bounds import ACTIVE, PLACES, Place
from holdfast.evals.adversary.plant import Plant
from holdfast.evals.oracle import Arrival
from holdfast.site.model import Connection, Site
from holdfast.terms import GOOD, SECOND_NS

NAMESPACE = "urn:holdfast:attacked"
WIDE = (-1e6, 1e6)  # an EURange that bounds nothing here
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
VARIANT = {
    "i16": ua.VariantType.Int16,
    "u16": ua.VariantType.UInt16,
    "f32": ua.VariantType.Float,
    "bit": ua.VariantType.Boolean,
    "coil": ua.VariantType.Boolean,
}


class OpcUaWire:
    """Nodes are named as the tags are; a scaled tag's node carries counts, as its register does."""

    name = "opcua"

    def __init__(self, plant: Plant, now_ns: Callable[[], int]) -> None:
        self._plant = plant
        self._now_ns = now_ns
        self._server: Server | None = None
        self._names: dict[ua.NodeId, str] = {}
        self._up = False
        self.port = 0

    async def start(self) -> None:
        if self._server is None:
            await self._make()
        elif not self._up and self._server.bserver is not None:
            await self._server.bserver.start()
        self._up = True

    async def stop(self) -> None:
        """Close the door and every connection; start may follow."""
        if self._server is not None and self._up and self._server.bserver is not None:
            await self._server.bserver.stop()
        self._up = False

    async def close(self) -> None:
        if self._server is not None:
            if not self._up:
                await self.start()
            await self._server.stop()

    def site(self, site: Site) -> Site:
        """The same site with this server as its connection."""
        options = (("url", f"opc.tcp://127.0.0.1:{self.port}/attacked"), ("security", "none"), ("namespace", NAMESPACE))
        connection = Connection(name="plc", type="opcua", options=options, writes=True)
        tags = tuple(dataclasses.replace(tag, address=tag.name) for tag in site.tags)
        return dataclasses.replace(site, connections=(connection,), tags=tags)

    async def _make(self) -> None:
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # it warns of what is chosen here: no security, on loopback
        server = self._server = Server()
        await server.init()
        server.set_endpoint("opc.tcp://127.0.0.1:0/attacked")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await server.register_namespace(NAMESPACE)
        for name, place in PLACES.items():
            node_id = ua.NodeId(ua.String(name), ua.Int16(index))
            node = await server.get_objects_node().add_variable(node_id, ua.QualifiedName(name, index), self._variant(name, place))
            await node.set_writable()
            self._names[node_id] = name
            if name in ACTIVE:
                await self._limited(node, name, index)
            server.iserver.aspace.set_attribute_value_callback(node_id, AttributeIds.Value, self._read)
        service: Any = server.iserver.attribute_service
        own, write = server.iserver.isession.user, service.write

        async def written(params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
            if user is own:  # the server itself, about its own state
                return await write(params, user)
            return [self._taken(value) for value in params.NodesToWrite]

        service.write = written  # whatever anybody else writes passes here, to whichever node and attribute
        await server.start()
        door = server.bserver
        if door is None or not door.port:
            raise RuntimeError("the OPC UA server started without a port: this asyncua is not the one pinned in requirements.txt")
        self.port = door.port

    async def _limited(self, node: Node, name: str, index: int) -> None:
        """An AnalogItemType's EURange, and whether this account may write: as the plant says them at the moment they are read."""
        ranged = await node.add_property(ua.NodeId(ua.String(f"{name}#range"), ua.Int16(index)), "0:EURange", ua.Range(*WIDE))
        space, oracle = self._server_space(), self._plant.oracle

        def range_(*_: object) -> ua.DataValue:
            low, high = self._plant.eu_range.get(name, WIDE)
            if oracle is not None:
                oracle.told_range(name, low, high)
            return ua.DataValue(ua.Variant(ua.Range(low, high), ua.VariantType.ExtensionObject))

        def access(*_: object) -> ua.DataValue:
            may = name not in self._plant.read_only
            if oracle is not None:
                oracle.told_access(name, may_write=may)
            return ua.DataValue(ua.Variant(3 if may else 1, ua.VariantType.Byte))

        space.set_attribute_value_callback(ranged.nodeid, AttributeIds.Value, range_)
        space.set_attribute_value_callback(node.nodeid, AttributeIds.UserAccessLevel, access)

    def _server_space(self) -> Any:
        assert self._server is not None  # noqa: S101 - it is being made
        return self._server.iserver.aspace

    def _variant(self, name: str, place: Place) -> ua.Variant:
        value = self._plant.shown(name)
        match place.kind:
            case "i16":
                return ua.Variant(round(value * 27648.0 / 150.0), VARIANT[place.kind])
            case "u16":
                return ua.Variant(int(value), VARIANT[place.kind])
            case "bit" | "coil":
                return ua.Variant(bool(value), VARIANT[place.kind])
            case "f32":
                return ua.Variant(value, VARIANT[place.kind])

    def _read(self, node_id: ua.NodeId, attribute: AttributeIds) -> ua.DataValue:
        name = self._names[node_id]
        if self._plant.on_read is not None:
            self._plant.on_read((name,))
        place, status = PLACES[name], self._plant.status.get(name, GOOD)
        now_ns = self._now_ns()
        source_ns = now_ns + round(self._plant.skew_s.get(name, 0.0) * SECOND_NS)
        value = place.decode(place.encode(self._plant.shown(name)))
        if self._plant.oracle is not None:
            good = status == GOOD and value - value == 0.0
            self._plant.oracle.served(name, value, good=good, source_ns=source_ns, now_ns=now_ns)
        return ua.DataValue(
            self._variant(name, place),
            StatusCode=ua.StatusCode(ua.UInt32(status)),
            SourceTimestamp=_stamp(source_ns),
            ServerTimestamp=_stamp(now_ns),
        )

    def _taken(self, write: ua.WriteValue) -> ua.StatusCode:
        oracle = self._plant.oracle
        assert oracle is not None  # noqa: S101 - set before the first request
        tag = self._names.get(write.NodeId, "") if write.AttributeId == AttributeIds.Value and not write.IndexRange else ""
        variant = write.Value.Value
        value = float("nan")
        if tag and variant is not None and variant.VariantType is VARIANT[PLACES[tag].kind] and not variant.is_array:
            raw = float(cast(float, variant.Value))
            value = raw * 150.0 / 27648.0 if PLACES[tag].kind == "i16" else raw
        else:
            tag = ""
        arrival = Arrival(wire=self.name, tag=tag, value=value, raw=repr(variant).encode(), at_ns=oracle.up_ns())
        match self._plant.arrive(arrival):
            case "ok":
                return ua.StatusCode(ua.UInt32(StatusCodes.Good))
            case "no":
                return ua.StatusCode(ua.UInt32(StatusCodes.BadNotWritable))
            case _:
                return ua.StatusCode(ua.UInt32(StatusCodes.BadUnexpectedError))


def _stamp(at_ns: int) -> ua.DateTime:
    return cast(ua.DateTime, EPOCH + datetime.timedelta(microseconds=at_ns // 1000))
