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
    """Return the digest of a submission's idempotency key, empty without one."""
    return _digest(submission, submission.idempotency_key)


def signature_digest(submission: Submission) -> bytes:
    """Return the digest under which a submission's signature is bound, empty where nothing has to be."""
    return _digest(submission, signature_key(submission))


def signature_key(submission: Submission) -> str | None:
    """Return what stands in the place of an idempotency key in the row that binds a signature.

    No client's key begins with a space.
    """
    return None if submission.signed is None else f" signed {submission.signed}"


def signature_binding(submission: Submission, digest: bytes) -> bytes:
    """Return the fingerprint of the row that binds a signature to the idempotency key of this digest.

    Without a key it is what was signed, which is longer than any digest of a key.
    """
    assert submission.signed is not None
    return digest or bytes.fromhex(submission.signed)


def _digest(submission: Submission, key: str | None) -> bytes:
    return b"" if key is None else key_digest(submission.scope, key, is_publishable=submission.is_publishable)
