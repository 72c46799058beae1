"""What a copy in Redis looks like, and a mark: nobody but an instance can read a copy, or make either up.

    copy                                                 mark
    generation   8 bytes, added by the script            generation   8 bytes, added by the script
    nonce        12 bytes                                moved        16 digits: milliseconds, by the script
    sealed       MessagePack (version, sequence,         sequence     16 digits
                 snapshot), encrypted, and the tag       seal         16 bytes

A copy is encrypted with AES-256-GCM, since objects hold client secrets and personal data; tenant, mode and
identifier are associated data, so that a copy opens nowhere but in its own place. A mark is not secret: its
seal is a keyed BLAKE2b digest of tenant, mode and sequence. Both keys follow from one that only the database
holds. A generation is not covered, since only the script knows which it is.

No nonce may come twice under a key (NIST SP 800-38D 8.2.1). It is 8 random bytes, drawn with each connection
to Redis, and a counter of 4 bytes, at the end of which new ones are drawn.

The keys of one tenant and mode share a hash tag, so that a script finds them all on one node of a cluster.
They begin with a name of the database, as it is in one line of time: after it was copied or went back,
whatever it left in Redis has another name and another seal.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from fastpay.domain.identifiers import Scope, prefix_of
from fastpay.domain.kinds import STORED
from fastpay.domain.plan import Versioned
from fastpay.store import rows

GENERATION_BYTES = 8
_SALT_BYTES = 8
_COUNTER_BYTES = 4
_NONCE_BYTES = _SALT_BYTES + _COUNTER_BYTES
_HEAD_BYTES = GENERATION_BYTES + _NONCE_BYTES
_SEAL_BYTES = 16
_MARK_BYTES = 56
_SEQUENCE = slice(24, 40)
_MARK_SEAL = slice(40, 56)
# Of the layout: what is read by other rules has another name.
_LAYOUT = 2


class Incarnation(NamedTuple):
    """What a database says of itself: a key to seal with, and what tells it from every other."""

    seal_key: bytes
    identity: bytes


class Mark(NamedTuple):
    """How far the copies of one generation have followed a tenant's sequence."""

    generation: bytes
    sequence: int


class RefusedCopyError(Exception):
    """What lies in Redis is no copy to believe. `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


REASONS = ("generation", "seal", "format")


class _Payload(msgspec.Struct, frozen=True, array_like=True, gc=False):
    version: int
    sequence: int
    snapshot: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Payload)
_SNAPSHOT_DECODERS = {prefix: msgspec.msgpack.Decoder(kind.struct) for prefix, kind in STORED.items()}


class CopyFormat:
    """Names, seals and opens the copies of one database. `random_bytes` is where nonces begin."""

    def __init__(self, database: Incarnation, random_bytes: Callable[[int], bytes]) -> None:
        # Its library takes long to import, and a process without a Redis does without it.
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        def derive(purpose: bytes, size: int) -> bytes:
            return hashlib.blake2b(
                database.identity, key=database.seal_key, digest_size=size, person=purpose
            ).digest()

        self._prefix = f"fastpay:{_LAYOUT}:{derive(b'name', 8).hex()}:"
        self._cipher = AESGCM(derive(b"copies", 32))
        self._refused = InvalidTag
        self._mark_seal = hashlib.blake2b(key=derive(b"marks", 32), digest_size=_SEAL_BYTES)
        self._random_bytes = random_bytes
        self._salt = random_bytes(_SALT_BYTES)
        self._count = 0

    def mark_key(self, scope: Scope) -> str:
        """Return the key of a tenant's mark."""
        return f"{self._prefix}{{{scope.tenant_id}{'l' if scope.livemode else 't'}}}"

    def key(self, scope: Scope, identifier: str) -> str:
        """Return the key of an object's copy."""
        return f"{self._prefix}{{{scope.tenant_id}{'l' if scope.livemode else 't'}}}{identifier}"

    def pack(self, scope: Scope, versioned: Versioned) -> bytes:
        """Return a copy as a script takes it: without its generation."""
        payload = _ENCODER.encode(
            _Payload(versioned.version, versioned.sequence, rows.encode(versioned.object))
        )
        nonce = self._next_nonce()
        return nonce + self._cipher.encrypt(nonce, payload, _place(scope, versioned.object.id))

    def unpack(self, mark: Mark, scope: Scope, identifier: str, data: bytes) -> Versioned:
        """Return what a copy holds. Raises: RefusedCopyError."""
        if data[:GENERATION_BYTES] != mark.generation:
            raise RefusedCopyError("generation")
        nonce, sealed = data[GENERATION_BYTES:_HEAD_BYTES], data[_HEAD_BYTES:]
        try:
            payload = self._cipher.decrypt(nonce, sealed, _place(scope, identifier))
        except (self._refused, ValueError) as error:
            raise RefusedCopyError("seal") from error
        try:
            held = _DECODER.decode(payload)
            stored = _SNAPSHOT_DECODERS[prefix_of(identifier)].decode(held.snapshot)
        except (msgspec.MsgspecError, KeyError) as error:
            raise RefusedCopyError("format") from error
        return Versioned(stored, held.version, held.sequence)

    def seal_mark(self, scope: Scope, sequence: int) -> bytes:
        """Return what shows that the tenant's sequence has come to this place."""
        seal = self._mark_seal.copy()
        seal.update(f"{scope.tenant_id} {scope.livemode:d} {sequence}".encode())
        return seal.digest()

    def read_mark(self, scope: Scope, data: object) -> Mark | None:
        """Return a mark as a script wrote it for this tenant, None for anything else."""
        if not isinstance(data, bytes) or len(data) != _MARK_BYTES or not data[_SEQUENCE].isdigit():
            return None
        mark = Mark(data[:GENERATION_BYTES], int(data[_SEQUENCE]))
        return mark if data[_MARK_SEAL] == self.seal_mark(scope, mark.sequence) else None

    def _next_nonce(self) -> bytes:
        if self._count == 1 << 8 * _COUNTER_BYTES:
            self._salt, self._count = self._random_bytes(_SALT_BYTES), 0
        nonce = self._salt + self._count.to_bytes(_COUNTER_BYTES, "big")
        self._count += 1
        return nonce


def _place(scope: Scope, identifier: str) -> bytes:
    return f"{scope.tenant_id} {scope.livemode:d} {identifier}".encode()
