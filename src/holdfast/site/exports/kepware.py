"""Kepware's CSV export of a device's tags, read by the device's own protocol or from KEPServerEX over OPC UA.

Source: Kepware, "KEPServerEX manual", CSV import and export: the columns and what they hold. The export says neither channel nor
device, nor the device's word order.
"""

from holdfast.site.exports.addresses import KINDS, modbus_of_kepware, ours, s7_of_item
from holdfast.site.exports.found import Export, NotUnderstood, Options, Sorting, Taken, number, scaled
from holdfast.site.exports.text import table
from holdfast.terms import Scale, TagType

NEEDED = ("tag name", "address", "data type")
NAMESPACE = "KEPServerEX"  # URI of the namespace that its OPC UA server keeps its tags in


def header(cells: list[str]) -> bool:
    """Whether a row names the columns of such an export."""
    return {cell.casefold() for cell in cells} >= set(NEEDED)


def understand(text: str, options: Options) -> Export:
    """Raises NotUnderstood where it is no such export, or its protocol can't be told."""
    rows = list(table(text))
    if not rows or not header(rows[0][1]):
        raise NotUnderstood(f"its first row does not name the columns {', '.join(NEEDED)}: export the device's tags as CSV")
    columns = [cell.casefold().replace(".", "") for cell in rows[0][1]]
    lined = [(line, dict(zip(columns, cells, strict=False)), len(cells)) for line, cells in rows[1:]]
    protocol = options.protocol or _protocol([cells for _, cells, _ in lined], options)
    if protocol not in ("modbus", "s7", "opcua"):
        raise NotUnderstood(f"a Kepware export is read by modbus, s7 or opcua, not by {protocol}")
    if protocol == "opcua" and not options.under:
        raise NotUnderstood("the export doesn't say what it is of: say --under CHANNEL.DEVICE, as KEPServerEX shows them")
    sorting = Sorting()
    for line, cells, count in lined:
        name = cells.get("tag name", "")
        if count < len(columns):
            sorting.leave(line, name, f"{count} cells, but {len(columns)} columns")
            continue
        try:
            sorting.take(_tag(line, name, cells, protocol, options))
        except ValueError as why:
            sorting.leave(line, name, str(why))
    _notes(sorting, protocol, lined)
    return sorting.done("kepware")


def _protocol(rows: list[dict[str, str]], options: Options) -> str:
    """The one protocol that understands the most addresses."""
    counts = {"modbus": 0, "s7": 0}
    for cells in rows:
        for protocol in counts:
            try:
                _address(cells, protocol, Options(word_order="big", under=options.under))
            except ValueError:
                continue
            counts[protocol] += 1
    if counts["modbus"] == counts["s7"]:
        raise NotUnderstood(
            "no address in it is Modbus or S7, which we read directly: say --protocol opcua --under CHANNEL.DEVICE to read them"
            " from KEPServerEX itself"
        )
    return max(counts, key=lambda protocol: counts[protocol])


def _tag(line: int, name: str, cells: dict[str, str], protocol: str, options: Options) -> Taken:
    if not name:
        raise ValueError("it has no name")
    if cells.get("client access", "").upper() == "WO":
        raise ValueError("it can only be written there, never read")
    address, kind = _address(cells, protocol, options, name)
    rate_ms = number(cells.get("scan rate", ""))
    scale = _scale(cells, protocol, kind)
    clamped = scale is not None and "1" in (cells.get("clamp low", ""), cells.get("clamp high", ""))
    return Taken(
        line=line,
        name=name,
        address=address,
        type="float" if protocol == "opcua" and cells.get("scaling", "") not in ("", "None") else kind,
        unit=cells.get("eng units", ""),
        every_s=rate_ms / 1000 if rate_ms else None,
        scale=scale,
        description=cells.get("description", ""),
        remark="was clamped to its scaled range there, is not here" if clamped else "",
    )


def _address(cells: dict[str, str], protocol: str, options: Options, name: str = "") -> tuple[str, TagType]:
    kind = cells.get("data type", "")
    if kind.casefold() not in KINDS:
        raise ValueError(f"{kind or 'no data type'} is neither a number nor a truth value")
    if protocol == "modbus":
        return modbus_of_kepware(cells.get("address", ""), kind, options.word_order)
    if protocol == "s7":
        return s7_of_item(cells.get("address", ""), kind)
    wire = KINDS[kind.casefold()]
    return f"nsu={NAMESPACE};s={options.under}.{name}", ours(wire[0] or wire[1])


def _scale(cells: dict[str, str], protocol: str, kind: TagType) -> Scale | None:
    """Over OPC UA the server has scaled already."""
    how = cells.get("scaling", "").casefold()
    if protocol == "opcua":
        return None
    if cells.get("negate value", "") == "1":
        raise ValueError("it is negated there, which can't be said here; read it from KEPServerEX over OPC UA")
    if how in ("", "none") or kind == "bool":
        return None
    if how != "linear":
        raise ValueError(f"its scaling is {cells['scaling']}: only linear scaling is done; read it from KEPServerEX over OPC UA")
    ends = [number(cells.get(end, "")) for end in ("raw low", "raw high", "scaled low", "scaled high")]
    return scaled((ends[0], ends[1]), (ends[2], ends[3]))


def _notes(sorting: Sorting, protocol: str, rows: list[tuple[int, dict[str, str], int]]) -> None:
    if protocol == "modbus" and sorting.taken:
        sorting.note(
            "registers are counted from 1 and bits from 0, as Kepware does unless the device's settings say otherwise: compare one value"
        )
    if protocol == "opcua" and sorting.taken:
        sorting.note("addresses are by the namespace KEPServerEX: compare one with `holdfast tags browse`")
    writable = sum(cells.get("client access", "").upper() == "R/W" for _, cells, _ in rows)
    if writable:
        sorting.note(f"{writable} of these can be written there; here all are read only, until one has an envelope")
