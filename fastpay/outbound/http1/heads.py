"""The head of a request, in bytes."""

from collections.abc import Sequence

# How many the first line has.
_SPACES = 2


def join_head(lines: Sequence[str]) -> bytes:
    """Return the lines of a request's head, the first one included. Raises: ValueError for what is none."""
    text, ends = "\r\n".join(lines), len(lines) - 1
    # Nothing may end a line but what is between them. Looking at each character costs ten times as much.
    if text.count("\r") != ends or text.count("\n") != ends or "\0" in text or lines[0].count(" ") > _SPACES:
        raise ValueError("a line of the head is not valid")
    return text.encode()
