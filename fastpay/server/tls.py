"""The TLS context, whose certificate can be replaced while it is in use."""

import ssl
from datetime import UTC, datetime

from fastpay.errors import ConfigurationError


def create_context(cert: str, key: str | None, *, http2: bool) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and newer that offers the supported protocols by ALPN.

    Raises: ConfigurationError if certificate and key are unusable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9113 9.2.1 and 9.2.2: no compression, no renegotiation, and for TLS 1.2 only suites with forward
    # secrecy and authenticated encryption.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    load(context, cert, key)
    return context


def load(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    """Load certificate and key from their files.

    Raises: ConfigurationError with a message for the operator.
    """
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        files = f"certificate {cert}" + (f" with key {key}" if key is not None else "")
        raise ConfigurationError(f"cannot use {files}: {error}") from error


def reload(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    """Use the files' current certificate for new connections; open ones keep theirs.

    Raises: ConfigurationError if the files do not match; then nothing changes.
    """
    # Load into another context first: a failure between the two must not leave a certificate without its
    # key.
    load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
    load(context, cert, key)


def certificate_end(chain: str) -> datetime:
    """Return the end date of the first certificate of a PEM chain. Source: RFC 5280 4.1.2.5."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    first = chain[chain.index(begin) : chain.index(end) + len(end)]
    fields = _read_fields(_read_fields(_read_fields(ssl.PEM_cert_to_DER_cert(first))[0][1])[0][1])
    # An explicit version comes first if there is one; then serial, algorithm, issuer, validity.
    validity = fields[4 if fields[0][0] == 0xA0 else 3][1]
    tag, text = _read_fields(validity)[1]
    pattern = "%y%m%d%H%M%SZ" if tag == 0x17 else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), pattern).replace(tzinfo=UTC)


def _read_fields(der: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each of these DER values."""
    found, offset = [], 0
    while offset < len(der):
        tag, length, offset = der[offset], der[offset + 1], offset + 2
        if length >= 0x80:
            digits = length & 0x7F
            length, offset = int.from_bytes(der[offset : offset + digits], "big"), offset + digits
        found.append((tag, der[offset : offset + length]))
        offset += length
    return found
