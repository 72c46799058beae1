"""Who asks: the API key of a request, and what it opens."""

import base64
import binascii
import re

from fastpay.engine.ports import Credentials, KeyRing
from fastpay.errors import Unauthenticated

_KEY = re.compile(r"(?:sk|pk)_(?:test|live)_[A-Za-z0-9_]{8,240}", re.ASCII)

# One text for every way to be wrong, so that nobody learns which keys exist.
_REFUSAL = (
    "No valid API key was given. Send it as a bearer token, 'Authorization: Bearer <your key>', or as the "
    "user name of basic authentication."
)


async def authenticate(keys: KeyRing, authorization: str | None) -> Credentials:
    """Return the credentials behind an Authorization header. Raises: Unauthenticated, DatabaseUnavailable."""
    key = _key(authorization or "")
    credentials = await keys.authenticate(key) if _KEY.fullmatch(key) is not None else None
    if credentials is None:
        raise Unauthenticated(_REFUSAL)
    return credentials


def _key(authorization: str) -> str:
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
