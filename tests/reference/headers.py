"""Headers as text, slowly and plainly: what `fastpay._native.headers` must agree with."""

from fastpay import limits
from tests.reference import digit_runs


def decode(pairs: list[tuple[bytes, bytes]]) -> dict[str, str] | None:
    """Return the values by their names, None where a name stands twice."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        return None
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


def is_plain_key(header: str) -> bool:
    """Return whether a header is a key as it stands."""
    is_visible = all("!" <= sign <= "~" for sign in header)
    is_sized = 0 < len(header) <= limits.idempotency_key_chars_max
    return is_sized and is_visible and header[0] != '"' and not digit_runs.in_text(header)
