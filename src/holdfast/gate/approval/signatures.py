"""Exactly what a person signs, and whether they did.

The bytes are canonical({"binds", "person", "role", "yes", "reason"}): UTF-8 JSON, keys sorted, no spaces. `binds` is
the digest of proposal, configuration, present setpoint and equipment mode, so a yes holds for nothing else.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from holdfast.terms import Approval, canonical


def signed_bytes(*, binds: str, person: str, role: str, yes: bool, reason: str) -> bytes:
    """What the person's key signs. Raises ValueError for text that has no UTF-8 form."""
    return canonical({"binds": binds, "person": person, "role": role, "yes": yes, "reason": reason})


def genuine(approval: Approval, public: bytes) -> bool:
    """Whether the holder of the raw Ed25519 key `public` (32 bytes) signed this approval."""
    message = signed_bytes(binds=approval.binds, person=approval.person, role=approval.role, yes=approval.yes, reason=approval.reason)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(approval.signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
