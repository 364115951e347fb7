"""Which tool wrote a file, told by what is in it, and the file understood."""

from collections.abc import Callable, Mapping

from holdfast.site import taglist
from holdfast.site.exports import ignition, kepware, tia, tia_source, workbook
from holdfast.site.exports.found import Export, NotUnderstood, Options
from holdfast.site.exports.text import decoded, table

KINDS: Mapping[str, str] = {
    "kepware": "a device's tags as CSV",
    "tia": "PLC tags as .xlsx, .xml or .csv, or a data block's source (.db)",
    "ignition": "tags as JSON",
}


def understand(data: bytes, options: Options, kind: str = "") -> Export:
    """Raises NotUnderstood, saying what the file seems to be and what would do."""
    if kind and kind not in KINDS:
        raise NotUnderstood(f'"{kind}" is no kind of export; there is {", ".join(KINDS)}')
    if data.startswith(workbook.MAGIC):
        return _checked(kind, "tia", lambda: tia.of_workbook(data, options))
    text = decoded(data)
    head = text.lstrip("\ufeff \t\r\n")
    if head.startswith(("{", "[")):
        return _checked(kind, "ignition", lambda: ignition.understand(text, options))
    if head.startswith("<"):
        return _checked(kind, "tia", lambda: tia.of_xml(head, options))
    if "DATA_BLOCK" in text.upper() and "END_DATA_BLOCK" in text.upper():
        return _checked(kind, "tia", lambda: tia_source.understand(text, options))
    _, first = next(table(text), (0, list[str]()))
    if kepware.header(first):
        return _checked(kind, "kepware", lambda: kepware.understand(text, options))
    if tia.header(first):
        return _checked(kind, "tia", lambda: tia.of_csv(text, options))
    if {cell.casefold() for cell in first} >= {"name", "address"} and {cell.casefold() for cell in first} <= set(taglist.COLUMNS):
        raise NotUnderstood("it is a tag list of ours already: name it in the site file, as `tags: FILE`")
    raise NotUnderstood("it is none that we know: " + "; ".join(f"{name} exports {what}" for name, what in KINDS.items()))


def _checked(wanted: str, found: str, act: Callable[[], Export]) -> Export:
    if wanted and wanted != found:
        raise NotUnderstood(f"it is no export of {wanted}: it looks like one of {found}")
    return act()
