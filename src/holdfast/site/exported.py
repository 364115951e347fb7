"""An export of another tool, named in the site file as a list of tags: what is understood of it are tags, and what is left is told.

Read again at each start, so that the tool which made it stays the one place where its tags are kept. All are read only.
"""

from collections.abc import Mapping

from holdfast.site import taglist
from holdfast.site.exports import Options, cells, understand
from holdfast.site.exports.found import Left, NotUnderstood
from holdfast.site.lines import Node
from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import Connection
from holdfast.site.names import clean
from holdfast.site.shapes import Block

PROTOCOLS = ("opcua", "modbus", "s7")  # an export has addresses of these
_SHOWN = 3  # lines that were left, of those told


def read(block: Block, content: bytes, file: str, connections: Mapping[str, Connection], log: Log) -> tuple[tuple[Node, Node], ...]:
    """(name, block) of each tag, with its line in the export; problems are told where the export is named."""
    where = (block.node.file, block.line("export"))
    over = _connection(block, connections, log)
    if over is None:
        return ()
    options = Options(
        protocol=over.type,
        word_order=block.get("word_order", ""),
        source=block.get("source", ""),
        under=block.get("under", ""),
        db=block.get("db", 0),
    )
    try:
        found = understand(content, options)
    except NotUnderstood as why:
        log.error(*where, f"{file} can't be used: {why}", f"look at it with `holdfast tags import {file} --connection {over.name}`")
        return ()
    if found.left:
        log.warn(*where, _told(found.left, len(found.taken), file), "write those that you need as single tags, or mend them in that tool")
    if not found.taken:
        log.error(*where, f"{file} has no tag that can be used", f"see why: `holdfast tags import {file} --connection {over.name}`")
    return tuple(taglist.row_of(cells(tag, over.name), file, max(tag.line, 1)) for tag in found.taken)


def _connection(block: Block, connections: Mapping[str, Connection], log: Log) -> Connection | None:
    named = block.at("on")
    if named is None and len(connections) != 1:
        cure = f"write on: {one_of(connections)}"
        return log.error(block.node.file, block.node.line, "it lacks `on`: which connection its tags are read over", cure)
    name = clean(named.value) if named is not None else next(iter(connections))
    line = named.line if named is not None else block.node.line
    over = connections.get(name)
    if over is None:
        cure = nearest(name, connections, f"write {one_of(connections)}")
        return log.error(block.node.file, line, f'unknown connection "{name}"', cure)
    if over.type not in PROTOCOLS:
        cure = f"name a connection of type {', '.join(PROTOCOLS)}"
        return log.error(block.node.file, line, f"{name} is of type {over.type}: no export has addresses for that", cure)
    return over


def _told(left: tuple[Left, ...], taken: int, file: str) -> str:
    shown = "; ".join(f"{f'line {one.line}, ' if one.line else ''}{one.name or '(no name)'}: {one.why}" for one in left[:_SHOWN])
    more = f"; and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return f"{file}: {taken} tags were taken, {len(left)} lines were left ({shown}{more})"
