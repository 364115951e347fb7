"""The variables below a node, with unit, range, type, description and access, as the server tells them.

Only scalar numbers and truth values: what else a server has can't be a tag's value in a frame.

Source: OPC 10000-8 §5.3.2 (AnalogItemType: EURange, EngineeringUnits), OPC 10000-4 §5.8.2 (Browse), §5.8.3 (BrowseNext).
"""

from collections.abc import AsyncIterator, Callable, Sequence

from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from holdfast.gate.connectors.opcua import values
from holdfast.gate.connectors.opcua.nodes import standard
from holdfast.terms import Tag

_NODES_MAX = 200_000  # a server that has more, or loops, is cut off there
_BATCH = 200
_CAN_WRITE = 0x02  # UserAccessLevel, bit CurrentWrite
_ASKED = (AttributeIds.Value, AttributeIds.Description, AttributeIds.UserAccessLevel)


async def variables(session: UaSession, under: ua.NodeId, connection: str, address: Callable[[ua.NodeId], str]) -> AsyncIterator[Tag]:
    """Breadth first, each node once. A tag's name is `<connection>/<address>`; the server's own object is left out."""
    seen = {under, standard(ObjectIds.Server)}
    level = [under]
    while level and len(seen) < _NODES_MAX:
        children: list[ua.ReferenceDescription] = []
        for start in range(0, len(level), _BATCH):
            for found in await _children(session, level[start : start + _BATCH]):
                children += found
        fresh: list[ua.ReferenceDescription] = []
        for child in children:
            if child.NodeId not in seen and child.ReferenceTypeId != standard(ObjectIds.HasProperty):
                seen.add(child.NodeId)
                fresh.append(child)
        points = [child.NodeId for child in fresh if child.NodeClass is ua.NodeClass.Variable]
        for start in range(0, len(points), _BATCH):
            for tag in await _tags(session, points[start : start + _BATCH], connection, address):
                yield tag
        level = [child.NodeId for child in fresh]


async def _children(session: UaSession, nodes: Sequence[ua.NodeId]) -> list[list[ua.ReferenceDescription]]:
    request = ua.BrowseParameters()
    request.NodesToBrowse = [
        ua.BrowseDescription(
            NodeId=node,
            BrowseDirection=ua.BrowseDirection.Forward,
            ReferenceTypeId=standard(ObjectIds.HierarchicalReferences),
            IncludeSubtypes=True,
            NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
            ResultMask=ua.BrowseResultMask.All,
        )
        for node in nodes
    ]
    found: list[list[ua.ReferenceDescription]] = []
    for result in await session.browse(request):
        references = list(result.References or [])
        rest = result.ContinuationPoint
        while rest and len(references) < _NODES_MAX:
            more = await session.browse_next(ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=[rest]))
            references += more[0].References or []
            rest = more[0].ContinuationPoint
        found.append(references)
    return found


async def _tags(session: UaSession, nodes: Sequence[ua.NodeId], connection: str, address: Callable[[ua.NodeId], str]) -> list[Tag]:
    attributes = await _read(session, [(node, attribute) for node in nodes for attribute in _ASKED])
    properties = await _properties(session, nodes)
    tags: list[Tag] = []
    for i, node in enumerate(nodes):
        value, description, access = attributes[i * len(_ASKED) : (i + 1) * len(_ASKED)]
        kind = values.scalar_type(value)
        if kind is None:
            continue
        text = description.Value.Value if description.Value is not None else None
        level = access.Value.Value if access.Value is not None else 0
        unit, eu_range = properties[i]
        where = address(node)
        tags.append(
            Tag(
                name=f"{connection}/{where}",
                connection=connection,
                address=where,
                unit=unit,
                type=values.tag_type(kind),
                eu_range=eu_range,
                writable=bool(isinstance(level, int) and level & _CAN_WRITE),
                description=text.Text or "" if isinstance(text, ua.LocalizedText) else "",
            )
        )
    return tags


async def _properties(session: UaSession, nodes: Sequence[ua.NodeId]) -> list[tuple[str, tuple[float, float] | None]]:
    """(unit as the server spells it, "1" for none; EURange) of each node."""
    wanted: list[tuple[int, ua.NodeId]] = []
    for i, references in enumerate(await _children(session, nodes)):
        wanted += [(i, r.NodeId) for r in references if r.BrowseName.Name in ("EngineeringUnits", "EURange")]
    read = await _read(session, [(node, AttributeIds.Value) for _, node in wanted])
    units = ["1"] * len(nodes)
    ranges: list[tuple[float, float] | None] = [None] * len(nodes)
    for (i, _), data in zip(wanted, read, strict=True):
        value = data.Value.Value if data.Value is not None else None
        if isinstance(value, ua.EUInformation):
            units[i] = value.DisplayName.Text or "1"
        elif isinstance(value, ua.Range):
            ranges[i] = (float(value.Low), float(value.High))
    return list(zip(units, ranges, strict=True))


async def _read(session: UaSession, what: Sequence[tuple[ua.NodeId, AttributeIds]]) -> list[ua.DataValue]:
    done: list[ua.DataValue] = []
    for start in range(0, len(what), _BATCH):
        part = what[start : start + _BATCH]
        request = ua.ReadParameters(NodesToRead=[ua.ReadValueId(NodeId=node, AttributeId=attribute) for node, attribute in part])
        done += await session.read(request)
    return done
