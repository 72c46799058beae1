"""The headers of a request as text: the first step of `api/endpoints.py`."""

from collections.abc import Iterable

def decode(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str] | None:
    """Return the values by their names, each byte one character, as HTTP has it (RFC 9110 5.5).

    None where a name stands twice: what that means depends on the name.
    """
