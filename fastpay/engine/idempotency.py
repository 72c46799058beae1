"""Idempotency keys: under what the first answer is found again."""

import hashlib

from fastpay.domain.identifiers import Scope


def key_digest(scope: Scope, idempotency_key: str) -> bytes:
    """Return the 16 bytes that stand for a tenant's key in one mode."""
    text = f"{scope.tenant_id}{'live' if scope.livemode else 'test'}{idempotency_key}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
