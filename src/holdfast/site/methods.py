"""Methods of a server, declared by the tags that they write: a method that writes a tag is that tag."""

from collections.abc import Iterator, Mapping

from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import Connection, Method
from holdfast.site.names import Directory, clean
from holdfast.site.shapes import At, Block


def make_methods(
    entries: Mapping[str, At], equipment: str, tags: Directory, connections: Mapping[str, Connection], log: Log
) -> Iterator[Method]:
    """The methods of one piece of equipment. Each writes tags that have bounds of their own, or it is an error."""
    for key, at in entries.items():
        block: Block = at.value
        file, name = at.node.file, f"{equipment}/{clean(key)}"
        found = [(w, tags.resolve(w.value, equipment, file, w.line, log)) for w in block.listed("writes")]
        for written, tag in found:
            if tag is not None and not tag.writable:
                what = f"{name} writes {tag.name}, which has no envelope"
                log.error(file, written.line, what, "give that tag `access: write` and an envelope, or delete the call: it is refused then")
        names = [tag.name for _, tag in found if tag is not None]
        if len(set(names)) != len(names):
            log.error(file, block.line("writes"), f"{name} writes one tag twice", "name each tag once, in the order of the arguments")
        on = block.at("on")
        connection = clean(on.value) if on is not None else next(iter(connections), "") if len(connections) == 1 else ""
        if connection not in connections:
            log.error(file, at.line, f"{name}: unknown connection", nearest(connection, connections, f"write on: {one_of(connections)}"))
            continue
        yield Method(name=name, connection=connection, address=block.get("address", ""), writes=tuple(names))
