"""The headers of an ordinary request for one object: those that its answer depends on, and harmless ones."""

HARMLESS: tuple[bytes, ...]
OF_TRACES: tuple[bytes, ...]

def read_headers(
    headers: list[tuple[bytes, bytes]], *, is_tracing: bool
) -> tuple[bytes, bytes | None, bytes | None, bytes | None, bytes | None, bytes | None] | None:
    """Return Authorization, If-None-Match, Stripe-Version, Accept-Encoding, traceparent and tracestate.

    Return None for the long way: if there is any other header than these and harmless ones, or one of these
    twice, or no Authorization. The last two are harmless, and None, unless traces are made.
    """
