"""The pool of connections to receivers: an address is checked, and then that address is connected to.

The names of receivers are looked up apart from all others. A lookup waits in the C library for as long as the
servers of the name let it, and cannot be ended. Whoever owns an endpoint chooses its name. The event loop has
four threads for lookups, by which it also connects to the database; so a few names without an answer would
take these from payments. Here each lookup has a thread of its own, which no stop of the process waits for,
and there may be more of them than one tenant has endpoints.
"""

import asyncio
import socket
import ssl
from _thread import start_new_thread
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from fastpay import limits
from fastpay.outbound.address_policy import AddressPolicy

# Returns what `getaddrinfo` returns for a host and a port.
Resolve = Callable[[str, int], Awaitable[Sequence[Any]]]


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


class Lookups:
    """Asks the system for addresses, `count` names at a time."""

    def __init__(self, count: int = limits.webhook_lookups_max) -> None:
        self._slots = asyncio.Semaphore(count)

    async def resolve(self, host: str, port: int) -> Sequence[Any]:
        """Return what `getaddrinfo` returns. Raises: OSError, UnicodeError."""
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[Any]] = loop.create_future()

        def end(addresses: Sequence[Any], error: Exception | None) -> None:
            # Only now: a thread is there until its lookup ends, though nobody waits for it any more.
            self._slots.release()
            if found.done():
                return
            if error is None:
                found.set_result(addresses)
            else:
                found.set_exception(error)

        def look() -> None:
            addresses: Sequence[Any] = ()
            failed: Exception | None = None
            try:
                addresses = socket.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
            except Exception as error:  # noqa: BLE001  whoever waits gets it
                failed = error
            # The loop may have been closed meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(end, addresses, failed)

        try:
            # `threading` would wait until the thread runs, and the event loop with it.
            start_new_thread(look, ())
        except RuntimeError as error:
            self._slots.release()
            raise OSError("the system has no thread left") from error
        return await found


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
