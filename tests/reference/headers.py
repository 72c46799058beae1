"""Headers as text, slowly and plainly: what `fastpay._native.headers` must agree with."""

import re

from fastpay import limits
from tests.reference import digit_runs, ordinary_headers

_SPECIAL = ("origin", "fastpay-signature", "stripe-account", "stripe-context", "fastpay-timeout-ms")
_LENGTH = re.compile(r"[0-9]+", re.ASCII)

Pairs = list[tuple[bytes, bytes]]


def decode(pairs: Pairs) -> dict[str, str] | None:
    """Return the values by their names, None where a name stands twice."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        return None
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


def is_special(headers: dict[str, str]) -> bool:
    """Return whether a check of its own has to look at one of them."""
    version = headers.get("stripe-version")
    if version is not None and not ordinary_headers.is_version(version.encode("latin-1")):
        return True
    return "fastpay-server-timing" in headers or any(name in headers for name in _SPECIAL)


def bearer_token(headers: dict[str, str]) -> str | None:
    """Return the token of a plain Authorization header."""
    authorization = headers.get("authorization", "")
    return authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else None


def content_length(headers: dict[str, str]) -> int:
    """Return the announced length, a large one for more than 18 digits."""
    value = headers.get("content-length", "")
    if _LENGTH.fullmatch(value) is None:
        return 0
    return int(value) if len(value) <= 18 else 2**63 - 1


def plain_key(headers: dict[str, str]) -> str | None:
    """Return the key if it is one as it stands."""
    key = headers.get("idempotency-key")
    return key if key is not None and is_plain_key(key) else None


def plain_echoes(headers: dict[str, str], is_safe: bool) -> Pairs | None:
    """Return the fields that are repeated, None if one of them is not plain."""
    echoes = []
    version, key = headers.get("stripe-version"), headers.get("idempotency-key")
    if version is not None:
        if not ordinary_headers.is_version(version.encode("latin-1")):
            return None
        echoes.append((b"stripe-version", version.encode("latin-1")))
    if key is not None and not is_safe:
        if not is_plain_key(key):
            return None
        echoes.append((b"idempotency-key", key.encode()))
    return echoes


def is_plain_key(header: str) -> bool:
    """Return whether a header is a key as it stands."""
    is_visible = all("!" <= sign <= "~" for sign in header)
    is_sized = 0 < len(header) <= limits.idempotency_key_chars_max
    return is_sized and is_visible and header[0] != '"' and not digit_runs.in_text(header)
