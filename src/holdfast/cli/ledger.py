"""`holdfast ledger`: verify, show and prove the record, from its file alone."""

import re
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render

SHOWN_MAX = 10_000
HASH = re.compile(r"\b[0-9a-f]{64}\b")  # its beginning tells it apart; --json has all of it

PathArgument = Annotated[Path, typer.Argument(help="The state folder, or the state.db in it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Verify, show and prove the record.")
    group.command("verify")(verify)
    group.command("show")(show)
    group.command("prove")(prove)
    group.command("key")(key)
    app.add_typer(group, name="ledger")


def verify(
    path: PathArgument,
    key: Annotated[Path, typer.Option(help="The public key: ledger.pub of the gate that wrote it.")],
    witness: Annotated[Path | None, typer.Option(help="Checkpoints that a witness kept.")] = None,
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
    verdict = judge(path, public, notes=notes)
    lines = [verdict.detail]
    if verdict.first_bad is not None:
        lines.append(f"first bad record: {verdict.first_bad}")
    if verdict.between is not None:
        lines.append(f"it lies between the checkpoints at {verdict.between[0]} and {verdict.between[1]}")
    if verdict.ok:
        lines.append(f"root {verdict.root}")
    render(
        Answer(
            data={"path": str(path), "key": public.text(), "verified": verdict.ok, **_fields(verdict)},
            title="verified" if verdict.ok else f"NOT verified: {verdict.code}",
            lines=tuple(lines),
            code=DONE if verdict.ok else NO,
        ),
        json=json,
    )


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


def prove(path: PathArgument, seq: Annotated[int, typer.Argument(help="The record.", min=1)], json: JsonOption = False) -> None:
    """The proof that a record is in the signed ledger: its bytes, its path up the tree and the checkpoint above it."""
    import apsw

    from holdfast.gate.ledger.proof import proof_of
    from holdfast.gate.ledger.store import FILE, StateError, cured
    from holdfast.gate.ledger.verify import opened

    file = path / FILE if path.is_dir() else path
    try:
        with cured(file), opened(file) as db:
            proof = proof_of(db, seq)
    except (StateError, OSError) as error:
        fail(str(error), json=json)
    except (apsw.Error, ValueError) as error:
        fail(f"{file}: {error}", json=json)
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
