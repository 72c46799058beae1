"""Accepts connections, within bounds for each client address."""

import ssl
from collections.abc import Callable
from typing import Protocol

from fastpay._native.poller import AcceptHandler, Poller
from fastpay._native.service import Service

class Buckets(Protocol):
    """Token buckets by address."""

    def take(self, group: str, now_ns: int) -> bool:
        """Take one token; return False if there is none."""

class Admission(Protocol):
    """Answers the acceptor's questions about an address."""

    connections_max: int
    handshakes_max: int
    now_ns: Callable[[], int]
    @property
    def connects(self) -> Buckets:
        """The rate of new connections."""

    @property
    def handshakes(self) -> Buckets:
        """The rate of new TLS handshakes."""

    def group_of(self, host: str | None) -> str:
        """Return the name of the peer that a host belongs to."""

    def turn_away(self, reason: int, group: str) -> bytes | None:
        """Return the response to a refused connection, or None to reset it."""

class Acceptor(AcceptHandler):
    """Accepts or refuses connections, by the admission's bounds for their addresses.

    With a `context` they speak TLS.
    """

    def __init__(
        self, poller: Poller, service: Service, admission: Admission, context: ssl.SSLContext | None
    ) -> None: ...
