"""One connection to a server: requests go out on it one by one, and each is answered before the next.

    begin ---> write, drain ... sent ---> heard ... ---> release: `is_idle` until the next begin
                                                    or:  fail, close

What comes while nobody asks closes it: it would be taken for the next answer. Reading stops while nobody
takes the answer, and `drain` waits while the socket takes no more of the request.

A request has a deadline (`begin`), or the server may be silent for so long only (`await_answer`), or both.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any, cast

from fastpay import limits
from fastpay.outbound.http1.answers import AnswerMalformedError, AnswerReader


class Turns:
    """A coarse clock for everything that has a deadline: how often the pool has looked through it.

    A process that stood still has not looked, so that its own delay is nobody's silence. Before `due_s`, a
    time of the event loop's clock, no request comes to its deadline.
    """

    __slots__ = ("due_s", "now")

    def __init__(self) -> None:
        self.now = 0
        self.due_s = math.inf


class Connection(asyncio.Protocol):
    """`reader` has what came of the answer, `error` why there will be no more."""

    __slots__ = (
        *(
            "_drained",
            "_heard",
            "_is_reading_paused",
            "_is_writing_paused",
            "_loop",
            "_noticed",
            "_told",
            "_transport",
        ),
        *("_turns", "error", "is_awaited", "is_idle", "is_open", "reader", "since", "until_s", "was_used"),
    )

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        # To ask for it is a system call.
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._heard: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._noticed: Callable[[], None] | None = None
        self._told: Callable[[], None] | None = None
        self._is_reading_paused = self._is_writing_paused = False
        self.reader = AnswerReader()
        self.error: Exception | None = None
        # Whether it is the server's turn: only then silence counts. `since` is when it last did anything, or
        # its turn began.
        self.is_awaited = False
        self.since = 0
        self.is_open = self.is_idle = True
        # The deadline of the request.
        self.until_s = math.inf
        # The server may have closed a connection that it has answered on before.
        self.was_used = False

    def begin(
        self,
        method: str,
        noticed: Callable[[], None] | None = None,
        *,
        until_s: float = math.inf,
        told: Callable[[], None] | None = None,
    ) -> None:
        """Expect an answer, until this time of the event loop's clock.

        `noticed` is called once if the answer is not over at the next look. `told` is for who does not wait
        for `heard`: it is called each time when more came of the answer, and when nothing more comes.
        """
        self.reader.expect(method)
        turns = self._turns
        self._noticed, self._told, self.since, self.until_s = noticed, told, turns.now, until_s
        self.is_idle = self.is_awaited = False
        if until_s < turns.due_s:  # noqa: PLR1730  every request comes here, and a call takes longer
            turns.due_s = until_s

    def write(self, data: bytes) -> None:
        """Send a piece of the request. Raises: ConnectionError."""
        if not self.is_open or self._transport is None:
            raise self.error or ConnectionResetError("the connection has ended")
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the socket takes more. Raises: what ended the connection."""
        while self._is_writing_paused:
            if self.error is not None:
                raise self.error
            self.await_answer()
            self._drained = self._loop.create_future()
            await self._drained
        self.is_awaited = False

    def await_answer(self) -> None:
        """Begin the server's turn."""
        self.is_awaited, self.since = True, self._turns.now

    def heard(self) -> asyncio.Future[None]:
        """Return what is done once more came of the answer. Raises: what ended the connection."""
        if self.error is not None:
            raise self.error
        self.read_on()
        self._heard = self._loop.create_future()
        return self._heard

    def read_on(self) -> None:
        """Read again, after more of the answer came than somebody had to take."""
        if self._is_reading_paused and self._transport is not None:
            self._transport.resume_reading()
            self._is_reading_paused, self.since = False, self._turns.now

    def release(self) -> bool:
        """Let go of the connection after an answer; return whether it may have another request."""
        self._noticed, self._told, self.is_awaited = None, None, False
        if not self.is_open or not self.reader.keeps or self._is_writing_paused:
            self.close()
            return False
        if self._is_reading_paused and self._transport is not None:
            self._transport.resume_reading()
            self._is_reading_paused = False
        self.is_idle = self.was_used = True
        self.since = self._turns.now
        return True

    def fail(self, error: Exception) -> None:
        """Close the connection, and tell whoever waits for it."""
        if self.error is None:
            self.error = error
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    def close(self) -> None:
        """Close the connection, for which nobody waits any more."""
        self.is_open, self._noticed, self._told = False, None, None
        if self._transport is not None:
            # Politely, which says goodbye over TLS, unless there is something left to send.
            if self.is_idle or (self.reader.is_over and not self._is_writing_paused):
                self._transport.close()
            else:
                self._transport.abort()
        self.reader.close()

    def look(self, turns_max: int, now_s: float) -> None:
        """Fail if the server is late; called once a turn while there is a request."""
        if now_s >= self.until_s and not self.reader.is_over:
            # What came while the process stood still has been read: event loops look at sockets first.
            self.fail(TimeoutError("the server did not answer in time"))
            return
        quiet = self._turns.now - self.since
        if self._noticed is not None:
            noticed, self._noticed = self._noticed, None
            noticed()
        if quiet > turns_max and self.is_awaited and not (self._is_reading_paused or self.reader.is_over):
            self.fail(TimeoutError("it was silent for too long"))

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        if transport.get_extra_info("ssl_object") is not None:
            # While nobody takes the answer, uvloop must not read on: at the end of the connection it drops
            # what it has decrypted and not handed over.
            cast("Any", transport).set_read_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        reader = self.reader
        if self.is_idle or not self.is_open:
            self.close()
            return
        if reader.is_over:
            reader.keeps = False
            return
        self.since = self._turns.now
        try:
            reader.feed(data)
        except AnswerMalformedError as error:
            self.fail(error)
            return
        if reader.buffered > limits.outbound_ahead_bytes_max and self._transport is not None:
            self._transport.pause_reading()
            self._is_reading_paused = True
        if self.is_awaited:
            self._end_if_last()
        if reader.status:
            self._wake()

    def eof_received(self) -> None:
        """Note that nothing more comes. The transport closes itself."""
        self._ended(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end. One that was not announced may have cut the answer off (RFC 9112 9.8)."""
        self._ended(error or ConnectionResetError("the connection ended without notice"))
        self._transport = None
        self.reader.close()

    def pause_writing(self) -> None:
        """Have `drain` wait."""
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        """Have `drain` go on."""
        self._is_writing_paused = False
        self._wake_writer()

    def _end_if_last(self) -> None:
        """Close after the last answer of a connection: a worker of the server may wait for that."""
        if self.reader.is_over and not self.reader.keeps and self._transport is not None:
            self._transport.close()

    def _ended(self, error: Exception | None) -> None:
        self.is_open = False
        if self.error is None:
            # A reset is no end: what it cut off may have been more of the answer.
            is_over = self.reader.end() if error is None else self.reader.is_over
            if not is_over:
                self.error = error or ConnectionResetError("the connection ended before the answer did")
        self._wake()

    def _wake(self) -> None:
        if self._told is not None:
            # The last that happens in a turn: it may let go of the connection.
            self._told()
            return
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)
        if self.error is not None:
            self._wake_writer()

    def _wake_writer(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
