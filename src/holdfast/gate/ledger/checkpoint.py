"""A signed statement of how long the record is and what it hashes to, in the C2SP tlog-checkpoint form.

A checkpoint is a signed note (c2sp.org/signed-note) whose text is origin, size and base64 root, a line each
(c2sp.org/tlog-checkpoint), signed with Ed25519 (signature type 0x01). The public key travels as a vkey line:
name "+" hex(key id) "+" base64(0x01 || 32-byte key), key id = SHA-256(name "\\n" 0x01 key)[:4].
"""

import base64
import binascii
import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State, StateError
from holdfast.terms import Word

ED25519 = b"\x01"
DASH = "\u2014 "  # a signature line of a note begins with an em dash and a space
NOTE_BYTES_MAX = 4096
PRIVATE, PUBLIC, CHECKPOINTS = "ledger.key", "ledger.pub", "checkpoints"


class KeyFileError(Exception):
    """A key file that can't be used; the text says why and what to do."""


class PublicKey(Word):
    """Who signs checkpoints: the note's key name and the raw Ed25519 key, 32 bytes."""

    kind: ClassVar[bytes] = ED25519  # signature type
    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + self.kind + self.raw).digest()[:4]

    def text(self) -> str:
        """The vkey line."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.kind + self.raw).decode()}"

    def blobs(self, checkpoint: "Checkpoint") -> Iterator[bytes]:
        """What stands behind the key id in each signature line that calls itself this key's; nothing of it is checked yet."""
        for line in checkpoint.note[len(checkpoint.text) + 1 :].split("\n"):
            name, _, coded = line.removeprefix(DASH).rpartition(" ")
            if not line.startswith(DASH) or name != self.name:
                continue
            with contextlib.suppress(binascii.Error, ValueError):
                blob = base64.b64decode(coded, validate=True)
                if blob[:4] == self.id:
                    yield blob[4:]

    def line(self, signature: bytes) -> str:
        """A signature line of a note."""
        return f"{DASH}{self.name} {base64.b64encode(self.id + signature).decode()}\n"

    def verified(self, signature: bytes, message: bytes) -> bool:
        with contextlib.suppress(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
            return True
        return False


K = TypeVar("K", bound=PublicKey)


class Checkpoint(Word):
    """One note. `text` is what is signed, its last newline included."""

    origin: str
    size: int
    root: bytes
    text: str
    note: str


class Witness(Protocol):
    """Keeps checkpoints where the gate's host can't take them back."""

    def see(self, note: str) -> None:
        """Keep a note for good. Raises OSError where it can't."""
        ...


class PathWitness:
    """A witness that appends to a file, for a write-once mount or another box's share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def see(self, note: str) -> None:
        _append(self.path, note)


def origin_of(site: str) -> str:
    """`holdfast/<site name>`; what a key name may not hold (white space, plus, control characters) is percent-encoded."""
    plain = "".join("".join(f"%{b:02X}" for b in c.encode()) if c.isspace() or not c.isprintable() or c in "+%" else c for c in site)
    return f"holdfast/{plain}"


def make_key(folder: Path, site: str, random_bytes: Callable[[int], bytes]) -> PublicKey:
    """Write ledger.key (32 raw bytes, mode 0400) and ledger.pub (a vkey line). Raises KeyFileError if there is a key."""
    private, public = folder / PRIVATE, folder / PUBLIC
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if private.exists() and public.exists():
            raise KeyFileError(f"{private} exists. Another key would cut the record in two; keep it.")
        if private.exists():  # a crash came between the two files
            seed = private.read_bytes()
        else:
            seed = random_bytes(32)
            _whole(private, seed, 0o400)
        key = PublicKey(name=origin_of(site), raw=Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
        _whole(public, f"{key.text()}\n".encode(), 0o644)
    except OSError as error:
        raise KeyFileError(f"{private}: {error.strerror}. Check owner and rights of the folder.") from error
    except ValueError as error:
        raise KeyFileError(f"{private}: not 32 bytes long. Restore it from a backup.") from error
    return key


def _whole(path: Path, content: bytes, mode: int) -> None:
    """A new file that is there whole or not at all: a kill must not leave half a key. Raises OSError."""
    made = path.with_name(f"{path.name}.new")
    made.unlink(missing_ok=True)  # of a start that was killed
    with os.fdopen(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    made.rename(path)


def read_public(path: Path) -> PublicKey:
    """A vkey file. Raises KeyFileError."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: can't be read ({error}). Give the ledger.pub of the gate's state folder.") from error
    try:
        return public_key(text)
    except ValueError as error:
        raise KeyFileError(f"{path}: {error}. Give the ledger.pub of the gate's state folder.") from error


def public_key(text: str) -> PublicKey:
    """A vkey line. Raises ValueError."""
    return key_of(text, PublicKey)


def key_of(text: str, of: type[K]) -> K:
    """A vkey line of one kind of key. Raises ValueError."""
    name, _, rest = text.partition("+")
    key_id, _, coded = rest.partition("+")
    try:
        raw = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not even ASCII
        raw = b""
    if len(raw) != 33 or raw[:1] != of.kind or not name:
        raise ValueError("not an Ed25519 key of the form name+id+base64")
    key = of(name=name, raw=raw[1:])
    if key.id.hex() != key_id.lower():
        raise ValueError(f"name and key don't fit the key id {key_id}; the line was altered")
    return key


def parse(note: str) -> Checkpoint:
    """A note's parts, its signatures not checked. Raises ValueError that says what is wrong."""
    text, blank, _ = note.partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or len(note.encode()) > NOTE_BYTES_MAX:
        raise ValueError("no checkpoint: origin, size and root are missing, or it is too long")
    try:
        size = int(lines[1])
        root = base64.b64decode(lines[2], validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError("no checkpoint: size or root can't be read") from error
    if str(size) != lines[1] or size < 0 or len(root) != 32 or not all(lines):
        raise ValueError("no checkpoint: size or root is not in its one form")
    return Checkpoint(origin=lines[0], size=size, root=root, text=text + "\n", note=note)


def signed_by(checkpoint: Checkpoint, key: PublicKey) -> bool:
    """Whether the note is the key's own: its origin is the key's name and one signature line is good. Others are ignored."""
    if checkpoint.origin != key.name:
        return False
    return any(key.verified(blob, checkpoint.text.encode()) for blob in key.blobs(checkpoint))


def notes_in(text: str) -> Iterable[str]:
    """The notes of a checkpoints file, in order: each ends where the next line is neither empty nor a signature."""
    note: list[str] = []
    for line in text.splitlines(keepends=True):
        if note and note[-1].startswith(DASH) and not line.startswith(DASH):
            yield "".join(note)
            note = []
        note.append(line)
    if note:
        yield "".join(note)


class Checkpoints:
    """Signs the log's head; keeps each note in the state file, in the `checkpoints` file beside it and with the witnesses."""

    def __init__(self, state: State, log: Log, seed: bytes, name: str, witnesses: tuple[Witness, ...] = ()) -> None:
        self._state = state
        self._log = log
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._witnesses = witnesses
        self.witness_faults = 0  # notes that a witness did not take, since the start
        self.key = PublicKey(name=name, raw=self._private.public_key().public_bytes_raw())
        self._catch_up()

    @classmethod
    def of(cls, state: State, log: Log, witnesses: tuple[Witness, ...] = ()) -> "Checkpoints":
        """With the key of the state folder. Raises KeyFileError."""
        public = read_public(state.folder / PUBLIC)
        try:
            seed = (state.folder / PRIVATE).read_bytes()
        except OSError as error:
            raise KeyFileError(
                f"{state.folder / PRIVATE}: {error.strerror}. Restore it from a backup; without it nothing is signed."
            ) from error
        if len(seed) != 32 or Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() != public.raw:
            raise KeyFileError(f"{state.folder / PRIVATE}: not the private half of {PUBLIC}. Restore both from the same backup.")
        return cls(state, log, seed, public.name, witnesses)

    def sign(self, at_ns: int) -> Checkpoint:
        """Sign the head as committed; outside any transaction. The same size is signed once. Raises StateError."""
        if self._state.in_transaction:
            raise RuntimeError("a checkpoint is of what is committed: sign it after the transaction")
        if (last := self.last()) and last.size == self._log.size:
            return last
        text = f"{self.key.name}\n{self._log.size}\n{base64.b64encode(self._log.root()).decode()}\n"
        checkpoint = parse(f"{text}\n{self.key.line(self._private.sign(text.encode()))}")
        with self._state.transaction():
            self._state.db.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (checkpoint.size, at_ns, checkpoint.note))
        self._publish(checkpoint.note)
        return checkpoint

    def last(self) -> Checkpoint | None:
        rows = self._state.rows("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")
        return parse(rows[0][0]) if rows else None

    def _catch_up(self) -> None:
        """A crash between commit and the file's append left the file one behind."""
        path = self._state.folder / CHECKPOINTS
        last = self.last()
        if last and last.note not in (path.read_text(encoding="utf-8") if path.exists() else ""):
            self._publish(last.note)

    def _publish(self, note: str) -> None:
        try:
            _append(self._state.folder / CHECKPOINTS, note, durable=self._state.durable)
        except OSError as error:
            raise StateError("state.disk", f"{self._state.folder / CHECKPOINTS}: {error.strerror}. Check disk and rights.") from error
        for witness in self._witnesses:
            try:
                witness.see(note)
            except OSError:  # an absent witness delays evidence; it must not stop the record
                self.witness_faults += 1


def _append(path: Path, note: str, *, durable: bool = True) -> None:
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
    try:
        os.write(file, note.encode())
        if durable:
            os.fsync(file)
    finally:
        os.close(file)
