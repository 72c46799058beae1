"""One request to the legacy API and its answer, both in pieces as they come.

    begin:  head and first piece are written ---> a task sends the rest of the body, then watches the client
            the head of the answer is awaited
    next:   pieces of the answer; the parser stops reading the socket while nobody takes them
    close:  the task ends; the connection goes back to the pool only if both messages are over

The client may leave at any time, and the legacy API may answer before it has the whole body. In both cases
the connection is closed: what is still on its way belongs to no other request.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.streams import StreamReader

from fastpay import limits
from fastpay.engine.rollout.ports import ClientLeft, Fields, PassedBody, PassedRequest
from fastpay.errors import FastpayError, LegacyBroke, LegacyFailed, LegacySilent, LegacyTimedOut
from fastpay.observability import telemetry
from fastpay.outbound.legacy import fields

_log = telemetry.Log("fastpay.legacy")

# RFC 9110 9.2.1. For all others nobody knows what became of a request without an answer.
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_INFORMATIONAL = range(100, 200)
_FINAL = range(200, 600)
_SWITCHING_PROTOCOLS = 101


class Lost(Exception):
    """There is no answer. `is_unanswered`: the connection ended before anything of one came."""

    def __init__(self, error: FastpayError, *, is_unanswered: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.is_unanswered = is_unanswered


class Exchange:
    """Satisfies `PassedAnswer` once it has begun. `ended` is called when the connection is let go."""

    def __init__(
        self,
        connection: Connection,
        protocol: ResponseHandler,
        request: PassedRequest,
        body: PassedBody,
        *,
        timeout_ms: int,
        ended: Callable[[ResponseHandler], None],
    ) -> None:
        self.status = 0
        self.fields: Fields = ()
        self._connection = connection
        self._protocol = protocol
        self._request = request
        self._body = body
        self._timeout_s = timeout_ms / 1000
        self._ended = ended
        self._content: StreamReader | None = None
        self._sending: asyncio.Task[None] | None = None
        self._is_sent = self._has_client_left = self._is_closed = False

    async def begin(self, head: bytes) -> None:
        """Send the request, and return once the head of the answer is here. Raises: Lost, ClientLeft."""
        is_chunked = not self._body.is_whole and fields.length_of(self._request.fields) is None
        self._protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            skip_payload=self._request.method == "HEAD",
            # Not before the request is complete: aiohttp's timer starts with the first byte of an answer.
            read_timeout=None,
            max_line_size=limits.legacy_head_line_bytes_max,
            max_field_size=limits.legacy_head_line_bytes_max,
            max_headers=limits.legacy_head_fields_max,
        )
        try:
            self._write(head + _framed(self._body.first, is_chunked=is_chunked))
            if self._body.is_whole:
                self._sent()
            self._sending = asyncio.create_task(self._send(is_chunked=is_chunked), name="pass a body on")
            await self._read_head()
        except Exception as error:
            if self._has_client_left:
                raise ClientLeft from error
            raise Lost(self._failure(error), is_unanswered=_is_of_the_connection(error)) from error

    async def next(self) -> bytes | None:
        """Return the next piece of the answer's body, None at its end. Raises: FastpayError, ClientLeft."""
        assert self._content is not None
        try:
            return await self._content.readany() or None
        except Exception as error:
            if self._has_client_left:
                raise ClientLeft from error
            raise self._failure(error) from error

    def close(self) -> None:
        """Let go of the connection."""
        if not self._is_closed:
            self._let_go(is_over=self._is_sent and self._content is not None and self._content.is_eof())
            self._ended(self._protocol)

    def abandon(self) -> None:
        """Close the connection, before there was an answer."""
        if not self._is_closed:
            self._let_go(is_over=False)

    def _let_go(self, *, is_over: bool) -> None:
        self._is_closed = True
        if self._sending is not None:
            self._sending.cancel()
        if is_over:
            self._set_timeout(None)
            # aiohttp closes it as well if the answer says so, or if there is more behind it.
            self._connection.release()
        else:
            self._connection.close()

    async def _read_head(self) -> None:
        """Read the head of the final answer. RFC 9110 15.2: there may be others before it."""
        for _ in range(limits.legacy_informational_max):
            message, content = await self._protocol.read()
            if message.code == _SWITCHING_PROTOCOLS:
                raise fields.FieldsMalformedError("it switches to a protocol that nobody asked for")
            if message.code not in _INFORMATIONAL:
                break
        if message.code not in _FINAL:
            raise fields.FieldsMalformedError("the answer has no final status")
        self.status = message.code
        self.fields = fields.for_client(
            message.code, message.raw_headers, self._request.request_id, is_chunked=message.chunked
        )
        self._content = content
        if content.is_eof():
            self._set_timeout(None)

    async def _send(self, *, is_chunked: bool) -> None:
        """Send the rest of the body, then wait until the client leaves or this is cancelled."""
        try:
            if not self._body.is_whole:
                await self._drain()
                while (piece := await self._body.next()) is not None:
                    if piece:
                        self._write(_framed(piece, is_chunked=is_chunked))
                        await self._drain()
                if is_chunked:
                    self._write(b"0\r\n\r\n")
                self._sent()
            await self._body.until_left()
        except ClientLeft:
            pass
        except (aiohttp.ClientError, OSError):
            # The connection has ended, or takes nothing more: who reads the answer finds out. An answer that
            # came before is still good.
            if not self._protocol.is_connected():
                return
            self._protocol.set_exception(TimeoutError("it did not take the request in time"))
            return
        self._has_client_left = True
        # Whoever waits for the answer is told by the end of the connection.
        self._protocol.abort()

    def _write(self, data: bytes) -> None:
        transport = self._protocol.transport
        if transport is None:
            raise aiohttp.ServerDisconnectedError
        transport.write(data)

    async def _drain(self) -> None:
        """Wait until the socket takes more. Raises: TimeoutError, OSError."""
        if self._protocol.writing_paused:
            async with asyncio.timeout(self._timeout_s):
                await self._protocol._drain_helper()  # noqa: SLF001 - there is no public name

    def _sent(self) -> None:
        """Note that the request is complete. From now on the legacy API may be silent for so long only."""
        self._is_sent = True
        if self._content is None or not self._content.is_eof():
            self._set_timeout(self._timeout_s)

    def _set_timeout(self, seconds: float | None) -> None:
        """Start the timer of the connection anew, or stop it."""
        self._protocol.read_timeout = seconds
        self._protocol.start_timeout()

    def _failure(self, error: Exception) -> FastpayError:
        """Return what the client is told, and log it."""
        is_late, is_safe = isinstance(error, TimeoutError), self._request.method in _SAFE
        reason = str(error).partition("\n")[0] or type(error).__name__
        with suppress(AttributeError):
            reason = error.message.partition("\n")[0] or reason  # type: ignore[attr-defined]
        _log.warning("legacy_request_failed", request_id=self._request.request_id, reason=reason)
        if is_safe:
            if is_late:
                return LegacyTimedOut("The legacy API did not answer in time.")
            return LegacyFailed("The legacy API gave no valid answer.")
        advice = "It may have been carried out. Look up the result before you repeat it."
        if is_late:
            return LegacySilent(
                f"The request was sent to the legacy API, which did not answer in time. {advice}"
            )
        return LegacyBroke(f"The request was sent to the legacy API, which gave no valid answer. {advice}")


def _framed(piece: bytes, *, is_chunked: bool) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked and piece else piece


def _is_of_the_connection(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError | ConnectionError)
