"""The pool of connections to receivers: an address is checked, and then that address is connected to.

Whoever owns an endpoint chooses its name. So lookups have threads of their own (`lookups.py`), and there may
be more of them than one tenant has endpoints.
"""

import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from fastpay import limits
from fastpay.outbound.address_policy import AddressPolicy
from fastpay.outbound.lookups import Resolve


def open_connector(
    policy: AddressPolicy | None, *, tls: ssl.SSLContext, resolve: Resolve
) -> aiohttp.BaseConnector:
    """Return a pool whose connections go where the policy allows it. Without one, a proxy decides that."""
    return aiohttp.TCPConnector(
        limit=limits.webhook_connections_max,
        keepalive_timeout=limits.webhook_idle_connection_ms / 1000,
        ttl_dns_cache=limits.webhook_resolved_ms // 1000,
        dns_cache_max_size=limits.webhook_targets_kept,
        resolver=_Resolver(resolve, policy),
        socket_factory=None if policy is None else _socket_factory(policy),
        ssl=tls,
    )


class _Resolver(AbstractResolver):
    """Returns addresses only if each of them may be connected to."""

    def __init__(self, resolve: Resolve, policy: AddressPolicy | None) -> None:
        self._resolve = resolve
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = (await self._resolve(host, port))[: limits.webhook_addresses_max]
        addresses: list[ResolveResult] = []
        for own_family, _, protocol, _, address in found:
            if self._policy is not None:
                self._policy.check(address[0])
            addresses.append(
                {
                    "hostname": host,
                    "host": address[0],
                    "port": port,
                    "family": own_family,
                    "proto": protocol,
                    "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                }
            )
        return addresses

    async def close(self) -> None:
        """Nothing is open."""


def _socket_factory(policy: AddressPolicy) -> Callable[[Any], socket.socket]:
    """Return what makes the sockets of connections, for addresses that may be connected to only."""

    def make(found: Any) -> socket.socket:
        family, kind, protocol, _, address = found
        policy.check(address[0])
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return make
