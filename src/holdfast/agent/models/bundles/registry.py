"""The models of a home: bundles by digest in its folder `models`, put there whole or not at all, and what was measured of them here.

    home/models/<digest>/            one bundle, as it came
    home/models/trusted/NAME.pem     public keys whose owners this site believes
    home/models/measured/<digest>.json

Agents read the folder and write nothing in it. Which model serves which role is the gate's word (gate/actuation/promotions.py).
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from holdfast.agent.models.bundles import archive
from holdfast.agent.models.bundles.archive import ROOM_LEFT_BYTES
from holdfast.agent.models.bundles.bundle import Bundle, Packed, open_bundle, pack
from holdfast.agent.models.bundles.measure import Measured
from holdfast.site.modelcard import SHA256, BundleError, Card
from holdfast.site.modellayout import BUNDLES_MAX, MODELS, TRUSTED, bundles, read_layout, small, trusted_keys
from holdfast.terms import Word, canonical

MEASURED = "measured"
INCOMING = ".incoming-"  # what a kill left of an import; the next one sweeps it away
PREFIX_CHARS_MIN = 8
MEASURED_BYTES_MAX = 64 << 10
CARRIED_BYTES_MAX = 64 << 20  # of one bundle: larger ones come from their stick again
MEASURED_FORM = TypeAdapter(Measured)


class Broken(Word):
    """A folder of models that can't be read as one; `why` says what to do."""

    path: Path
    code: str
    why: str


class Registry:
    """Raises BundleError everywhere, and OSError for a disk that refuses; nothing is changed then."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / MODELS

    # ---- what there is ---------------------------------------------------------------------------------------------------

    def list(self) -> tuple[Bundle | Broken, ...]:
        """Cards and signatures verified, the weights not read: that takes long, and `find` and `import_` do it."""
        keys = trusted_keys(self.home)
        found: list[Bundle | Broken] = []
        for path in bundles(self.home):
            try:
                found.append(Bundle(layout=read_layout(path, keys)))
            except BundleError as error:
                found.append(Broken(path=path, code=error.code, why=str(error)))
        return tuple(found)

    def find(self, wanted: str) -> Bundle:
        """By name, by NAME:VERSION, or by the beginning of a digest (8 characters or more); every byte of it checked."""
        known = [one for one in self.list() if isinstance(one, Bundle)]
        fits: Callable[[Bundle], bool] = lambda one: (  # noqa: E731
            wanted in (one.name, f"{one.name}:{one.version}") or (len(wanted) >= PREFIX_CHARS_MIN and one.digest.startswith(wanted))
        )
        by_digest = {one.digest: one for one in known if fits(one)}
        if not by_digest:
            there = ", ".join(sorted({f"{one.name}:{one.version}" for one in known})) or "none"
            raise BundleError("model.gone", f"no model {wanted[:80]!r} is kept here whole; there are: {there}", digest=wanted[:16])
        if len(by_digest) > 1:
            several = ", ".join(f"{one.name}:{one.version} {of[:12]}" for of, one in by_digest.items())
            raise BundleError("model.several", f"{wanted[:80]!r} may be {several}; say which by its digest")
        (found,) = by_digest.values()
        return open_bundle(found.layout.folder, trusted_keys(self.home))

    def measured(self, of: str) -> Measured | None:
        """What was measured here of a model last; None for never, or in a form that this release doesn't read."""
        with contextlib.suppress(BundleError, ValidationError):
            return MEASURED_FORM.validate_json(small(self.folder / MEASURED / f"{of}.json", MEASURED_BYTES_MAX))
        return None

    # ---- what changes it -------------------------------------------------------------------------------------------------

    def add(self, *, name: str, version: str, weights: Path, card: Card, key: Path | None, beside: tuple[Path, ...] = ()) -> Bundle:
        """Make a bundle of a file and keep it."""

        def made(folder: Path) -> Packed:
            return pack(name=name, version=version, weights=weights, card=card, key=key, out=folder, beside=beside, replace=True)

        return self._kept(made)

    def import_(self, source: Path) -> Bundle:
        """Keep a bundle that came as a folder or as one file. One that is signed by an unknown key is kept, and can't be promoted."""
        return self._kept(lambda folder: _copied(source, folder) if source.is_dir() else archive.extract(source, folder))

    def export(self, wanted: str, out: Path) -> tuple[Bundle, int]:
        """As one file for a USB stick; with its size in bytes."""
        found = self.find(wanted)
        return found, archive.write(found, out)

    def keep_measured(self, measured: Measured) -> None:
        folder = self.folder / MEASURED
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f".{measured.digest}.part"
        fresh.write_bytes(canonical(measured))
        fresh.replace(folder / f"{measured.digest}.json")

    def _kept(self, fill: Callable[[Path], object]) -> Bundle:
        """Filled beside, verified, then moved into its place in one step."""
        with self._incoming() as folder:
            fill(folder)
            found = open_bundle(folder, trusted_keys(self.home))
            named = {"oci-layout", "index.json", "blobs", "blobs/sha256"}
            named |= {str(path.relative_to(folder)) for path in _blobs(found)}
            for path in folder.rglob("*"):
                if str(path.relative_to(folder)) not in named:
                    raise BundleError(
                        "model.path",
                        f"{path.name[:80]!r} lies in the bundle and nothing of it names that; don't use it",
                        path=path.name[:80],
                    )
                path.chmod(0o755 if path.is_dir() else 0o644)
            target = self.folder / found.digest
            if target.exists():
                with contextlib.suppress(BundleError):
                    if open_bundle(target, trusted_keys(self.home)).digest == found.digest:
                        return open_bundle(target, trusted_keys(self.home))
                shutil.rmtree(target)  # what lay there was damaged; this is whole
            elif len(bundles(self.home)) >= BUNDLES_MAX:
                raise BundleError("model.full", f"{self.folder} keeps {BUNDLES_MAX} models; remove the folder of one that serves nowhere")
            folder.chmod(0o755)
            folder.replace(target)
            _sync(self.folder)
        return open_bundle(target, trusted_keys(self.home))

    @contextlib.contextmanager
    def _incoming(self) -> Generator[Path]:
        """A folder of ours on the same disk, gone afterwards whatever happens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / TRUSTED).mkdir(exist_ok=True)
        for old in self.folder.glob(f"{INCOMING}*"):
            shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=INCOMING, dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def carried(home: Path) -> tuple[Path, ...]:
    """What a backup takes: the trusted keys, what was measured, and the files of each bundle of at most CARRIED_BYTES_MAX."""
    folder = home / MODELS
    found = [path for place in (TRUSTED, MEASURED) for path in sorted((folder / place).glob("[!.]*")) if path.is_file()]
    for bundle in sorted(folder.iterdir()) if folder.is_dir() else ():
        files = (
            [path for path in sorted(bundle.rglob("*")) if path.is_file() and not path.is_symlink()]
            if SHA256.fullmatch(bundle.name)
            else []
        )
        if sum(path.stat().st_size for path in files) <= CARRIED_BYTES_MAX:
            found += files
    return tuple(found)


def readable(home: Path) -> None:
    """Let agents of other users read the models of a home that was put back."""
    folder = home / MODELS
    for path in (folder, *folder.rglob("*")) if folder.is_dir() else ():
        path.chmod(0o755 if path.is_dir() else 0o644)


def _blobs(bundle: Bundle) -> tuple[Path, ...]:
    """All that a bundle's documents name: its files, and the documents themselves."""
    files = tuple(bundle.layout.blob(file.digest) for file in bundle.layout.vouched.statement.files)
    return (*files, *(bundle.layout.blob(of) for of in bundle.layout.documents))


def _copied(source: Path, folder: Path) -> None:
    """What the bundle's documents name, each as large as they say; links are not followed. Raises BundleError where more lies there."""
    layout = read_layout(source, {})
    files = {file.digest: file.bytes for file in layout.vouched.statement.files}
    paths = [source / "oci-layout", source / "index.json", *(layout.blob(of) for of in (*layout.documents, *files))]
    named = {*layout.documents, *files}
    if more := next((path for path in (source / "blobs" / "sha256").iterdir() if path.name not in named), None):
        what = more.name[:80]
        raise BundleError("model.path", f"{what!r} lies in the bundle and nothing of it names that; don't use it", path=what)
    for path in paths:
        if path.is_symlink() or not path.is_file():
            raise BundleError("model.missing", f"{path} is no plain file; the bundle is not whole, fetch it anew")
        if path.name in files and path.stat().st_size != files[path.name]:
            raise BundleError("model.changed", f"{path} has another size than its card says; fetch the bundle anew")
    wanted, room = sum(path.stat().st_size for path in paths), shutil.disk_usage(folder).free - ROOM_LEFT_BYTES
    if wanted > room:
        raise BundleError("model.large", f"{source}: {wanted} bytes, and there is room for {max(room, 0)}; make room on the disk")
    for path in paths:
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
