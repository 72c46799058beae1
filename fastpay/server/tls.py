"""The TLS context, whose certificate can be replaced while it is in use."""

import ssl

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
