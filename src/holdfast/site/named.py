"""What a person types for a connection: a name of the site file, or an address of a device or server."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from holdfast.site.model import Connection, Site

NAME = "it"  # of a connection that no site file names
EXAMPLES = "opc.tcp://10.1.4.10:4840, modbus://10.1.4.20:502/1"
SCHEMES: Mapping[str, str] = {"opc.tcp": "opcua", "modbus": "modbus"}
MODBUS_PORT = 502


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
    found = {"security": "none", **options}
    if scheme == "opc.tcp":
        found["url"] = text
    else:
        found.pop("security")
        found |= {"host": parts.hostname, "port": str(port or MODBUS_PORT)}
        if parts.path.strip("/"):
            found["unit_id"] = unquote(parts.path.strip("/"))
        found |= dict(parse_qsl(parts.query))
    return Connection(name=NAME, type=SCHEMES[scheme], options=tuple((key, _plain(key, value)) for key, value in found.items()))


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
    return int(value) if key in ("port", "unit_id") and value.isdecimal() else value
