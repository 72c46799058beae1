"""Secrets that must stay readable, encrypted with AES-256-GCM under keys that only the operator has.

Tenant, mode, purpose and owner are associated data (`Binding`), so a sealed secret that is copied to another
row cannot be opened. The identifier of the key is stored beside the ciphertext.
"""

import base64
import binascii
import hashlib
import hmac
import os
import stat
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.errors import ConfigurationError, FastpayError
from fastpay.observability import telemetry
from fastpay.observability.program_name import command_name

# The name of the key file in the data directory of an embedded database, and beside its sockets.
KEY_FILE = "sealing.keys"
KEY_BYTES = 32
NONCE_BYTES = 12
UNREADABLE = "Something went wrong on our side. The operator can find out why: fastpay doctor."
_HEADING = (
    "# The keys with which fastpay seals secrets, newest first. Anyone who has them can read the secrets."
)
_MODES: dict[bool | None, bytes] = {None: b"both", False: b"test", True: b"live"}

_log = telemetry.Log("fastpay.sealing")


class SealingKey:
    """A key of the operator. Its identifier is a digest of it."""

    __slots__ = ("_cipher", "_secret", "key_id")

    def __init__(self, secret: bytes) -> None:
        assert len(secret) == KEY_BYTES
        self.key_id = hashlib.sha256(b"fastpay sealing key " + secret).hexdigest()[:16]
        self._secret = secret
        self._cipher: Any = None

    @property
    def cipher(self) -> Any:
        """The cipher with this key. It is created on first use, since its library is slow to import."""
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

            self._cipher = AESGCM(self._secret)
        return self._cipher

    def derive(self, purpose: str) -> bytes:
        """Return 32 secret bytes for another purpose, from which nobody can find the key."""
        return hmac.digest(self._secret, f"fastpay {purpose}".encode(), "sha256")

    def line(self) -> str:
        """Return the key as a line of a key file. Never use it elsewhere."""
        return base64.b64encode(self._secret).decode()

    def __repr__(self) -> str:
        """Show the identifier, not the key."""
        return f"SealingKey({self.key_id})"


class Binding(msgspec.Struct, frozen=True):
    """The purpose and the owner of a secret, which are authenticated with it. A mode of None means both."""

    purpose: Literal["fingerprint", "signing", "operator", "processor", "token"]
    tenant_id: uuid.UUID
    livemode: bool | None
    owner_id: uuid.UUID


class Sealed(msgspec.Struct, frozen=True):
    """A sealed secret, and the identifier of the key that opens it."""

    content: bytes
    under: str


class SecretUnreadable(FastpayError):
    """A secret cannot be opened: its key is missing, or the row was changed. An operator must act."""


class Vault:
    """Seals with the newest key, and opens with any of the keys."""

    def __init__(
        self,
        keys: Sequence[SealingKey],
        *,
        clock: Clock,
        reread: Callable[[], Sequence[SealingKey]] | None = None,
    ) -> None:
        """Take one or more keys, newest first.

        `reread` returns the current keys. It is called for a secret under an unknown key, so that a key can
        be added while the process runs. It raises ConfigurationError.
        """
        self._clock = clock
        self._reread = reread
        self._take(keys)

    @property
    def newest(self) -> str:
        """The identifier of the key that seals new secrets."""
        return self._newest.key_id

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The identifiers of all keys, newest first."""
        return tuple(self._keys)

    def derive(self, purpose: str) -> dict[str, bytes]:
        """Return what `SealingKey.derive` makes of each key, by the identifier of the key, newest first."""
        return {key_id: key.derive(purpose) for key_id, key in self._keys.items()}

    def seal(self, secret: bytes, binding: Binding) -> Sealed:
        """Seal a secret."""
        # Random nonces are safe for 2**32 secrets a key, and a tenant has only a few.
        nonce = self._clock.random_bytes(NONCE_BYTES)
        return Sealed(nonce + self._newest.cipher.encrypt(nonce, secret, _bind(binding)), self.newest)

    def open(self, sealed: Sealed, binding: Binding) -> bytes:
        """Return the secret. Raises: SecretUnreadable."""
        if sealed.under not in self._keys and self._reread is not None:
            try:
                self._take(self._reread())
            except ConfigurationError as error:
                _log.error("sealing_keys_reload_failed", reason=str(error))
        key = self._keys.get(sealed.under)
        if key is None:
            raise _unreadable(sealed, binding)
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `SealingKey.cipher`

        nonce, content = sealed.content[:NONCE_BYTES], sealed.content[NONCE_BYTES:]
        try:
            opened: bytes = key.cipher.decrypt(nonce, content, _bind(binding))
        except (InvalidTag, ValueError) as error:
            raise _unreadable(sealed, binding) from error
        return opened

    def _take(self, keys: Sequence[SealingKey]) -> None:
        assert keys
        self._keys = {key.key_id: key for key in keys}
        self._newest = keys[0]


def open_sealed(sealed: Sealed, binding: Binding, vault: Vault | None) -> bytes:
    """Return a secret. Raises: SecretUnreadable, also if there is no vault."""
    if vault is None:
        raise _unreadable(sealed, binding)
    return vault.open(sealed, binding)


def make_key(clock: Clock) -> SealingKey:
    """Return a new key."""
    return SealingKey(clock.random_bytes(KEY_BYTES))


def read_keys(path: Path) -> list[SealingKey]:
    """Return the keys of a file, newest first. Each line is a key in base64, a comment (#) or empty.

    Raises: ConfigurationError if there is no key, if others than the owner can read the file, or if a line is
    not a key. No message contains anything of the file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            _require_private(path, os.fstat(descriptor))
            lines = file.read(limits.sealing_file_bytes_max + 1).decode("ascii", "replace").splitlines()
    except OSError as error:
        raise ConfigurationError(
            f"the sealing keys {path} cannot be read: {error.strerror}; restore the file, or correct "
            "sealing_key_file or the permissions"
        ) from error
    keys = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            secret = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != KEY_BYTES:
            raise ConfigurationError(
                f"line {number} of the sealing keys {path} is not a key; "
                f"a key is the base64 of {KEY_BYTES} random bytes: head -c {KEY_BYTES} /dev/urandom | base64"
            )
        keys.append(SealingKey(secret))
    if not keys:
        raise ConfigurationError(f"there is no key in {path}; create one with: {command_name()} sealing add")
    if len(keys) > limits.sealing_keys_max:
        raise ConfigurationError(
            f"there are more than {limits.sealing_keys_max} keys in {path}; remove those that no secret "
            "needs any more (fastpay sealing list)"
        )
    return keys


def render_keys(keys: Sequence[SealingKey]) -> bytes:
    """Return the content of a file that holds these keys, newest first."""
    return "".join(f"{line}\n" for line in (_HEADING, *(key.line() for key in keys))).encode()


def _unreadable(sealed: Sealed, binding: Binding) -> SecretUnreadable:
    # The log has the details for the operator; clients get a general message.
    _log.error(
        "secret_open_failed", purpose=binding.purpose, tenant=binding.tenant_id.hex, sealed_under=sealed.under
    )
    return SecretUnreadable(UNREADABLE)


def _require_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(
            f"the sealing keys {path} are not a regular file; name one in sealing_key_file"
        )
    if found.st_uid not in {0, os.geteuid()}:
        raise ConfigurationError(
            f"the sealing keys {path} belong to another user; chown them to the user that runs fastpay"
        )
    if found.st_mode & 0o077:
        raise ConfigurationError(
            f"the sealing keys {path} can be read by others (mode {stat.S_IMODE(found.st_mode):04o}); "
            f"chmod 600 {path}"
        )


def _bind(binding: Binding) -> bytes:
    # Of one length but for the purpose, which no other begins with.
    parts = (
        binding.purpose.encode(),
        _MODES[binding.livemode],
        binding.tenant_id.bytes,
        binding.owner_id.bytes,
    )
    return b"fastpay\0" + b"\0".join(parts)
