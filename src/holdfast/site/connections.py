"""Connections: which connector, with which options; one that writes is secured or says that it isn't."""

from collections.abc import Collection, Mapping

from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import Connection
from holdfast.site.names import Register, clean
from holdfast.site.secrets import fault
from holdfast.site.shapes import At, Block

UNSECURED = "writes without security"


def make_connections(entries: Mapping[str, At], types: Collection[str], log: Log) -> tuple[Connection, ...]:
    """The connections in the file's order. `types` are the connectors that are installed."""
    names = Register("connection")
    made: list[Connection] = []
    for key, at in entries.items():
        block: Block = at.value
        file, line = at.node.file, at.line
        name = clean(key)
        names.take(name, file, line, log)
        kind = block.get("type", "")
        if kind and kind not in types:
            log.error(file, block.line("type"), f'no connector "{kind}" is installed', nearest(kind, types, f"write {one_of(types)}"))
        options = dict(block.rest) | {k: v for k, v in block.found.items() if k not in ("type", "writes")}
        for option, value in options.items():
            why = fault(value.value) if isinstance(value.value, str) else None
            if why:
                log.error(file, value.line, f"`{option}` of {name}: {why}", "write env:NAME or file:NAME, relative to the site file")
        writes = bool(block.get("writes", False))
        if writes:
            _secured(block, name, log)
        made.append(
            Connection(name=name, type=kind, options=tuple(sorted((k, v.value) for k, v in options.items())), writes=writes, line=line)
        )
    return tuple(made)


def _secured(block: Block, name: str, log: Log) -> None:
    file, line = block.node.file, block.line("writes")
    security = block.get("security")
    if security is None:
        cure = "write security: Basic256Sha256 and server: file:SERVER.der, or security: none if the network itself is closed"
        log.error(file, line, f"{name} writes and does not say how it is secured", cure)
    elif str(security).casefold() == "none":
        cure = "anyone on this network can pose as the device; this is told at every start"
        log.warn(file, block.line("security"), f"{name} {UNSECURED}", cure)
    elif block.get("server") is None:
        log.error(file, line, f"{name} writes to a server that is not pinned", "write server: file:SERVER.der (its certificate)")
