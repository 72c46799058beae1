"""Reading the body of a request, within a bound."""

from collections.abc import Mapping

from starlette.types import Receive

from fastpay.errors import BodyTooLarge

_LENGTH_DIGITS_MAX = 18


class ClientGone(Exception):
    """The client disconnected before its request was read, so nothing is answered."""


async def read_body(receive: Receive, headers: Mapping[str, str], body_bytes_max: int) -> bytes:
    """Read a whole body. Raises: ClientGone; BodyTooLarge as soon as the size is known."""
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > _LENGTH_DIGITS_MAX or int(length) > body_bytes_max):
        raise _too_large(body_bytes_max)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        # Nearly every body comes whole.
        whole: bytes = message.get("body", b"")
        if len(whole) > body_bytes_max:
            raise _too_large(body_bytes_max)
        return whole
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
            return b"".join(chunks)
        message = await receive()


def _too_large(body_bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {body_bytes_max} bytes that are allowed.")
