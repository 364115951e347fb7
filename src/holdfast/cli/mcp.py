"""`holdfast mcp`: the door for agents that are not ours, over the Model Context Protocol."""

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.people import HOME, HomeOption
from holdfast.cli.render import fail

TOKEN_CHARS_MAX = 512
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register(app: typer.Typer) -> None:
    app.command("mcp")(mcp)


def mcp(
    home: HomeOption = HOME,
    agent: Annotated[str, typer.Option(help="Who it is, on standard input and output; the token is the one in the home.")] = "",
    token_file: Annotated[Path | None, typer.Option(help="Or a file with the token.")] = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT for streamable HTTP instead; each agent then brings its own token.")] = "",
    name: Annotated[list[str] | None, typer.Option(help="A further name that agents call this machine by (with --listen).")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="Needed beyond this machine.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Of that certificate.")] = None,
    link: Annotated[str, typer.Option(help="The gate, unix:/path or https://host:port; the running one of the home, without.")] = "",
    lang: Annotated[str, typer.Option(help="en or zh, of what tools say of themselves.")] = "en",
) -> None:
    """Offer the plant to an agent of another maker: look at tags, history, incidents, manuals; propose, which the gate decides on.

    The agent has its own token (`holdfast agents add NAME`) and a line in the site file: `agents: {NAME: {autonomy: ask, joins: mcp}}`.
    """
    import asyncio

    try:
        from holdfast.agent.mcp.serve import over_http, over_stdio
    except ImportError as error:
        fail(f"{error.name} is not installed: install holdfast with its extra `mcp`")
    from holdfast.agent.mcp.visitors import Visitors
    from holdfast.clock import RealClock
    from holdfast.link import LinkError
    from holdfast.link.http import HttpLink

    if lang not in ("en", "zh"):
        fail(f"no language {lang!r}: give en or zh")
    address = link or f"unix:{(home / 'link' / 'link.sock').absolute()}"
    visitors = Visitors(lambda token: HttpLink(address, token), RealClock(), home if home.is_dir() else None)
    try:
        if not listen:
            token = _token(home, agent, token_file)
            asyncio.run(over_stdio(visitors, token, language=lang))
            return
        if agent or token_file is not None:
            fail("with --listen each agent brings its own token: leave out --agent and --token-file")
        host, port = _place(listen)
        tls = _tls(host, tls_certificate, tls_key)

        async def ready(at: str) -> None:
            # Not by render: that is a command's last word and ends it.
            typer.echo(f"MCP door: {at}\neach agent sends `Authorization: Bearer TOKEN` with its own token; end: Ctrl-C")

        asyncio.run(over_http(visitors, host, port, language=lang, names=tuple(name or ()), tls=tls, ready=ready))
    except LinkError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{listen or 'standard input'}: {error.strerror or error}")


def _token(home: Path, agent: str, file: Path | None) -> str:
    if bool(agent) == (file is not None):
        fail("say who comes: --agent NAME with the token in the home, or --token-file FILE, or --listen HOST:PORT for several")
    path = file if file is not None else home / "agents" / agent / "token"
    try:
        return path.read_text("ascii")[:TOKEN_CHARS_MAX].strip()
    except FileNotFoundError:
        fail(f"{path}: there is no token; make one with `holdfast agents add {agent or 'NAME'} --home {home}`")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: can't be read ({getattr(error, 'strerror', None) or 'it is no token'})")


def _place(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        fail(f"{listen!r} is no HOST:PORT; give --listen 127.0.0.1:8765, say")
    return host, int(port)


def _tls(host: str, certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    if certificate is not None and key is not None:
        missing = next((path for path in (certificate, key) if not path.is_file()), None)
        if missing is not None:
            fail(f"{missing}: there is no such file")
        return certificate, key
    if certificate is not None or key is not None:
        fail("--tls-certificate and --tls-key go together")
    if host not in LOOPBACK:
        fail(f"tokens would cross the network in clear: give --tls-certificate and --tls-key to listen on {host}, or listen on 127.0.0.1")
    return None
