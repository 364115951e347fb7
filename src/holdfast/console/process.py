"""Constructs the console and serves it until told to end."""

import argparse
import ipaddress
import json
import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

import uvicorn

from holdfast.clock import RealClock
from holdfast.console.app import PAGES, console_app
from holdfast.console.hosts import names_of
from holdfast.console.pages import first_run
from holdfast.language import LANGUAGES

VIEWERS_MAX = 256  # connections
PLAIN_REFUSED = (
    "{host} can be reached from other machines, and without TLS anybody on the way reads passwords. "
    "Give --tls-certificate and --tls-key, or listen on 127.0.0.1."
)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="holdfast-console", description=__doc__)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--gate", type=Path, help="the people's socket")
    asked.add_argument("--first-run", type=Path, help="the socket of a run that has no site file yet: the pages to make one, and no others")
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT; port 0 takes a free one")
    parser.add_argument("--tls-certificate", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    given = parser.parse_args(argv)
    host, _, port = str(given.listen).rpartition(":")
    secure = given.tls_certificate is not None and given.tls_key is not None
    if not secure and not _stays_here(host):
        _end(PLAIN_REFUSED.format(host=host))
    try:
        bound = _bind(host.strip("[]"), int(port))
    except (OSError, ValueError) as error:
        _end(f"--listen {given.listen}: {error}. Give HOST:PORT of an address of this machine with a free port.")
    try:
        names = names_of(host.strip("[]"), given.tls_certificate)
    except (OSError, ValueError) as error:
        _end(f"--tls-certificate {given.tls_certificate}: {error}. Give a certificate in PEM.")
    first: Path | None = given.first_run
    asks: Path = given.gate if first is None else first
    pages = PAGES if first is None else (first_run,)
    app = console_app(asks, RealClock(), os.urandom(32), language=given.language, secure=secure, pages=pages, names=names)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
        limit_concurrency=VIEWERS_MAX,
        ssl_certfile=given.tls_certificate,
        ssl_keyfile=given.tls_key,
    )
    at = bound.getsockname()
    shown = f"[{at[0]}]" if ":" in at[0] else at[0]
    sys.stdout.write(json.dumps({"address": f"{'https' if secure else 'http'}://{shown}:{at[1]}"}) + "\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[bound])


def _stays_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _bind(host: str, port: int) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, proto)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    bound.listen()
    return bound


def _end(why: str) -> NoReturn:
    sys.stderr.write(f"{why}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
