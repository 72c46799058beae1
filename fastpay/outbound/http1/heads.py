"""The head of a request, in bytes."""

from collections.abc import Sequence

# How many the first line has.
_SPACES = 2


def join_head(lines: Sequence[str]) -> bytes:
    """Return the lines of a request's head, the first one included. Raises: ValueError for what is none."""
    head, ends = "\r\n".join(lines), len(lines) - 1
    # Nothing may end a line but what is between them. Looking at each character costs five times as much.
    found = head.count("\r"), head.count("\n"), head.count("\0")
    if found != (ends, ends, 0) or lines[0].count(" ") > _SPACES:
        raise ValueError("a line of the head is not valid")
    return head.encode()
