"""The settings of the server, with the default bounds."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from fastpay import limits
from fastpay.config import Http2Engine

ASGIApplication = Callable[[Any, Any, Any], Awaitable[None]]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, which bounds to apply, and how long to wait.

    `unix` replaces `host` and `port`; port 0 picks a free one. `drain_timeout_ms` bounds how long running
    requests may take after `Server.stop`. `trusted_proxies` are addresses or networks (or the word "unix")
    whose X-Forwarded-For and X-Forwarded-Proto are trusted. A handler starts when its request's body is
    complete or `ahead_bytes_max` of it have arrived; 0 starts it with the head. `single_headers` are fields
    that a request may carry only once. The bounds that begin with `address_` apply to each client address
    (a /64 network of IPv6), but not to trusted proxies; without `address_connections_max` one address may
    hold half of `connections_max`. With `limits_addresses` off none of them applies: then the connection that
    has waited longest makes room for a new one. `inflight_bytes_max` bounds the bytes of all requests and
    responses in flight.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    unix: str | None = None
    reuse_port: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ()
    http2: bool = True
    http2_engine: Http2Engine | None = None
    single_headers: tuple[str, ...] = (
        "Content-Type",
        "Authorization",
        "Idempotency-Key",
        "Stripe-Signature",
        "Content-Encoding",
        "Stripe-Version",
        "Stripe-Account",
    )
    target_bytes_max: int = limits.target_bytes_max
    header_bytes_max: int = limits.header_bytes_max
    header_count_max: int = limits.header_count_max
    body_bytes_max: int = limits.body_bytes_max
    ahead_bytes_max: int = limits.ahead_bytes_max
    linger_bytes_max: int = limits.linger_bytes_max
    connections_max: int = limits.connections_max
    limits_addresses: bool = True
    address_connections_max: int | None = None
    address_connections_per_second: int = limits.address_connections_per_second
    address_handshakes_max: int = limits.address_handshakes_max
    address_handshakes_per_second: int = limits.address_handshakes_per_second
    inflight_bytes_max: int = limits.inflight_bytes_max
    connection_requests_max: int = limits.connection_requests_max
    tick_ms: int = limits.tick_ms
    head_timeout_ms: int = limits.head_timeout_ms
    body_timeout_ms: int = limits.body_timeout_ms
    idle_timeout_ms: int = limits.idle_timeout_ms
    write_timeout_ms: int = limits.write_timeout_ms
    linger_timeout_ms: int = limits.linger_timeout_ms
    drain_timeout_ms: int = limits.drain_timeout_ms
    stop_timeout_ms: int = limits.stop_timeout_ms
