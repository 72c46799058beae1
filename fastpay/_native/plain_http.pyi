"""Requests of the HTTP client, and answers that say nothing unusual, in one step each, for `outbound/`."""

from collections.abc import Mapping

def write_request(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a request over HTTP/1.1 with the length of its body, as one piece.

    Without a body a GET has no length. Raises: ValueError if a line of the head would not be one line.
    """

def read_answer(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
    """Return status, fields and body of an answer after which the connection can be used again.

    Names of fields are in lower case. None for everything that has to be looked at with more care: an answer
    that is not here in full, is followed by anything, says its length in no other way than by one
    Content-Length, has no final status or no body, has a line that is not plain ASCII, or has a field that
    decides on the connection, except `Connection: keep-alive`.
    """
