"""Who asks: the API key of a request, what it opens, and whether the request is signed as it must be."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

from starlette.types import Scope

from fastpay._native.signature import verify_request
from fastpay.engine.ports import Credentials, KeyRing
from fastpay.errors import Unauthenticated

_KEY = re.compile(r"(?:sk|pk)_(?:test|live)_[A-Za-z0-9_]{8,240}", re.ASCII)

SIGNATURE_HEADER = "fastpay-signature"

# One text for every way to be wrong, so that nobody learns which keys exist, or which of them must sign.
_REFUSAL = (
    "No valid API key was given, or not the signature that it needs. Send the key as a bearer token, "
    "'Authorization: Bearer <your key>', or as the user name of basic authentication, and a fresh "
    "Fastpay-Signature with each request where the key has to sign."
)


async def authenticate(
    keys: KeyRing, authorization: str | None, client: tuple[str, int] | None
) -> Credentials:
    """Return the credentials behind an Authorization header. `client` is who sent it, as ASGI says.

    Raises: Unauthenticated, RateLimited, DatabaseUnavailable.
    """
    key = key_of(authorization or "")
    credentials = None
    if _KEY.fullmatch(key) is not None:
        credentials = await keys.authenticate(key, client=client[0] if client else None)
    if credentials is None:
        raise Unauthenticated(_REFUSAL)
    return credentials


def is_signed(credentials: Credentials, headers: Mapping[str, str]) -> bool:
    """Tell whether a request has a signature to be checked, or ought to have one."""
    return credentials.must_sign or SIGNATURE_HEADER in headers


def check_signature(
    credentials: Credentials, headers: Mapping[str, str], scope: Scope, body: bytes, now_ms: int
) -> str | None:
    """Return a name for what was signed of a POST whose signature leaves the idempotency key open, else None.

    It does so where there is no such key, and where the header has a v1, which an attacker could send by
    itself: that the header also has a v2 does not help. However its header is put together, what was signed
    has one name. A key that must sign takes no v1. A header that was sent twice is here as one with a comma
    and a space in it, which no signature has. Raises: Unauthenticated, all alike.
    """
    header = headers.get(SIGNATURE_HEADER, "").encode("latin-1")
    key = headers.get("idempotency-key", "").encode("latin-1")
    method, target = scope["method"], _target(scope)
    now_s = now_ms // 1000
    timestamp = verify_request(
        credentials.signers, header, method, target, body, now_s, key, credentials.must_sign
    )
    if timestamp is None:
        raise Unauthenticated(_REFUSAL)
    if method != "POST" or (key and b"v1=" not in header):
        return None
    digest = hashlib.blake2b(b"%d.%b." % (timestamp, target), digest_size=32)
    digest.update(hashlib.sha256(body).digest())
    return digest.hexdigest()


def refuse_repeated() -> Unauthenticated:
    """Return the error for a signature that was used before, under another idempotency key or none."""
    return Unauthenticated(_REFUSAL)


def _target(scope: Scope) -> bytes:
    """Return path and query as the client sent them, also where a proxy has taken a prefix off.

    Our own server says what stood in the request; of other servers' it is put together again, and a question
    mark with nothing behind it is lost.
    """
    target: bytes | None = scope.get("fastpay.target")
    if target is None:
        query: bytes = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
    prefix: str = scope.get("root_path", "")
    return prefix.encode() + target if prefix else target


def key_of(authorization: str) -> str:
    """Return the key of a header, "" where there is none to be found. Source: RFC 7617, RFC 6750."""
    scheme, _, value = authorization.partition(" ")
    value = value.strip(" ")
    match scheme.lower():
        case "bearer":
            return value
        case "basic":
            try:
                user = base64.b64decode(value, validate=True).partition(b":")[0]
            except (binascii.Error, ValueError):
                return ""
            return user.decode("latin-1")
        case _:
            return ""
