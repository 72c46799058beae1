"""Encodes spans as OTLP has them, a batch in one pass."""

from collections.abc import Callable
from typing import Any

class Template:
    """What many spans have in common.

    `encoded` has the fields of the message `Span` but for identifiers, times, and what is put in for each
    span. If `route` is given, `url.path` is put in for each span: the path, or the route if the path has a
    run of digits that may be a card number. `series` has the labels of the request in the metrics.
    """

    encoded: bytes
    is_server: bool
    route: str | None
    series: tuple[str, ...] | None
    def __init__(
        self,
        encoded: bytes,
        *,
        is_server: bool,
        route: str | None = None,
        series: tuple[str, ...] | None = None,
    ) -> None: ...

class SpanEncoder:
    """Encodes batches of spans.

    `resource` has the fields of the message `ResourceSpans` but for its spans, and `scope` those of
    `ScopeSpans`. `describe` makes the template of a request by its method, route, status, scheme and protocol
    version (a tuple), and of another span by its `About`. As many as `templates_max` are kept.
    """

    def __init__(
        self,
        resource: bytes,
        scope: bytes,
        describe: Callable[[Any], Template],
        templates_max: int,
    ) -> None: ...
    def encode(
        self, records: list[Any], random: bytes, offset_ns: int
    ) -> tuple[bytes, list[tuple[tuple[str, ...], bytes, int, int]]]:
        """Return a request to a collector, and what the metrics show of its spans.

        Records are `Request` (or a tuple like it) and `Span` of observability/traces.py. `random` has 24
        bytes for each. Times get `offset_ns` added. Of each request with a series, and of each measurement of
        a span, there is a tuple: the series, the trace, the duration and the end.

        Raises: ValueError for too few random bytes.
        """
