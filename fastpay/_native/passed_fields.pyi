"""The header fields of a request that is passed on, and of its answer, for `outbound/legacy/`.

Only end-to-end fields go on (RFC 9110 7.6.1): not those of a connection, nor any that a Connection field
names. How a body ends is decided anew for each connection, from a length that the server has found valid.
All names are in lower case: ASGI has them so, and so has the reader of answers.
"""

from collections.abc import Iterable, Sequence

def request_head(
    start: bytes,
    fields: Iterable[tuple[bytes, bytes]],
    version: str,
    scheme: str,
    client: str | None,
    request_id: str,
    trace: tuple[str, str] | None,
) -> tuple[bytes, int | None, bool]:
    """Return the lines that a request is passed on with, how long its body is, and whether it is a loop.

    `start` is the request line. The lines end with a line end; none of them is about the body, whose length
    is as the client said it, None if it did not. The client's Host is kept: the next server makes its own
    links with it. `client` is the address that the request came from. `trace` has what replaces the fields
    traceparent and tracestate. In a loop the request has come through here before: the next server sends it
    back. Raises: ValueError if a line would not be one line.
    """

def answer_fields(
    status: int, fields: Sequence[tuple[bytes, bytes]], request_id: str
) -> list[tuple[bytes, bytes]]:
    """Return the fields of an answer for the client. `request_id` is what it is called here."""
