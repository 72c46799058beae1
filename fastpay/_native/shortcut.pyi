"""The short way to an answer: a GET whose key is known and whose answer is rendered leaves here at once."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastpay._native.cache import Cache, Shelf

class Shortcut:
    """Answers what can be answered without waiting for anything.

    `monotonic_ns` is the clock by which accesses and shelves are valid, `request_id` names a request. While
    it is not `is_open`, everything goes the long way. `answered` counts.
    """

    is_open: bool
    answered: int
    def __init__(
        self,
        cache: Cache,
        monotonic_ns: Callable[[], int],
        request_id: Callable[[], str],
        accesses_max: int,
    ) -> None: ...
    def admit(self, authorization: bytes, shelf: Shelf, until_ns: int) -> None:
        """Let an Authorization header, which was found good, open a shelf until then."""

    def answer(self, scope: MutableMapping[str, Any], send: object) -> Awaitable[None] | None:
        """Answer a GET or HEAD and return something that is done; None where it has to go the long way."""
