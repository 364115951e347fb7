"""Who talks to whom: this gate's application certificate, made once, and the server's, pinned.

Source: OPC 10000-6 §6.2.2 (application instance certificate), OPC 10000-4 §6.1.
"""

import datetime
import os
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

APPLICATION_URI = "urn:holdfast:gate"
_YEARS = 10  # a server trusts this certificate by hand: it must not run out with the year


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """The gate's (certificate DER, key PEM), made when missing. The key is readable by its owner alone."""
    certificate_path, key_path = folder / "opcua-gate.der", folder / "opcua-gate.key.pem"
    if certificate_path.exists() and key_path.exists():
        return certificate_path, key_path
    folder.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _self_signed(key, datetime.datetime.now(datetime.UTC))
    with os.fdopen(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    return certificate_path, key_path


def load(path: Path) -> bytes:
    """A certificate file, DER or PEM, as DER. Raises ValueError that names the file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"the certificate {path} can't be read: {error.strerror}") from None
    try:
        found = x509.load_pem_x509_certificate(content) if content.startswith(b"-----") else x509.load_der_x509_certificate(content)
    except ValueError:
        raise ValueError(f"{path} is no certificate: it must be X.509 in DER or PEM") from None
    return found.public_bytes(serialization.Encoding.DER)


def thumbprint(der: bytes) -> str:
    """SHA-1, as OPC UA tools show it (OPC 10000-4 §7.3)."""
    return x509.load_der_x509_certificate(der).fingerprint(hashes.SHA1()).hex()


def leaf(chain: bytes) -> bytes:
    """The first certificate of a DER chain (OPC 10000-6 §6.2.6): its outer SEQUENCE says how long it is."""
    if chain[:2] != b"\x30\x82":
        return chain
    return chain[: int.from_bytes(chain[2:4], "big") + 4]


def _self_signed(key: rsa.RSAPrivateKey, now: datetime.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Holdfast gate"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Holdfast")])
    public = key.public_key()
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .not_valid_before(now - datetime.timedelta(days=1))  # the server's clock may lag ours
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .serial_number(x509.random_serial_number())
        .public_key(public)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(APPLICATION_URI), x509.DNSName(socket.gethostname())]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=False)
        .add_extension(usage, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
