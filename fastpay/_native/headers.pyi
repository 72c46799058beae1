"""The headers of a request as text, for `api/endpoints.py`."""

from collections.abc import Iterable

def decode(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str] | None:
    """Return the values by name, each byte as one character (RFC 9110 5.5).

    Return None if a name occurs twice: the meaning of that depends on the name.
    """
