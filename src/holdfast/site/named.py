"""What a person types for a connection: a name of the site file, or an address of a device or server."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from holdfast.site.model import Connection, Site

NAME = "it"  # of a connection that no site file names
EXAMPLES = "opc.tcp://10.1.4.10:4840, modbus://10.1.4.20:502/1 (unit), s7://10.1.4.30/0/1 (rack, slot), mqtt://10.1.4.40"
SCHEMES: Mapping[str, str] = {"opc.tcp": "opcua", "modbus": "modbus", "s7": "s7", "mqtt": "mqtt", "mqtts": "mqtt"}
IN_PATH: Mapping[str, tuple[str, ...]] = {"modbus": ("unit_id",), "s7": ("rack", "slot")}  # what the parts of its path are
NUMBERS = ("port", "unit_id", "rack", "slot")


def connection_named(text: str, site: Site | None, options: Mapping[str, str]) -> Connection:
    """The connection that `text` stands for; `options` go with an address alone. Raises ValueError with what to type instead."""
    if "://" not in text:
        return _of_site(text, site, options)
    scheme = text.partition("://")[0].casefold()
    if scheme not in SCHEMES:
        raise ValueError(f"{text}: no connector is reached by {scheme}://; type one as {EXAMPLES}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text}: {error}; type it as {EXAMPLES}") from None
    if not parts.hostname:
        raise ValueError(f"{text}: there is no host in it; type it as {EXAMPLES}")
    if parts.password is not None:
        raise ValueError("a password in an address is seen by everyone on this machine: give it as --login env:NAME or file:PATH")
    found = dict(options)
    kind = SCHEMES[scheme]
    if kind == "opcua":
        found = {"security": "none", **found, "url": text}
    else:
        found |= {"host": parts.hostname, **({"port": str(port)} if port else {})}
        found |= {"security": "tls" if scheme == "mqtts" else "none"} if kind == "mqtt" else {}
        told = [unquote(part) for part in parts.path.split("/") if part]
        if len(told) > len(IN_PATH.get(kind, ())):
            raise ValueError(f"{text}: there is more in it than {kind} has; type it as {EXAMPLES}")
        found |= dict(zip(IN_PATH.get(kind, ()), told, strict=False))
        found |= dict(parse_qsl(parts.query))
    return Connection(name=NAME, type=kind, options=tuple((key, _plain(key, value)) for key, value in found.items()))


def _of_site(name: str, site: Site | None, options: Mapping[str, str]) -> Connection:
    if site is None:
        raise ValueError(f'"{name}" is no address; type one as {EXAMPLES}, or name the site file that has it with --site')
    if options:
        raise ValueError(f"{', '.join(options)}: the site file says this of {name}; leave it out")
    for connection in site.connections:
        if connection.name == name:
            return connection
    raise ValueError(f'the site file has no connection "{name}"; it has {", ".join(c.name for c in site.connections) or "none"}')


def _plain(key: str, value: str) -> str | int:
    return int(value) if key in NUMBERS and value.isdecimal() else value
