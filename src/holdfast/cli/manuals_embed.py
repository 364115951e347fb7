"""`holdfast manuals embed`, and what `add` and `search` do where a model for embeddings is in force: vectors made and asked."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import NO, WRONG_USE, Answer, render

if TYPE_CHECKING:
    from holdfast.agent.knowledge.manuals.index import Index
    from holdfast.agent.knowledge.manuals.meaning import Ranked
    from holdfast.agent.models.bundles.bundle import Bundle

THREADS_MAX = 16
SILENT = frozenset({"manuals.no_model", "manuals.embed_gate"})  # nobody who uses no model wants to hear of it


def embed(
    home: HomeOption = HOME,
    again: Annotated[bool, typer.Option("--again", help="Make every vector anew, not only those that are missing.")] = False,
    lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
    json: JsonOption = False,
) -> None:
    """Make a vector of each passage that has none, with the model in force for embeddings. Goes on where it was cut off.

    Exit 1 where no model is in force; 2 where it can't be used.
    """
    from holdfast.agent.knowledge.manuals.meaning import NoMeaning
    from holdfast.cli.manuals import opened_index

    with opened_index(home, lang, json=json) as index:
        try:
            told, line = embedded(index, home, lang, json=json, again=again)
        except NoMeaning as why:
            code = "manuals.embed_none" if why.code == "manuals.no_model" else why.code
            text = NoMeaning(code, **why.facts).told(lang)
            render(Answer(data={"error": text, "code": code}, lines=(text,), code=NO if why.code in SILENT else WRONG_USE), json=json)
            return
    render(Answer(data=told, lines=(line,)), json=json)


def embedded(index: "Index", home: Path, lang: str, *, json: bool, again: bool = False) -> tuple[dict[str, Any], str]:
    """The vectors that are missing, with a bar; what was made, as JSON and in words. Raises NoMeaning and BadIndex."""
    from rich.console import Console
    from rich.progress import Progress

    from holdfast.agent.knowledge.manuals.embed import embed as made
    from holdfast.agent.models.embeddings.encoder import opened
    from holdfast.clock import RealClock
    from holdfast.language import say

    bundle = in_force(home)
    encoder = opened(bundle, threads=min(THREADS_MAX, len(os.sched_getaffinity(0))))
    began_s = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, disable=json) as bar:
        task = bar.add_task(f"{bundle.name}:{bundle.version}", total=1.0)
        found = made(index, encoder, RealClock().now_ns(), lambda share: bar.update(task, completed=share), again=again)
    took_s = time.monotonic() - began_s
    rate = found.done / took_s if took_s > 0 else 0.0
    told: dict[str, Any] = {
        "model": bundle.name, "version": bundle.version, "digest": bundle.digest, "dims": encoder.dims,
        "embedded": found.done, "already": found.there, "took_s": round(took_s, 3), "per_s": round(rate, 1),
    }  # fmt: skip
    facts = {
        "done": str(found.done), "there": str(found.there), "took_s": f"{took_s:.2f}", "rate": f"{rate:.0f}",
        "model": f"{bundle.name}:{bundle.version}",
    }  # fmt: skip
    return told, say("manuals.embedded", facts, lang)


def added(index: "Index", home: Path, lang: str, *, json: bool) -> tuple[dict[str, Any] | None, str]:
    """After documents were added: None and "" where no model is in force, for then nothing is to be said."""
    from holdfast.agent.knowledge.manuals.meaning import NoMeaning
    from holdfast.language import say

    try:
        return embedded(index, home, lang, json=json)
    except NoMeaning as why:
        if why.code == "manuals.no_model" or (why.code in SILENT and not index.embedded):
            return None, ""
        return {"embedded": 0, "why": why.code}, say("manuals.embed_later", {"why": why.told(lang)}, lang)


def ranked(index: "Index", home: Path, question: str, limit: int) -> "Ranked":
    """By words, and by meaning where there are vectors and a model in force made them. Without vectors no model is looked for."""
    from holdfast.agent.knowledge.manuals.meaning import NoMeaning, Ranked

    if not index.embedded:
        return Ranked(hits=index.search(question, limit))
    from holdfast.agent.knowledge.manuals.fused import ByMeaning
    from holdfast.agent.models.embeddings.encoder import opened
    from holdfast.clock import RealClock

    try:
        encoder = opened(in_force(home))
    except NoMeaning as why:
        return Ranked(hits=index.search(question, limit), why=why.code, facts=tuple(why.facts.items()))
    return ByMeaning(lambda: encoder, RealClock()).search(index, question, limit)


def ranked_line(found: "Ranked", lang: str) -> str:
    """How the hits were ranked, in words; "" where there is no model to speak of."""
    from holdfast.language import say

    if found.ranked_by == "words":
        return say("manuals.ranked_words", {"why": found.told(lang)}, lang) if found.why else ""
    if found.share < 1.0:
        return say("manuals.ranked_partly", {"share": f"{100 * found.share:.0f}"}, lang)
    return say("manuals.ranked_both", {}, lang)


def in_force(home: Path) -> "Bundle":
    """The model that people put in force for embeddings in a home, every byte of it checked. Raises NoMeaning."""
    from holdfast.agent.knowledge.manuals.meaning import NoMeaning
    from holdfast.agent.models.embeddings.encoder import SKILL
    from holdfast.cli.models import in_force as found_in_force
    from holdfast.site.modelcard import BundleError
    from holdfast.site.modellayout import bundles, shipped

    if len(bundles(home)) == len(shipped()):
        raise NoMeaning("manuals.no_model")  # no gate need be asked
    if not (home / "gate" / "people.sock").exists():
        raise NoMeaning("manuals.embed_gate")
    try:
        bundle = found_in_force(SKILL, home)
    except BundleError as error:
        raise NoMeaning("manuals.model_gone", why=str(error)[:200]) from error
    if bundle is None:
        raise NoMeaning("manuals.no_model")
    if bundle.vouching != "trusted":
        raise NoMeaning("manuals.model_gone", why=bundle.vouching)
    return bundle
