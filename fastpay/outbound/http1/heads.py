"""The head of a request, in bytes."""

from collections.abc import Sequence

# How many the first line has.
_SPACES = 2


def join_head(lines: Sequence[str]) -> bytes:
    """Return the lines of a request's head, the first one included. Raises: ValueError for what is none."""
    text = "".join(lines)
    # Nothing may end a line but what will be between them. Looking at each character costs ten times as much.
    if "\r" in text or "\n" in text or "\0" in text or lines[0].count(" ") > _SPACES:
        raise ValueError("a line of the head is not valid")
    return "\r\n".join(lines).encode()
