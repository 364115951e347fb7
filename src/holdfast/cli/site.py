"""`check`, `schema` and `init`: what a person does with a site file before anything runs."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render
from holdfast.site.model import Problem

if TYPE_CHECKING:
    from holdfast.site.load import Loaded

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    app.command()(check)
    app.command()(schema)
    app.command()(init)


def check(
    site: Annotated[Path, typer.Argument(help="The site file.")],
    online: Annotated[bool, typer.Option("--online", help="Compare with the servers too; reads only.")] = False,
    json: Json = False,
) -> None:
    """Check a site file and all it names. Exit 0, or 1 with every error and its line."""
    from holdfast.site.load import load
    from holdfast.site.model import SiteError

    if not site.is_file():
        fail(f"{site}: there is no such file. Name a site file, or let `holdfast init` make a first one.", json=json)
    loaded: Loaded | None = None
    try:
        loaded = load(site)
    except SiteError as error:
        found = list(error.problems)
    else:
        found = [*loaded.warnings, *_deeper(loaded)]
        if online and not any(p.severity == "error" for p in found):
            found += _online(loaded)
    render(_answer(site, loaded, _once(found)), json=json)


def _once(found: Iterable[Problem]) -> list[Problem]:
    return list({(p.file, p.line, p.what): p for p in found}.values())


def _answer(file: Path, loaded: "Loaded | None", found: list[Problem]) -> Answer:
    errors = [p for p in found if p.severity == "error"]
    data = {
        "site": str(file),
        "ok": not errors,
        "digest": loaded.digest if loaded is not None and not errors else None,
        "problems": tuple(found),
        "files": () if loaded is None else loaded.files,
    }
    lines = [f"{p.severity}: {p}" for p in found]
    if loaded is not None and not errors:
        s = loaded.site
        counts = f"{len(s.tags)} tags, {len(s.loops)} loops, {len(s.envelopes)} envelopes, {len(s.policy.rules)} rules"
        lines.append(f"{s.name}: {counts}; configuration {loaded.digest[:16]}")
    else:
        lines.append(f"{len(errors)} error{'s' if len(errors) != 1 else ''} in {file}")
    return Answer(data=data, lines=tuple(lines), code=NO if errors else DONE)


def _deeper(loaded: "Loaded") -> Iterable[Problem]:
    """What other rooms have to say: the plug-ins, the guard about conditions, the knowledge about failure modes."""
    from holdfast.agent.knowledge.modes import read_modes
    from holdfast.gate.guard import policy, review
    from holdfast.site import plugged

    yield from plugged.problems(loaded.site, loaded.file)
    if loaded.policy_file:
        found = tuple(policy.problems(loaded.site, loaded.policy_file))
        yield from found
        if not any(p.severity == "error" for p in found):
            yield from review.unfed(loaded.site, loaded.policy_file)
    if loaded.modes_file:
        own = {tag.role for tag in loaded.site.tags if tag.role}
        yield from read_modes(Path(loaded.modes_file).read_text(encoding="utf-8"), loaded.modes_file, own)[1]


def _online(loaded: "Loaded") -> list[Problem]:
    import asyncio
    import tempfile

    from holdfast.clock import RealClock
    from holdfast.plugins import PluginError
    from holdfast.site import online, plugged
    from holdfast.site.secrets import SecretError

    async def ask(state_dir: Path) -> list[Problem]:
        found: list[Problem] = []
        for connection in loaded.site.connections:
            try:
                reader = plugged.open_connector(connection, Path(loaded.file).parent, clock=RealClock(), state_dir=state_dir)
            except (PluginError, SecretError, ValueError, OSError) as error:
                cure = "set what the connection needs and check again"
                found.append(Problem(file=loaded.file, line=connection.line, what=f"{connection.name}: {error}", cure=cure))
                continue
            found += [p async for p in online.problems(loaded.site, connection, reader, loaded.file)]
        return found

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(ask(Path(folder)))


def schema(
    policy: Annotated[bool, typer.Option("--policy", help="The schema of the policy file instead.")] = False,
    json: Json = False,
) -> None:
    """Print the JSON Schema of the site file, for completion in an editor."""
    import json as jsonlib

    from holdfast.site.grammar import policy_schema, site_schema

    made = policy_schema() if policy else site_schema()
    render(Answer(data=made, lines=(jsonlib.dumps(made, indent=2, ensure_ascii=False),)), json=json)


def init(
    source: Annotated[str, typer.Argument(help="opc.tcp://HOST:PORT of a server, or a CSV tag list.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write here; without it the site file is only printed.")] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the plant.")] = "my-plant",
    under: Annotated[str, typer.Option("--under", help="Browse below this node only.")] = "",
    security: Annotated[str, typer.Option("--security", help="none or Basic256Sha256.")] = "none",
    server: Annotated[str, typer.Option("--server", help="file: of the server's certificate.")] = "",
    login: Annotated[str, typer.Option("--login", help="env:NAME or file:PATH with user:password.")] = "",
    json: Json = False,
) -> None:
    """Make a first, read-only site file by browsing an OPC UA server, or from a CSV tag list."""
    if out is not None and out.exists():
        fail(f"{out} is there already and is not overwritten. Name another file, or move it away.", json=json)
    if login and not login.startswith(("env:", "file:")):
        fail("--login must be env:NAME or file:PATH: a password on the command line is seen by everyone on this machine.", json=json)
    folder = out.parent if out is not None else Path()
    if source.startswith("opc.tcp://"):
        options = [("type", "opcua"), ("url", source), ("security", security), ("server", server), ("login", login)]
        text = _browsed(name, [(k, v) for k, v in options if v], under, folder, json)
    else:
        text = _listed(name, Path(source), folder, json)
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            fail(f"{out} can't be written: {error.strerror}. Name a file in a folder that is there and yours.", json=json)
    shown = (f"{out} written. Next: holdfast check {out}",) if out is not None else (text.rstrip(),)
    render(Answer(data={"out": str(out) if out else None, "text": text, "tags": text.count("address:")}, lines=shown), json=json)


def _browsed(name: str, options: list[tuple[str, str]], under: str, folder: Path, json: bool) -> str:
    import asyncio

    from holdfast.plugins import PluginError
    from holdfast.ports import ConnectionLost
    from holdfast.run.browsed import CONNECTION, browsed
    from holdfast.site.first import site_text
    from holdfast.site.secrets import SecretError

    try:
        return site_text(name, CONNECTION, options, asyncio.run(browsed(options, under, folder)))
    except (ConnectionLost, PluginError, SecretError, ValueError, OSError) as error:
        fail(f"{error}", json=json)


def _listed(name: str, source: Path, folder: Path, json: bool) -> str:
    import os

    from holdfast.site import taglist
    from holdfast.site.first import from_list
    from holdfast.site.log import Log

    try:
        content = source.read_bytes()
    except OSError as error:
        fail(f"{source} can't be read: {error.strerror}. Give opc.tcp://HOST:PORT or a CSV tag list.", json=json)
    log = Log()
    taglist.read(content, str(source), log)
    if log.errors:
        fail("\n".join(str(p) for p in log.errors), json=json)
    return from_list(name, os.path.relpath(source, folder))
