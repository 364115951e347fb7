"""A person's private key, locked by a password: argon2id makes the key, AES-256-GCM the lock.

To open the seal is to verify the password; no hash of the password is kept beside it. Pure functions, so that the slow
one can run in a thread.
"""

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.terms import Word


class Cost(Word):
    """How much work a guess takes. RFC 9106 section 4, second recommended option: 64 MiB, 3 passes, 4 lanes."""

    passes: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


class Seal(Word):
    """What is stored. `public` is the raw Ed25519 key, 32 bytes."""

    name: str
    public: bytes
    salt: bytes  # 16 bytes
    nonce: bytes  # 12 bytes
    box: bytes  # the 32-byte seed and the 16-byte tag
    cost: Cost


def _lock(password: str, salt: bytes, cost: Cost) -> AESGCM:
    raw = hash_secret_raw(password.encode(), salt, cost.passes, cost.memory_kib, cost.lanes, 32, Type.ID)
    return AESGCM(raw)


def sealed(name: str, password: str, *, seed: bytes, salt: bytes, nonce: bytes, cost: Cost) -> Seal:
    """Lock the key with seed `seed` (32 bytes) for `name`."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    # Name and public key are bound in: a box moved to another person's row does not open.
    box = _lock(password, salt, cost).encrypt(nonce, seed, name.encode() + b"\n" + public)
    return Seal(name=name, public=public, salt=salt, nonce=nonce, box=box, cost=cost)


def opened(seal: Seal, password: str) -> Ed25519PrivateKey | None:
    """The private key, or None for a wrong password or an altered seal."""
    try:
        seed = _lock(password, seal.salt, seal.cost).decrypt(seal.nonce, seal.box, seal.name.encode() + b"\n" + seal.public)
    except InvalidTag:
        return None
    return Ed25519PrivateKey.from_private_bytes(seed)
