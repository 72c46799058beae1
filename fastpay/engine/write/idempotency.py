"""Digests of idempotency keys and signatures, under which first answers are found."""

import hashlib

from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Submission

# A copy of it is made without the arguments, which take as long to read as a key to digest.
_EMPTY, _FINAL = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16, person=b"final")


def key_digest(scope: Scope, idempotency_key: str, *, is_publishable: bool) -> bytes:
    """Return the 16 bytes that a tenant's key is stored under in one mode.

    Requests with a publishable API key have a key space of their own. Anybody may have such an API key, and
    must not use up the merchant's own idempotency keys.
    """
    mode = "live" if scope.livemode else "test"
    # No idempotency key contains NUL, so the two key spaces cannot collide.
    text = f"{scope.tenant_id}{mode}{chr(0) if is_publishable else ''}{idempotency_key}"
    digest = _EMPTY.copy()
    digest.update(text.encode())
    return digest.digest()


def submission_digest(submission: Submission) -> bytes:
    """Return the digest of a submission's idempotency key, empty without one."""
    key = submission.idempotency_key
    if key is None:
        return b""
    return key_digest(submission.scope, key, is_publishable=submission.is_publishable)


def signature_digest(submission: Submission) -> bytes:
    """Return the digest under which a submission's signature is bound, empty if none has to be."""
    key = signature_key(submission)
    if key is None:
        return b""
    return key_digest(submission.scope, key, is_publishable=submission.is_publishable)


def signature_key(submission: Submission) -> str | None:
    """Return the text that is stored as the idempotency key in the row that binds a signature.

    No idempotency key begins with a space, so it collides with none.
    """
    return None if submission.signed is None else f" signed {submission.signed}"


def final_digest(digest: bytes) -> bytes:
    """Return the digest under which the final answer is kept to a key whose first answer was provisional."""
    final = _FINAL.copy()
    final.update(digest)
    return final.digest()


def final_key(digest: bytes) -> str:
    """Return the text that is stored as the idempotency key in the row with the final answer."""
    return f" final {digest.hex()}"


def signature_binding(submission: Submission, digest: bytes) -> bytes:
    """Return the fingerprint of the row that binds a signature to the idempotency key of this digest.

    Without a key it is what was signed, which is longer than any digest of a key.
    """
    assert submission.signed is not None
    return digest or bytes.fromhex(submission.signed)
