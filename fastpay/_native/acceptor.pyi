"""Takes in connections, within bounds for each client address."""

import ssl
from collections.abc import Callable
from typing import Protocol

from fastpay._native.poller import Door, Poller
from fastpay._native.service import Service

class Buckets(Protocol):
    """Token buckets by address."""

    def take(self, group: str, now_ns: int) -> bool:
        """Take one token; return False where there is none."""

class Admission(Protocol):
    """What the acceptor asks about an address."""

    connections_max: int
    handshakes_max: int
    now_ns: Callable[[], int]
    @property
    def connects(self) -> Buckets:
        """How often an address may connect."""

    @property
    def handshakes(self) -> Buckets:
        """How often an address may begin a TLS handshake."""

    def group_of(self, host: str | None) -> str:
        """Return the name of the peer that a host belongs to."""

    def turn_away(self, reason: int, group: str) -> bytes | None:
        """Return what to send to a connection that is refused, or None to reset it."""

class Acceptor(Door):
    """Decides which connections are taken in, by what the admission says of their addresses.

    With a `context` they speak TLS.
    """

    def __init__(
        self, poller: Poller, service: Service, admission: Admission, context: ssl.SSLContext | None
    ) -> None: ...
