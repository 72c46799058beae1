"""What all connections of a server share: the application, its limits, timers and tasks."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from fastpay._native.histograms import Histograms
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
    """Log the exception that ended a handler, at the level it deserves."""

class Holding(Protocol):
    """Bytes of one request or response."""

    def charge_to(self, name: Hashable) -> None:
        """Charge another account as well."""

    def resize(self, size: int) -> int:
        """Set the number of bytes; return 0, or the reason to refuse and release them."""

    def count(self, size: int) -> None:
        """Set the number of bytes of a request that can no longer be refused."""

    def pin(self) -> None:
        """Protect the bytes from being given up while a handler runs."""

    def unpin(self) -> None:
        """Let the bytes be given up again, because the client has to act."""

    def release(self) -> None:
        """Report that the bytes are freed."""

class BytesBudget(Protocol):
    """The bound on the bytes in flight."""

    def open(self, give_up: Callable[[int], object], names: tuple[Hashable, ...]) -> Holding:
        """Return a holding of no bytes, charged to these accounts."""

    def tick(self) -> None:
        """Return freed memory to the system after a surge; called a few times a second."""

class Service:
    """One application, its limits, and what its connections share.

    `refuse(reason, is_head)` returns the bytes of a response without the application.
    `switch_to_http2(service)` makes the protocol for an HTTP/2 connection, or is None. `state` is copied
    into every scope unless it is None. `forwarded`, if set, may correct a scope by a proxy's fields.
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
    retiring: bool
    date_value: bytes
    http2_connections: set[Any]
    connection_count: int
    request_count: int
    request_times: Histograms | None
    def __init__(
        self,
        app: Any,
        loop: asyncio.AbstractEventLoop,
        settings: Any,
        *,
        clock: Clock,
        refuse: Callable[[int, bool], bytes],
        switch_to_http2: Callable[[Service], Any] | None,
        server: tuple[str, int | None] | None,
        scheme: str,
        is_exempt: Callable[[str | None], bool] = ...,
        group_of: Callable[[str | None], str] = ...,
        bytes_budget: BytesBudget | None = None,
    ) -> None: ...
    def now_ns(self) -> int:
        """Return the monotonic time, for `count_answer`."""

    def count_answer(self, route: int, scope: dict[str, Any], status: int, begun_ns: int) -> None:
        """Count a complete answer of HTTP/2, and the time since `begun_ns`, if requests are timed.

        Route 0 is looked up in the scope.
        """

    def enter(self) -> None:
        """Count a connection of another protocol."""

    def leave(self) -> None:
        """Stop counting it."""

    def when_empty(self, function: Callable[[], object]) -> None:
        """Call a function when no connection is left, which may be now."""

    def count_request(self) -> None:
        """Count a request of another protocol."""
