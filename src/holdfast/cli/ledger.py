"""`holdfast ledger`: verify, show and prove the record, from its file alone."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    import apsw

    from holdfast.gate.ledger.witness import Growth

SHOWN_MAX = 10_000
GROWTH_CHARS_MAX = 1 << 20
T = TypeVar("T")
HASH = re.compile(r"\b[0-9a-f]{64}\b")  # its beginning tells it apart; --json has all of it

PathArgument = Annotated[Path, typer.Argument(help="The state folder, or the state.db in it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Verify, show and prove the record.")
    group.command("verify")(verify)
    group.command("show")(show)
    group.command("prove")(prove)
    group.command("export")(export)
    group.command("witness")(witness)
    group.command("key")(key)
    app.add_typer(group, name="ledger")


def verify(
    path: PathArgument,
    key: Annotated[Path, typer.Option(help="The public key: ledger.pub of the gate that wrote it.")],
    witness: Annotated[Path | None, typer.Option(help="Checkpoints that a witness kept.")] = None,
    state: Annotated[bool, typer.Option("--state", help="Also hold the state tables against what the records say.")] = False,
    json: JsonOption = False,
) -> None:
    """Is the record whole and unchanged? 0: yes. 1: no, and the first bad record is named."""
    from holdfast.gate.ledger.checkpoint import KeyFileError, read_public
    from holdfast.gate.ledger.verify import read_notes
    from holdfast.gate.ledger.verify import verify as judge

    if not path.exists():
        fail(f"{path}: there is no such file or folder. Give the state folder of the gate, or its state.db.", json=json)
    try:
        public = read_public(key)
        notes = read_notes(witness) if witness else []
    except KeyFileError as error:
        fail(str(error), json=json)
    except OSError as error:
        fail(f"{witness}: {error.strerror}. Give the file that the witness appends to.", json=json)
    verdict = judge(path, public, notes=notes, progress=_shown if sys.stderr.isatty() else _unseen)
    lines = [verdict.detail]
    if verdict.first_bad is not None:
        lines.append(f"first bad record: {verdict.first_bad}")
    if verdict.between is not None:
        lines.append(f"it lies between the checkpoints at {verdict.between[0]} and {verdict.between[1]}")
    if verdict.ok:
        lines.append(f"root {verdict.root}")
    data = {"path": str(path), "key": public.text(), "verified": verdict.ok, **_fields(verdict)}
    title = "verified" if verdict.ok else f"NOT verified: {verdict.code}"
    good = verdict.ok
    if state and verdict.ok:
        from holdfast.gate.ledger.agree import agreement

        agrees = _read(path, agreement, json=json)
        good, data = agrees.agrees, {**data, "state": _fields(agrees)}
        title = "verified, and the state agrees with it" if good else "verified, but the state does NOT agree with it"
        lines += [f"{d.table} {d.row}: {d.detail}" + (f" (record {d.seq})" if d.seq else "") for d in agrees.differences]
        lines.append(f"not determined by the record: {', '.join(agrees.unchecked) or 'nothing'}")
    render(Answer(data=data, title=title, lines=tuple(lines), code=DONE if good else NO), json=json)


def show(
    path: PathArgument,
    after: Annotated[int, typer.Option(help="Only records after this one.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=SHOWN_MAX)] = 200,
    kind: Annotated[str, typer.Option(help="Only records of this kind.")] = "",
    json: JsonOption = False,
) -> None:
    """The records, oldest first. It shows them; only `verify` says whether they are true."""
    import apsw

    from holdfast.gate.ledger.store import FILE, StateError, cured
    from holdfast.gate.ledger.verify import opened, selected
    from holdfast.terms import plain

    file = path / FILE if path.is_dir() else path
    try:
        with cured(file), opened(file) as db:
            records = selected(db, after=after, kind=kind, limit=limit)
    except (StateError, OSError) as error:
        fail(str(error), json=json)
    except (apsw.Error, ValueError) as error:
        fail(f"{file}: can't be shown ({error}). Run `holdfast ledger verify` on it.", json=json)
    render(
        Answer(
            data={"path": str(path), "records": [plain(record) for record in records]},
            columns=("seq", "time (UTC)", "kind", "label", "what"),
            rows=tuple((str(r.seq), _utc(r.at_ns), r.kind, r.label, _summary(r.body)) for r in records),
            lines=() if records else ("no records",),
        ),
        json=json,
    )


def prove(
    path: PathArgument,
    seq: Annotated[int | None, typer.Argument(help="The record.", min=1)] = None,
    from_: Annotated[int | None, typer.Option("--from", help="Prove instead that the first so many records are unchanged.", min=0)] = None,
    json: JsonOption = False,
) -> None:
    """The proof that a record is in the signed ledger, or (--from) that the ledger only grew since it had so many records."""
    from holdfast.gate.ledger.proof import growth_of, proof_of

    if (seq is None) == (from_ is None):
        fail("Give a record's number, or --from SIZE.", json=json)
    if seq is None:
        _prove_growth(path, _read(path, lambda db: growth_of(db, from_ or 0), json=json), json=json)
    proof = _read(path, lambda db: proof_of(db, seq), json=json)
    if proof is None:
        render(
            Answer(data={"path": str(path), "seq": seq, "proved": False}, title=f"record {seq} is under no checkpoint yet", code=NO),
            json=json,
        )
    data = {
        "seq": seq,
        "proved": True,
        "leaf": proof.leaf.decode(),
        "index": seq - 1,
        "size": proof.size,
        "path": [h.hex() for h in proof.path],
    }
    lines = (
        proof.leaf.decode(),
        f"index {seq - 1} of {proof.size}; path, nearest first:",
        *(h.hex() for h in proof.path),
        "",
        proof.note.rstrip(),
    )
    render(Answer(data={**data, "checkpoint": proof.note}, title=f"record {seq} is in the ledger", lines=lines), json=json)


def _prove_growth(path: Path, growth: "Growth | None", *, json: bool) -> NoReturn:
    from holdfast.gate.ledger.checkpoint import parse

    if growth is None:
        render(Answer(data={"path": str(path), "proved": False}, title="there is no checkpoint yet", code=NO), json=json)
    size = parse(growth.note).size
    proved = growth.old <= size
    title = f"the first {growth.old} of {size} records are unchanged" if proved else f"there are {size} records, not {growth.old}"
    hashes = [h.hex() for h in growth.path]
    data = {"proved": proved, "from": growth.old, "size": size, "path": hashes, "checkpoint": growth.note}
    render(Answer(data=data, title=title, lines=(*hashes, "", growth.note.rstrip()), code=DONE if proved else NO), json=json)


def export(
    path: PathArgument,
    label: Annotated[str, typer.Option(help="The highest data label to show: public, partner, site or restricted.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    first: Annotated[int, typer.Option(help="Show records from this one on; those before stay as their hashes.", min=1)] = 1,
    last: Annotated[int | None, typer.Option(help="And up to this one.", min=1)] = None,
    json: JsonOption = False,
) -> None:
    """Write the record for who may not see all of it: what is labelled higher stays as its hash, so that proofs still work."""
    from functools import partial

    from holdfast.gate.ledger.checkpoint import PUBLIC, KeyFileError, read_public
    from holdfast.gate.ledger.export import ExportError
    from holdfast.gate.ledger.export import export as write
    from holdfast.terms import LABELS, Label

    labels: dict[str, Label] = {known: known for known in LABELS}
    chosen = labels.get(label)
    if chosen is None:
        fail(f"{label!r} is no label; there are {', '.join(LABELS)}.", json=json)
    folder = path if path.is_dir() else path.parent
    try:
        public = read_public(folder / PUBLIC)
        exported = _read(path, partial(write, key=public, label=chosen, out=out, first=first, last=last), json=json)
    except KeyFileError as error:
        fail(str(error), json=json)
    except ExportError as error:
        render(Answer(data={"error": str(error)}, title="NOT exported", lines=(str(error),), code=NO), json=json)
    data = {"file": str(out), "label": chosen, **_fields(exported)}
    title = f"{out}: {exported.size} records, {exported.hidden} of them as hashes alone"
    render(Answer(data=data, title=title, lines=(f"root {exported.root}",)), json=json)


def witness(
    source: Annotated[str, typer.Argument(help="A state folder; or a file that `ledger prove --from N --json` wrote, - for stdin.")],
    keep: Annotated[Path, typer.Option(help="The witness's own folder: its key, and the checkpoints that it saw.")],
    key: Annotated[Path | None, typer.Option(help="The gate's ledger.pub; needed the first time.")] = None,
    json: JsonOption = False,
) -> None:
    """Be the witness of a gate: sign its newest checkpoint if the record only grew since the last one seen, and keep both.

    0: signed. 1: the ledger is behind what was seen, or was made anew; nothing is signed. On another box, ask first
    which size it saw last (`--json` tells `seen`), then hand it the proof from there.
    """
    import os
    import time

    from holdfast.gate.ledger.checkpoint import KeyFileError, read_public
    from holdfast.gate.ledger.witness import WitnessError, WitnessFolder

    try:
        folder = WitnessFolder.open(keep, read_public(key) if key else None, os.urandom)
        last = folder.last()
        growth = _growth(source, last.size if last else 0, json=json)
        seen = folder.see(growth, int(time.time()))
    except KeyFileError as error:
        fail(str(error), json=json)
    except WitnessError as error:
        if error.code == "witness.files":
            fail(str(error), json=json)
        render(
            Answer(data={"error": str(error), "code": error.code}, title=f"NOT signed: {error.code}", lines=(str(error),), code=NO),
            json=json,
        )
    data = {"signed": True, "seen": seen.size, "former": last.size if last else 0, "witness": folder.key.text(), "note": seen.note}
    render(Answer(data=data, title=f"signed the checkpoint at {seen.size} records", lines=(seen.note.rstrip(),)), json=json)


def _growth(source: str, old: int, *, json: bool) -> "Growth":
    """The newest checkpoint and its proof from `old` on, from a state folder or from what another box wrote."""
    import json as jsonlib

    from holdfast.gate.ledger.proof import growth_of
    from holdfast.gate.ledger.witness import Growth

    path = Path(source)
    if source != "-" and (path.is_dir() or path.suffix == ".db"):
        growth = _read(path, lambda db: growth_of(db, old), json=json)
        if growth is None:
            fail(f"{path}: there is no checkpoint yet. Let the gate run for a minute.", json=json)
        return growth
    try:
        text = sys.stdin.read(GROWTH_CHARS_MAX) if source == "-" else path.read_text(encoding="utf-8")
        found = jsonlib.loads(text)
        return Growth(note=str(found["checkpoint"]), old=int(found["from"]), path=tuple(bytes.fromhex(h) for h in found["path"]))
    except OSError as error:
        fail(f"{source}: {error.strerror}. Give a state folder, or what `ledger prove --from N --json` wrote.", json=json)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        fail(f"{source}: no proof ({error}). Give what `holdfast ledger prove STATE --from {old} --json` printed.", json=json)


def _read(path: Path, what: "Callable[[apsw.Connection], T]", *, json: bool) -> "T":
    """Do something with a state file that is only read; a file that can't be is wrong use."""
    import apsw

    from holdfast.gate.ledger.store import FILE, StateError, cured
    from holdfast.gate.ledger.verify import opened

    file = path / FILE if path.is_dir() else path
    try:
        with cured(file), opened(file) as db:
            return what(db)
    except (StateError, OSError) as error:
        fail(str(error), json=json)
    except (apsw.Error, ValueError) as error:
        fail(f"{file}: {error}", json=json)


def key(
    home: Annotated[Path, typer.Option(help="The state folder.")],
    site: Annotated[str, typer.Option(help="The site's name, as in the site file.")],
    json: JsonOption = False,
) -> None:
    """Make the key that signs checkpoints: ledger.key stays, ledger.pub goes to whoever verifies."""
    import os

    from holdfast.gate.ledger.checkpoint import PUBLIC, KeyFileError, make_key

    try:
        public = make_key(home, site, os.urandom)
    except KeyFileError as error:
        fail(str(error), json=json)
    render(Answer(data={"key": public.text(), "file": str(home / PUBLIC)}, title=public.text(), lines=(f"in {home / PUBLIC}",)), json=json)


def _shown(done: int, of: int) -> None:
    """On one line of the terminal, which the last call ends."""
    typer.echo(f"\r{done} of {of} records", err=True, nl=done == of)


def _unseen(done: int, of: int) -> None:
    """For a pipe."""


def _fields(word: object) -> dict[str, object]:
    from holdfast.terms import plain

    return plain(word)


def _utc(at_ns: int) -> str:
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except (OverflowError, ValueError, OSError):
        return str(at_ns)


def _summary(body: object) -> str:
    """The first plain fields of a record, short enough for a line. What an agent wrote can't move the cursor."""
    if not isinstance(body, dict):
        return ""
    plain = {n: v for n, v in body.items() if isinstance(v, str | int | float | bool) and v != ""}
    parts = [f"{name}={HASH.sub(lambda m: m[0][:12] + '…', str(value))}" for name, value in plain.items()]
    text = "  ".join(parts)[:160]
    return "".join(c if c.isprintable() else "·" for c in text)
