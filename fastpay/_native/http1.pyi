"""The HTTP/1.1 protocol of one connection, and what all connections of a server share."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastpay._native.runner import Runner
from fastpay._native.wheel import Node, Wheel
from fastpay.clock import Clock

HEAD_TIMEOUT: int
BODY_TIMEOUT: int
CONNECTIONS_EXHAUSTED: int
HANDLER_FAILED: int

class Service:
    """One application, its limits, and what its connections share.

    `refuse(reason, is_head)` gives the bytes of an answer without the application. `switch_to_http2()`
    makes the protocol for a connection that turned out to speak HTTP/2, or is None. `state` is copied into
    every scope unless it is None. `forwarded`, where set, may change a scope by what a proxy says.
    """

    app: Any
    loop: asyncio.AbstractEventLoop
    wheel: Wheel
    runner: Runner
    template: dict[str, Any]
    state: dict[str, Any] | None
    forwarded: Callable[[dict[str, Any]], None] | None
    draining: bool
    connection_count: int
    request_count: int
    def __init__(
        self,
        app: Any,
        loop: asyncio.AbstractEventLoop,
        settings: Any,
        *,
        clock: Clock,
        refuse: Callable[[int, bool], bytes],
        switch_to_http2: Callable[[], asyncio.Protocol] | None,
        server: tuple[str, int | None] | None,
        scheme: str,
    ) -> None: ...
    def enter(self) -> None:
        """Count a connection that another protocol serves."""

    def leave(self) -> None:
        """Count it no longer."""

    def count_request(self) -> None:
        """Count a request that another protocol serves."""

    def connections(self) -> list[Connection]:
        """Return all open HTTP/1.1 connections."""

class Connection(Node):
    """An asyncio protocol that speaks HTTP/1.1 and hands HTTP/2 over to its own protocol."""

    def __init__(self, service: Service) -> None: ...
    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to read."""

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the handler that nobody listens any more."""

    def data_received(self, data: bytes) -> None:
        """Read what came, and start the handlers of requests that are complete."""

    def eof_received(self) -> bool:
        """Tell whether the connection stays open for writing."""

    def pause_writing(self) -> None:
        """Let handlers wait with what they send."""

    def resume_writing(self) -> None:
        """Let handlers send again."""

    def retire(self) -> None:
        """Close now if nothing is running here, or else as soon as the answer is written."""

    def abort(self) -> None:
        """Drop the connection with whatever is on its way."""

    @property
    def is_idle(self) -> bool:
        """Whether no request is here."""
