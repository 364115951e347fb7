"""`holdfast endpoints`: the site's model endpoints, and what a canary finds: who answers, how fast, and what of a schema is kept."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.agent.models.serving.probe import Probed
    from holdfast.site.model import Endpoint, Site

DEADLINE_S = 30.0  # of each of a probe's requests


def register(app: typer.Typer) -> None:
    app.command("endpoints")(endpoints)


def endpoints(
    site: Annotated[Path, typer.Argument(help="The site file.")],
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Send each the canary: three short prompts without data of the plant.")
    ] = True,
    lang: Annotated[str, typer.Option(help="en or zh; without it, the site's own.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object last.")] = False,
) -> None:
    """Show the site's language models and try them. Exit 1 where one does not answer or keeps to no schema."""
    from holdfast.site.load import load
    from holdfast.site.model import SiteError

    if lang not in ("", "en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)
    try:
        loaded = load(site).site
    except SiteError as error:
        fail(str(error), json=json)
    except OSError as error:
        fail(f"{site}: {error.strerror}; name a site file", json=json)
    found: list[Probed | None] = asyncio.run(_probed(loaded, site.parent)) if ask else [None for _ in loaded.models]
    render(_answer(loaded, found, lang or loaded.language), json=json)


async def _probed(site: "Site", folder: Path) -> "list[Probed | None]":
    """One after the other: they may share one machine."""
    from random import SystemRandom

    from holdfast.agent.models.serving.opened import open_engine
    from holdfast.agent.models.serving.probe import Probed, probe
    from holdfast.clock import RealClock
    from holdfast.plugins import PluginError
    from holdfast.site.secrets import SecretError

    found: list[Probed | None] = []
    for end in site.models:
        try:
            engine = open_engine(end, folder)
        except (PluginError, SecretError, ValueError) as error:
            found.append(Probed(schema="unknown", code="engine.not_loaded", facts=(("why", str(error)[:200]),)))
            continue
        try:
            found.append(await probe(engine, SystemRandom(), RealClock(), deadline_s=min(end.timeout_s, DEADLINE_S)))
        finally:
            await engine.close()
    return found


def _answer(site: "Site", found: "list[Probed | None]", language: str) -> Answer:
    from holdfast.language import say
    from holdfast.terms import plain

    if not site.models:
        line = say("endpoints.none", {}, language)
        return Answer(data={"endpoints": []}, lines=(line,))
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, Any]] = []
    lines: list[str] = []
    for end, probed in zip(site.models, found, strict=True):
        told = "" if probed is None else say(f"probed.{probed.schema}", {}, language)
        took = "" if probed is None or not probed.took_s else f"{probed.took_s:.2g} s"
        rows.append((end.name, _where(end), end.clearance, ", ".join(end.skills), ", ".join(end.languages), told, took))
        data.append(
            {"name": end.name, "where": _where(end), "clearance": end.clearance, "probed": None if probed is None else plain(probed)}
        )
        if probed is not None and probed.code:
            lines.append(f"{end.name}: {say(probed.code, dict(probed.facts), language)}")
        elif probed is not None and probed.schema in ("partly", "unenforced"):
            lines.append(f"{end.name}: {say(f'probed.{probed.schema}.why', {}, language)}")
    good = all(one is None or one.schema in ("enforced", "partly") for one in found)
    columns = tuple(
        say(f"endpoints.{name}", {}, language) for name in ("name", "where", "clearance", "skills", "languages", "schema", "took")
    )
    return Answer(data={"endpoints": data}, columns=columns, rows=tuple(rows), lines=tuple(lines), code=DONE if good else NO)


def _where(end: "Endpoint") -> str:
    return f"{end.dialect} {end.url}" if end.url else f"{end.engine} {end.option('folder') or ''}".strip()
