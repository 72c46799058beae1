"""The short way to an answer: a GET with a known key is answered here, or waits here for its object."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from fastpay._native.cache import Cache, CachedResponse, Entry, Partition
from fastpay._native.sampling import Sampler

class Shortcut:
    """Answers ordinary requests for one object.

    `monotonic_ns` is the clock that accesses and partitions are valid by; `request_id` names a request.

    `routes` maps the part of a path before the identifier to the number of its route, for the metrics. The
    number of HEAD is one more.

    `kinds` maps the part of a path before the identifier to the prefix of the identifiers that it shows.
    `watch(scope, identifier, on_done)` has an object read and calls `on_done` with it, with None if there is
    none, or returns False if nothing is read. `render(path, object, scope)` returns the answer that shows the
    object, or None if that is for the long way. `encode(entry, response, accepted)` returns the answer in the
    content coding that an Accept-Encoding header asks for; the entry may be None. `long_way` is the
    application for everything else.

    If it is not `is_open`, everything goes the long way. `answered` counts the requests that were answered
    here, and `parked` those among them that had to wait.
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
        routes: Mapping[str, int],
        watch: Callable[[Any, str, Callable[[Any], None]], bool],
        render: Callable[[str, Any, Any], CachedResponse | None],
        encode: Callable[[Entry | None, CachedResponse, bytes], CachedResponse],
        long_way: Callable[[Any, Any, Any], Awaitable[None]],
    ) -> None: ...
    def trace(
        self,
        sampler: Sampler,
        record: Callable[[Any], None],
        keep: Callable[[Any], None],
        slow_ns: int,
    ) -> None:
        """Draw requests that are answered here from now on.

        After the answer `record` is called for one that is drawn, and `keep` for another one that took as
        long as `slow_ns`, with a tuple that has the fields of `Request` in observability/traces.py.
        """

    def log(self, noted: Callable[[MutableMapping[str, Any], Any, int, str, int], None], below: str) -> None:
        """Call `noted` after answers to requests whose identifier is below this one.

        It gets the request's scope, the owner of its key, when it arrived, its identifier and the status.
        """

    def admit(self, authorization: bytes, partition: Partition, until_ns: int, owner: object = None) -> None:
        """Give an Authorization header that was checked access to a partition until then."""

    def answer(
        self, scope: MutableMapping[str, Any], receive: object, send: object
    ) -> Awaitable[None] | None:
        """Answer a GET or HEAD, or park it. Return an awaitable, None if the request goes the long way."""
