"""Error messages about names: which are wrong, and which known one is nearest."""

import difflib
from collections.abc import Iterable, Sequence

from fastpay import limits


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like this one; None if none is, or it is too long to compare."""
    if len(name) > limits.compared_chars_max:
        return None
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def listed(names: Sequence[str], count: int) -> str:
    """Return the first of `count` names for a message, and how many more there are."""
    more = count - len(names)
    return f"{', '.join(names)}{f' and {more} more' if more else ''}"
