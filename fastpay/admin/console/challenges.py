"""What a passkey signs: random bytes that are good for one purpose, one holder and a while.

A challenge carries its end and a code of authentication, so that asking for one stores nothing. What it was
good for notes it as spent, in the same commit.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping

from fastpay import limits
from fastpay.admin.console.operator_ports import Spent
from fastpay.admin.console.passwords import Refused
from fastpay.clock import Clock

_RANDOM_BYTES = 16
_MOMENT_BYTES = 8

EXPIRED = "This page was open for too long. Try again."
_FOREIGN = "This passkey was asked for by another page. Try again."


class Challenges:
    """Makes and checks them. `keys` returns secrets that no client has, newest first."""

    def __init__(self, keys: Callable[[], Mapping[str, bytes]], clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def make(self, purpose: str, holder: str) -> bytes:
        """Return a challenge. `holder` is a secret of who is asked: the token of a session, for example."""
        moment_ms = self._clock.now_ms() + limits.challenge_ms
        head = self._clock.random_bytes(_RANDOM_BYTES) + moment_ms.to_bytes(_MOMENT_BYTES)
        return head + _code(next(iter(self._keys().values())), head, purpose, holder)

    def check(self, given: bytes, purpose: str, holder: str) -> Spent:
        """Return what is noted of a challenge once it was good for something. Raises: Refused."""
        head, code = given[: _RANDOM_BYTES + _MOMENT_BYTES], given[_RANDOM_BYTES + _MOMENT_BYTES :]
        codes = [_code(key, head, purpose, holder) for key in self._keys().values()]
        if not any(hmac.compare_digest(code, expected) for expected in codes):
            raise Refused(_FOREIGN)
        expires_ms = int.from_bytes(head[_RANDOM_BYTES:])
        if expires_ms <= self._clock.now_ms():
            raise Refused(EXPIRED)
        return Spent(hashlib.sha256(given).digest(), expires_ms)


def _code(key: bytes, head: bytes, purpose: str, holder: str) -> bytes:
    # The purpose is one of a few words, and has no zero byte.
    return hmac.digest(key, head + purpose.encode() + b"\0" + holder.encode(), "sha256")
