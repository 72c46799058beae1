"""HTTP/2 on one connection: its bytes, its deadlines and its end."""

from collections.abc import Callable
from typing import Any

from fastpay._native.http2_guard import Guard
from fastpay._native.http2_request import RequestPolicy
from fastpay._native.http2_sending import Http2Owner
from fastpay._native.service import Service
from fastpay.server.http2_events import Headers, Http2Codec

class Http2Connection(Http2Owner):
    """Carries bytes between a transport and the guard, and keeps the connection's deadlines.

    `refuse(reason)` returns status, fields and body of a refusal. `lingering` is a
    `fastpay.server.http2_linger.LingeringStreams`.
    """

    transport: Any
    guard: Guard | None
    def __init__(
        self,
        service: Service,
        settings: Any,
        *,
        policy: RequestPolicy,
        codec: Http2Codec,
        refuse: Callable[[int], tuple[int, Headers, bytes]],
        lingering: Any,
    ) -> None: ...
    def connection_made(self, transport: Any) -> None:
        """Register the connection, and send the server's settings."""

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the handlers that the client is gone."""

    def data_received(self, data: bytes) -> None:
        """Read frames, up to the client's budget."""

    def flush(self) -> None:
        """Write the pending bytes, then decide whether the connection goes on."""

    def retire(self) -> None:
        """Accept no new requests, and close when the running ones are answered."""

    def abort(self) -> None:
        """Drop the connection and everything in flight on it."""
