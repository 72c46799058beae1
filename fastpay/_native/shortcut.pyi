"""The short way to an answer: a GET whose key is known leaves here at once, or waits here for its object."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from fastpay._native.cache import Cache, CachedResponse, Entry, Partition

class Shortcut:
    """Answers ordinary requests for one object.

    `monotonic_ns` is the clock by which accesses and partitions are valid, `request_id` names a request.

    `kinds` says, by what stands in a path before the identifier, how identifiers begin that may stand there.
    `watch(scope, identifier, on_done)` has an object read and `on_done` called with it, with None where it
    could not be, and returns False where there is nothing to read. `render(path, object, scope)` returns the
    answer that shows it, None where that takes more. `encode(entry, response, accepted)` returns the answer
    in the form that an Accept-Encoding header wants; the entry may be None. `long_way` is the application for
    everything else.

    While it is not `is_open`, everything goes the long way. `answered` counts, `parked` those among them that
    had to wait.
    """

    cache: Cache
    is_open: bool
    answered: int
    parked: int
    def __init__(
        self,
        cache: Cache,
        monotonic_ns: Callable[[], int],
        request_id: Callable[[], str],
        accesses_max: int,
        *,
        kinds: Mapping[str, str],
        watch: Callable[[Any, str, Callable[[Any], None]], bool],
        render: Callable[[str, Any, Any], CachedResponse | None],
        encode: Callable[[Entry | None, CachedResponse, bytes], CachedResponse],
        long_way: Callable[[Any, Any, Any], Awaitable[None]],
    ) -> None: ...
    def draw(self, share: float, seed: bytes) -> None:
        """Have this share of the requests that carry no caller's trace go the long way, to be traced.

        Of each request that the draw was made for, `fastpay.drawn` in its scope says how it came out. What
        carries a trace goes the long way from now on.
        """

    def admit(self, authorization: bytes, partition: Partition, until_ns: int) -> None:
        """Let an Authorization header, which was found good, open a partition until then."""

    def answer(
        self, scope: MutableMapping[str, Any], receive: object, send: object
    ) -> Awaitable[None] | None:
        """Answer a GET or HEAD and return something that is done, or that says that the answer will come.

        Return None where it has to go the long way.
        """
