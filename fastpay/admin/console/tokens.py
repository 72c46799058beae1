"""The tokens of sessions, invitations and forms. What is stored of them is a digest."""

import base64
import hashlib
import hmac

from fastpay.clock import Clock

_TOKEN_BYTES = 32


def make_token(clock: Clock) -> str:
    """Return a token for a session or an invitation."""
    return base64.urlsafe_b64encode(clock.random_bytes(_TOKEN_BYTES)).decode().rstrip("=")


def digest_of(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def is_same(given: str, expected: str) -> bool:
    """Compare in a time that says nothing about where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def form_token_of(token: str) -> str:
    """Return what the forms of a session carry, so that no other page can send them."""
    return hmac.digest(token.encode(), b"fastpay form", "sha256").hex()
