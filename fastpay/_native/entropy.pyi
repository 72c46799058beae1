"""Random bytes from the system, drawn ahead, because each draw is a system call."""

def random_bytes(count: int) -> bytes:
    """Return `count` random bytes, fit for keys and identifiers. No thread and no forked child gets the same.

    Up to `entropy_ahead_bytes_max` are taken from what was drawn ahead.
    """

def forget() -> None:
    """Draw anew for the next request. A forked child does so at once."""
