"""Outbox: where orders go, which kinds each target takes, and with which credentials."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from holdfast.site.context import options_fit
from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import OutboxTarget
from holdfast.site.names import Register, clean
from holdfast.site.secrets import is_reference
from holdfast.site.shapes import At, Block

NEEDS: Mapping[str, tuple[str, ...]] = {
    "file": ("file",),
    "sqlite": ("file", "table"),
    "postgres": ("host", "database", "user", "table"),
    "webhook": ("url",),
}
TAKES: Mapping[str, tuple[str, ...]] = {"file": (), "sqlite": (), "postgres": ("port", "password"), "webhook": ("token",)}


def make_outbox(entries: Mapping[str, At], equipment: Sequence[str], log: Log) -> tuple[OutboxTarget, ...]:
    """The targets in the file's order; one that can't be read is told and left out."""
    names = Register("outbox target")
    made: list[OutboxTarget] = []
    for key, at in entries.items():
        block: Block = at.value
        name = clean(key)
        names.take(name, at.node.file, at.line, log)
        of = block.get("type")
        if of is None or not options_fit(block, of, NEEDS[of], TAKES[of], name, log):
            continue
        if of == "webhook":
            _url(block, log)
        wanted = tuple(dict.fromkeys(clean(item.value) for item in block.listed("equipment")))
        for item in block.listed("equipment"):
            if clean(item.value) not in equipment:
                log.error(
                    item.node.file,
                    item.line,
                    f'unknown equipment "{item.value}"',
                    nearest(item.value, equipment, f"write {one_of(equipment)}"),
                )
        made.append(
            OutboxTarget(
                name=name,
                type=of,
                kinds=tuple(dict.fromkeys(item.value for item in block.listed("orders"))),
                equipment=wanted,
                options=tuple(sorted((k, v.value) for k, v in block.found.items() if k not in ("type", "orders", "equipment"))),
                line=at.line,
            )
        )
    return tuple(made)


def _url(block: Block, log: Log) -> None:
    url, file, line = block.get("url", ""), block.node.file, block.line("url")
    if is_reference(url):
        return
    why = url_fault(url)
    if why:
        log.error(file, line, f"`url` can't be used: {why}", "write https://HOST:PORT/PATH")
    elif url.startswith("http:"):
        log.warn(file, line, "the webhook is not encrypted", "whoever is on this network can read and change what is sent: use https")


def url_fault(url: str) -> str:
    """Why this is no webhook's address, "" if it is one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it is no http or https address"
    if parts.username or parts.password or parts.fragment or port == 0:
        return "it has a user, a password or a fragment; a token has a key of its own"
    return ""
