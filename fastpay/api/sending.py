"""From a reply to the messages of an ASGI response, whole or in parts."""

import asyncio
from collections.abc import Sequence

from starlette.types import Message, Receive, Send

from fastpay._native.response_head import fields_of
from fastpay.api.context import Reply, Stream
from fastpay.api.etags import CACHE_CONTROL

_UNCACHED = (b"cache-control", CACHE_CONTROL)


async def respond(
    send: Send, reply: Reply, echoes: Sequence[tuple[bytes, bytes]], request_id: str, *, is_head: bool
) -> None:
    """Send a reply with the headers that every answer has."""
    await send(head_of(reply, list(echoes), request_id))
    await send(body_of(reply, is_head=is_head))


def head_of(reply: Reply, echoes: list[tuple[bytes, bytes]], request_id: str) -> Message:
    """Return the message that begins a response."""
    status = reply.status
    content_type = None if status == 304 else reply.content_type
    body = None if status == 304 or reply.stream is not None else reply.body
    fields = fields_of(content_type, body, request_id, _UNCACHED, reply.headers, echoes)
    return {"type": "http.response.start", "status": status, "headers": fields}


def body_of(reply: Reply, *, is_head: bool) -> Message:
    """Return the message with the body of a response that is sent whole."""
    return {"type": "http.response.body", "body": b"" if is_head else reply.body}


async def respond_in_parts(
    receive: Receive, send: Send, stream: Stream, head: Message, is_head: bool
) -> None:
    """Send a stream until it ends or the client leaves."""
    leaving = asyncio.ensure_future(_until_gone(receive))
    leaving.add_done_callback(lambda _: stream.close())
    try:
        await send(head)
        while not is_head and (part := await stream.next()) is not None:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        if not leaving.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        stream.close()
        leaving.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
