"""The format of a copy in Redis. Only an instance of the same database can read one or make one.

    nonce    12 bytes
    sealed   MessagePack (version, object's sequence, tenant's sequence, snapshot), encrypted, and the tag

A copy is encrypted with AES-256-GCM, because objects hold client secrets and personal data. Tenant, mode and
identifier are associated data, so a copy opens under its own key of Redis only. The encryption key is derived
from a secret that only the database holds.

A nonce must never repeat under a key (NIST SP 800-38D 8.2.1). It is 8 random bytes, drawn with each
connection to Redis, and a counter of 4 bytes; new random bytes are drawn when the counter ends.

Keys in Redis begin with a name of the database that follows from its identity and timeline: after the
database was cloned or restored to an earlier moment, older copies have another name and another seal.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from fastpay.domain.identifiers import Scope, prefix_of
from fastpay.domain.kinds import STORED
from fastpay.domain.plan import Versioned
from fastpay.engine.read.copy_ports import Copy
from fastpay.store import rows

_SALT_BYTES = 8
_COUNTER_BYTES = 4
_NONCE_BYTES = _SALT_BYTES + _COUNTER_BYTES
# Copies of another format have other keys.
_FORMAT = 3


class Incarnation(NamedTuple):
    """What a database says of itself: a key to seal with, and what tells it from every other."""

    seal_key: bytes
    identity: bytes


class RefusedCopyError(Exception):
    """A value in Redis is no valid copy. `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


REASONS = ("seal", "format")


class _Payload(msgspec.Struct, frozen=True, array_like=True, gc=False):
    version: int
    object_sequence: int
    sequence: int
    snapshot: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Payload)
_SNAPSHOT_DECODERS = {prefix: msgspec.msgpack.Decoder(kind.struct) for prefix, kind in STORED.items()}


class CopyFormat:
    """Names, seals and opens the copies of one database. `random_bytes` draws the start of a nonce."""

    def __init__(self, database: Incarnation, random_bytes: Callable[[int], bytes]) -> None:
        # The library takes long to import, and a process without Redis does not need it.
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        def derive(purpose: bytes, size: int) -> bytes:
            return hashlib.blake2b(
                database.identity, key=database.seal_key, digest_size=size, person=purpose
            ).digest()

        self._prefix = f"fastpay:{_FORMAT}:{derive(b'name', 8).hex()}:"
        self._cipher = AESGCM(derive(b"copies", 32))
        self._refused = InvalidTag
        self._random_bytes = random_bytes
        self._salt = random_bytes(_SALT_BYTES)
        self._count = 0

    def key(self, scope: Scope, identifier: str) -> str:
        """Return the key of an object's copy."""
        return f"{self._prefix}{scope.tenant_id}:{'live' if scope.livemode else 'test'}:{identifier}"

    def pack(self, scope: Scope, copy: Copy) -> bytes:
        """Return a copy as it is kept."""
        versioned = copy.versioned
        payload = _Payload(
            versioned.version, versioned.sequence, copy.sequence, rows.encode(versioned.object)
        )
        nonce = self._next_nonce()
        associated = _associated_data(scope, versioned.object.id)
        return nonce + self._cipher.encrypt(nonce, _ENCODER.encode(payload), associated)

    def unpack(self, scope: Scope, identifier: str, data: bytes) -> Copy:
        """Return what a value in Redis holds. Raises: RefusedCopyError."""
        nonce, sealed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
        try:
            payload = self._cipher.decrypt(nonce, sealed, _associated_data(scope, identifier))
        except (self._refused, ValueError) as error:
            raise RefusedCopyError("seal") from error
        try:
            held = _DECODER.decode(payload)
            stored = _SNAPSHOT_DECODERS[prefix_of(identifier)].decode(held.snapshot)
        except (msgspec.MsgspecError, KeyError) as error:
            raise RefusedCopyError("format") from error
        return Copy(Versioned(stored, held.version, held.object_sequence), held.sequence)

    def _next_nonce(self) -> bytes:
        if self._count == 1 << 8 * _COUNTER_BYTES:
            self._salt, self._count = self._random_bytes(_SALT_BYTES), 0
        nonce = self._salt + self._count.to_bytes(_COUNTER_BYTES, "big")
        self._count += 1
        return nonce


def _associated_data(scope: Scope, identifier: str) -> bytes:
    return f"{scope.tenant_id} {scope.livemode:d} {identifier}".encode()
