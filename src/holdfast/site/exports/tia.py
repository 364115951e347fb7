"""TIA Portal's PLC tags, as workbook, CSV, or the two kinds of XML that it writes; read by S7 or from the CPU's OPC UA server.

Sources: STEP 7 in TIA Portal, "Exporting and importing PLC tags" (columns of the sheet PLC Tags; `Tagtable` XML), TIA Portal
Openness, "Exporting PLC tag tables" (`SW.Tags.PlcTag`), and S7-1500's OPC UA server (NodeIds are the quoted names).
"""

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from holdfast.site.exports import workbook
from holdfast.site.exports.addresses import TIA_TYPES, ours, s7_of_tia
from holdfast.site.exports.found import Export, NotUnderstood, Options, Sorting, Taken
from holdfast.site.exports.text import local, table, tree
from holdfast.terms import TagType

SHEET = "PLC Tags"
NEEDED = ("name", "data type", "logical address")
NAMESPACE = "http://www.siemens.com/simatic-s7-opcua"
_NO = ("false", "0", "no")

Row = tuple[int, str, str, str, str, bool]  # line, name, type, address, comment, may others read it


def header(cells: list[str]) -> bool:
    """Whether a row names the columns of such an export."""
    return {cell.casefold() for cell in cells} >= set(NEEDED)


def of_workbook(data: bytes, options: Options) -> Export:
    return _sorted(_rows(workbook.rows(data, SHEET)), options)


def of_csv(text: str, options: Options) -> Export:
    return _sorted(_rows(table(text)), options)


def of_xml(text: str, options: Options) -> Export:
    root = tree(text)
    tables = [e for e in root.iter() if local(e).casefold() == "tagtable"]
    found = list(_of_tables(tables)) if tables else list(_of_openness(root))
    if not found:
        raise NotUnderstood("it is no tag table: export PLC tags from TIA Portal as .xlsx or .xml")
    return _sorted(found, options)


def address(name: str, kind: str, protocol: str, where: str) -> tuple[str, TagType]:
    """Ours, for S7 or OPC UA. `name` is quoted as the CPU's server has it. Raises ValueError that says why not."""
    if protocol == "s7":
        return s7_of_tia(where, kind)
    wire = TIA_TYPES.get(kind.strip().casefold(), "")
    if not wire:
        raise ValueError(f"{kind} is neither a number nor a truth value")
    return f"nsu={NAMESPACE};s={name}", ours(wire)


def protocol_of(options: Options) -> str:
    if options.protocol not in ("", "s7", "opcua"):
        raise NotUnderstood(f"tags of TIA Portal are read by s7 or opcua, not by {options.protocol}")
    return options.protocol or "s7"


def unit_of(kind: str) -> str:
    """TIME is whole milliseconds; no other type has a unit."""
    return "ms" if kind.strip().casefold() == "time" else "1"


def _sorted(rows: Iterable[Row], options: Options) -> Export:
    protocol, sorting = protocol_of(options), Sorting()
    for line, name, kind, where, comment, readable in rows:
        try:
            if not name:
                raise ValueError("it has no name")
            if not kind:
                raise ValueError("it is a constant, or has no type")
            if not readable and protocol == "opcua":
                raise ValueError("it is not accessible from HMI and OPC UA: tick that in TIA Portal")
            ours_at, of = address(f'"{name}"', kind, protocol, where)
            sorting.take(Taken(line=line, name=name, address=ours_at, type=of, unit=unit_of(kind), description=comment))
        except ValueError as why:
            sorting.leave(line, name, str(why))
    return sorting.done("tia")


def _rows(rows: Iterable[tuple[int, list[str]]]) -> Iterator[Row]:
    columns: list[str] = []
    for line, cells in rows:
        if not columns:
            if not header(cells):
                raise NotUnderstood(f"its first row does not name the columns {', '.join(NEEDED)}: export the PLC tags from TIA Portal")
            columns = [cell.casefold() for cell in cells]
        elif any(cells):
            found = dict(zip(columns, cells, strict=False))
            named = (found.get("name", ""), found.get("data type", ""), found.get("logical address", ""), found.get("comment", ""))
            yield line, *named, found.get("hmi accessible", "").casefold() not in _NO
    if not columns:
        raise NotUnderstood("it is empty: export the PLC tags from TIA Portal")


def _of_tables(tables: Iterable[Element]) -> Iterator[Row]:
    for element in (child for one in tables for child in one):
        found = {key.casefold(): value for key, value in element.attrib.items()}
        kind = found.get("type", "") if local(element).casefold() == "tag" else ""
        readable = found.get("hmiaccessible", "").casefold() not in _NO
        yield 0, (element.text or "").strip(), kind, found.get("addr", ""), found.get("remark", ""), readable


def _of_openness(root: Element) -> Iterator[Row]:
    for element in root.iter():
        if local(element) not in ("SW.Tags.PlcTag", "SW.Tags.PlcUserConstant"):
            continue
        told = {local(e): e.text or "" for group in element if local(group) == "AttributeList" for e in group}
        comment = next((e.text or "" for e in element.iter() if local(e) == "Text" and e.text), "")
        kind = told.get("DataTypeName", "") if local(element) == "SW.Tags.PlcTag" else ""
        readable = told.get("ExternalAccessible", "").casefold() not in _NO
        yield 0, told.get("Name", ""), kind, told.get("LogicalAddress", ""), comment, readable
