"""The egress lock: from the moment it is set, this process connects only to the addresses that its site file names.

An audit hook (PEP 578) sees every connect, datagram and name look-up that Python code makes, and can't be taken out again
until the process ends. It is no wall against native code, which makes no audit event: that is what the service's
IPAddressAllow and the nftables rules in deploy/ are for. A child process would be outside of it, so none is started.
"""

import contextlib
import dataclasses
import ipaddress
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from holdfast import plugins
from holdfast.gate.ledger.aside import command
from holdfast.site import secrets
from holdfast.site.model import Site
from holdfast.terms import Word

PORTS: Mapping[str, int] = {"opc.tcp": 4840, "http": 80, "https": 443, "modbus": 502, "postgres": 5432}
REFUSED_MAX = 200  # kept until they are recorded; the first of each kind of refusal is
NAMES_TOLD_MAX = 100
RESOLVE_EVERY_S = 30.0  # a name that has got another address is looked up again no more often
SPAWNS = frozenset({"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn"})
CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})


# The beginnings of the only command lines that a locked gate may start.
_OURS = tuple(command(what, Path())[:-1] for what in ("verify", "export"))
ADDRESS_OPTIONS = ("url", "host", "port")


class EgressRefused(PermissionError):
    """The site file does not name this address."""


class EgressOpen(Exception):
    """The lock does not hold: a connection that must be refused was not. The gate does not start."""


class Address(Word):
    """Where this process may connect to, and which key of the site file says so."""

    host: str  # a name or an IP address
    port: int
    of: str


def addresses_of(site: Site, folder: Path, environ: Mapping[str, str] | None = None) -> tuple[Address, ...]:
    """Every address that the site file names. `folder` is its own, for references. Raises SecretError, PluginError, ValueError."""
    found: list[Address] = []
    for connection in site.connections:
        # Nothing else is resolved: a certificate is no text, and a password is not this room's business.
        named = dataclasses.replace(connection, options=tuple(o for o in connection.options if o[0] in ADDRESS_OPTIONS))
        options = secrets.options(named, folder, (), environ) if _has_host(named.options) else {}
        port = options.get("port") or _default_port(connection.type)
        found += _addresses(f"connection {connection.name}", options, port)
    for table in site.context:
        if table.source == "postgres":
            found += _addresses(f"context {table.name}", dict(table.options), table.option("port") or PORTS["postgres"])
    for target in site.outbox:
        options = dict(target.options)
        if target.type == "webhook":
            options["url"] = secrets.text(str(options["url"]), folder, environ)
        if target.type in ("webhook", "postgres"):
            found += _addresses(f"outbox {target.name}", options, options.get("port") or PORTS["postgres"])
    return tuple(dict.fromkeys(found))


def _has_host(options: Iterable[tuple[str, object]]) -> bool:
    return any(name in ("url", "host") for name, _ in options)


def _default_port(kind: str) -> int:
    with contextlib.suppress(plugins.PluginError):
        default = getattr(plugins.find(plugins.CONNECTORS, kind), "port", None)  # a dataclass keeps its default on the class
        if isinstance(default, int):
            return default
    return PORTS.get(kind, 0)


def _addresses(of: str, options: Mapping[str, Any], port: object) -> list[Address]:
    found: list[Address] = []
    if options.get("url"):
        parts = urlsplit(str(options["url"]))
        number = parts.port or PORTS.get(parts.scheme, 0)
        if not parts.hostname or not number:
            raise ValueError(f"{of}: its url names no host and port; write them out, such as opc.tcp://10.1.4.10:4840")
        found.append(Address(host=parts.hostname, port=number, of=of))
    if options.get("host"):
        found.append(Address(host=str(options["host"]), port=int(float(str(port))), of=of))
    return found


class EgressLock:
    """Made and set at once; only one a process. `allowed` never changes afterwards: another site file needs another start."""

    def __init__(self, allowed: tuple[Address, ...]) -> None:
        self.allowed = allowed
        self._places: set[tuple[str, int]] = set()
        self._names: dict[str, set[int]] = {}
        self._resolved: dict[str, frozenset[str]] = {}
        self._resolve_after = 0.0
        self._resolving = threading.local()
        self._refused: deque[Mapping[str, str]] = deque()
        self._told: set[tuple[str, str]] = set()
        for address in allowed:
            literal = _literal(address.host)
            if literal is None:
                self._names.setdefault(address.host.casefold().rstrip("."), set()).add(address.port)
            else:
                self._places.add((literal, address.port))
        sys.addaudithook(self._hook)

    def refused(self) -> tuple[Mapping[str, str], ...]:
        """What was refused since the last call; each address or name once in the life of the process."""
        found = [self._refused.popleft() for _ in range(len(self._refused))]
        return tuple(found)

    # ---- the hook ----------------------------------------------------------------------------------------------------

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Called for every audit event of the interpreter, in any thread: cheap for those that are none of ours."""
        if event in CONNECTS:
            self._connect(event, *arguments[:2])
        elif event in LOOKUPS:
            self._look_up(event, arguments[0])
        elif event in SPAWNS and not _is_ours(event, arguments):
            self._refuse(event, str(arguments[0])[:NAMES_TOLD_MAX] if arguments else "")

    def _connect(self, event: str, sock: Any, place: Any = None) -> None:
        if getattr(sock, "family", None) == socket.AF_UNIX or place is None:
            return  # a path on this machine, or a socket that was connected before
        if not (isinstance(place, tuple) and len(place) >= 2):
            self._refuse(event, repr(place)[:NAMES_TOLD_MAX])
        host, port = str(place[0]), int(place[1])  # pyright: ignore[reportGeneralTypeIssues] - (host, port), or four of IPv6
        literal = _literal(host)
        if literal is None:  # the system will look the name up itself
            if port not in self._names.get(host.casefold().rstrip("."), ()):
                self._refuse(event, f"{host}:{port}")
            return
        if (literal, port) not in self._places and not self._is_named(literal, port):
            self._refuse(event, f"{host}:{port}")

    def _look_up(self, event: str, asked: Any) -> None:
        host = asked[0] if isinstance(asked, tuple) and asked else asked
        if host is None or host == "":
            return  # this machine's own addresses: nothing is asked of anyone
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        if event in ("socket.getnameinfo", "socket.gethostbyaddr"):  # asks the network for a name, whatever the address
            self._refuse(event, name)
        if _literal(name) is None and name.casefold().rstrip(".") not in self._names:
            self._refuse(event, name)

    def _is_named(self, literal: str, port: int) -> bool:
        """Whether a listed name has this address now. Names are looked up when first needed, and again now and then."""
        wanted = [name for name, ports in self._names.items() if port in ports]
        if not wanted or getattr(self._resolving, "now", False):
            return False
        if not any(literal in self._resolved.get(name, ()) for name in wanted) and time.monotonic() >= self._resolve_after:
            self._resolve_after = time.monotonic() + RESOLVE_EVERY_S
            self._resolving.now = True
            try:
                for name in wanted:
                    with contextlib.suppress(OSError):
                        self._resolved[name] = frozenset(found for i in socket.getaddrinfo(name, port) if (found := _literal(str(i[4][0]))))
            finally:
                self._resolving.now = False
        return any(literal in self._resolved.get(name, ()) for name in wanted)

    def _refuse(self, event: str, what: str) -> None:
        if (event, what) not in self._told and len(self._told) < REFUSED_MAX:
            self._told.add((event, what))
            self._refused.append({"state": "refused", "event": event, "what": what})
        raise EgressRefused(1, f"{what} is not among the addresses of the site file ({event}); name it there, and start again", what)


def _is_ours(event: str, arguments: tuple[Any, ...]) -> bool:
    """The one program that a gate starts: its own reader of the record, which opens no socket. By its whole beginning and with an
    empty environment, so that no other module, no option of the interpreter and no preloaded library can stand there."""
    if event != "subprocess.Popen" or len(arguments) != 4 or not isinstance(arguments[1], list | tuple):
        return False
    program, argv, _, environment = arguments
    return program == sys.executable and environment == {} and any(list(argv[: len(ours)]) == ours for ours in _OURS)


def _literal(host: str) -> str | None:
    """An IP address in its one spelling (an IPv4 address in IPv6 clothes is the IPv4 one); None for a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def prove(lock: EgressLock) -> tuple[str, ...]:
    """Try what must be refused, where nothing but the lock stands in the way. Raises EgressOpen if any of it goes through.

    The forbidden connection goes to a listener that this function opens itself: an address far away might be refused by
    the network, and that would prove nothing of the lock.
    """
    proven: list[str] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        place = listener.getsockname()
        with socket.socket() as caller:
            _must_refuse("tcp", proven, lambda: caller.connect(place))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            _must_refuse("udp", proven, lambda: caller.sendto(b"?", place))
    _must_refuse("dns", proven, lambda: socket.getaddrinfo("holdfast-egress-probe.invalid", 443))  # RFC 6761 §6.4: never exists
    _must_refuse("process", proven, lambda: os.posix_spawn("/bin/true", ["/bin/true"], {}))
    lock.refused()  # our own tries are no news
    return tuple(proven)


def _must_refuse(what: str, proven: list[str], attempt: Any) -> None:
    try:
        attempt()
    except EgressRefused:
        proven.append(what)
        return
    except OSError as error:
        raise EgressOpen(f"the egress lock let {what} pass (the system refused it: {error}); the gate does not start") from error
    raise EgressOpen(f"the egress lock let {what} pass; the gate does not start: report this, with the Python version")
