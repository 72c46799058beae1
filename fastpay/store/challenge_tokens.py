"""Tokens of pages on which cardholders authenticate: a tenant and a time, encrypted with AES-256-GCM.

All instances on one database open the tokens of each other, since the key comes from a secret in it. No
look-up is needed to refuse a token that was made up.
"""

import base64
import binascii
import hashlib
from typing import Any

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.challenge_ports import Challenge

_NONCE_BYTES = 12
_PURPOSE = b"fastpay challenge"
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[str, bool, int])


class SealedChallengeTokens:
    """Satisfies `ChallengeTokens`. `secret` is the installation's."""

    def __init__(self, secret: bytes, *, clock: Clock) -> None:
        self._key = hashlib.blake2b(key=secret, person=b"challenge page", digest_size=32).digest()
        self._clock = clock
        self._made: Any = None

    def seal(self, challenge: Challenge) -> str:
        """Return a token, another one each time."""
        # Random nonces are safe for 2**32 tokens a key.
        nonce = self._clock.random_bytes(_NONCE_BYTES)
        content = _ENCODER.encode((*challenge.scope, challenge.until_s))
        sealed = nonce + self._cipher.encrypt(nonce, content, _PURPOSE)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, token: str) -> Challenge | None:
        """Return the challenge of a token, None if this installation has not made it."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `_cipher`

        if len(token) > limits.challenge_token_chars_max:
            return None
        try:
            padded = token.encode("ascii") + b"=" * (-len(token) % 4)
            sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
            content = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE)
            tenant_id, livemode, until_s = _DECODER.decode(content)
        except (UnicodeError, binascii.Error, InvalidTag, ValueError, msgspec.MsgspecError):
            return None
        return Challenge(Scope(tenant_id, livemode), until_s)

    @property
    def _cipher(self) -> Any:
        """The cipher. It is created on first use, since its library is slow to import."""
        if self._made is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

            self._made = AESGCM(self._key)
        return self._made
