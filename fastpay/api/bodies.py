"""Reading the body of a request, within a bound."""

from collections.abc import Awaitable

from starlette.types import Message, Receive

from fastpay._native.headers import Headers
from fastpay.errors import BodyTooLarge


class ClientGone(Exception):
    """The client disconnected before its request was read, so nothing is answered."""


async def read_body(receive: Receive, headers: Headers, body_bytes_max: int) -> bytes:
    """Read a whole body. Raises: ClientGone; BodyTooLarge as soon as the size is known."""
    message = await begin_body(receive, headers, body_bytes_max)
    return whole_body(message, body_bytes_max) or await read_rest(receive, message, body_bytes_max)


def begin_body(receive: Receive, headers: Headers, body_bytes_max: int) -> Awaitable[Message]:
    """Return what waits for the first message of a body. Raises: BodyTooLarge if it is announced as such."""
    if headers.content_length() > body_bytes_max:
        raise _too_large(body_bytes_max)
    return receive()


def whole_body(message: Message, body_bytes_max: int) -> bytes | None:
    """Return a body that came whole in its first message; None or nothing if `read_rest` has to tell."""
    if message.get("more_body", True):
        return None
    body: bytes = message.get("body", b"")
    return body if len(body) <= body_bytes_max else None


async def read_rest(receive: Receive, message: Message, body_bytes_max: int) -> bytes:
    """Read a body of which `message` is the beginning. Raises: as `read_body`."""
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > body_bytes_max:
            raise _too_large(body_bytes_max)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunk if len(chunks) == 1 else b"".join(chunks)
        message = await receive()


def _too_large(body_bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {body_bytes_max} bytes that are allowed.")
