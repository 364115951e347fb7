"""`holdfast connections`: what a site is connected to and how that goes, and the certificates of servers that it trusts."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.gate.connectors.opcua.offered import Offered
    from holdfast.site.model import Connection, Site

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
SiteFile = Annotated[Path, typer.Argument(help="The site file.")]
TIMEOUT_S = 10.0


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Connections of a site, and the servers that it trusts.")
    group.command("list")(list_)
    group.command()(trust)
    app.add_typer(group, name="connections")


def list_(
    site: SiteFile,
    home: Annotated[Path | None, typer.Option("--home", help="The home of the gate that runs it: its own health is shown too.")] = None,
    json: Json = False,
) -> None:
    """List connections: type, address, security, tags; with --home also how each goes now."""
    from holdfast.cli.asking import ask

    known = _site(site, json)
    health: dict[str, Any] = ask(home, lambda desk: desk.status(), json=json)["connections"] if home is not None else {}
    told = [_told(connection, known, health) for connection in known.connections]
    rows = tuple(
        (t["name"], t["type"], t["address"], t["security"], str(t["tags"]), "yes" if t["writes"] else "", t["state"]) for t in told
    )
    columns = ("connection", "type", "address", "security", "tags", "writes", "now" if home is not None else "")
    lost = home is not None and any(t["state"] != "connected" for t in told)
    render(Answer(data={"connections": tuple(told)}, columns=columns, rows=rows, code=NO if lost else DONE), json=json)


def _told(connection: "Connection", site: "Site", health: dict[str, Any]) -> dict[str, Any]:
    options = dict(connection.options)
    host, port = options.get("host", ""), options.get("port", "")
    found = health.get(connection.name)
    return {
        "name": connection.name,
        "type": connection.type,
        "address": str(options.get("url") or (f"{host}:{port}" if port else host) or options.get("file", "")),
        "security": str(options.get("security", "none")),
        "tags": sum(tag.connection == connection.name for tag in site.tags),
        "writes": connection.writes,
        "state": "" if found is None else "connected" if found.get("connected") else "lost",
        "health": found or {},
    }


def trust(
    site: SiteFile,
    connection: Annotated[str, typer.Argument(help="An OPC UA connection of it.")],
    thumbprint: Annotated[str, typer.Option("--thumbprint", help="As the server's engineer reads it out (SHA-1 or SHA-256).")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the one that is trusted now.")] = False,
    json: Json = False,
) -> None:
    """Show a server's certificate and, once its thumbprint is confirmed, keep it where the site file says.

    Anybody in between could show one of their own: compare the thumbprint with what the server's own screen shows.
    """
    known = _site(site, json)
    one = next((c for c in known.connections if c.name == connection), None)
    if one is None:
        fail(f'{site} has no connection "{connection}"; it has {", ".join(c.name for c in known.connections) or "none"}', json=json)
    url, reference = str(one.option("url", "")), str(one.option("server", ""))
    if not url.startswith("opc.tcp://"):
        fail(f"{connection} is no OPC UA connection: there is no certificate to trust", json=json)
    if not reference.startswith("file:"):
        fail(f"{site}: {connection} says not where its server's certificate is kept; write server: file:{connection}.der", json=json)
    from holdfast.site.secrets import path_of

    found = _offered(url, json)
    path = path_of(reference, site.parent)
    data = {"connection": connection, "file": str(path), **_of(found)}
    rows = (
        ("server", url),
        ("subject", found.subject),
        ("issuer", "itself" if found.self_signed else found.issuer),
        ("holds", f"{found.not_before:%Y-%m-%d} to {found.not_after:%Y-%m-%d}"),
        ("SHA-1", _spaced(found.thumbprint)),
        ("SHA-256", _spaced(found.sha256)),
        ("offers", ", ".join(found.policies)),
    )
    present = _present(path, json)
    if present == found.der:
        render(Answer(data={**data, "trusted": True}, rows=rows, columns=("", ""), lines=(f"Trusted already: {path}",)), json=json)
    if present is not None and not replace:
        lines = (f"{path} holds another certificate. If the server's was renewed, compare the thumbprint there and add --replace.",)
        render(Answer(data={**data, "trusted": False}, rows=rows, columns=("", ""), lines=lines, code=NO), json=json)
    if not thumbprint:
        lines = ("Not trusted yet. Compare with the server's own screen, then give it: --thumbprint " + found.thumbprint[:8] + "…",)
        render(Answer(data={**data, "trusted": False}, rows=rows, columns=("", ""), lines=lines, code=NO), json=json)
    if _bare(thumbprint) not in (found.thumbprint, found.sha256):
        lines = ("REFUSED: this is not the thumbprint of the certificate that the server shows. Somebody may be in between.",)
        render(Answer(data={**data, "trusted": False}, rows=rows, columns=("", ""), lines=lines, code=NO), json=json)
    _keep(path, found.der, json)
    lines = (f"Trusted: {path}. It counts from the gate's next start or activation.",)
    render(Answer(data={**data, "trusted": True}, rows=rows, columns=("", ""), lines=lines), json=json)


def _offered(url: str, json: bool) -> "Offered":
    from holdfast.gate.connectors.opcua.offered import offered
    from holdfast.ports import ConnectionLost

    try:
        return asyncio.run(offered(url, TIMEOUT_S))
    except (ConnectionLost, ValueError) as error:
        fail(str(error), json=json)


def _of(found: "Offered") -> dict[str, Any]:
    return {
        "thumbprint": found.thumbprint,
        "sha256": found.sha256,
        "subject": found.subject,
        "issuer": found.issuer,
        "not_after": found.not_after.isoformat(),
        "policies": found.policies,
    }


def _present(path: Path, json: bool) -> bytes | None:
    from holdfast.gate.connectors.opcua.identity import load

    if not path.exists():
        return None
    try:
        return load(path)
    except ValueError as error:
        fail(f"{error}; move it away first", json=json)


def _keep(path: Path, der: bytes, json: bool) -> None:
    """Whole or not at all: a gate that starts meanwhile finds the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(der)
        beside.replace(path)
    except OSError as error:
        fail(f"{path} can't be written: {error.strerror}; give this user the right to its folder", json=json)


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c in "0123456789abcdef")


def _spaced(text: str) -> str:
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def _site(file: Path, json: bool) -> "Site":
    from holdfast.site.load import load
    from holdfast.site.model import SiteError

    if not file.is_file():
        fail(f"{file}: there is no such file", json=json)
    try:
        return load(file).site
    except SiteError as error:
        fail("\n".join(str(p) for p in error.problems), json=json)
