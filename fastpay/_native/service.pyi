"""What all connections of a server share: the application, its limits, its timers and its tasks."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from fastpay._native.peers import Peers
from fastpay._native.runner import Runner
from fastpay._native.wheel import Wheel
from fastpay.clock import Clock

HEAD_TIMEOUT: int
BODY_TIMEOUT: int
CONNECTIONS_EXHAUSTED: int
HANDLER_FAILED: int
CONNECTION_SHARE: int
CONNECTION_RATE: int
HANDSHAKE_RATE: int
INFLIGHT_EXHAUSTED: int
INFLIGHT_SHARE: int

def log_failure(error: BaseException, is_disconnected: bool) -> None:
    """Say what ended a handler, as loudly as it deserves."""

class Holding(Protocol):
    """Bytes of one request or answer."""

    def charge_to(self, name: Hashable) -> None:
        """Charge another account as well."""

    def resize(self, size: int) -> int:
        """Say how many bytes there are now; return 0, or the reason to refuse and release them."""

    def count(self, size: int) -> None:
        """Say how many bytes there are now, of a request that is refused no more."""

    def pin(self) -> None:
        """Say that a handler is at work, so that the bytes cannot be given up."""

    def unpin(self) -> None:
        """Say that the client has to act again."""

    def release(self) -> None:
        """Say that the bytes are freed."""

class BytesBudget(Protocol):
    """What bounds the bytes in flight."""

    def open(self, give_up: Callable[[int], object], names: tuple[Hashable, ...]) -> Holding:
        """Return a holding without bytes that is charged to these accounts."""

    def tick(self) -> None:
        """Give freed memory back to the system where a surge is over; called a few times a second."""

class Service:
    """One application, its limits, and what its connections share.

    `refuse(reason, is_head)` gives the bytes of an answer without the application. `switch_to_http2(service)`
    makes the protocol for a connection that turned out to speak HTTP/2, or is None. `state` is copied into
    every scope unless it is None. `forwarded`, where set, may change a scope by what a proxy says.
    """

    app: Any
    loop: asyncio.AbstractEventLoop
    wheel: Wheel
    runner: Runner
    peers: Peers
    bytes_budget: BytesBudget | None
    group_of: Callable[[str | None], str]
    template: dict[str, Any]
    state: dict[str, Any] | None
    forwarded: Callable[[dict[str, Any]], None] | None
    draining: bool
    date_value: bytes
    http2_connections: set[Any]
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
        switch_to_http2: Callable[[Service], asyncio.Protocol] | None,
        server: tuple[str, int | None] | None,
        scheme: str,
        is_exempt: Callable[[str | None], bool] = ...,
        group_of: Callable[[str | None], str] = ...,
        bytes_budget: BytesBudget | None = None,
    ) -> None: ...
    def enter(self) -> None:
        """Count a connection that another protocol serves."""

    def leave(self) -> None:
        """Count it no longer."""

    def when_empty(self, function: Callable[[], object]) -> None:
        """Call a function once no connection is left, which may be now."""

    def count_request(self) -> None:
        """Count a request that another protocol serves."""
