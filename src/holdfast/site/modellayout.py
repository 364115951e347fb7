"""A model's bundle as a folder: an OCI image layout whose manifest has the form of the CNCF's ModelPack, read down to its card.

Read here is what is small: index, manifest, configuration and card, each held against its digest. The weights are named and measured,
not read: that is for whoever runs them (agent/models/bundles/bundle.py). Specifications: opencontainers/image-spec `image-layout.md` and
`manifest.md`; modelpack/model-spec `docs/spec.md`, `docs/config.md` and `specs-go/v1/mediatype.go`.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import holdfast
from holdfast.site.modelcard import CARD_BYTES_MAX, SHA256, BundleError, File, PublicKey, Vouched, as_json, keys_in, plain_name, unsealed
from holdfast.terms import Word

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
WEIGHT_TYPE = "application/vnd.cncf.model.weight.v1.raw"
BESIDE_TYPE = "application/vnd.cncf.model.weight.config.v1.raw"  # tokenizers, names of outputs: what the weights are read with
CARD_TYPE = "application/vnd.holdfast.model.card.v1.dsse+json"
FILEPATH = "org.cncf.model.filepath"
DOCUMENT_BYTES_MAX = 64 << 10  # index, manifest, configuration
FILES_MAX = 32  # of one bundle
BYTES_MAX = 512 << 30  # of one bundle
BUNDLES_MAX = 256  # of one home
MODELS = "models"  # in the home folder: bundles by digest …
TRUSTED = "trusted"  # … and in it the public keys that this site trusts, NAME.pem
SHIPPED = Path(holdfast.__file__).parent / "agent" / "models" / "bundles" / "shipped"  # bundles of this release, with their public keys


class Layout(Word):
    """One bundle. `digest` is its manifest's SHA-256 in hex, and what a model is called by everywhere. `documents` are the digests of
    manifest, configuration and card: with the card's files all that a bundle is made of."""

    folder: Path
    digest: str
    vouched: Vouched
    documents: tuple[str, ...] = ()

    def blob(self, of: str) -> Path:
        return self.folder / "blobs" / "sha256" / of

    @property
    def shipped(self) -> bool:
        """Whether it came with this release."""
        return self.folder.parent == SHIPPED

    @property
    def weights(self) -> Path:
        return self.blob(self.vouched.statement.files[0].digest)


def trusted_keys(home: Path | None, passed_over: list[Path] | None = None) -> Mapping[str, PublicKey]:
    """The keys of this release's own models, and those that the site put into its home; see `keys_in`. Raises BundleError."""
    folders = (SHIPPED,) if home is None else (SHIPPED, home / MODELS / TRUSTED)
    return keys_in(*folders, passed_over=passed_over)


def read_layout(folder: Path, keys: Mapping[str, PublicKey]) -> Layout:
    """Index, manifest, configuration and card of a bundle, checked against each other. Raises BundleError."""
    if any(path.is_symlink() for path in (folder / "blobs", folder / "blobs" / "sha256")):
        raise BundleError("model.path", f"{folder}: blobs is a link: a bundle must not reach out of its folder; don't use it", path="blobs")
    marker = as_json(small(folder / "oci-layout", DOCUMENT_BYTES_MAX), DOCUMENT_BYTES_MAX, f"{folder}/oci-layout")
    index = as_json(small(folder / "index.json", DOCUMENT_BYTES_MAX), DOCUMENT_BYTES_MAX, f"{folder}/index.json")
    try:
        if marker["imageLayoutVersion"] != "1.0.0":
            raise BundleError("model.layout", f"{folder}: an image layout of version {marker['imageLayoutVersion']!r}; 1.0.0 is read")
        (of,) = index["manifests"]
        digest = _hex(of["digest"])
        manifest = as_json(_document(folder, of, DOCUMENT_BYTES_MAX), DOCUMENT_BYTES_MAX, "the manifest")
        if manifest["artifactType"] != ARTIFACT_TYPE or manifest["config"]["mediaType"] != CONFIG_TYPE:
            raise BundleError(
                "model.layout", f"{folder}: no model of ModelPack's form ({ARTIFACT_TYPE}); pack it with `holdfast models add`"
            )
        config = as_json(_document(folder, manifest["config"], DOCUMENT_BYTES_MAX), DOCUMENT_BYTES_MAX, "the configuration")
        layers = list(manifest["layers"])
        cards = [layer for layer in layers if layer["mediaType"] == CARD_TYPE]
        if len(cards) != 1:
            raise BundleError(
                "model.no_card",
                f"{folder}: a model without a card of ours says no licence and no skill; pack it with `holdfast models add`",
            )
        vouched = unsealed(_document(folder, cards[0], CARD_BYTES_MAX), keys)
        named = tuple(_file(layer) for layer in layers if layer["mediaType"] != CARD_TYPE)
        descriptor = (config["descriptor"]["name"], config["descriptor"]["version"], list(config["descriptor"]["licenses"]))
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(
            "model.layout", f"{folder}: index or manifest lack what they must have ({type(error).__name__}: {error})"
        ) from error
    statement = vouched.statement
    if named != statement.files or len(named) > FILES_MAX:
        raise BundleError(
            "model.files",
            f"{statement.name} {statement.version}: the manifest names other files than the card; fetch the bundle anew from its maker",
        )
    if descriptor != (statement.name, statement.version, [statement.card.licence]):
        raise BundleError(
            "model.config", f"{folder}: the configuration is of {descriptor[0]!r}, the card of {statement.name!r}; pack it anew"
        )
    documents = (digest, _hex(manifest["config"]["digest"]), _hex(cards[0]["digest"]))
    return Layout(folder=folder, digest=digest, vouched=vouched, documents=documents)


def small(path: Path, most: int) -> bytes:
    """The bytes of a plain file that is no link. Raises BundleError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise BundleError("model.missing", f"{path}: {error.strerror}; the bundle is not whole, fetch it anew") from error
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise BundleError("model.missing", f"{path}: no plain file of at most {most} bytes; fetch the bundle anew")
        return file.read(most)


def bundles(home: Path | None) -> tuple[Path, ...]:
    """The folders of a home's models, those of this release first. Their names prove nothing."""
    if home is None:
        return shipped()
    kept = sorted(path for path in (home / MODELS).iterdir() if SHA256.fullmatch(path.name)) if (home / MODELS).is_dir() else []
    return (*shipped(), *kept[:BUNDLES_MAX])


def shipped() -> tuple[Path, ...]:
    return tuple(sorted(path.parent for path in SHIPPED.glob("*/oci-layout")))


def _document(folder: Path, descriptor: Mapping[str, Any], most: int) -> bytes:
    of = _hex(descriptor["digest"])
    found = small(folder / "blobs" / "sha256" / of, most)
    if hashlib.sha256(found).hexdigest() != of or len(found) != descriptor["size"]:
        raise BundleError(
            "model.changed", f"{folder}: the document {of[:16]} is not what it was packed as; fetch the bundle anew", blob=of[:16]
        )
    return found


def _file(layer: Mapping[str, Any]) -> File:
    name = str(layer["annotations"][FILEPATH])
    if not plain_name(name):
        raise BundleError(
            "model.path", f"{name[:80]!r} is no plain file name: a bundle must not reach out of its folder; don't use it", path=name[:80]
        )
    if not isinstance(layer["size"], int):
        raise ValueError("a size that is no number")
    return File(path=name, digest=_hex(layer["digest"]), bytes=layer["size"])


def _hex(digest: object) -> str:
    kind, _, of = str(digest).partition(":")
    if kind != "sha256" or not SHA256.fullmatch(of):
        raise BundleError("model.digest", f"{str(digest)[:80]!r} is no SHA-256 digest; a bundle names its parts by those")
    return of
