"""`holdfast policy`: check it, try it on cases, see what a change would do, and put it in force with named signatures."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from holdfast.cli.asking import ask
from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.gate.configuration import Configurations, Standing
    from holdfast.gate.guard.compile import Compiled
    from holdfast.run.desk import Desk
    from holdfast.site.load import Loaded

HOME = Path("holdfast-home")
CONNECT_S = 2.0
RECORDS_MAX = 1_000_000  # decisions that are decided again
SITE = Annotated[Path, typer.Argument(help="The site file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Home = Annotated[Path, typer.Option(help="The folder that `holdfast run` is given.", envvar="HOLDFAST_HOME")]
Person = Annotated[str, typer.Option("--as", help="Your name, as `holdfast people list` has it.")]
Role = Annotated[str, typer.Option(help="The role you sign as; the first free one that you have, without.")]
PasswordFile = Annotated[Path | None, typer.Option(help="Read the password from the first line of a file.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Who may want what, when: check it, try it, put it in force.")
    group.command("check")(check)
    group.command("test")(try_cases)
    group.command("diff")(diff)
    group.command("activate")(activate)
    group.command("rollback")(rollback)
    app.add_typer(group, name="policy")


def check(
    site: SITE, strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False, json: Json = False
) -> None:
    """Types, rules that never apply, never hold or are never reached, and rules wider than the envelope. Exit 1 on errors."""
    from holdfast.gate.guard.review import review

    loaded = _loaded(site, json=json)
    found = review(loaded.site, loaded.policy_file or str(site))
    bad = [p for p in found if strict or p.severity == "error"]
    count = (
        f"{len(loaded.site.policy.rules)} rules, revision {loaded.site.policy.revision}: {len(bad) or 'no'} error{'s' * (len(bad) != 1)}"
    )
    lines = (*(f"{p.severity}: {p}" for p in found), count)
    data = {"site": str(site), "ok": not bad, "problems": found, "revision": loaded.site.policy.revision}
    render(Answer(data=data, lines=lines, code=NO if bad else DONE), json=json)


def try_cases(
    site: SITE,
    cases: Annotated[Path | None, typer.Option(help="The cases; POLICY.cases.yaml beside the policy, without.")] = None,
    json: Json = False,
) -> None:
    """Decide the cases that lie beside the policy. Exit 1 if one comes out otherwise than it says."""
    from holdfast.gate.guard.cases import beside, judge, problem_of, read_cases
    from holdfast.site.model import SiteError

    loaded = _loaded(site, json=json)
    compiled = _compiled(loaded, json=json)
    file = cases or beside(loaded.policy_file or str(site))
    try:
        found = [judge(case, compiled) for case in read_cases(file.read_bytes(), str(file), loaded.site, compiled)]
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}. Write cases there, or name a file with --cases.", json=json)
    except SiteError as error:
        fail(str(error), json=json)
    missed = [problem_of(v, str(file)) for v in found if v.missed]
    rows = tuple(("✗" if v.missed else "✓", v.case.name, v.case.expect, v.verdict, ", ".join(v.failed or v.roles)) for v in found)
    data = {
        "cases": [
            {"name": v.case.name, "expect": v.case.expect, "verdict": v.verdict, "roles": v.roles, "failed": v.failed, "missed": v.missed}
            for v in found
        ],
        "missed": len(missed),
    }
    lines = (*map(str, missed), f"{len(found) - len(missed)} of {len(found)} cases come out as they say")
    columns = ("", "case", "expected", "decided", "failed checks, or who is asked")
    render(Answer(data=data, columns=columns, rows=rows, lines=lines, code=NO if missed else DONE), json=json)


def diff(
    files: Annotated[list[Path], typer.Argument(help="OLD NEW site files; with --replay NEW alone, or both.")],
    replay: Annotated[Path | None, typer.Option(help="A ledger: decide its decisions again, and show those that change.")] = None,
    json: Json = False,
) -> None:
    """What changes: each bound and each rule, wider or narrower; or each recorded decision that comes out otherwise."""
    if replay is not None:
        _replayed(files, replay, json=json)
    if len(files) != 2:
        fail("Name two site files, OLD and NEW (or one, with --replay LEDGER).", json=json)
    from holdfast.gate.guard.difference import difference

    old, new = (_loaded(file, json=json) for file in files)
    _compiled(old, json=json)
    _compiled(new, json=json)
    found = difference(old.site, new.site)
    rows = tuple((c.how, c.of, c.before, c.after) for c in found)
    widens = [c for c in found if c.widens]
    said = f"{len(found)} changes, {len(widens)} of them may allow something that was not allowed" if found else "nothing changes"
    data = {"old": old.digest, "new": new.digest, "changes": found, "widens": len(widens)}
    render(Answer(data=data, columns=("", "what", "before", "after"), rows=rows, lines=(said,)), json=json)


def _replayed(files: list[Path], ledger: Path, *, json: bool) -> None:
    import apsw

    from holdfast.gate.guard.replayed import RecordError, recorded, turned, worst_first
    from holdfast.gate.ledger.store import FILE, StateError, cured
    from holdfast.gate.ledger.verify import opened, selected

    if len(files) not in (1, 2):
        fail("Name NEW, or OLD and NEW.", json=json)
    sides = [_compiled(_loaded(file, json=json), json=json) for file in files]
    file = ledger / FILE if ledger.is_dir() else ledger
    try:
        with cured(file), opened(file) as db:
            records = [recorded(r.seq, r.body) for r in selected(db, after=0, kind="decision", limit=RECORDS_MAX)]
    except (StateError, OSError, RecordError) as error:
        fail(str(error), json=json)
    except (apsw.Error, ValueError) as error:
        fail(f"{file}: can't be read ({error}). Run `holdfast ledger verify` on it.", json=json)
    found = worst_first(turned(records, sides[-1], sides[0] if len(sides) == 2 else None))
    rows = tuple(
        (str(t.seq), t.proposal, t.author, f"{t.before} → {t.after}", ", ".join(t.failed) or f"passes: {', '.join(t.no_longer)}")
        for t in found
    )
    freed = sum(t.before == "refuse" and t.after == "permit" for t in found)
    said = f"{len(found)} of {len(records)} decisions change, {freed} from refuse to permit"
    data = {"decisions": len(records), "changed": found, "refuse_to_permit": freed}
    render(Answer(data=data, columns=("record", "proposal", "from", "verdict", "because"), rows=rows, lines=(said,)), json=json)


def activate(
    site: SITE, person: Person, home: Home = HOME, role: Role = "", password_file: PasswordFile = None, json: Json = False
) -> None:
    """Sign for a whole configuration; with the last signature that is asked for it is in force.

    At once where a gate runs on this --home and can take it over as it runs; else from the next start on.
    """
    loaded = _loaded(site, json=json)
    password = _password(person, password_file)
    if _gate_runs(home):
        from holdfast.gate.actuation.proposed import collected

        try:
            main, files = collected(loaded)
        except (OSError, ValueError) as error:
            fail(str(error), json=json)
        by = {"person": person, "password": password}

        async def live(desk: "Desk") -> Any:
            await desk.act("/v1/configurations/propose", {**by, "main": main, "files": files})
            return await desk.act("/v1/configurations/activate", {**by, "digest": loaded.digest, "role": role})

        _stands_now(ask(home, live, json=json), json=json)
    with _configurations(home, json=json) as of:
        standing = of.activate(loaded.site, person, password, role=role)
    _stands(standing, json=json)


def rollback(person: Person, home: Home = HOME, role: Role = "", password_file: PasswordFile = None, json: Json = False) -> None:
    """Sign for going back to the configuration that was in force before; at once where a gate runs, else at the next start."""
    password = _password(person, password_file)
    if _gate_runs(home):
        body = {"person": person, "password": password, "role": role}
        _stands_now(ask(home, lambda desk: desk.act("/v1/configurations/rollback", body), json=json), json=json)
    with _configurations(home, json=json) as of:
        standing = of.rollback(person, password, role=role)
    _stands(standing, json=json)


def _gate_runs(home: Path) -> bool:
    """Whether somebody answers at the people's socket; a socket that a killed gate left answers nobody."""
    import socket

    with contextlib.closing(socket.socket(socket.AF_UNIX)) as tried:
        tried.settimeout(CONNECT_S)
        try:
            tried.connect(str(home / "gate" / "people.sock"))
        except OSError:
            return False
    return True


def _stands_now(told: Any, *, json: bool) -> NoReturn:
    from pydantic import TypeAdapter

    from holdfast.gate.configuration import Standing
    from holdfast.terms import canonical

    _stands(TypeAdapter(Standing).validate_json(canonical(told)), json=json, since="now")
    raise typer.Exit(DONE)


def _stands(standing: "Standing", *, json: bool, since: str = "from the next start on") -> None:
    signed = ", ".join(f"{person} ({role})" for role, person in standing.signed)
    what = f"{standing.digest[:16]} (revision {standing.revision})"
    if standing.adopted:
        line = f"{what} is in force {since}; signed by {signed}"
    else:
        line = f"{what} waits for: {', '.join(standing.missing)}; signed by {signed}. The same command, --as another person, signs it too."
    render(Answer(data={"standing": standing}, lines=(line,)), json=json)


def _loaded(file: Path, *, json: bool) -> "Loaded":
    from holdfast.site.load import load
    from holdfast.site.model import SiteError

    if not file.is_file():
        fail(f"{file}: there is no such file. Name a site file.", json=json)
    try:
        return load(file)
    except SiteError as error:
        render(Answer(data={"site": str(file), "ok": False, "problems": error.problems}, lines=(str(error),), code=NO), json=json)


def _compiled(loaded: "Loaded", *, json: bool) -> "Compiled":
    from holdfast.gate.guard.compile import compile_site
    from holdfast.site.model import SiteError

    try:
        return compile_site(loaded.site)
    except SiteError as error:
        render(Answer(data={"site": loaded.file, "ok": False, "problems": error.problems}, lines=(str(error),), code=NO), json=json)


@contextlib.contextmanager
def _configurations(home: Path, *, json: bool) -> "Generator[Configurations]":
    import os

    from holdfast.clock import RealClock
    from holdfast.gate.configuration import ConfigurationError, Configurations
    from holdfast.gate.identity.names import IdentityError
    from holdfast.gate.identity.people import People
    from holdfast.gate.ledger.log import Log
    from holdfast.gate.ledger.store import FILE, State, StateError
    from holdfast.site.model import SiteError

    folder = home / "gate"
    if not (folder / FILE).exists():
        fail(f"{home}: nothing was ever run here. The first `holdfast run` puts its site file in force by itself.", json=json)
    try:
        with contextlib.closing(State(folder)) as state:
            clock = RealClock()
            log = Log(state, clock)
            yield Configurations(state, log, People(state, log, clock, os.urandom), clock)
    except StateError as error:
        why = f"A gate runs with this --home, and it alone keeps the record: end `holdfast run` there first. ({error})"
        fail(why if error.code == "state.in_use" else str(error), json=json)
    except (ConfigurationError, IdentityError, SiteError) as error:
        _no(error, json=json)


def _no(error: Any, *, json: bool) -> None:
    render(
        Answer(data={"adopted": False, "error": str(error), "code": getattr(error, "code", "")}, lines=(str(error),), code=NO), json=json
    )


def _password(person: str, file: Path | None) -> str:
    if file is None:
        return typer.prompt(f"Password of {person}", hide_input=True, err=True)
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, ValueError) as error:
        fail(f"{file} can't be read: {error}. Give the file that holds the password in its first line.")
