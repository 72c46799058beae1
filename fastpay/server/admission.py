"""Bounds for one client address: which connections are accepted, and how the others are refused."""

import logging
from collections.abc import Callable

from fastpay import limits
from fastpay._native.service import CONNECTION_RATE, CONNECTION_SHARE, HANDSHAKE_RATE
from fastpay.clock import Clock
from fastpay.server.addresses import TokenBuckets, group_of
from fastpay.server.settings import ServerSettings

logger = logging.getLogger(__name__)

_SETTINGS = {
    CONNECTION_SHARE: "address_connections_max",
    CONNECTION_RATE: "address_connections_per_second",
    HANDSHAKE_RATE: "address_handshakes_max or address_handshakes_per_second",
}


class Admission:
    """Counts new connections and TLS handshakes by client address, and refuses those beyond the bounds.

    A trusted proxy is exempt, because its connections belong to many clients.
    """

    def __init__(
        self,
        settings: ServerSettings,
        clock: Clock,
        refuse: Callable[[int, bool], bytes],
        is_trusted: Callable[[str | None], bool],
        *,
        connections_max: int,
    ) -> None:
        self.connections_max = address_connections_max(settings.address_connections_max, connections_max)
        self.handshakes_max = settings.address_handshakes_max
        self.now_ns = clock.monotonic_ns
        self._refuse = refuse
        self._is_trusted = is_trusted
        self._limits_addresses = settings.limits_addresses
        self._answers = settings.tls_cert is None
        # A client may open as many connections at once as it may hold.
        self.connects = TokenBuckets(
            burst=self.connections_max,
            per_second=settings.address_connections_per_second,
            groups_max=limits.addresses_known_max,
        )
        self.handshakes = TokenBuckets(
            burst=settings.address_handshakes_max,
            per_second=settings.address_handshakes_per_second,
            groups_max=limits.addresses_known_max,
        )
        self._answered = TokenBuckets(
            burst=limits.refusals_answered_per_second,
            per_second=limits.refusals_answered_per_second,
            groups_max=1,
        )
        self._refused = dict.fromkeys(_SETTINGS, 0)
        self._warned_ns = dict.fromkeys(_SETTINGS, -limits.refusals_logged_ms * 1_000_000)

    def is_exempt(self, host: str | None) -> bool:
        """Return whether a client is exempt from the bounds for one address.

        A Unix socket has no addresses; file permissions control access to it.
        """
        return host is None or not self._limits_addresses or self._is_trusted(host)

    def group_of(self, host: str | None) -> str:
        """Return the name that a client's bounds are counted under; a trusted proxy has a name of its own."""
        if host is not None and ":" in host and self._is_trusted(host):
            return host
        return group_of(host)

    def turn_away(self, reason: int, group: str) -> bytes | None:
        """Return the response to a refused connection, or None to reset it.

        Only a bounded number of refusals a second get a response, because a flood of connections must be
        cheap to refuse.
        """
        now_ns = self.now_ns()
        self._refused[reason] += 1
        if now_ns - self._warned_ns[reason] >= limits.refusals_logged_ms * 1_000_000:
            self._warned_ns[reason] = now_ns
            refused, self._refused[reason] = self._refused[reason], 0
            advice = f"if this is a proxy, name it in trusted_proxies; otherwise raise {_SETTINGS[reason]}"
            logger.warning(
                "connections_refused",
                extra={"fields": {"address": group, "refused": refused, "advice": advice}},
            )
        if self._answers and self._answered.take("", now_ns):
            return self._refuse(reason, False)
        return None


def address_connections_max(wanted: int | None, connections_max: int) -> int:
    """Return how many connections one address may hold: `wanted`, or half of `connections_max`."""
    return wanted if wanted is not None else max(1, connections_max // 2)
