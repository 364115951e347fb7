"""What is said of a model, and who vouches for it: a small signed document that can be read and verified without touching the model.

The document is one layer of the model's bundle, a DSSE envelope (secure-systems-lab/dsse, protocol 1.0.2: the signature covers the
payload's type and its bytes), signed with Ed25519 or ECDSA P-256 and verified against keys that lie in a folder of this site. It names
every file of the bundle by its SHA-256, so that one signature holds for all of it. The gate and the agents read it alike.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, load_pem_public_key
from pydantic import TypeAdapter, ValidationError

from holdfast.terms import Label, Word, canonical

PAYLOAD_TYPE = "application/vnd.holdfast.model.card.v1+json"
CARD_BYTES_MAX = 256 << 10
KEY_BYTES_MAX = 16 << 10
KEYS_MAX = 64
SIGNATURES_MAX = 8
TEXT_MAX = 2_000  # characters of one text of a card
NUMBERS_BELOW = 1 << 53
LIST_MAX = 16  # skills, languages, profiles, evaluations, and figures of one
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
SHA256 = re.compile(r"[0-9a-f]{64}")
PROFILE = re.compile(r"[a-z0-9]+-[a-z0-9_]+-tp[1-9][0-9]?-pp[1-9][0-9]?")

PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey
Support = Literal["supported", "experimental", "unsupported", "untested"]
Vouching = Literal["trusted", "unknown", "unsigned"]


class BundleError(ValueError):
    """A bundle can't be used; the text says why and what to do. `code`, with `facts`, has words of its own."""

    def __init__(self, code: str, message: str, **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


class Profile(Word):
    """One way to run it: `backend-precision-tpN-ppN`, as in `cpu-int8-tp1-pp1`. What nobody ran is `untested`."""

    name: str
    state: Support
    note: str = ""


class Figure(Word):
    """One number of an evaluation, and which way is better."""

    name: str
    value: float
    better: Literal["higher", "lower"] = "higher"


class Evaluation(Word):
    """What one suite gave. `data` is the SHA-256 of the data set: figures on other data say nothing of each other."""

    suite: str
    data: str
    figures: tuple[Figure, ...]
    seed: int = 0


class Shape(Word):
    """What a model that generates keeps in memory for each token of its context (grouped attention: Ainslie et al., 2023)."""

    layers: int
    kv_heads: int
    head_size: int
    context: int  # tokens that it was trained for


class Card(Word):
    """What whoever made a model says of it. `memory_mib` is what it needs to run, weights and all."""

    skills: tuple[str, ...]  # the roles that it can be promoted to
    languages: tuple[str, ...]
    clearance: Label  # the highest data label it may see
    licence: str  # SPDX
    provenance: str  # how it came about: from what, by whom, with which seed
    format: Literal["onnx", "gguf"]
    precision: str  # int8, fp16, q4_k_m …
    parameters: int
    memory_mib: int
    profiles: tuple[Profile, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    shape: Shape | None = None
    tried_on: str = ""
    not_tried_on: str = ""


class File(Word):
    """One file of a bundle. `path` is its plain name; weights come first."""

    path: str
    digest: str  # SHA-256, hex
    bytes: int


class Statement(Word):
    """What is signed."""

    name: str
    version: str
    card: Card
    files: tuple[File, ...]


class Vouched(Word):
    """A statement, and who vouches for it: `trusted` by a key of this site, by a key that is `unknown` here, or by nobody."""

    statement: Statement
    vouching: Vouching
    signer: str = ""  # the trusted key's name; the key's id where it is unknown


STATEMENT = TypeAdapter(Statement)


def sealed(statement: Statement, key: PrivateKey | None) -> bytes:
    """The envelope; with no key it is signed by nobody. Raises BundleError for a statement that could never be used."""
    check(statement)
    payload = canonical(statement)
    signatures = [] if key is None else [{"keyid": key_id(key.public_key()), "sig": _b64(_sign(key, pae(payload)))}]
    envelope = canonical({"payloadType": PAYLOAD_TYPE, "payload": _b64(payload), "signatures": signatures})
    if len(envelope) > CARD_BYTES_MAX:
        raise BundleError("model.card", f"the card has {len(envelope)} bytes, at most {CARD_BYTES_MAX} are read; say less in it")
    return envelope


def unsealed(envelope: bytes, keys: Mapping[str, PublicKey]) -> Vouched:
    """`keys`: those this site trusts, by name. Raises BundleError for what can't be read, and for a signature that is wrong."""
    try:
        if len(envelope) > CARD_BYTES_MAX:
            raise ValueError("too long")
        told = json.loads(envelope)
        payload = base64.b64decode(told["payload"], validate=True)
        signed = [(str(one["keyid"]), base64.b64decode(one["sig"], validate=True)) for one in told["signatures"][:SIGNATURES_MAX]]
        if told["payloadType"] != PAYLOAD_TYPE:
            raise ValueError(f"payload of type {str(told['payloadType'])[:80]}")
        statement = STATEMENT.validate_json(payload)
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else type(error).__name__
        raise BundleError("model.card", f"the model's card can't be read ({why}); fetch the bundle anew from who made it") from error
    check(statement)
    by_id = {key_id(key): (name, key) for name, key in keys.items()}
    for of, signature in signed:
        if of in by_id:
            name, key = by_id[of]
            if not _verifies(key, signature, pae(payload)):
                raise BundleError(
                    "model.signature",
                    f"{statement.name} {statement.version}: the signature of {name} is wrong, so the card was changed after it was signed;"
                    " fetch the bundle anew from who made it",
                    name=statement.name,
                    signer=name,
                )
            return Vouched(statement=statement, vouching="trusted", signer=name)
    if signed:
        return Vouched(statement=statement, vouching="unknown", signer=signed[0][0][:16])
    return Vouched(statement=statement, vouching="unsigned")


def check(statement: Statement) -> None:
    """What must hold of every model. Raises BundleError."""
    card, who = statement.card, f"{statement.name[:64]} {statement.version[:64]}"
    if not NAME.fullmatch(statement.name) or not NAME.fullmatch(statement.version):
        raise BundleError("model.name", f"{who!r}: name and version are of a-z, 0-9, '.', '_' and '-', at most 64 characters")
    if not card.licence.strip():
        raise BundleError(
            "model.licence", f"{who} has no licence: nobody may run it. Have its maker state one (an SPDX expression)", name=who
        )
    texts = (card.licence, card.provenance, card.precision, card.tried_on, card.not_tried_on)
    lists = (card.skills, card.languages, card.profiles, card.evaluations, *(one.figures for one in card.evaluations))
    if max(map(len, texts)) > TEXT_MAX or max(map(len, lists)) > LIST_MAX:
        raise BundleError("model.card", f"{who}: a card has texts of at most {TEXT_MAX} characters and lists of {LIST_MAX}; say less in it")
    names = (
        *card.skills,
        *card.languages,
        *(one.suite for one in card.evaluations),
        *(f.name for one in card.evaluations for f in one.figures),
    )
    if not all(NAME.fullmatch(name) for name in names):
        raise BundleError("model.name", f"{who}: skills, languages, suites and figures have names of a-z, 0-9, '.', '_' and '-'")
    shape = (card.shape.layers, card.shape.kv_heads, card.shape.head_size, card.shape.context) if card.shape else ()
    whole = (card.parameters, card.memory_mib, *shape, *(one.seed for one in card.evaluations), *(file.bytes for file in statement.files))
    if not all(0 <= number < NUMBERS_BELOW for number in whole) or not all(shape or (1,)):
        raise BundleError("model.card", f"{who}: a number on the card is out of any bounds; have its maker mend it")
    if not card.skills:
        raise BundleError("model.skills", f"{who} names no skill, so it can be used for nothing; name one on its card")
    for profile in card.profiles:
        if not PROFILE.fullmatch(profile.name):
            raise BundleError("model.profile", f"{who}: {profile.name[:80]!r} is no profile; write backend-precision-tpN-ppN")
    for one in card.evaluations:
        if not SHA256.fullmatch(one.data):
            raise BundleError("model.evaluation", f"{who}: the evaluation {one.suite[:80]!r} must name its data by SHA-256, in hex")
    if not statement.files or len({file.path for file in statement.files}) != len(statement.files):
        raise BundleError("model.files", f"{who}: a bundle has weights, and each of its files a name of its own")
    for file in statement.files:
        if not plain_name(file.path) or not SHA256.fullmatch(file.digest) or file.bytes <= 0:
            raise BundleError(
                "model.path", f"{who}: {file.path[:80]!r} is no plain file name with a digest and a size", path=file.path[:80]
            )


def plain_name(name: str) -> bool:
    """A file name that leads nowhere else."""
    return bool(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name))


def pae(payload: bytes) -> bytes:
    """What a DSSE signature covers."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


# ---- keys --------------------------------------------------------------------------------------------------------------


def key_id(key: PublicKey) -> str:
    """SHA-256 of its SubjectPublicKeyInfo, in hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def private_key(path: Path) -> PrivateKey:
    """A PEM file without password. Raises BundleError."""
    try:
        key = load_pem_private_key(_small(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BundleError("model.key", f"{path}: no private key in PEM without a password ({error})") from error
    if isinstance(key, Ed25519PrivateKey) or (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)):
        return key
    raise BundleError("model.key", f"{path}: keys are Ed25519 or ECDSA P-256")


def public_key(path: Path) -> PublicKey:
    """A PEM file. Raises BundleError."""
    try:
        key = load_pem_public_key(_small(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BundleError("model.key", f"{path}: no public key in PEM ({error}); take it out of the folder or replace it") from error
    if isinstance(key, Ed25519PublicKey) or (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        return key
    raise BundleError("model.key", f"{path}: keys are Ed25519 or ECDSA P-256")


def keys_in(*folders: Path, passed_over: list[Path] | None = None) -> Mapping[str, PublicKey]:
    """The public keys (`NAME.pem`) of folders, by name; none where a folder isn't there.

    One that can't be read raises BundleError; where `passed_over` is given it is noted there, and what it signed is not trusted.
    """
    found: dict[str, PublicKey] = {}
    for folder in folders:
        paths: Sequence[Path] = sorted(folder.glob("*.pem")) if folder.is_dir() else ()
        if len(paths) > KEYS_MAX:
            raise BundleError("model.key", f"{folder}: more than {KEYS_MAX} keys; a site trusts few")
        for path in paths:
            try:
                found[path.stem] = public_key(path)
            except BundleError:
                if passed_over is None:
                    raise
                passed_over.append(path)
    return found


def pem(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(KEY_BYTES_MAX)
    except OSError as error:
        raise BundleError("model.key", f"{path}: {error.strerror}; name a key file that can be read") from error


def _sign(key: PrivateKey, what: bytes) -> bytes:
    return key.sign(what) if isinstance(key, Ed25519PrivateKey) else key.sign(what, ec.ECDSA(hashes.SHA256()))


def _verifies(key: PublicKey, signature: bytes, what: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, what)
        else:
            key.verify(signature, what, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def as_json(data: bytes, most: int, what: str) -> Any:
    """Raises BundleError; `what` names the document."""
    try:
        if len(data) > most:
            raise ValueError("too long")
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError("model.json", f"{what} is no JSON of at most {most} bytes; fetch the bundle anew from who made it") from error
