"""Bundles to test with: weights of a few bytes, a card, and keys."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from holdfast.agent.models.bundles.bundle import Packed, pack
from holdfast.site.modelcard import Card, Evaluation, Figure, PrivateKey, Profile, PublicKey, pem, private_key

DATA = "ab" * 32  # of a data set


def evaluation(exact: float, *, data: str = DATA, suite: str = "registers") -> Evaluation:
    return Evaluation(suite=suite, data=data, figures=(Figure(name="exact", value=exact), Figure(name="p95_ms", value=4.0, better="lower")))


def card(*, exact: float = 0.95, licence: str = "Apache-2.0", skills: tuple[str, ...] = ("registers",)) -> Card:
    return Card(
        skills=skills,
        languages=("en", "zh"),
        clearance="restricted",
        licence=licence,
        provenance="from the generator, seed 1",
        format="onnx",
        precision="int8",
        parameters=1_200_000,
        memory_mib=40,
        profiles=(Profile(name="cpu-int8-tp1-pp1", state="supported"), Profile(name="cuda-fp16-tp1-pp1", state="untested")),
        evaluations=(evaluation(exact),),
        tried_on="held-out vendors",
    )


def key_file(folder: Path, name: str = "mill", *, curve: bool = False) -> Path:
    key = ec.generate_private_key(ec.SECP256R1()) if curve else Ed25519PrivateKey.generate()
    path = folder / f"{name}.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def keys(path: Path) -> dict[str, PublicKey]:
    key: PrivateKey = private_key(path)
    return {path.stem: key.public_key()}


def trust(home: Path, key: Path) -> None:
    folder = home / "models" / "trusted"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{key.stem}.pem").write_bytes(pem(private_key(key).public_key()))


def packed(
    folder: Path, *, key: Path | None, of: Card | None = None, name: str = "registers", version: str = "1", weights: bytes = b"weights"
) -> Packed:
    """The weights are an ONNX file by their first byte alone."""
    source, names = folder / "tagger.onnx", folder / "names.json"
    source.write_bytes(b"\x08" + weights)
    names.write_text("[]")
    return pack(name=name, version=version, weights=source, card=of or card(), key=key, out=folder / f"{name}-{version}", beside=(names,))
