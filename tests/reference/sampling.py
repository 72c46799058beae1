"""The flag of a traceparent, by a pattern."""

import re

_PARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?", re.DOTALL
)


def sampled_flag(parent: bytes) -> int:
    """Return the flag, -1 if the header is invalid."""
    found = _PARENT.fullmatch(parent)
    if found is None or (found[1] == b"00" and found[3] is not None):
        return -1
    return int(found[2], 16) & 1
