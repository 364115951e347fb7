"""`holdfast models`: bundles in and out, what they are, whether they fit, how fast they run here, and which serves which role."""

import contextlib
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.asking import ask, password_of
from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import DONE, NO, WRONG_USE, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.agent.models.bundles.bundle import Bundle
    from holdfast.agent.models.bundles.fit import Fit
    from holdfast.agent.models.spans import Tagger

SHORT = 12  # characters of a digest that are shown
# What a refusal means for the exit code: input that can't be read is wrong use, everything else is an answer of no.
UNREADABLE = ("archive", "truncated", "json", "layout", "missing", "key", "format", "gone", "several", "exists", "no_card", "name", "path")
ModelArgument = Annotated[str, typer.Argument(help="The model: NAME, NAME:VERSION, or the first 8 characters of its digest or more.")]
RoleArgument = Annotated[str, typer.Argument(help="The role, a skill of the model's card: registers, requests …")]
AsOption = Annotated[str, typer.Option("--as", help="Your name, as `holdfast people list` has it.")]
ReaderHomeOption = Annotated[
    Path | None, typer.Option("--home", help="The home whose promoted model reads; the release's own without it.", envvar="HOLDFAST_HOME")
]
ReasonOption = Annotated[str, typer.Option(help="Why; it is signed with the act.")]


def register(app: typer.Typer) -> None:
    from holdfast.cli.models_add import add

    group = typer.Typer(no_args_is_help=True, help="Models of this box: bundles, fit, and which serves which role.")
    group.command("list")(list_)
    group.command("add")(add)
    group.command("import")(import_)
    group.command("export")(export)
    group.command("verify")(verify)
    group.command("fit")(fit)
    group.command("measure")(measure)
    group.command("train")(train)
    group.command("promote")(promote)
    group.command("rollback")(rollback)
    app.add_typer(group, name="models")


@contextlib.contextmanager
def refusing(*, json: bool) -> Generator[None]:
    """A bundle that can't be used, and a disk that refuses, are said in one sentence."""
    from holdfast.site.modelcard import BundleError

    try:
        yield
    except BundleError as error:
        code = WRONG_USE if error.code.removeprefix("model.") in UNREADABLE else NO
        if code == WRONG_USE:
            fail(str(error), json=json)
        render(Answer(data={"error": str(error), "code": error.code}, lines=(str(error),), code=NO), json=json)
    except OSError as error:
        fail(f"{error.filename or 'the disk'}: {error.strerror}; nothing was changed", json=json)


def list_(home: HomeOption = HOME, json: JsonOption = False) -> None:
    """Every model of this box, who vouches for it, which roles it serves, and which the agents say that they run."""
    from holdfast.agent.models.bundles.bundle import Bundle
    from holdfast.agent.models.bundles.registry import Registry

    with refusing(json=json):
        registry = Registry(home)
        found = registry.list()
    now = _gate_says(home)
    roles: list[Any] = now["roles"] if now else []
    known = [one for one in found if isinstance(one, Bundle)]
    rows = tuple(_row(one, roles, registry.measured(one.digest)) for one in known)
    broken = [one for one in found if not isinstance(one, Bundle)]
    lines = (
        *(f"{one.path}: {one.why}" for one in broken),
        *(line for role in roles for line in _role_lines(role)),
        *(() if now else ("no gate answers with this --home: which model serves which role is its to say",)),
        *(() if found else ("no model: `holdfast models import FILE` brings one",)),
    )
    data = {
        "models": [{**facts(one), "measured": registry.measured(one.digest)} for one in known],
        "broken": [{"path": str(one.path), "code": one.code, "why": one.why} for one in broken],
        "roles": roles,
        "gate": now is not None,
    }
    columns = ("model", "digest", "MiB", "signature", "serves", "last evaluation", "p95 here")
    render(Answer(data=data, columns=columns, rows=rows, lines=lines, code=NO if broken else DONE), json=json)


def import_(
    source: Annotated[Path, typer.Argument(help="A bundle: its folder, or the one file that `holdfast models export` wrote.")],
    home: HomeOption = HOME,
    json: JsonOption = False,
) -> None:
    """Check a bundle and keep it. It serves nowhere until a person promotes it."""
    from holdfast.agent.models.bundles.registry import Registry

    if not source.exists():
        fail(f"{source}: not there; name a bundle's folder or file", json=json)
    with refusing(json=json):
        found = Registry(home).import_(source)
    render(Answer(data=facts(found), title=named(found), lines=(vouched(found), f"licence {found.card.licence}")), json=json)


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Argument(help="The file to write; it must not be there.")],
    home: HomeOption = HOME,
    json: JsonOption = False,
) -> None:
    """Write a model as one file, for a USB stick."""
    from holdfast.agent.models.bundles.registry import Registry

    with refusing(json=json):
        found, size = Registry(home).export(model, out)
    render(
        Answer(data={**facts(found), "file": str(out), "file_bytes": size}, lines=(f"{named(found)}: {size} bytes in {out}",)), json=json
    )


def verify(
    model: Annotated[str, typer.Argument(help="One model, or a bundle's folder; all of this box without it.")] = "",
    home: HomeOption = HOME,
    json: JsonOption = False,
) -> None:
    """Read every byte and hold it against its digest and signature. Exit 1 where one is changed, or nobody here vouches for it."""
    from holdfast.agent.models.bundles.bundle import Bundle, open_bundle
    from holdfast.agent.models.bundles.registry import Registry
    from holdfast.site.modelcard import BundleError
    from holdfast.site.modellayout import bundles, trusted_keys

    rows: list[tuple[str, str, str, str]] = []
    with refusing(json=json):
        keys, one = trusted_keys(home), Path(model)
        paths = (one,) if model and (one / "oci-layout").is_file() else bundles(home)
        if model and paths != (one,):
            found = [
                b
                for b in Registry(home).list()
                if isinstance(b, Bundle) and (model in (b.name, f"{b.name}:{b.version}") or b.digest.startswith(model))
            ]
            paths = tuple(b.layout.folder for b in found) or (one,)
        for path in paths:
            try:
                opened = open_bundle(path, keys)
                good = "verified" if opened.vouching == "trusted" else opened.vouching
                rows.append((f"{opened.name}:{opened.version}", opened.digest[:SHORT], good, vouched(opened)))
            except BundleError as error:
                rows.append((str(path), path.name[:SHORT], error.code.removeprefix("model."), str(error)))
    good = bool(rows) and all(state == "verified" for _, _, state, _ in rows)
    data = {"verified": good, "models": [dict(zip(("model", "digest", "state", "why"), row, strict=True)) for row in rows]}
    columns = ("model", "digest", "", "")
    lines = () if rows else ("no model to verify",)
    render(Answer(data=data, columns=columns, rows=tuple(rows), lines=lines, code=DONE if good else NO), json=json)


def fit(
    model: ModelArgument,
    context: Annotated[int, typer.Option(help="Tokens of context; the model's own without it.", min=0)] = 0,
    home: HomeOption = HOME,
    json: JsonOption = False,
) -> None:
    """Whether a model fits this box: fits, tight or no, with the numbers. Exit 1 for no."""
    from holdfast.agent.models.bundles import fit as room
    from holdfast.agent.models.bundles.hardware.found import found
    from holdfast.agent.models.bundles.registry import Registry
    from holdfast.terms import plain

    with refusing(json=json):
        told = room.fit(Registry(home).find(model), found(measure=True), context=context)
    rows = tuple(
        (
            f"{one.kind} {one.device}{'' if one.tested else ' (not hardware-tested)'}",
            one.fits,
            f"{told.needs_mib}",
            f"{one.has_mib}",
            f"{one.share:.0%}",
            "" if one.tokens_per_s_max is None else f"{one.tokens_per_s_max:g}",
        )
        for one in told.devices
    )
    columns = ("device", "", "needs MiB", "free MiB", "of it", "tokens/s at most")
    title = f"{told.model}: {told.fits}"
    render(
        Answer(data=plain(told), title=title, columns=columns, rows=rows, lines=_sum(told), code=NO if told.fits == "no" else DONE),
        json=json,
    )


def measure(
    model: ModelArgument,
    runs: Annotated[int, typer.Option(help="How often to run it.", min=1, max=10_000)] = 200,
    length: Annotated[int, typer.Option(help="Of dimensions that the model leaves open.", min=1, max=4096)] = 64,
    home: HomeOption = HOME,
    json: JsonOption = False,
) -> None:
    """Run a model here, in a process of its own on one thread, and keep how fast it was and what memory it took."""
    import time

    from holdfast.agent.models.bundles.measure import measured
    from holdfast.agent.models.bundles.registry import Registry
    from holdfast.terms import plain

    with refusing(json=json):
        registry = Registry(home)
        found = registry.find(model)
        told = measured(found, runs=runs, length=length, at_ns=time.time_ns())
        registry.keep_measured(told)
    lines = (f"p50 {told.p50_ms:g} ms, p95 {told.p95_ms:g} ms over {told.runs} runs; {told.rss_mib:g} MiB, loaded in {told.load_ms:g} ms",)
    render(Answer(data=plain(told), title=named(found), lines=lines), json=json)


def train(
    name: Annotated[str, typer.Argument(help="The micro-model: registers or requests.")],
    out: Annotated[Path, typer.Option(help="The folder for the model and its card.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 1,
    json: JsonOption = False,
) -> None:
    """Train a micro-model from its generator. `holdfast models add` makes a bundle of what comes out."""
    from rich.console import Console
    from rich.progress import Progress

    from holdfast.training import TrainingError
    from holdfast.training import train as trained

    began_s = time.monotonic()
    try:
        with Progress(console=Console(stderr=True), disable=json) as shown:
            task = shown.add_task(name, total=1.0)
            found = trained(name, seed=seed, out=out, progress=lambda share, what: shown.update(task, completed=share, description=what))
    except TrainingError as error:
        fail(str(error), json=json)
    took_s = round(time.monotonic() - began_s, 1)
    files = {"model": str(found.model), "card": str(found.card), "bytes": found.bytes, "sha256": found.sha256}
    told: dict[str, Any] = {"name": found.name, "seed": found.seed, **files, "figures": dict(found.figures), "took_s": took_s}
    made = f"{found.model}: {found.bytes} bytes, SHA-256 {found.sha256}, seed {found.seed}, {took_s:g} s"
    lines = (made, *(f"{name} {value:g}" for name, value in found.figures))
    render(Answer(data=told, title=found.name, lines=lines), json=json)


def promote(
    role: RoleArgument, model: ModelArgument, person: AsOption, home: HomeOption = HOME, reason: ReasonOption = "", json: JsonOption = False
) -> None:
    """Put a model in force for a role, as a person who may. Exit 1 where a suite says that it is worse, or nobody vouches for it."""
    from holdfast.agent.models.bundles.registry import Registry

    with refusing(json=json):
        found = Registry(home).find(model)
    body = {"role": role, "digest": found.digest, "person": person, "password": password_of(person, json=json), "reason": reason}
    told = ask(home, lambda desk: desk.act("/v1/models/promote", body), json=json)
    line = f"{named(found)} is in force for {role}; agents follow within a minute"
    render(Answer(data={"role": role, "in_force": told}, lines=(line,)), json=json)


def rollback(role: RoleArgument, person: AsOption, home: HomeOption = HOME, reason: ReasonOption = "", json: JsonOption = False) -> None:
    """Put back what served a role before the model in force."""
    body = {"role": role, "person": person, "password": password_of(person, json=json), "reason": reason}
    told = ask(home, lambda desk: desk.act("/v1/models/rollback", body), json=json)
    back = (
        f"{told['digest'][:SHORT]} is in force for {role} again" if told["digest"] else f"no model is in force for {role}; the rules serve"
    )
    render(Answer(data=told, lines=(back,)), json=json)


# ---- words ---------------------------------------------------------------------------------------------------------------


def facts(one: "Bundle") -> dict[str, Any]:
    from holdfast.terms import plain

    card: dict[str, Any] = plain(one.card)
    kept = {"model": one.name, "version": one.version, "digest": one.digest, "bytes": one.bytes}
    return {**kept, "vouching": one.vouching, "signer": one.signer, "card": card}


def tagger_in_force(role: str, home: Path | None, *, json: bool) -> "Tagger | None":
    """For commands that run a tagger themselves: the one that people put in force for a role in a home whose gate runs.

    None where the release's own serves, or no gate answers. One in force that is not here whole, or no tagger, ends the command: to read
    with another in its place would be a promotion that nobody signed.
    """
    from holdfast.agent.models.spans import ModelUnusable, shipped

    if home is None:
        return None
    with refusing(json=json):
        found = in_force(role, home)
        try:
            return None if found is None else shipped(found.weights)
        except ModelUnusable as error:
            fail(f"{named(found) if found else role}: {error}", json=json)


def in_force(role: str, home: Path) -> "Bundle | None":
    """Raises BundleError."""
    from holdfast.agent.models.bundles.registry import Registry

    now = _gate_says(home)
    found = [one["in_force"][0]["digest"] for one in now["roles"] if one["role"] == role and one["in_force"]] if now else []
    return Registry(home).find(found[0]) if found else None


def _gate_says(home: Path) -> Any:
    """What the running gate says of roles; None where none runs."""
    import asyncio

    from holdfast.run.desk import Desk, DeskError

    async def asked() -> Any:
        desk = Desk(home)
        try:
            return await desk.look("/v1/models", {})
        finally:
            await desk.close()

    try:
        return asyncio.run(asked())
    except DeskError:
        return None


def _row(one: "Bundle", roles: list[Any], measured: Any) -> tuple[str, ...]:
    serves = [role["role"] for role in roles if (role["in_force"][0]["digest"] if role["in_force"] else role["release"]) == one.digest]
    runs = {agent for role in roles for agent, told in role["running"] if told["digest"] == one.digest}
    last = one.card.evaluations[-1] if one.card.evaluations else None
    figures = "" if last is None else f"{last.suite}: " + ", ".join(f"{f.name} {f.value:.3g}" for f in last.figures)
    return (
        f"{one.name}:{one.version}",
        one.digest[:SHORT],
        f"{one.bytes / (1 << 20):.1f}",
        one.signer if one.vouching == "trusted" else f"{one.vouching} key" if one.vouching == "unknown" else one.vouching,
        ", ".join(serves) + (f" (runs: {', '.join(sorted(runs))})" if runs else ""),
        figures,
        "" if measured is None else f"{measured.p95_ms:g} ms",
    )


def _role_lines(role: Any) -> list[str]:
    """Where what runs is not what is in force."""
    from holdfast.language import say

    wanted = role["in_force"][0]["digest"] if role["in_force"] else role["release"]
    return [
        f"{agent} runs {told['digest'][:SHORT] or 'nothing'} for {role['role']}, {wanted[:SHORT] or 'nothing'} is in force"
        + (f": {say(told['trouble'], {}, 'en')}" if told["trouble"] else "")
        for agent, told in role["running"]
        if told["digest"] != wanted or told["trouble"]
    ]


def named(one: "Bundle") -> str:
    return f"{one.name}:{one.version} {one.digest[:SHORT]}"


def vouched(one: "Bundle") -> str:
    match one.vouching:
        case "trusted":
            return f"signed by {one.signer}"
        case "unknown":
            return f"signature: unknown key {one.signer}; it can't be promoted until its public key lies in models/trusted of the home"
        case "unsigned":
            return "signed by nobody; it can't be promoted"


def _sum(told: "Fit") -> tuple[str, ...]:
    cache = f" + cache {told.cache_mib:g} at {told.context} tokens" if told.context else ""
    absent = tuple(f"no {kind}: {why}" for kind, why in told.absent)
    return (f"weights {told.weights_mib:g}{cache} + runtime {told.beside_mib:g} MiB", *absent)
