"""One archive that brings a home back on a bare box: taken while the gate runs, its list of files signed with the ledger's key.

A tar (plain or .tar.gz) of `manifest.json`, `manifest.sig` and the files it lists. What is restored verifies as a ledger
before anything is put in place, and a marker makes the gate revive nothing from it (gate/actuation/setback.py).
The archive holds the key that signs checkpoints: it is made readable for its owner alone, and must be kept so.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Generator, Iterator, Mapping
from ctypes import CDLL
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

import apsw
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from holdfast.agent.knowledge.logs.store import NAME as MAINTENANCE
from holdfast.agent.knowledge.manuals.index import NAME as MANUALS
from holdfast.agent.knowledge.standards.store import NAME as STANDARDS
from holdfast.agent.models.bundles.registry import carried, readable
from holdfast.gate.actuation.failpoints import reach
from holdfast.gate.actuation.learned import FOLDER as LEARNED
from holdfast.gate.actuation.setback import MARKER
from holdfast.gate.ledger import checkpoint as ledger_files
from holdfast.gate.ledger import cosigned
from holdfast.gate.ledger.checkpoint import KeyFileError, PublicKey, public_key, read_public
from holdfast.gate.ledger.store import FILE, StateError, cured
from holdfast.gate.ledger.verify import UNSIGNED, Verdict, gate_runs, opened, verify
from holdfast.gate.ledger.witness import WITNESSES
from holdfast.site.modellayout import MODELS
from holdfast.terms import Word, canonical

FORM = "holdfast backup/1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
GATE, HISTORY, STOP = "gate", "history.db", "stop.switch"
FILES_MAX = 10_000
MANIFEST_BYTES_MAX = 8 << 20
PAGES_A_STEP = 4096  # of SQLite's backup: between two steps the gate may write
STEPS_MAX = 1_000_000
Packing = Literal["", "gz"]
WRITES: Mapping[Packing, Literal["w:", "w:gz"]] = {"": "w:", "gz": "w:gz"}
READS: Mapping[Packing, Literal["r:", "r:gz"]] = {"": "r:", "gz": "r:gz"}
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
NEVER = ("token",)  # an agent's own secret: a restored home gives each a new one
LEARNED_NAME_CHARS = 64  # a digest; a file that is still being written has a longer name
KNOWN = (STANDARDS, MAINTENANCE, MANUALS)  # in the home itself: what the site gave it to know
FOLDERS = (GATE, "agents", "site", MODELS)
COPIED = (ledger_files.PRIVATE, ledger_files.PUBLIC, WITNESSES, cosigned.KEYS, cosigned.KEPT, STOP)


class BackupError(Exception):
    """The archive can't be made, or is not to be trusted; the text says what to do. `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Entry(Word):
    """One file: its path within the home, with slashes; its size and SHA-256 in hex."""

    path: str
    bytes: int
    sha256: str


class Manifest(Word):
    form: str
    made_ns: int
    key: str  # vkey line of the ledger's key
    records: int
    root: str  # hex, over all records
    files: tuple[Entry, ...]


def back_up(home: Path, out: Path, *, at_ns: int, history: bool = False, site: Path | None = None) -> Manifest:
    """Write the archive; an existing file is never replaced. Raises BackupError, StateError, KeyFileError, OSError."""
    gate = home / GATE
    if not (gate / FILE).is_file():
        raise BackupError("backup.empty", f"{home}: nothing was ever run here. Give the folder of a run with --home.")
    packing = _packing(out)
    if out.exists():
        raise BackupError("backup.exists", f"{out} exists. Give another name: an older backup is not overwritten.")
    key, private = _keys(gate)
    with tempfile.TemporaryDirectory(prefix=".holdfast-backup-", dir=out.absolute().parent) as folder:
        copies = Path(folder)
        names = dict(_collected(home, copies, history=history, site=site))
        verdict = verify(copies / FILE, key)
        if verdict.code == UNSIGNED:
            message = (
                f"{gate}: its ledger has no checkpoint. A gate killed in its first minute has signed none yet: start it, back up a minute"
                " later. One that ran longer had some, and somebody removed them: then keep the folder as it is."
            )
            raise BackupError("backup.unsigned", message)
        if not verdict.ok:
            message = f"{gate}: its ledger does not verify ({verdict.detail}). A backup of it would hide that: keep the folder as it is."
            raise BackupError("backup.ledger", message)
        entries = tuple(_entry(name, path) for name, path in sorted(names.items()))
        manifest = Manifest(form=FORM, made_ns=at_ns, key=key.text(), records=verdict.records, root=verdict.root, files=entries)
        _write(out, packing, manifest, private, names)
    return manifest


def read(archive: Path, *, key: PublicKey | None = None) -> Manifest:
    """What an archive holds, its signature checked; with `key` it must be that gate's. Raises BackupError, OSError."""
    with _opened(archive) as tar:
        return _manifest(tar, key)


def restore(archive: Path, home: Path, *, at_ns: int, key: PublicKey | None = None, force: bool = False) -> tuple[Manifest, Path | None]:
    """Put an archive's files in place; what was in `home` is moved aside, never deleted, and its new place returned.

    Raises BackupError where anything in the archive is not what its signed manifest says, where the ledger in it does not
    verify, where a gate runs there, or where `home` is not empty and not `force`; then nothing was changed. Raises OSError.
    """
    home = home.absolute()
    occupied = home.exists() and (not home.is_dir() or any(home.iterdir()))
    if occupied and not force:
        raise BackupError("restore.occupied", f"{home} is not empty. Give another folder, or --force to move what is there aside.")
    if gate_runs(home / GATE / FILE):
        raise BackupError("restore.running", f"{home}: a gate runs here. End it first.")
    home.parent.mkdir(parents=True, exist_ok=True)
    staging, exchanged = Path(tempfile.mkdtemp(prefix=f".{home.name}.restoring-", dir=home.parent)), False
    try:
        with _opened(archive) as tar:
            manifest = _manifest(tar, key)
            _extract(tar, manifest, staging)
        readable(staging)
        _demand_whole(staging / GATE, manifest)
        marker = {"archive": _digest_of(manifest), "made_ns": manifest.made_ns, "restored_ns": at_ns, "records": manifest.records}
        (staging / GATE / MARKER).write_bytes(canonical(marker))
        _synced(staging)
        aside = _free_name(home) if occupied else None
        reach("put_back:before")
        exchanged = occupied and _exchanged(staging, home)
        if not exchanged:
            _put_in_place(staging, home, aside)
    except BaseException:
        if not exchanged:
            shutil.rmtree(staging, ignore_errors=True)
        raise
    reach("put_back:after")
    reach("put_aside:before")
    if exchanged and aside is not None:  # from here on `staging` is what was in `home`
        staging.rename(aside)
    reach("put_aside:after")
    return manifest, aside


# ---- making one ------------------------------------------------------------------------------------------------------


def _collected(home: Path, copies: Path, *, history: bool, site: Path | None) -> Iterator[tuple[str, Path]]:
    """(path in the home, file to read) of all that is carried. Databases are copied as of one moment."""
    gate = home / GATE
    # Before the record: notes copied after it could sign more than the copy has.
    notes = gate / ledger_files.CHECKPOINTS
    if notes.exists():
        yield f"{GATE}/{notes.name}", Path(shutil.copyfile(notes, copies / notes.name))
    _copy_database(gate / FILE, copies / FILE)
    yield f"{GATE}/{FILE}", copies / FILE
    if history and (gate / HISTORY).exists():
        _copy_database(gate / HISTORY, copies / HISTORY)
        yield f"{GATE}/{HISTORY}", copies / HISTORY
    for name in COPIED:
        if (gate / name).exists():
            yield f"{GATE}/{name}", gate / name
    # After the record: a state that came in meanwhile is more than the copy names, never less.
    for path in sorted((gate / LEARNED).iterdir()) if (gate / LEARNED).is_dir() else ():
        if path.is_file() and len(path.name) == LEARNED_NAME_CHARS:
            with contextlib.suppress(FileNotFoundError):  # let go of since it was listed
                yield f"{GATE}/{LEARNED}/{path.name}", Path(shutil.copyfile(path, copies / path.name))
    for name in (STANDARDS, MAINTENANCE):  # each is put in place whole
        if (home / name).is_file():
            yield name, home / name
    for path in carried(home):
        yield path.relative_to(home).as_posix(), path
    if (home / MANUALS).is_file():
        _copy_database(home / MANUALS, copies / MANUALS)
        yield MANUALS, copies / MANUALS
    agents = home / "agents"
    for path in sorted(agents.rglob("*")) if agents.is_dir() else ():
        if path.is_file() and not path.is_symlink() and path.name not in NEVER:
            yield path.relative_to(home).as_posix(), path
    if site is not None:
        from holdfast.site.load import load

        # Read as the gate reads it: a backup of a site file that nobody can read would be found out too late.
        for read_file in load(site).files:
            path = Path(read_file.path)
            if path.parent.resolve() == site.parent.resolve():
                yield f"site/{path.name}", path


def _copy_database(source: Path, target: Path) -> None:
    """As of one moment, also while a gate writes it. Raises StateError, apsw.Error."""
    with contextlib.closing(apsw.Connection(str(target))) as to, cured(source):
        if source.name == FILE:
            with opened(source) as db:
                _copied(db, to)
        else:
            with contextlib.closing(apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)) as db:
                _copied(db, to)
        to.pragma("journal_mode", "delete")  # one file, no -wal beside it


def _copied(db: apsw.Connection, to: apsw.Connection) -> None:
    with to.backup("main", db, "main") as copying:
        for _ in range(STEPS_MAX):
            if copying.done:
                return
            copying.step(PAGES_A_STEP)
    raise BackupError("backup.busy", "the state file changed faster than it could be copied. Try again when less happens.")


def _keys(gate: Path) -> tuple[PublicKey, Ed25519PrivateKey]:
    key = read_public(gate / ledger_files.PUBLIC)
    try:
        private = Ed25519PrivateKey.from_private_bytes((gate / ledger_files.PRIVATE).read_bytes())
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{gate / ledger_files.PRIVATE}: can't be used ({error}). Without it no backup can be signed.") from error
    if private.public_key().public_bytes_raw() != key.raw:
        raise KeyFileError(f"{gate / ledger_files.PRIVATE}: not the private half of {ledger_files.PUBLIC}.")
    return key, private


def _entry(name: str, path: Path) -> Entry:
    with path.open("rb") as file:
        return Entry(path=name, bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _write(out: Path, packing: Packing, manifest: Manifest, private: Ed25519PrivateKey, names: Mapping[str, Path]) -> None:
    text = canonical(manifest)
    handle = os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode=WRITES[packing], format=tarfile.PAX_FORMAT) as tar:
            _add(tar, MANIFEST, len(text), io.BytesIO(text))
            signature = private.sign(_signed(text)).hex().encode() + b"\n"
            _add(tar, SIGNATURE, len(signature), io.BytesIO(signature))
            for entry in manifest.files:
                with names[entry.path].open("rb") as source:
                    _add(tar, entry.path, entry.bytes, source)
        with out.open("rb") as file:
            os.fsync(file.fileno())
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o400 if name.endswith(".key") else 0o600
    tar.addfile(info, content)


def _signed(manifest: bytes) -> bytes:
    """What the ledger's key signs: never the text of a checkpoint, which begins with an origin."""
    return FORM.encode() + b"\n" + manifest


def _digest_of(manifest: Manifest) -> str:
    return hashlib.sha256(canonical(manifest)).hexdigest()


def _packing(path: Path) -> Packing:
    if path.name.endswith(".tar"):
        return ""
    if path.name.endswith((".tar.gz", ".tgz")):
        return "gz"
    raise BackupError("backup.form", f"{path}: give a name that ends in .tar or .tar.gz.")


# ---- reading one -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(archive: Path) -> Generator[tarfile.TarFile]:
    try:
        with tarfile.open(archive, mode=READS[_packing(archive)]) as tar:
            yield tar
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError("restore.archive", f"{archive}: damaged, or no backup ({error}). Take another copy.") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise BackupError("restore.archive", f"{archive}: damaged ({error}). Take another copy.") from error  # gzip's own


def _manifest(tar: tarfile.TarFile, key: PublicKey | None) -> Manifest:
    text = _first(tar, MANIFEST)
    signature = _first(tar, SIGNATURE)
    try:
        found: Any = json.loads(text)
        files = tuple(Entry(path=str(f["path"]), bytes=int(f["bytes"]), sha256=str(f["sha256"])) for f in found["files"])
        manifest = Manifest(
            form=found["form"], made_ns=found["made_ns"], key=found["key"], records=found["records"], root=found["root"], files=files
        )
        same = canonical(manifest) == text and manifest.form == FORM
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BackupError("restore.manifest", f"its {MANIFEST} can't be read ({error}); it is no backup of this form") from error
    if not same or len(files) > FILES_MAX or len({f.path for f in files}) != len(files):
        raise BackupError("restore.manifest", f"its {MANIFEST} is not in the one form of {FORM}")
    try:
        signer = public_key(manifest.key)
        Ed25519PublicKey.from_public_bytes(signer.raw).verify(bytes.fromhex(signature.decode().strip()), _signed(text))
    except (InvalidSignature, ValueError) as error:
        raise BackupError("restore.signature", "its list of files is not signed by the key it names: it was altered") from error
    if key is not None and key != signer:
        raise BackupError("restore.key", f"it is signed by {manifest.key}, not by the key that was given")
    return manifest


def _first(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.next()
    if member is None or member.name != name or not member.isreg() or member.size > MANIFEST_BYTES_MAX:
        raise BackupError("restore.manifest", f"{name} is missing at its beginning; it is no backup of this form")
    file = tar.extractfile(member)
    return file.read() if file else b""


def _extract(tar: tarfile.TarFile, manifest: Manifest, staging: Path) -> None:
    """Only what the manifest lists, in its order, each with its size and hash. Raises BackupError."""
    for entry in manifest.files:
        member = tar.next()
        if member is None or member.name != entry.path or not member.isreg() or member.size != entry.bytes:
            raise BackupError("restore.file", f"{entry.path}: missing in the archive, or not what its list says")
        parts = PurePosixPath(entry.path).parts
        if not parts or any(part in ("/", "..", ".") for part in parts) or (parts[0] not in FOLDERS and entry.path not in KNOWN):
            raise BackupError("restore.path", f"{entry.path}: leads out of the home; such a file is never restored")
        target = staging.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source, hashed = tar.extractfile(member), hashlib.sha256()
        assert source is not None  # noqa: S101 - it is a regular file
        with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, member.mode & 0o600), "wb") as file:
            while block := source.read(1 << 20):
                hashed.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        if hashed.hexdigest() != entry.sha256:
            raise BackupError("restore.file", f"{entry.path}: its content is not what the signed list says")
    if tar.next() is not None:
        raise BackupError("restore.file", "the archive holds more than its list says")


def _demand_whole(gate: Path, manifest: Manifest) -> None:
    try:
        verdict: Verdict = verify(gate, read_public(gate / ledger_files.PUBLIC))
    except KeyFileError as error:
        raise BackupError("restore.key", str(error)) from error
    if not verdict.ok or (verdict.records, verdict.root) != (manifest.records, manifest.root):
        raise BackupError("restore.ledger", f"the ledger in it does not verify: {verdict.detail}. Take an older backup.")


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two names in one step (renameat2, Linux 3.15): a kill must not leave a moment without a home, whose next start would
    count from nothing. False where this file system can't."""
    try:
        return CDLL(None).renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0
    except AttributeError:
        return False


def _put_in_place(staging: Path, home: Path, aside: Path | None) -> None:
    if aside is not None:
        home.rename(aside)
    else:
        with contextlib.suppress(FileNotFoundError):
            home.rmdir()
    staging.rename(home)


def _free_name(home: Path) -> Path:
    for number in range(1, 1000):
        aside = home.with_name(f"{home.name}.before-restore-{number}")
        if not aside.exists():
            return aside
    raise BackupError("restore.aside", f"{home.parent}: a thousand earlier homes were moved aside here. Remove some first.")


def _synced(folder: Path) -> None:
    for path in (*(p for p in folder.rglob("*") if p.is_dir()), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


__all__ = ["BackupError", "Entry", "Manifest", "StateError", "back_up", "read", "restore"]
