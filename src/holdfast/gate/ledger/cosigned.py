"""What witnesses signed of this gate's heads, as they sent it: checked against the gate's own record, kept beside it.

Who is a witness is said by the file `witness.keys` in the state folder, a vkey line each; without it nobody is.
"""

import os
from pathlib import Path

from holdfast.gate.ledger.checkpoint import Checkpoint, PublicKey, key_of, notes_in, parse, signed_by
from holdfast.gate.ledger.witness import WITNESSES_MAX, WitnessError, WitnessKey, cosigned_by
from holdfast.terms import Word

KEYS, KEPT = "witness.keys", "cosigned"


class Cosigned(Word):
    """The newest head that a witness signed. `at_s`: when, by its own clock, in seconds since 1970."""

    witness: str
    size: int
    at_s: int
    note: str


def witness_keys(folder: Path) -> tuple[WitnessKey, ...]:
    """Raises WitnessError for a file that can't be read, or too many of them."""
    try:
        found = (folder / KEYS).read_text(encoding="utf-8").splitlines()
        keys = tuple(key_of(line.strip(), WitnessKey) for line in found if line.strip())
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise WitnessError("witness.files", f"{folder / KEYS}: {error}. It holds a line each: a witness's witness.pub.") from error
    if len(keys) > WITNESSES_MAX:
        raise WitnessError("witness.files", f"{folder / KEYS}: {len(keys)} keys; at most {WITNESSES_MAX} are read")
    return keys


def take(folder: Path, note: str, gate: PublicKey, own: Checkpoint | None) -> Cosigned:
    """Keep a cosigned note. `own`: the gate's checkpoint of the same size. Raises WitnessError for what is not one of them.

    One note a witness is kept: that of the largest head.
    """
    try:
        checkpoint = parse(note)
    except ValueError as error:
        raise WitnessError("witness.note", f"no cosigned checkpoint: {error}") from None
    if own is None or own.text != checkpoint.text or not signed_by(checkpoint, gate):
        raise WitnessError("witness.gate", f"this gate signed no such head of {checkpoint.size} records")
    for key in witness_keys(folder):
        at_s = cosigned_by(checkpoint, key)
        if at_s is not None:
            told = Cosigned(witness=key.name, size=checkpoint.size, at_s=at_s, note=note)
            _keep(folder, told, gate)
            return told
    raise WitnessError("witness.unknown", f"signed by none of the witnesses that {KEYS} in the gate's folder names")


def kept(folder: Path) -> tuple[Cosigned, ...]:
    """What is kept, each checked again; what is damaged is left out."""
    try:
        text = (folder / KEPT).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    found: dict[str, Cosigned] = {}
    for note in notes_in(text):
        try:
            checkpoint = parse(note)
        except ValueError:
            continue
        for key in witness_keys(folder):
            if (at_s := cosigned_by(checkpoint, key)) is not None:
                found[key.name] = Cosigned(witness=key.name, size=checkpoint.size, at_s=at_s, note=note)
    return tuple(found.values())


def _keep(folder: Path, told: Cosigned, gate: PublicKey) -> None:
    known = {one.witness: one for one in kept(folder)}
    if (before := known.get(told.witness)) is not None and before.size > told.size:
        return
    known[told.witness] = told
    part = folder / f"{KEPT}.part"
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write("".join(one.note for one in known.values()))
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / KEPT)
    except OSError as error:
        raise WitnessError("witness.files", f"{folder / KEPT}: {error.strerror}. Check disk and rights.") from error
