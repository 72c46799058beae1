"""Authentication: the API key of a request, its credentials, and the signature if there must be one."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

from starlette.types import Scope as HttpScope

from fastpay._native.signature import verify_request
from fastpay.domain.identifiers import Scope
from fastpay.domain.kinds import account_of, presentable
from fastpay.engine.ports import Credentials, KeyRing
from fastpay.errors import AccountInvalid, Forbidden, Unauthenticated

_BEARER = "Bearer "
_KEY = re.compile(r"(?:sk|pk)_(?:test|live)_[A-Za-z0-9_]{8,240}", re.ASCII)

SIGNATURE_HEADER = "fastpay-signature"
# Headers that name an account, and how clients write them.
_ACCOUNT_HEADERS = {"stripe-account": "Stripe-Account", "stripe-context": "Stripe-Context"}

# One message for every failure, so that nobody learns which keys exist or which of them must sign.
_REFUSAL = (
    "No valid API key was given, or not the signature that it needs. Send the key as a bearer token, "
    "'Authorization: Bearer <your key>', or as the user name of basic authentication, and a fresh "
    "Fastpay-Signature with each request where the key has to sign."
)


def known(keys: KeyRing, authorization: str | None) -> Credentials | None:
    """Return the credentials of a bearer token that is known, so that nothing waits; None for any other."""
    if authorization is None or not authorization.startswith(_BEARER):
        return None
    return keys.known(authorization[len(_BEARER) :])


async def authenticate(
    keys: KeyRing, authorization: str | None, client: tuple[str, int] | None
) -> Credentials:
    """Return the credentials of an Authorization header. `client` is the sender's address, as in ASGI.

    Raises: Unauthenticated, RateLimited, DatabaseUnavailable.
    """
    key = key_of(authorization or "")
    credentials = None
    if _KEY.fullmatch(key) is not None:
        credentials = await keys.authenticate(key, client=client[0] if client else None)
    if credentials is None:
        raise Unauthenticated(_REFUSAL)
    return credentials


def check_access(credentials: Credentials, headers: Mapping[str, str], *, is_public: bool) -> None:
    """Refuse a request that names another account than the key's own, which would book money elsewhere.

    Refuse a publishable key where it does not suffice, too. Raises: AccountInvalid, Forbidden.
    """
    if "stripe-account" in headers or "stripe-context" in headers:
        for header, name in _ACCOUNT_HEADERS.items():
            if header in headers:
                check_account(credentials.scope, headers[header], name=name)
    if credentials.kind == "publishable" and not is_public:
        raise Forbidden("This needs a secret key; the key given is a publishable one.")


def check_account(scope: Scope, identifier: str, *, name: str | None = None) -> None:
    """Refuse any account but the tenant's own. `name` is the header that names it, None for the path.

    Raises: AccountInvalid, with the same message for an account that does not exist.
    """
    if identifier == account_of(scope):
        return
    where = f" in the {name} header" if name else ""
    raise AccountInvalid(
        f"The API key has no access to the account '{presentable(identifier)}'{where}, or there is no such "
        "account. Use a key of that account, or name the key's own: GET /v1/account shows it."
    )


def is_signed(credentials: Credentials, headers: Mapping[str, str]) -> bool:
    """Tell whether a request has a signature, or must have one."""
    return credentials.must_sign or SIGNATURE_HEADER in headers


def check_signature(
    credentials: Credentials, headers: Mapping[str, str], scope: HttpScope, body: bytes, now_ms: int
) -> str | None:
    """Return a name for what was signed of a POST whose signature leaves the idempotency key open, else None.

    The signature leaves the key open if there is no key, and if the header has a v1: an attacker could remove
    the v2 beside it. The name depends only on what was signed, not on how the header is written. A key that
    must sign accepts no v1. A repeated header arrives here joined by a comma and a space, which no signature
    contains. Raises: Unauthenticated, always with the same message.
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
    """Return the error for a signature that was used under another idempotency key, or under none."""
    return Unauthenticated(_REFUSAL)


def _target(scope: HttpScope) -> bytes:
    """Return path and query as the client sent them, with a prefix that a proxy has removed.

    Our own server passes them on. For other servers they are joined again, which loses a question mark with
    an empty query.
    """
    target: bytes | None = scope.get("fastpay.target")
    if target is None:
        query: bytes = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
    prefix: str = scope.get("root_path", "")
    return prefix.encode() + target if prefix else target


def key_of(authorization: str) -> str:
    """Return the key in a header, "" if there is none. Source: RFC 7617, RFC 6750."""
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
