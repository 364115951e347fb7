"""A model's bundle: packed from weights and a card, signed, and opened again only where every byte is what was packed.

    key = Path("mill.key")                       # PEM, Ed25519 or ECDSA P-256; None: signed by nobody
    pack(name="registers", version="1", weights=Path("tagger.onnx"), card=Card(...), key=key, out=Path("registers"))
    bundle = open_bundle(Path("registers"))      # verified; bundle.weights is the file to load, bundle.file("names.json") another

A model that comes with the package is packed by `ship`, which makes a key, signs, and throws the private half away: what is shipped can
be verified by anyone, and nobody can make another that looks like it. `shipped_model("registers")` opens it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.site.modelcard import (
    BundleError,
    Card,
    File,
    PrivateKey,
    PublicKey,
    Statement,
    Vouching,
    pem,
    private_key,
    sealed,
)
from holdfast.site.modellayout import (
    ARTIFACT_TYPE,
    BESIDE_TYPE,
    BYTES_MAX,
    CARD_TYPE,
    CONFIG_TYPE,
    FILEPATH,
    FILES_MAX,
    MANIFEST_TYPE,
    SHIPPED,
    WEIGHT_TYPE,
    Layout,
    read_layout,
    trusted_keys,
)
from holdfast.terms import Word, canonical

CHUNK_BYTES = 1 << 20
SHIPPED_BYTES_MAX = 5 << 20  # of one bundle in the package
MAGIC = {"gguf": b"GGUF", "onnx": b"\x08"}  # ONNX is a protobuf message that begins with its field 1, ir_version


class Packed(Word):
    """What was packed. `digest` is the manifest's SHA-256 in hex: what the model is called by."""

    path: Path
    digest: str
    bytes: int


class Bundle(Word):
    """A bundle whose every byte was checked when it was opened."""

    layout: Layout

    @property
    def digest(self) -> str:
        return self.layout.digest

    @property
    def name(self) -> str:
        return self.layout.vouched.statement.name

    @property
    def version(self) -> str:
        return self.layout.vouched.statement.version

    @property
    def card(self) -> Card:
        return self.layout.vouched.statement.card

    @property
    def vouching(self) -> Vouching:
        return self.layout.vouched.vouching

    @property
    def signer(self) -> str:
        return self.layout.vouched.signer

    @property
    def weights(self) -> Path:
        return self.layout.weights

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.layout.vouched.statement.files)

    def file(self, name: str) -> Path:
        """A file beside the weights, by the name that it was packed under. Raises BundleError."""
        for file in self.layout.vouched.statement.files:
            if file.path == name:
                return self.layout.blob(file.digest)
        raise BundleError("model.no_file", f"{self.name} {self.version} has no file {name[:80]!r}; pack it with the weights")


def pack(
    *, name: str, version: str, weights: Path, card: Card, key: Path | None, out: Path, beside: Sequence[Path] = (), replace: bool = False
) -> Packed:
    """Make a bundle in the folder `out`, which must not be there unless `replace`. `beside`: tokenizer, names … of the weights.

    The same input gives the same bytes (of an ECDSA key: but for its signature). Raises BundleError, OSError.
    """
    return _pack(name, version, (weights, *beside), card, None if key is None else private_key(key), out, replace=replace)


def ship(*, name: str, version: str, weights: Path, card: Card, beside: Sequence[Path] = (), folder: Path | None = None) -> Packed:
    """Put a model into the package, in place of the former one, with its public key beside it. Raises BundleError, OSError."""
    folder, key = folder or SHIPPED, Ed25519PrivateKey.generate()
    packed = _pack(name, version, (weights, *beside), card, key, folder / name, replace=True, bytes_max=SHIPPED_BYTES_MAX)
    (folder / f"holdfast-{name}.pem").write_bytes(pem(key.public_key()))
    return packed


def open_bundle(path: Path, keys: Mapping[str, PublicKey] | None = None) -> Bundle:
    """Every digest checked. `keys`: those that are trusted, by name; without them those of this release. Raises BundleError."""
    layout = read_layout(path, trusted_keys(None) if keys is None else keys)
    for file in layout.vouched.statement.files:
        if _measured(layout.blob(file.digest)) != (file.digest, file.bytes):
            who = f"{layout.vouched.statement.name} {layout.vouched.statement.version}"
            raise BundleError("model.changed", f"{who}: {file.path} is not what it was packed as; fetch the bundle anew", blob=file.path)
    return Bundle(layout=layout)


def shipped_model(name: str) -> Bundle:
    """A model of this release. Raises BundleError."""
    if not (SHIPPED / name / "oci-layout").is_file():
        raise BundleError(
            "model.not_shipped", f"this release ships no model {name[:80]!r}; `holdfast models list` shows what there is", name=name
        )
    return open_bundle(SHIPPED / name)


def shipped_weights(name: str) -> Path:
    """The file to load of a model of this release, verified. Raises BundleError."""
    return shipped_model(name).weights


def _pack(
    name: str,
    version: str,
    sources: Sequence[Path],
    card: Card,
    key: PrivateKey | None,
    out: Path,
    *,
    replace: bool,
    bytes_max: int = BYTES_MAX,
) -> Packed:
    if len(sources) > FILES_MAX:
        raise BundleError("model.files", f"{len(sources)} files; a bundle has at most {FILES_MAX}")
    with sources[0].open("rb") as file:
        if file.read(len(MAGIC[card.format])) != MAGIC[card.format]:
            raise BundleError("model.format", f"{sources[0]}: no {card.format} file; say `format` as it is")
    if out.exists() and not replace:
        raise BundleError("model.exists", f"{out} is there already; name another folder, or remove it")
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    blobs = beside / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    try:
        files = tuple(_taken(source, blobs) for source in sources)
        if (size := sum(file.bytes for file in files)) > bytes_max:
            raise BundleError("model.large", f"{name} has {size} bytes, at most {bytes_max} are packed here")
        statement = Statement(name=name, version=version, card=card, files=files)
        manifest = _manifest(statement, blobs, sealed(statement, key))
        digest, size_of = _put(blobs, manifest)
        (beside / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
        (beside / "index.json").write_bytes(canonical(_index(digest, size_of, f"{name}:{version}")))
        if out.exists():
            shutil.rmtree(out)
        beside.replace(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Packed(path=out, digest=digest, bytes=size)


def _manifest(statement: Statement, blobs: Path, envelope: bytes) -> bytes:
    card = statement.card
    config = {
        "descriptor": {"name": statement.name, "version": statement.version, "licenses": [card.licence]},
        "config": {"format": card.format, "precision": card.precision, "paramSize": _param_size(card.parameters)},
        "modelfs": {"type": "layers", "diffIds": [f"sha256:{file.digest}" for file in statement.files]},
    }
    config_of, config_size = _put(blobs, canonical(config))
    card_of, card_size = _put(blobs, envelope)
    layers = [
        {
            "mediaType": BESIDE_TYPE if place else WEIGHT_TYPE,
            "digest": f"sha256:{file.digest}",
            "size": file.bytes,
            "annotations": {FILEPATH: file.path},
        }
        for place, file in enumerate(statement.files)
    ]
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": ARTIFACT_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": f"sha256:{config_of}", "size": config_size},
            "layers": [*layers, {"mediaType": CARD_TYPE, "digest": f"sha256:{card_of}", "size": card_size}],
        }
    )


def _index(digest: str, size: int, name: str) -> Mapping[str, object]:
    of = {"mediaType": MANIFEST_TYPE, "artifactType": ARTIFACT_TYPE, "digest": f"sha256:{digest}", "size": size}
    return {"schemaVersion": 2, "manifests": [{**of, "annotations": {"org.opencontainers.image.ref.name": name}}]}


def _taken(source: Path, blobs: Path) -> File:
    """Copy a file under its digest."""
    fresh, hashed, size = blobs / "fresh", hashlib.sha256(), 0
    with source.open("rb") as file, fresh.open("wb") as copy:
        while chunk := file.read(CHUNK_BYTES):
            hashed.update(chunk)
            copy.write(chunk)
            size += len(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    fresh.replace(blobs / hashed.hexdigest())
    return File(path=source.name, digest=hashed.hexdigest(), bytes=size)


def _put(blobs: Path, document: bytes) -> tuple[str, int]:
    digest = hashlib.sha256(document).hexdigest()
    (blobs / digest).write_bytes(document)
    return digest, len(document)


def _measured(path: Path) -> tuple[str, int]:
    """Digest and size of a plain file that is no link; ("", 0) for anything else."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            if stat.S_ISREG((found := os.fstat(file.fileno())).st_mode) and found.st_size <= BYTES_MAX:
                return hashlib.file_digest(file, "sha256").hexdigest(), found.st_size
    return "", 0


def _param_size(parameters: int) -> str:
    """As ModelPack has it: at most one digit after the point, and a letter of magnitude."""
    for letter, unit in (("t", 10**12), ("b", 10**9), ("m", 10**6), ("k", 10**3)):
        if parameters >= unit:
            return json.dumps(round(parameters / unit, 1)) + letter
    return f"{parameters / 1000:.1f}k"
