"""`holdfast requests read`: what an operator's words would be taken for; nothing is done with it."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.models import ReaderHomeOption
from holdfast.cli.people import JsonOption
from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.agent.models.requests.task import Request
    from holdfast.site.model import Site


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What operators type: one bounded task, a question back, or a refusal.")
    group.callback()(_group)
    group.command("read")(read)
    app.add_typer(group, name="requests")


def _group() -> None:
    """What operators type: one bounded task, a question back, or a refusal."""  # keeps one command alone a subcommand


def read(
    text: Annotated[str, typer.Argument(help='As it was typed, in English or Chinese: "raise the tension by 1 kN".')],
    site: Annotated[Path, typer.Option(help="The site file whose tags are meant.")],
    lang: Annotated[str, typer.Option(help="en or zh; without it, the site's.")] = "",
    home: ReaderHomeOption = None,
    rules: Annotated[bool, typer.Option("--rules", help="By the rules alone, without the model.")] = False,
    json: JsonOption = False,
) -> None:
    """Read a request and say what it is. Exit 1 where it is refused or something is missing."""
    from holdfast.agent.models.requests.both import BothReader, model
    from holdfast.agent.models.spans import ModelUnusable
    from holdfast.cli.models import tagger_in_force
    from holdfast.site.load import load
    from holdfast.site.model import SiteError

    if lang not in ("", "en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)
    try:
        loaded = load(site)
    except (SiteError, OSError) as error:
        fail(str(error), json=json)
    tagger = None
    if not rules:
        tagger = tagger_in_force("requests", home, json=json)
    if not rules and tagger is None:
        with contextlib.suppress(ModelUnusable):  # a release without the model reads by its rules
            tagger = model()
    found = BothReader(loaded.site, tagger).read(text)
    line = _said(found, loaded.site, lang or loaded.site.language)
    render(Answer(data={"request": found, "said": line}, lines=(line,), code=DONE if found.kind else NO), json=json)


def _said(found: "Request", site: "Site", lang: str) -> str:
    from holdfast.agent.models.requests.read import CURRENT_LOT
    from holdfast.language import say

    if found.refused:
        return say(f"requests.refused.{found.refused}", {}, lang)
    if not found.kind:
        listed = ", ".join(say(f"requests.slot.{slot}", {}, lang) for slot in found.missing)
        return say("requests.missing", {"slots": listed}, lang)
    if found.kind == "hold_batch" and found.lot == CURRENT_LOT:
        return say("requests.hold_current", {}, lang)
    tag = site.tag(found.tag)
    facts = {
        "tag": found.tag,
        "equipment": found.equipment,
        "lot": found.lot,
        "unit": "" if tag is None else tag.unit,
        "value": "" if found.value is None else repr(found.value),
        "by": "" if found.by is None else repr(found.by),
        "window_s": "" if found.minutes is None else repr(found.minutes * 60),
    }
    return say(f"requests.{found.kind}", facts, lang)
