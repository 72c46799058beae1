"""What can be known to be wrong before anything is started or made: the TLS pair, the address, the files."""

import ssl
from pathlib import Path

from fastpay.config import Settings
from fastpay.errors import ConfigurationError


def require_tls_pair(settings: Settings) -> None:
    """Load the certificate and key as a server would, when TLS is asked for.

    Raises: ConfigurationError naming the setting, its path and what to do.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return
    certificate, key = _read(settings, "tls_cert"), _read(settings, "tls_key")
    if "-----BEGIN CERTIFICATE-----" not in certificate:
        raise ConfigurationError(
            f"tls_cert {settings.tls_cert} holds no certificate; give a PEM file, the server's own first"
        )
    if "PRIVATE KEY-----" not in key:
        raise ConfigurationError(f"tls_key {settings.tls_key} holds no private key; give a PEM file")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_cert, settings.tls_key, password=lambda: _refuse_password(settings)
        )
    except (ssl.SSLError, OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise ConfigurationError(
                f"tls_key {settings.tls_key} is not the key of tls_cert {settings.tls_cert}; "
                "give the key of the first certificate in it"
            ) from error
        reason = getattr(error, "reason", None) or str(error)
        raise ConfigurationError(
            f"tls_cert {settings.tls_cert} and tls_key {settings.tls_key} cannot be used ({reason}); "
            "tls_key must be the unencrypted PEM key of the first certificate in tls_cert"
        ) from error


def _read(settings: Settings, name: str) -> str:
    path = getattr(settings, name)
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ConfigurationError(
            f"{name} {path} cannot be read: {error.strerror}; correct the path, or who may read it"
        ) from error


def _refuse_password(settings: Settings) -> str:
    raise ConfigurationError(f"tls_key {settings.tls_key} is encrypted; give the key without a password")
