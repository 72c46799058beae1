"""TLS between instances: both ends show a certificate that whoever has the same sealing key can make.

The private key is derived from a sealing key, and the certificate from it, always with the same bytes. So a
certificate is trusted if it is one of our own, and there is nothing to issue, to distribute or to renew.
"""

import os
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime

_Certificate = tuple[bytes, bytes]


def create_contexts(secrets: Mapping[str, bytes]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server and of a client, from secrets of 32 bytes by the name of their key.

    All keys are trusted. The last one is shown: the oldest, which an instance has as well that was not given
    the newest yet.
    """
    made = [_make_certificate(name, secret) for name, secret in secrets.items()]
    return _create(ssl.PROTOCOL_TLS_SERVER, made), _create(ssl.PROTOCOL_TLS_CLIENT, made)


def _create(protocol: int, made: list[_Certificate]) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The certificate names a key and no host.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=b"".join(certificate for certificate, _ in made).decode())
    # The library reads keys from files only: this one is in memory, and nobody else can open it.
    descriptor = os.memfd_create("fastpay")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(b"".join(made[-1]))
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


def _make_certificate(name: str, secret: bytes) -> _Certificate:
    """Return a certificate and its private key in PEM, which follow from the secret alone."""
    # Slow to import, and only for instances on several hosts.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.from_private_bytes(secret)
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, f"fastpay {name}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, None)
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
