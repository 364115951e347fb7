"""Methods of a server: what one is called on, what its arguments are, and what its answer says of the device.

An address is the method's (`Stand4.Trim`), called on the one object that has it; or `Stand4 -> Stand4.Trim` where several objects share it.

Source: OPC 10000-4 §5.12.2 (Call: what the results say), OPC 10000-3 §5.7 (methods and their InputArguments).
"""

from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from holdfast.gate.connectors.opcua import values
from holdfast.gate.connectors.opcua.nodes import Nodes, standard
from holdfast.gate.connectors.row import is_bad
from holdfast.terms import Sent, Word

ARROW = "->"
KNOWN_MAX = 1_000  # methods that are remembered
# Answers that a server gives before the method runs. Any other Bad one may come from its middle.
_NOT_RUN = frozenset(
    (
        StatusCodes.BadMethodInvalid,
        StatusCodes.BadNodeIdUnknown,
        StatusCodes.BadNodeIdInvalid,
        StatusCodes.BadArgumentsMissing,
        StatusCodes.BadTooManyArguments,
        StatusCodes.BadInvalidArgument,
        StatusCodes.BadUserAccessDenied,
        StatusCodes.BadSecurityModeInsufficient,
        StatusCodes.BadNotExecutable,
        StatusCodes.BadNotImplemented,
    )
)


class Method(Word):
    """Where it is called, and the built-in types of its arguments in order."""

    on: ua.NodeId
    method: ua.NodeId
    kinds: tuple[ua.VariantType, ...]


class Methods:
    """Those that were called over one connection; made anew at each connect, since namespaces may be numbered anew."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._known: dict[str, Method] = {}

    async def request(self, session: UaSession, address: str, arguments: Sequence[float]) -> ua.CallMethodRequest:
        """Looked up the first time. Raises ValueError for what can't be called so, asyncua's errors where nothing could be looked up."""
        found = self._known.get(address)
        if found is None:
            found = await self._look_up(session, address)
            if len(self._known) < KNOWN_MAX:
                self._known[address] = found
        if len(arguments) != len(found.kinds):
            raise ValueError(f"{address} takes {len(found.kinds)} arguments, not {len(arguments)}")
        given = [values.encode(kind, value) for kind, value in zip(found.kinds, arguments, strict=True)]
        return ua.CallMethodRequest(ObjectId=found.on, MethodId=found.method, InputArguments=given)

    async def _look_up(self, session: UaSession, address: str) -> Method:
        on, arrow, method = (part.strip() for part in address.rpartition(ARROW))
        method_id = self._nodes.node(method)
        object_id = self._nodes.node(on) if arrow else None
        if method_id is None or (arrow and object_id is None):
            raise ValueError(f"{address} names no method here")
        if object_id is None:
            owners = await _browsed(session, method_id, ObjectIds.HasComponent, ua.BrowseDirection.Inverse)
            if len(owners) != 1:
                raise ValueError(f"{address} belongs to {len(owners)} objects: write OBJECT {ARROW} METHOD")
            object_id = owners[0].NodeId
        return Method(on=object_id, method=method_id, kinds=await _kinds(session, method_id, address))


async def _kinds(session: UaSession, method: ua.NodeId, address: str) -> tuple[ua.VariantType, ...]:
    properties = await _browsed(session, method, ObjectIds.HasProperty, ua.BrowseDirection.Forward)
    inputs = [reference.NodeId for reference in properties if reference.BrowseName.Name == "InputArguments"]
    if not inputs:
        return ()
    wanted = ua.ReadParameters(NodesToRead=[ua.ReadValueId(NodeId=inputs[0], AttributeId=AttributeIds.Value)])
    (data,) = await session.read(wanted)
    if data.StatusCode is not None and is_bad(data.StatusCode.value):
        raise ValueError(f"what {address} takes can't be read ({data.StatusCode.name})")
    told: Any = data.Value.Value if data.Value is not None else None
    return tuple(_kind(argument, address) for argument in told or ())


def _kind(argument: Any, address: str) -> ua.VariantType:
    number = argument.DataType.Identifier if argument.DataType.NamespaceIndex == 0 else None
    if argument.ValueRank not in (-1, -3) or number not in range(1, 12):  # scalar, or scalar or one dimension; Boolean to Double
        raise ValueError(f"{address}: its argument {argument.Name} is neither a number nor a truth value")
    return ua.VariantType(number)


async def _browsed(session: UaSession, node: ua.NodeId, reference: int, direction: ua.BrowseDirection) -> list[ua.ReferenceDescription]:
    request = ua.BrowseParameters()
    request.NodesToBrowse = [
        ua.BrowseDescription(
            NodeId=node,
            BrowseDirection=direction,
            ReferenceTypeId=standard(reference),
            IncludeSubtypes=True,
            NodeClassMask=ua.NodeClass.Unspecified,
            ResultMask=ua.BrowseResultMask.All,
        )
    ]
    (result,) = await session.browse(request)
    return list(result.References or [])


def of_result(status: int) -> Sent:
    """Of the StatusCode that the one call got."""
    if is_bad(status):
        return "rejected" if status & 0xFFFF_0000 in _NOT_RUN else "unknown"
    return "acked" if status & 0xC000_0000 == 0 else "unknown"
