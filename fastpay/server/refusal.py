"""Responses that the transport sends without the application: the refusals and their messages."""

import json
from http import HTTPStatus

from fastpay._native import service
from fastpay.clock import Clock, SystemClock

# 2 to 18 are the gate's verdicts, 32 to 47 the reader's, 48 to 53 those of HTTP/2, 64 and above the
# connection's.
REFUSALS: dict[int, tuple[int, str]] = {
    2: (400, "The request line is malformed."),
    3: (400, "A request must not begin with an empty line."),
    4: (400, "Every line must end with CR LF."),
    5: (400, "The request target contains a character that a URI may not contain."),
    6: (414, "The request target is too long."),
    7: (505, "This server supports HTTP/1.0, HTTP/1.1 and HTTP/2."),
    8: (501, "The request method is not supported."),
    9: (400, "A header field name is malformed."),
    10: (400, "A header field name must not contain an underscore."),
    11: (400, "A header field value contains a control character."),
    12: (400, "A header field must not be folded over several lines."),
    13: (431, "There are too many header fields."),
    14: (431, "The header fields are too large."),
    15: (400, "A chunk size is malformed."),
    16: (400, "Chunk extensions are not supported."),
    17: (400, "A chunk does not end where its size says."),
    18: (413, "The request body is too large."),
    32: (400, "The request is malformed."),
    33: (400, "The Host header field is missing."),
    34: (400, "The Host header field is repeated."),
    35: (400, "The Host header field is malformed."),
    36: (400, "The request target and the Host header field name different hosts."),
    37: (501, "The only supported transfer coding is chunked."),
    38: (400, "The Transfer-Encoding header field is repeated."),
    39: (400, "HTTP/1.0 has no Transfer-Encoding."),
    40: (400, "Transfer-Encoding and Content-Length must not be sent together."),
    41: (400, "The Content-Length header field is not a number."),
    42: (400, "The Content-Length header field is repeated."),
    43: (400, "A header field that may occur only once is repeated."),
    44: (400, "This server does not upgrade connections."),
    45: (417, "The only supported expectation is 100-continue."),
    46: (400, "The request target must be a path."),
    47: (400, "The path contains an escape that is not two hexadecimal digits."),
    48: (400, "A pseudo-header field is missing, repeated, unknown, invalid or after other fields."),
    49: (400, "HTTP/2 does not allow connection-specific header fields."),
    50: (400, "The TE header field must be trailers."),
    51: (400, "A header field value begins or ends with white space."),
    52: (400, "The length of the request body differs from the Content-Length header field."),
    53: (400, "The trailer section is malformed."),
    service.HEAD_TIMEOUT: (408, "The request did not arrive in time."),
    service.BODY_TIMEOUT: (408, "The request body did not arrive in time."),
    service.CONNECTIONS_EXHAUSTED: (503, "The server has reached its maximum number of connections."),
    service.HANDLER_FAILED: (500, "Something went wrong on our side."),
    service.INFLIGHT_EXHAUSTED: (503, "The server has reached its maximum of bytes in flight."),
    service.INFLIGHT_SHARE: (
        429,
        "Your address or key has too many bytes in flight.",
    ),
    service.CONNECTION_SHARE: (429, "Your address has too many open connections."),
    service.CONNECTION_RATE: (429, "Your address opens connections too fast."),
}


def render_body(status: int, message: str) -> bytes:
    """Return the JSON body of an error, in the API's shape."""
    kind = "api_error" if status in {500, 503} else "invalid_request_error"
    return json.dumps({"error": {"type": kind, "message": message}}, separators=(",", ":")).encode()


def list_headers(status: int, body: bytes, request_id: str) -> list[tuple[bytes, bytes]]:
    """Return the header fields of a transport error."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"request-id", request_id.encode()),
        (b"cache-control", b"private, no-store"),
        # Any page may read why it was refused: nothing here depends on who asks.
        (b"access-control-allow-origin", b"*"),
        (b"access-control-expose-headers", b"Request-Id, Retry-After, Stripe-Should-Retry"),
    ]
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers += [(b"retry-after", b"1"), (b"stripe-should-retry", b"true")]
    elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
        # Clients retry a 500 unless told otherwise, and a handler may have failed after its commit.
        headers.append((b"stripe-should-retry", b"false"))
    return headers


class Refuser:
    """Builds whole HTTP/1.1 responses for refused requests."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        # How many requests were refused, by status.
        self.counts: dict[int, int] = {}

    def request_id(self) -> str:
        """Return a new request identifier, so that a refused request can be reported too."""
        return f"req_{self._clock.random_bytes(12).hex()}"

    def __call__(self, reason: int, is_head: bool) -> bytes:
        """Return the bytes of the response to a refused request; the connection ends after it."""
        status, message = REFUSALS[reason]
        self.counts[status] = self.counts.get(status, 0) + 1
        body = render_body(status, message)
        lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
        lines += [b"%s: %s" % pair for pair in list_headers(status, body, self.request_id())]
        lines.append(b"connection: close")
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        return head if is_head else head + body
