"""Values of the headers of webhook endpoints, encrypted with AES-256-GCM under a key of the tenant's own.

They may be credentials of the receiver. Snapshots are never changed, so nothing in them can be sealed again
under a new key of the operator. What is sealed again is the tenant's key, and from that comes the key of the
values.
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Any

from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.observability import telemetry
from fastpay.store.sealing import NONCE_BYTES, UNREADABLE, SecretUnreadable

# A value in the clear, as older versions have it, cannot begin with a space.
_MARK = " sealed "

_log = telemetry.Log("fastpay.sealing")


class SealedHeaderValues:
    """Satisfies `HeaderSeal`. Tenant, mode and name are authenticated with a value."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def seal(self, key: bytes, scope: Scope, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers with sealed values. `key` is the tenant's own."""
        cipher, sealed = _cipher(key), {}
        for name, value in headers.items():
            # Random nonces are safe for 2**32 values a key.
            nonce = self._clock.random_bytes(NONCE_BYTES)
            content = nonce + cipher.encrypt(nonce, value.encode(), _bind(scope, name))
            sealed[name] = _MARK + base64.b64encode(content).decode()
        return sealed

    def open(self, key: bytes, scope: Scope, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers with their values (see `open_values`). Raises: SecretUnreadable."""
        return open_values(key, scope, headers)


def open_values(key: bytes, scope: Scope, headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with their values; those in the clear are as they are. Raises: SecretUnreadable."""
    opened, sealed = dict(headers), [name for name, value in headers.items() if value.startswith(_MARK)]
    if not sealed:
        return opened
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `_cipher`

    cipher = _cipher(key)
    for name in sealed:
        try:
            content = base64.b64decode(headers[name].removeprefix(_MARK), validate=True)
            plain = cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], _bind(scope, name))
        except (InvalidTag, ValueError) as error:
            _log.error("secret_open_failed", purpose="header", tenant=scope.tenant_id)
            raise SecretUnreadable(UNREADABLE) from error
        opened[name] = plain.decode()
    return opened


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - slow to import

    return AESGCM(hmac.digest(key, b"fastpay webhook headers", "sha256"))


def _bind(scope: Scope, name: str) -> bytes:
    mode = "live" if scope.livemode else "test"
    return f"fastpay webhook header {scope.tenant_id} {mode} {name}".encode()
