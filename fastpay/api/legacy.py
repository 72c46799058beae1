"""Passes to the legacy API what is not served here, in pieces in both directions."""

import asyncio
from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from fastpay._native.headers import decode as decode_headers
from fastpay.api.answers import failure
from fastpay.api.context import Services
from fastpay.api.sending import respond
from fastpay.engine.rollout.ports import ClientLeft, Legacy, PassedAnswer, PassedRequest
from fastpay.errors import FastpayError
from fastpay.observability import traces


class PassThrough:
    """Answers with what the legacy API answers. Raises nothing, unless an answer breaks off."""

    def __init__(self, services: Services, legacy: Legacy) -> None:
        self._services = services
        self._legacy = legacy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back."""
        request_id = self._services.identifiers.request_id()
        tracer, trace, begun_ns = traces.tracer(), None, 0
        headers: Mapping[str, str] = {}
        if tracer is not None:
            begun_ns = tracer.now_ns()
            headers = decode_headers(scope["headers"]) or {}
            trace = tracer.begin(headers, begun_ns)
        client = scope.get("client")
        request = PassedRequest(
            method=scope["method"],
            target=scope["fastpay.target"],
            fields=scope["headers"],
            http_version=scope["http_version"],
            scheme=scope["scheme"],
            client=None if client is None else client[0],
            request_id=request_id,
            trace=None if trace is None else trace.to_headers(),
        )
        body = Body(receive)
        status = 500
        try:
            await body.begin()
            answer = await self._legacy.ask(request, body)
            status = answer.status
            await _pass_back(answer, send)
        except ClientLeft:
            return
        except FastpayError as error:
            status = await self.refuse(scope, send, error, request_id)
        except _BrokeOff as error:
            # Only the end of the connection tells the client that this is not all. The transport logs nothing
            # of a handler that ends like this, and the cause is logged where it was found.
            raise asyncio.CancelledError from error
        except OSError:
            # The client left while it was written to.
            return
        if tracer is not None and (trace is not None or tracer.is_kept(status, begun_ns)):
            tracer.answered(
                trace,
                scope,
                # Clients must not be able to create routes in traces.
                None,
                status=status,
                request_id=request_id,
                begun_ns=begun_ns,
                headers=headers,
            )

    async def refuse(
        self, scope: Scope, send: Send, error: FastpayError, request_id: str | None = None
    ) -> int:
        """Answer with an error in the dialect; return its status."""
        request_id = request_id or self._services.identifiers.request_id()
        headers = dict(decode_headers(scope["headers"]) or {})
        reply = failure(error, headers, public_url=self._services.settings.public_url)
        echoes = self._services.cors.headers(headers["origin"]) if "origin" in headers else []
        await respond(send, reply, echoes, request_id, is_head=scope["method"] == "HEAD")
        return reply.status


class Body:
    """Satisfies `PassedBody` over an ASGI `receive`."""

    def __init__(self, receive: Receive) -> None:
        self.first = b""
        self.is_whole = False
        self._receive = receive

    async def begin(self) -> None:
        """Wait for the first piece. Raises: ClientLeft."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        self.first, self.is_whole = message.get("body", b""), not message.get("more_body", False)

    async def next(self) -> bytes | None:
        """Return the next piece, None at the end. Raises: ClientLeft."""
        if self.is_whole:
            return None
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        self.is_whole = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece

    async def until_left(self) -> None:
        """Return once the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class _BrokeOff(Exception):
    """An answer of which the client has a part broke off."""


async def _pass_back(answer: PassedAnswer, send: Send) -> None:
    """Send an answer as it comes. Raises: FastpayError before anything was sent, _BrokeOff, ClientLeft."""
    try:
        # The first piece is often all of it, and goes with the head.
        piece = await answer.next()
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.fields})
        try:
            while piece is not None:
                is_last = answer.is_over
                await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
                if is_last:
                    return
                piece = await answer.next()
        except FastpayError as error:
            raise _BrokeOff from error
    finally:
        answer.close()
    await send({"type": "http.response.body", "body": b""})
