"""The headers of a request as text, for `api/endpoints.py`."""

from collections.abc import Iterable

def decode(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str] | None:
    """Return the values by name, each byte as one character (RFC 9110 5.5).

    Return None if a name occurs twice: the meaning of that depends on the name.
    """

def is_plain_key(header: str) -> bool:
    """Return whether an Idempotency-Key header is a key as it stands, and holds no card number.

    False for keys with spaces or quotes, and for those in which `digit_runs` sees a possible number: these
    are looked at with more care.
    """
