"""One request to the legacy API and its answer, both in pieces as they come.

    begin:  head and first piece are written; a task sends the rest of the body, if there is one
            the head of the answer is awaited
    next:   pieces of the answer; the socket is not read while nobody takes them
    close:  the connection goes back to the pool only if both messages are over

The client may leave at any time, and the legacy API may answer before it has the whole body. In both cases
the connection is closed: what is still on its way belongs to no other request. A task that waits for the
client to leave is begun only if the answer is not over at the pool's next look: most are.
"""

import asyncio
from collections.abc import Callable

from fastpay._native.passed_fields import answer_fields
from fastpay.engine.rollout.ports import ClientLeft, Fields, PassedBody, PassedRequest
from fastpay.errors import FastpayError, LegacyBroke, LegacyFailed, LegacySilent, LegacyTimedOut
from fastpay.observability import telemetry
from fastpay.outbound.http1.connection import Connection

_log = telemetry.Log("fastpay.legacy")

# RFC 9110 9.2.1. For all others nobody knows what became of a request without an answer.
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


class Lost(Exception):
    """There is no answer. `is_unanswered`: the connection ended before anything of one came."""

    def __init__(self, error: FastpayError, *, is_unanswered: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.is_unanswered = is_unanswered


class Exchange:
    """Satisfies `PassedAnswer` once it has begun. `let_go` is told whether both messages are over."""

    def __init__(
        self,
        connection: Connection,
        request: PassedRequest,
        body: PassedBody,
        *,
        is_chunked: bool,
        let_go: Callable[[Connection, bool], None],
    ) -> None:
        self.status = 0
        self.fields: Fields = ()
        self._connection = connection
        self._reader = connection.reader
        self._request = request
        self._body = body
        self._is_chunked = is_chunked
        self._let_go = let_go
        self._task: asyncio.Task[None] | None = None
        self._is_sent = self._has_client_left = self._is_closed = False

    @property
    def is_over(self) -> bool:
        """Whether all of the body was returned: `next` would return None."""
        return self._reader.is_over and not self._reader.buffered

    async def begin(self, head: bytes) -> None:
        """Send the request, and return once the head of the answer is here. Raises: Lost, ClientLeft."""
        connection, reader, body = self._connection, self._reader, self._body
        connection.begin(self._request.method, self._watch)
        try:
            connection.write(head + (self._framed(body.first) if self._is_chunked else body.first))
            if body.is_whole:
                self._sent()
            else:
                self._task = asyncio.create_task(self._send(), name="pass a body on")
            while not reader.status:
                await connection.heard()
        except Exception as error:
            if self._has_client_left:
                raise ClientLeft from error
            is_unanswered = isinstance(error, ConnectionError) and not reader.has_begun
            raise Lost(self._failure(error), is_unanswered=is_unanswered) from error
        self.status = reader.status
        self.fields = answer_fields(reader.status, reader.fields, self._request.request_id)

    async def next(self) -> bytes | None:
        """Return the next piece of the answer's body, None at its end. Raises: FastpayError, ClientLeft."""
        reader = self._reader
        while True:
            if piece := reader.take():
                return piece
            if reader.is_over:
                return None
            try:
                await self._connection.heard()
            except Exception as error:
                if self._has_client_left:
                    raise ClientLeft from error
                raise self._failure(error) from error

    def close(self) -> None:
        """Let go of the connection."""
        if not self._is_closed:
            self.abandon()
            self._let_go(self._connection, self._is_sent and self._reader.is_over)

    def abandon(self) -> None:
        """Stop using the connection. Whoever lent it takes it back."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()

    def _watch(self) -> None:
        """Wait for the client to leave, beside the answer."""
        if self._body.is_whole and self._task is None:
            self._task = asyncio.create_task(self._await_leaving(), name="await a client's leaving")

    async def _await_leaving(self) -> None:
        await self._body.until_left()
        self._has_client_left = True
        self._connection.fail(ConnectionAbortedError("the client has left"))

    async def _send(self) -> None:
        """Send the rest of the body, then wait until the client leaves or this is cancelled."""
        connection = self._connection
        try:
            await connection.drain()
            while (piece := await self._body.next()) is not None:
                if piece:
                    connection.write(self._framed(piece))
                    await connection.drain()
            if self._is_chunked:
                connection.write(b"0\r\n\r\n")
            self._sent()
            await self._body.until_left()
        except ClientLeft:
            pass
        except OSError:
            # The connection has ended: who reads the answer finds out. One that came before is still good.
            return
        self._has_client_left = True
        connection.fail(ConnectionAbortedError("the client has left"))

    def _framed(self, piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._is_chunked and piece else piece

    def _sent(self) -> None:
        """Note that the request is complete. From now on the legacy API may be silent for so long only."""
        self._is_sent = True
        self._connection.await_answer()

    def _failure(self, error: Exception) -> FastpayError:
        """Return what the client is told, and log it."""
        is_late, is_safe = isinstance(error, TimeoutError), self._request.method in _SAFE
        reason = str(error) or type(error).__name__
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
