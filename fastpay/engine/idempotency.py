"""Idempotency keys: under what the first answer is found again."""

import hashlib

from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Submission


def key_digest(scope: Scope, idempotency_key: str, *, is_publishable: bool) -> bytes:
    """Return the 16 bytes that stand for a tenant's key in one mode.

    Keys of requests with a publishable API key stand apart: anybody may have one, and must not be able to use
    the merchant's own keys up.
    """
    mode = "live" if scope.livemode else "test"
    # No key holds a NUL, so that none can be taken for one of the others.
    text = f"{scope.tenant_id}{mode}{chr(0) if is_publishable else ''}{idempotency_key}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def submission_digest(submission: Submission) -> bytes:
    """Return the digest of a submission's key. It must have one."""
    assert submission.idempotency_key is not None
    return key_digest(submission.scope, submission.idempotency_key, is_publishable=submission.is_publishable)
