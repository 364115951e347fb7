"""A witness keeps what the gate once signed where the gate's host can't take it back, and signs only what goes on from it.

Cosignatures are C2SP tlog-cosignature v1 (c2sp.org/tlog-cosignature): type 0x04, over "cosignature/v1\\ntime <s>\\n" and
the checkpoint's text; the blob is key id, 8 bytes of seconds (big endian) and the Ed25519 signature. Keys and notes are
files in a folder of the witness's own; `checkpoints` there only grows, and may lie on a write-once mount.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.gate.ledger.checkpoint import (
    CHECKPOINTS,
    Checkpoint,
    KeyFileError,
    PathWitness,
    PublicKey,
    notes_in,
    parse,
    signed_by,
)
from holdfast.gate.ledger.merkle import consistent
from holdfast.terms import Word

COSIGNATURE = b"\x04"
PRIVATE, PUBLIC, GATE = "witness.key", "witness.pub", "gate.pub"
NOTES_BYTES_MAX = 256 << 20
SECONDS_BYTES = 8


class WitnessError(Exception):
    """The witness signs nothing. `code`: "witness.behind", "witness.fork", "witness.gate", "witness.proof" or "witness.files"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Growth(Word):
    """A gate's signed head with the proof that it goes on from a smaller one; `old` 0 needs no proof."""

    note: str
    old: int
    path: tuple[bytes, ...] = ()


class WitnessKey(PublicKey):
    """Who cosigns: the key's name and the raw Ed25519 key, 32 bytes."""

    kind: ClassVar[bytes] = COSIGNATURE


def cosigned_text(checkpoint: Checkpoint, at_s: int) -> bytes:
    """What a cosignature signs."""
    return f"cosignature/v1\ntime {at_s}\n{checkpoint.text}".encode()


def cosigned_by(checkpoint: Checkpoint, key: WitnessKey) -> int | None:
    """When the witness saw it, in seconds since 1970; None where it did not."""
    for blob in key.blobs(checkpoint):
        at_s = int.from_bytes(blob[:SECONDS_BYTES], "big")
        if key.verified(blob[SECONDS_BYTES:], cosigned_text(checkpoint, at_s)):
            return at_s
    return None


class WitnessFolder:
    """One witness of one gate. Raises KeyFileError for keys that can't be used."""

    def __init__(self, folder: Path, gate: PublicKey, private: Ed25519PrivateKey, name: str) -> None:
        self.folder = folder
        self.gate = gate
        self._private = private
        self.key = WitnessKey(name=name, raw=private.public_key().public_bytes_raw())
        self._notes = PathWitness(folder / CHECKPOINTS)

    @classmethod
    def open(cls, folder: Path, gate: PublicKey | None, random_bytes: Callable[[int], bytes]) -> "WitnessFolder":
        """With its keys, made at the first time. The gate's key is kept from the first time on; another is refused."""
        from holdfast.gate.ledger.checkpoint import read_public

        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (folder / GATE).exists():
                if gate is None:
                    raise KeyFileError(f"{folder / GATE}: the gate's key is not known here yet. Give its ledger.pub with --key.")
                (folder / GATE).write_text(gate.text() + "\n", encoding="utf-8")
            known = read_public(folder / GATE)
            if gate is not None and gate != known:
                raise KeyFileError(f"{folder / GATE}: this witness watches another gate. Use a folder of its own for each.")
            if not (folder / PRIVATE).exists():
                with os.fdopen(os.open(folder / PRIVATE, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400), "wb") as file:
                    file.write(random_bytes(32))
            seed = (folder / PRIVATE).read_bytes()
            if len(seed) != 32:
                raise KeyFileError(f"{folder / PRIVATE}: not 32 bytes long. Restore it, or begin with a new folder.")
            witness = cls(folder, known, Ed25519PrivateKey.from_private_bytes(seed), f"{known.name}/witness")
            (folder / PUBLIC).write_text(witness.key.text() + "\n", encoding="utf-8")
        except OSError as error:
            raise KeyFileError(f"{folder}: {error.strerror}. Check owner and rights of the folder.") from error
        return witness

    def last(self) -> Checkpoint | None:
        """The largest head that was seen. Raises WitnessError."""
        return largest(self.folder / CHECKPOINTS, self.gate)

    def see(self, growth: Growth, at_s: int) -> Checkpoint:
        """Sign a head, if it goes on from the last one seen; keep it before handing it out. Raises WitnessError."""
        checkpoint = self._genuine(growth.note)
        last = self.last()
        if last is not None:
            self._goes_on(last, checkpoint, growth)
            if last.size == checkpoint.size:
                return last
        signature = self._private.sign(cosigned_text(checkpoint, at_s))
        note = f"{checkpoint.note.rstrip(chr(10))}\n{self.key.line(at_s.to_bytes(SECONDS_BYTES, 'big') + signature)}"
        try:
            self._notes.see(note)
        except OSError as error:
            message = f"{self._notes.path}: {error.strerror}. Nothing is signed that is not kept."
            raise WitnessError("witness.files", message) from error
        return parse(note)

    def _genuine(self, note: str) -> Checkpoint:
        try:
            checkpoint = parse(note)
        except ValueError as error:
            raise WitnessError("witness.gate", f"the gate's checkpoint is damaged: {error}") from None
        if not signed_by(checkpoint, self.gate):
            raise WitnessError("witness.gate", f"the checkpoint at {checkpoint.size} is not signed by {self.gate.name}")
        return checkpoint

    def _goes_on(self, last: Checkpoint, now: Checkpoint, growth: Growth) -> None:
        if now.size < last.size:
            message = f"the ledger ends at {now.size} records, this witness has seen {last.size}: it was cut off or an older one restored"
            raise WitnessError("witness.behind", message)
        if now.size == last.size and now.root != last.root:
            raise WitnessError("witness.fork", f"the gate signed two different records of {now.size}: one of them was made anew")
        if last.size in (0, now.size):
            return
        if growth.old != last.size:
            raise WitnessError(
                "witness.proof", f"the proof goes from {growth.old} records, this witness has seen {last.size}: prove from there"
            )
        if not consistent(last.size, now.size, last.root, now.root, growth.path):
            message = f"the first {last.size} of {now.size} records are not those that this witness has seen: the record was made anew"
            raise WitnessError("witness.fork", message)


def largest(path: Path, gate: PublicKey) -> Checkpoint | None:
    """The gate's largest signed head in a file of notes; None where it holds none. Raises WitnessError."""
    try:
        with path.open("rb") as file:
            text = file.read(NOTES_BYTES_MAX).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WitnessError("witness.files", f"{path}: {error.strerror}. Check the mount and its rights.") from error
    sized: list[tuple[int, str]] = []
    for note in notes_in(text):
        lines = note.split("\n", 2)
        if len(lines) == 3 and lines[1].isdecimal():
            sized.append((int(lines[1]), note))
    for _, note in sorted(sized, key=lambda one: -one[0]):  # a forged one is passed over: it must not hide those below it
        with contextlib.suppress(ValueError):
            checkpoint = parse(note)
            if signed_by(checkpoint, gate):
                return checkpoint
    return None


# ---- the gate's side -------------------------------------------------------------------------------------------------

WITNESSES = "witnesses"  # a file in the state folder, a line each: "keep PATH" or "read PATH"
WITNESSES_MAX = 8


class Named(Word):
    """A file of notes that the state folder names. `kept`: the gate itself appends there; else a witness of its own does."""

    path: Path
    kept: bool


class Behind(Word):
    """The ledger lacks what a witness has seen of it. `root`: hex, of the witnessed head; "" where it could not be read."""

    code: str  # "ledger.behind_witness", "ledger.forked_from_witness", "ledger.witness_unreadable"
    witness: str
    witnessed: int
    records: int
    root: str = ""


def witnesses_of(folder: Path) -> tuple[Named, ...]:
    """The files of notes that a state folder names. Raises WitnessError."""
    file = folder / WITNESSES
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise WitnessError(
            "witness.files", f"{file}: can't be read ({error}). It holds a line each: `keep PATH` or `read PATH`."
        ) from error
    named: list[Named] = []
    for number, line in enumerate(lines, start=1):
        how, _, path = line.strip().partition(" ")
        if not how:
            continue
        if how not in ("keep", "read") or not Path(path).is_absolute() or len(named) == WITNESSES_MAX:
            message = f"{file}:{number}: not `keep PATH` or `read PATH` with an absolute path, or over {WITNESSES_MAX} of them"
            raise WitnessError("witness.files", message)
        named.append(Named(path=Path(path), kept=how == "keep"))
    return tuple(named)


def kept_by_gate(folder: Path) -> tuple[PathWitness, ...]:
    """Where the gate appends its checkpoints. A file that can't be read names none; `behind` reports it."""
    with contextlib.suppress(WitnessError):
        return tuple(PathWitness(named.path) for named in witnesses_of(folder) if named.kept)
    return ()


def behind(folder: Path, size: int, root_at: Callable[[int], bytes], gate: PublicKey) -> Sequence[Behind]:
    """What each witness that the state folder names has seen and the ledger of `size` records doesn't have.

    The gate's own `checkpoints` file is one of them: it shows the loss of a state file's end (a write-ahead log that is gone),
    though not that of the whole folder. `root_at(n)` is the ledger's root over its first n records. A witness that can't be
    read counts as one that has seen more: what can't be known is not assumed. Never raises for files.
    """
    try:
        named = witnesses_of(folder)
    except WitnessError:
        return (Behind(code="ledger.witness_unreadable", witness=str(folder / WITNESSES), witnessed=0, records=size),)
    found: list[Behind] = []
    own = folder / CHECKPOINTS
    for path in (*((own,) if own.exists() else ()), *(one.path for one in named)):
        try:
            if not path.exists():
                raise WitnessError("witness.files", f"{path}: not there")
            seen = largest(path, gate)
        except (WitnessError, OSError):
            found.append(Behind(code="ledger.witness_unreadable", witness=str(path), witnessed=0, records=size))
            continue
        if seen is None:
            continue
        if seen.size > size:
            code = "ledger.behind_witness"
        elif root_at(seen.size) != seen.root:
            code = "ledger.forked_from_witness"
        else:
            continue
        found.append(Behind(code=code, witness=str(path), witnessed=seen.size, records=size, root=seen.root.hex()))
    return tuple(found)
