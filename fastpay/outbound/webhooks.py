"""Delivers events to webhook endpoints: one signed POST an attempt, to an address that was checked.

It is aiohttp underneath, for the reasons that `http.py` names. What it needs beyond that client: a hook where
a socket is made for an address, so that this address is the one that is checked; pools that many endpoints
share; and an answer that counts by its status, of which only the beginning is read.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec
import yarl
from multidict import CIMultiDict, istr

import fastpay
from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.relay.ports import Delivery, DeliveryOutcome, Failure, Target
from fastpay.observability import traces
from fastpay.outbound import delivery_times
from fastpay.outbound.address_policy import AddressPolicy, AddressRefused
from fastpay.outbound.signatures import WebhookSigner

if TYPE_CHECKING:
    import aiohttp

# Returns what `getaddrinfo` returns for a host and a port.
Resolve = Callable[[str, int], Awaitable[Sequence[Any]]]

# What is looked up again and again knows its own lower case.
_SIGNED = {
    name.encode(): istr(name.title())
    for name in ("stripe-signature", "webhook-id", "webhook-timestamp", "webhook-signature")
}
_SEQUENCE, _PREVIOUS, _ATTEMPT = map(
    istr, ("Fastpay-Sequence", "Fastpay-Previous-Sequence", "Fastpay-Attempt")
)
_FIXED = {
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": f"fastpay/{fastpay.__version__} (+webhooks)",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator chooses. With a `proxy`, that resolves the names and decides about addresses."""

    allowed_networks: tuple[str, ...] = ()
    proxy: str | None = None


class _Prepared(msgspec.Struct, frozen=True):
    """What is made of a target once."""

    target: Target
    url: yarl.URL
    signer: WebhookSigner
    # The endpoint's own, and those that are the same for all deliveries.
    headers: CIMultiDict[str]
    slots: asyncio.Semaphore


class _Refused(Exception):
    """A target that nothing is sent to. Its text is the reason."""


class WebhookDeliverer:
    """Satisfies `Deliverer`. It belongs to the event loop of its first delivery.

    `resolve` finds the addresses of a host, `tls` has the certificates that are trusted; both are the
    system's by default.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        clock: Clock,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        timeout_ms: int = limits.webhook_timeout_ms,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._resolve = resolve or _system_resolve
        self._tls = tls
        self._timeout_ms = timeout_ms
        self._policy = AddressPolicy(settings.allowed_networks)
        self._prepared: dict[str, _Prepared] = {}
        # One for each policy: the pool of one must not hold connections that the other would refuse.
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def deliver(self, delivery: Delivery) -> DeliveryOutcome:
        """Make one attempt, within the time limit. It never raises; cancelling it ends it."""
        begun_ns = self._clock.monotonic_ns()
        outcome = await self._attempt(delivery, begun_ns)
        delivery_times.count(outcome, self._clock.monotonic_ns() - begun_ns)
        return outcome

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    async def _attempt(self, delivery: Delivery, begun_ns: int) -> DeliveryOutcome:
        try:
            prepared = self._prepare(delivery.target)
            if self._tls is None:
                # Once, and beside the event loop: it takes as long as many payments.
                self._tls = await asyncio.to_thread(_load)
            async with prepared.slots:
                status, headers, excerpt = await self._send(prepared, delivery)
        except _Refused as error:
            return self._failed("address_refused", str(error), begun_ns)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the outcome
            return self._failed(_failure_of(error), _reason_of(error), begun_ns)
        return DeliveryOutcome(
            status=status,
            latency_ms=self._since_ms(begun_ns),
            excerpt=_excerpt(excerpt.decode("utf-8", "replace")),
            retry_after_s=self._retry_after(headers.get("Retry-After")),
        )

    async def _send(self, prepared: _Prepared, delivery: Delivery) -> tuple[int, Mapping[str, str], bytes]:
        """Return the status, the headers and the beginning of the body of the answer."""
        url = prepared.url
        headers = self._headers(prepared, delivery)
        tracer = traces.tracer()
        if tracer is None or (trace := tracer.delivery(delivery.request_id)) is None:
            return await self._post(prepared, delivery, headers)
        # The endpoint's own headers may not choose the trace. The caller's tracestate is not the receiver's.
        headers["Traceparent"], _ = trace.to_headers()
        status = None
        try:
            answer = await self._post(prepared, delivery, headers)
            status = answer[0]
            return answer
        finally:
            tracer.delivered(trace, url.scheme, url.host or "", url.port or 443, status=status)

    async def _post(
        self, prepared: _Prepared, delivery: Delivery, headers: CIMultiDict[str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        url, live = prepared.url, prepared.target.livemode
        async with self._session(is_plain=live and url.scheme == "http").post(
            url,
            data=delivery.body,
            headers=headers,
            allow_redirects=False,
            proxy=self._settings.proxy,
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk[: limits.webhook_excerpt_bytes_max]
                if response.content.total_bytes > limits.webhook_answer_bytes_max:
                    response.close()
                    break
            return response.status, response.headers, bytes(body[: limits.webhook_excerpt_bytes_max])

    def _headers(self, prepared: _Prepared, delivery: Delivery) -> CIMultiDict[str]:
        """Return the headers. Those of the endpoint come first: none of them can replace one of ours."""
        headers = prepared.headers.copy()
        timestamp = self._clock.now_ms() // 1000
        for name, value in prepared.signer.headers(delivery.event_id, delivery.body, timestamp):
            headers[_SIGNED[name]] = value.decode()
        headers[_SEQUENCE] = str(delivery.sequence)
        headers[_PREVIOUS] = str(delivery.previous_sequence)
        headers[_ATTEMPT] = str(delivery.attempt)
        return headers

    def _prepare(self, target: Target) -> _Prepared:
        """Return what is made of a target. Raises: _Refused."""
        prepared = self._prepared.get(target.endpoint_id)
        if prepared is not None and prepared.target is target:
            return prepared
        try:
            url = yarl.URL(target.url, encoded=True)
            host, _ = url.host, url.port
        except ValueError as error:
            raise _Refused("the URL is not valid") from error
        if url.scheme not in {"http", "https"} or not host or url.user is not None:
            raise _Refused("the URL is not valid")
        if target.livemode and url.scheme == "http" and not self._may_be_plain():
            raise _Refused("live events are sent over HTTPS only")
        if self._settings.proxy is not None:
            try:
                self._policy.check_host(host)
            except AddressRefused as error:
                raise _Refused(str(error)) from error
        prepared = _Prepared(
            target,
            url.with_fragment(None),
            WebhookSigner(*target.secrets),
            _lasting_headers(target),
            asyncio.Semaphore(limits.webhook_endpoint_connections_max),
        )
        if len(self._prepared) >= limits.webhook_targets_kept:
            self._prepared.clear()
        self._prepared[target.endpoint_id] = prepared
        return prepared

    def _may_be_plain(self) -> bool:
        """Tell whether some addresses may be sent live events without TLS. A proxy hides the address."""
        return bool(self._settings.allowed_networks) and self._settings.proxy is None

    def _session(self, *, is_plain: bool) -> "aiohttp.ClientSession":
        session = self._sessions.get(is_plain)
        if session is None:
            policy = AddressPolicy(self._settings.allowed_networks, only_allowed=True)
            session = self._open(policy if is_plain else self._policy)
            self._sessions[is_plain] = session
        return session

    def _open(self, policy: AddressPolicy) -> "aiohttp.ClientSession":
        import aiohttp  # noqa: PLC0415 - see `_load`

        return aiohttp.ClientSession(
            connector=self._connector(policy),
            timeout=aiohttp.ClientTimeout(
                total=self._timeout_ms / 1000,
                sock_connect=min(self._timeout_ms, limits.webhook_connect_timeout_ms) / 1000,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    def _connector(self, policy: AddressPolicy) -> "aiohttp.BaseConnector":
        import aiohttp  # noqa: PLC0415 - see `_load`

        is_direct = self._settings.proxy is None
        return aiohttp.TCPConnector(
            limit=limits.webhook_connections_max,
            keepalive_timeout=limits.webhook_idle_connection_ms / 1000,
            ttl_dns_cache=limits.webhook_resolved_ms // 1000,
            dns_cache_max_size=limits.webhook_targets_kept,
            resolver=_resolver(self._resolve, policy if is_direct else None),
            socket_factory=_socket_factory(policy) if is_direct else None,
            ssl=self._tls or True,
        )

    def _failed(self, failure: Failure, reason: str, begun_ns: int) -> DeliveryOutcome:
        return DeliveryOutcome(failure=failure, latency_ms=self._since_ms(begun_ns), excerpt=_excerpt(reason))

    def _since_ms(self, begun_ns: int) -> int:
        return (self._clock.monotonic_ns() - begun_ns) // 1_000_000

    def _retry_after(self, header: str | None) -> int | None:
        """Return the seconds in a Retry-After header (RFC 9110 10.2.3), None for one that says nothing."""
        if header is None:
            return None
        text = header.strip()
        if text.isascii() and text.isdigit():
            seconds = int(text[:12])
        else:
            try:
                until_s = parsedate_to_datetime(text).timestamp()
            except (ValueError, OverflowError, TypeError):
                return None
            seconds = int(until_s) - self._clock.now_ms() // 1000
        return min(max(seconds, 0), limits.webhook_retry_after_s_max)


def _lasting_headers(target: Target) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in (*target.headers, *_FIXED.items()):
        headers[istr(name)] = value
    return headers


def _load() -> ssl.SSLContext:
    """Import the client, which many processes never need, and return the certificates that are trusted."""
    import aiohttp  # noqa: F401, PLC0415

    return ssl.create_default_context()


def _socket_factory(policy: AddressPolicy) -> Callable[[Any], socket.socket]:
    """Return what makes the sockets of connections, for addresses that may be connected to only."""

    def make(found: Any) -> socket.socket:
        family, kind, protocol, _, address = found
        policy.check(address[0])
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return make


def _resolver(resolve: Resolve, policy: AddressPolicy | None) -> Any:
    """Return a resolver for the client that returns addresses only if each of them may be connected to.

    It is `Any` since its base class is in a library that is imported late.
    """
    from aiohttp.abc import AbstractResolver  # noqa: PLC0415 - see `_load`

    class Resolver(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[Any]:
            found = (await resolve(host, port))[: limits.webhook_addresses_max]
            addresses = []
            for own_family, _, protocol, _, address in found:
                if policy is not None:
                    policy.check(address[0])
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

    return Resolver()


async def _system_resolve(host: str, port: int) -> Sequence[Any]:
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


def _failure_of(error: Exception) -> Failure:
    """Return what kind of failure an error of the client is."""
    import aiohttp  # noqa: PLC0415 - see `_load`

    if isinstance(error, AddressRefused) or isinstance(getattr(error, "os_error", None), AddressRefused):
        return "address_refused"
    # The first that fits: several are each other's base classes.
    kinds: tuple[tuple[type[Exception], Failure], ...] = (
        (aiohttp.ClientSSLError, "tls_failed"),
        (aiohttp.ClientConnectorDNSError, "not_resolved"),
        (aiohttp.ClientConnectorError, "not_connected"),
        (aiohttp.ConnectionTimeoutError, "not_connected"),
        (aiohttp.ClientHttpProxyError, "not_connected"),
        (TimeoutError, "timed_out"),
        (aiohttp.ClientResponseError, "malformed"),
        (aiohttp.InvalidURL, "address_refused"),
    )
    return next((failure for kind, failure in kinds if isinstance(error, kind)), "cut_off")


def _reason_of(error: Exception) -> str:
    """Return the reason of a failure, for whoever owns the endpoint."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, AddressRefused):
        return str(cause)
    if isinstance(error, TimeoutError):
        return str(error) or "there was no complete answer in time"
    return getattr(error, "message", "") or str(error) or type(error).__name__


def _excerpt(text: str) -> str:
    """Return the beginning of a text, without what a database or a terminal does not take."""
    # Most answers have nothing to replace, and a loop over their characters would take longer than the rest.
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = "".join(
            character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text
        )
    return text.encode()[: limits.webhook_excerpt_bytes_max].decode("utf-8", "ignore")
