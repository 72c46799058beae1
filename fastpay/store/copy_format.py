"""What a copy in Redis looks like, and a mark: sealed, so that what comes back is what was put there.

    copy                                                 mark
    generation   8 bytes, added by the script            generation   8 bytes, added by the script
    seal         16 bytes                                moved        16 digits: milliseconds, by the script
    payload      MessagePack: tenant, mode, version,     sequence     16 digits
                 sequence, snapshot                      seal         16 bytes

A seal is a BLAKE2b digest keyed with a key that only the database holds: of the payload, or of the tenant,
mode and sequence. A generation is not under it, since only the script knows which it is.

The keys of one tenant and mode share a hash tag, so that a script finds them all on one node of a cluster.
They begin with a name of the database, as it is in one line of time: after it was copied or went back,
whatever it left in Redis has another name and another seal.
"""

import hashlib
from typing import NamedTuple

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import KINDS, prefix_of
from fastpay.domain.plan import Versioned
from fastpay.store import rows

GENERATION_BYTES = 8
_SEAL_BYTES = 16
_HEAD_BYTES = GENERATION_BYTES + _SEAL_BYTES
_MARK_BYTES = 56
_SEQUENCE = slice(24, 40)
_MARK_SEAL = slice(40, 56)
# Of the layout: what is read by other rules has another name.
_LAYOUT = 1


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


REASONS = ("generation", "seal", "format", "place")


class _Payload(msgspec.Struct, frozen=True, array_like=True, gc=False):
    tenant_id: str
    livemode: bool
    version: int
    sequence: int
    snapshot: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Payload)
_SNAPSHOT_DECODERS = {prefix: msgspec.msgpack.Decoder(kind) for prefix, (_, kind) in KINDS.items()}


class CopyFormat:
    """Names, seals and opens the copies of one database."""

    def __init__(self, database: Incarnation) -> None:
        secret = hashlib.blake2b(database.identity, key=database.seal_key, digest_size=48).digest()
        self._prefix = f"fastpay:{_LAYOUT}:{secret[:8].hex()}:"
        self._seal = hashlib.blake2b(key=secret[8:], digest_size=_SEAL_BYTES)

    def mark_key(self, scope: Scope) -> str:
        """Return the key of a tenant's mark."""
        return f"{self._prefix}{{{scope.tenant_id}{'l' if scope.livemode else 't'}}}"

    def key(self, scope: Scope, identifier: str) -> str:
        """Return the key of an object's copy."""
        return f"{self._prefix}{{{scope.tenant_id}{'l' if scope.livemode else 't'}}}{identifier}"

    def pack(self, scope: Scope, versioned: Versioned) -> bytes:
        """Return a copy as a script takes it: without its generation."""
        snapshot = rows.encode(versioned.object)
        payload = _ENCODER.encode(_Payload(*scope, versioned.version, versioned.sequence, snapshot))
        return self._digest(payload) + payload

    def unpack(self, mark: Mark, scope: Scope, identifier: str, data: bytes) -> Versioned:
        """Return what a copy holds. Raises: RefusedCopyError."""
        if data[:GENERATION_BYTES] != mark.generation:
            raise RefusedCopyError("generation")
        payload = data[_HEAD_BYTES:]
        if data[GENERATION_BYTES:_HEAD_BYTES] != self._digest(payload):
            raise RefusedCopyError("seal")
        try:
            held = _DECODER.decode(payload)
            stored = _SNAPSHOT_DECODERS[prefix_of(identifier)].decode(held.snapshot)
        except (msgspec.MsgspecError, KeyError) as error:
            raise RefusedCopyError("format") from error
        # The seal says that it is ours, not whose it is: it may have been put under another key.
        if (held.tenant_id, held.livemode, stored.id) != (*scope, identifier):
            raise RefusedCopyError("place")
        return Versioned(stored, held.version, held.sequence)

    def seal_mark(self, scope: Scope, sequence: int) -> bytes:
        """Return what shows that the tenant's sequence has come to this place."""
        return self._digest(f"{scope.tenant_id} {scope.livemode:d} {sequence}".encode())

    def read_mark(self, scope: Scope, data: object) -> Mark | None:
        """Return a mark as a script wrote it for this tenant, None for anything else."""
        if not isinstance(data, bytes) or len(data) != _MARK_BYTES or not data[_SEQUENCE].isdigit():
            return None
        mark = Mark(data[:GENERATION_BYTES], int(data[_SEQUENCE]))
        return mark if data[_MARK_SEAL] == self.seal_mark(scope, mark.sequence) else None

    def _digest(self, payload: bytes) -> bytes:
        seal = self._seal.copy()
        seal.update(payload)
        return seal.digest()
