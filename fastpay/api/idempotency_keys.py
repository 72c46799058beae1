"""Idempotency keys as clients send them."""

import re

from fastpay import limits
from fastpay._native import digit_runs
from fastpay._native.headers import is_plain_key
from fastpay.api import card_numbers
from fastpay.errors import InvalidRequest

# A structured string of RFC 9651 3.3.3 without its quotes.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"', re.ASCII)
_ESCAPED = re.compile(r'\\(["\\])')


def parse_idempotency_key(header: str | None) -> str | None:
    """Return the key of an Idempotency-Key header, without quotes around it.

    Raises: InvalidRequest.
    """
    if header is None or is_plain_key(header):
        return header
    key = _key_of(header)
    if key is None:
        raise InvalidRequest(
            f"The Idempotency-Key has 1 to {limits.idempotency_key_chars_max} printable ASCII characters, "
            "with or without quotes around it.",
            code="idempotency_key_invalid",
        )
    return key


def presentable_key(header: str) -> str | None:
    """Return the key of an Idempotency-Key header, None if it is invalid or may not be shown."""
    if is_plain_key(header):
        return header
    key = _key_of(header)
    if key is None or (digit_runs.in_text(key) and card_numbers.holds(key)):
        return None
    return key


def _key_of(header: str) -> str | None:
    key = header
    if header.startswith('"'):
        quoted = _QUOTED.fullmatch(header)
        if quoted is None:
            return None
        key = _ESCAPED.sub(r"\1", quoted[1])
    # ASCII has a printable space, with which no key begins or ends.
    if not 0 < len(key) <= limits.idempotency_key_chars_max or key[0] == " " or key[-1] == " ":
        return None
    return key if key.isascii() and key.isprintable() else None
