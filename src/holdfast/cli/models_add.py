"""`holdfast models add`: a bundle of a file that somebody made, with what is said of it, signed with a key."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import Answer, fail, render

if TYPE_CHECKING:
    from holdfast.site.modelcard import Card


def add(
    weights: Annotated[Path, typer.Argument(help="The model: an ONNX or a GGUF file.")],
    name: Annotated[str, typer.Option(help="What it is called: a-z, 0-9, '.', '_' and '-'.")],
    version: Annotated[str, typer.Option(help="Its version.")],
    key: Annotated[
        Path | None, typer.Option(help="A private key in PEM, Ed25519 or ECDSA P-256; without it nobody vouches for it.")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="A card in JSON, as training leaves it; the options below then add to it.")] = None,
    skill: Annotated[list[str] | None, typer.Option(help="A role that it can serve; again for each.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="en, zh …; again for each.")] = None,
    clearance: Annotated[str, typer.Option(help="The highest data label that it may see: public, partner, site or restricted.")] = "public",
    licence: Annotated[str, typer.Option(help="Its licence, an SPDX expression.")] = "",
    provenance: Annotated[str, typer.Option(help="From what, by whom and how it was made.")] = "",
    precision: Annotated[str, typer.Option(help="int8, fp16, q4_k_m …")] = "",
    parameters: Annotated[int, typer.Option(help="How many.", min=0)] = 0,
    memory: Annotated[int, typer.Option(help="MiB that it needs to run.", min=0)] = 0,
    profile: Annotated[list[str] | None, typer.Option(help="BACKEND-PRECISION-tpN-ppN=STATE; again for each.")] = None,
    evaluation: Annotated[list[Path] | None, typer.Option(help="What `holdfast eval NAME --json` printed; again for each.")] = None,
    higher: Annotated[list[str] | None, typer.Option(help="A figure of the evaluations that must not fall.")] = None,
    lower: Annotated[list[str] | None, typer.Option(help="A figure of the evaluations that must not rise.")] = None,
    beside: Annotated[list[Path] | None, typer.Option(help="A file that the weights are read with: a tokenizer, names.")] = None,
    release: Annotated[bool, typer.Option(hidden=True, help="Into the package, with a key of its own: for who makes a release.")] = False,
    home: HomeOption = HOME,
    json: JsonOption = False,
) -> None:
    """Make a bundle of a file, sign it, and keep it. A file without a licence is refused: nobody may run it."""
    import dataclasses

    from holdfast.agent.models.bundles.bundle import ship, shipped_model
    from holdfast.agent.models.bundles.fit import shape_in
    from holdfast.agent.models.bundles.registry import Registry
    from holdfast.cli.models import facts, named, refusing, vouched
    from holdfast.cli.models_card import CardError, card_in, evaluation_in, profile_of

    if not weights.is_file():
        fail(f"{weights}: no file; name an ONNX or a GGUF file", json=json)
    try:
        told = card_in(card) if card else _empty(weights, clearance, json=json)
        profiles = tuple(profile_of(one) for one in profile or ())
        evaluations = tuple(evaluation_in(one, higher or [], lower or []) for one in evaluation or ())
    except CardError as error:
        fail(str(error), json=json)
    with refusing(json=json):
        told = dataclasses.replace(
            told,
            skills=(*told.skills, *(skill or ())),
            languages=(*told.languages, *(language or ())),
            licence=licence or told.licence,
            provenance=provenance or told.provenance,
            precision=precision or told.precision,
            parameters=parameters or told.parameters,
            memory_mib=memory or told.memory_mib,
            profiles=(*(one for one in told.profiles if one.name not in {more.name for more in profiles}), *profiles),
            evaluations=(*told.evaluations, *evaluations),
            shape=told.shape or shape_in(weights),
        )
        if release:
            ship(name=name, version=version, weights=weights, card=told, beside=tuple(beside or ()))
            found = shipped_model(name)
        else:
            found = Registry(home).add(name=name, version=version, weights=weights, card=told, key=key, beside=tuple(beside or ()))
    render(Answer(data=facts(found), title=named(found), lines=(vouched(found),)), json=json)


def _empty(weights: Path, clearance: str, *, json: bool) -> "Card":
    """A card that says what the file itself says."""
    from holdfast.site.modelcard import Card
    from holdfast.terms import LABELS

    if clearance not in LABELS:
        fail(f"clearance {clearance!r}: one of {', '.join(LABELS)}", json=json)
    with weights.open("rb") as file:
        gguf = file.read(4) == b"GGUF"
    return Card(
        skills=(),
        languages=(),
        clearance=clearance,  # type: ignore[arg-type]
        licence="",
        provenance="",
        format="gguf" if gguf else "onnx",
        precision="",
        parameters=0,
        memory_mib=0,
    )
