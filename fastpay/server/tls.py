"""The TLS side of the door: one context, whose certificate can be replaced while it is in use."""

import ssl

from fastpay.errors import ConfigurationError


def create_context(cert: str, key: str | None, *, http2: bool) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and newer that offers the protocols we speak.

    Raises: ConfigurationError when certificate and key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9113 9.2.1 and 9.2.2: no compression, no renegotiation, and of TLS 1.2 only suites with
    # forward secrecy and authenticated encryption.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    load(context, cert, key)
    return context


def load(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    """Load certificate and key from their files.

    Raises: ConfigurationError, with the message that an operator needs.
    """
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        files = f"certificate {cert}" + (f" with key {key}" if key is not None else "")
        raise ConfigurationError(f"cannot use {files}: {error}") from error


def reload(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    """Let new connections get the certificate that the files hold now; open ones keep theirs.

    Raises: ConfigurationError when the files do not fit; then everything stays as it was.
    """
    # Tried on another context first: a failure half-way must not leave a certificate without its key.
    load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
    load(context, cert, key)
