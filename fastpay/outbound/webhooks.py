"""Delivers events to webhook endpoints: one signed POST an attempt, to an address that was checked.

It is aiohttp underneath, for the reasons that `http.py` names. What it needs beyond that client: a hook where
a socket is made for an address, so that this address is the one that is checked (`connector.py`); pools that
many endpoints share; and an answer that counts by its status, of which only the beginning is read
(`exchange.py`).
"""

import asyncio
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec
import yarl

import fastpay
from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.relay.ports import Delivery, DeliveryOutcome, Failure, Target
from fastpay.observability import traces
from fastpay.outbound import delivery_times
from fastpay.outbound.address_policy import AddressPolicy, AddressRefused
from fastpay.outbound.lookups import Lookups, Resolve
from fastpay.outbound.signatures import WebhookSigner

if TYPE_CHECKING:
    import aiohttp

    from fastpay.outbound.exchange import Answer, Destination

_FIXED = {
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": f"fastpay/{fastpay.__version__} (+webhooks)",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
_TRACEPARENT = "traceparent"
# What each delivery has of its own. An endpoint's headers replace neither these nor the fixed ones.
_CHANGING = frozenset(
    (
        *("stripe-signature", "webhook-id", "webhook-timestamp", "webhook-signature"),
        *("fastpay-sequence", "fastpay-previous-sequence", "fastpay-attempt"),
        *("host", "content-length", "transfer-encoding", "connection", "expect", "proxy-authorization"),
    )
)


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator chooses. With a `proxy`, that resolves the names and decides about addresses."""

    allowed_networks: tuple[str, ...] = ()
    proxy: str | None = None


class _Prepared(msgspec.Struct, frozen=True):
    """What is made of a target once."""

    target: Target
    signer: WebhookSigner
    destination: "Destination"
    # The endpoint's own, which gives way to that of a trace that is drawn.
    traceparent: tuple[tuple[bytes, bytes], ...]
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
        resolve: "Resolve | None" = None,
        tls: ssl.SSLContext | None = None,
        timeout_ms: int = limits.webhook_timeout_ms,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._resolve = resolve
        self._tls = tls
        self._timeout_ms = timeout_ms
        self._policy = AddressPolicy(settings.allowed_networks)
        self._prepared: dict[str, _Prepared] = {}
        # One for each policy: the pool of one must not hold connections that the other would refuse.
        self._connectors: dict[bool, aiohttp.BaseConnector] = {}

    async def deliver(self, delivery: Delivery) -> DeliveryOutcome:
        """Make one attempt, within the time limit. It never raises; cancelling it ends it."""
        begun_ns = self._clock.monotonic_ns()
        tracer = traces.tracer()
        trace = None if tracer is None else tracer.delivery(delivery.request_id)
        outcome = await self._attempt(delivery, begun_ns, trace)
        ended_ns = self._clock.monotonic_ns()
        series = delivery_times.count(outcome, ended_ns - begun_ns)
        if tracer is not None and trace is not None and outcome.failure != "address_refused":
            measured = [(series, ended_ns - begun_ns, ended_ns)]
            tracer.called(trace, "POST", delivery.target.url, status=outcome.status, measured=measured)
        return outcome

    async def close(self) -> None:
        """Close all connections."""
        connectors, self._connectors = list(self._connectors.values()), {}
        for connector in connectors:
            await connector.close()

    async def _attempt(
        self, delivery: Delivery, begun_ns: int, trace: traces.Trace | None
    ) -> DeliveryOutcome:
        try:
            if self._tls is None:
                # Once, and beside the event loop: it takes as long as many payments.
                self._tls = await asyncio.to_thread(_load)
            prepared = self._prepare(delivery.target)
            async with asyncio.timeout(self._timeout_ms / 1000), prepared.slots:
                answer = await self._send(prepared, delivery, trace)
        except _Refused as error:
            return self._failed("address_refused", str(error), begun_ns)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the outcome
            failure, reason = _failure_of(error), _reason_of(error)
            if self._settings.proxy is not None and _is_of_the_proxy(error):
                # Where the proxy is, is nothing that a tenant should read.
                failure, reason = "not_connected", "the proxy cannot be reached"
            return self._failed(failure, reason, begun_ns)
        return DeliveryOutcome(
            status=answer.status,
            latency_ms=self._since_ms(begun_ns),
            excerpt=_excerpt(answer.excerpt.decode("utf-8", "replace")) if answer.excerpt else "",
            retry_after_s=self._retry_after(answer.headers.get("Retry-After")),
        )

    async def _send(self, prepared: _Prepared, delivery: Delivery, trace: traces.Trace | None) -> "Answer":
        headers = prepared.signer.headers(delivery.event_id, delivery.body, self._clock.now_ms() // 1000)
        headers += (
            (b"Fastpay-Sequence", b"%d" % delivery.sequence),
            (b"Fastpay-Previous-Sequence", b"%d" % delivery.previous_sequence),
            (b"Fastpay-Attempt", b"%d" % delivery.attempt),
        )
        if trace is None:
            headers += prepared.traceparent
        else:
            # The endpoint's own headers may not choose the trace, and the caller's tracestate is not the
            # receiver's.
            headers.append((b"Traceparent", trace.to_headers()[0].encode()))
        return await prepared.destination.post(headers, delivery.body)

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
            WebhookSigner(*target.secrets),
            self._destination(target, url),
            tuple(
                (name.encode(), value.encode())
                for name, value in target.headers
                if name.lower() == _TRACEPARENT
            ),
            asyncio.Semaphore(limits.webhook_endpoint_connections_max),
        )
        if len(self._prepared) >= limits.webhook_targets_kept:
            self._prepared.clear()
        self._prepared[target.endpoint_id] = prepared
        return prepared

    def _may_be_plain(self) -> bool:
        """Tell whether some addresses may be sent live events without TLS. A proxy hides the address."""
        return bool(self._settings.allowed_networks) and self._settings.proxy is None

    def _destination(self, target: Target, url: yarl.URL) -> "Destination":
        """Return where deliveries to a target go. Raises: _Refused."""
        from fastpay.outbound.exchange import Destination  # noqa: PLC0415 - see `_load`

        given = [*_CHANGING, _TRACEPARENT, *(name.lower() for name in _FIXED)]
        headers = [(name, value) for name, value in target.headers if name.lower() not in given]
        headers += _FIXED.items()
        try:
            return Destination(
                self._connector(is_plain=target.livemode and url.scheme == "http"),
                url.with_fragment(None),
                headers=headers,
                proxy=self._settings.proxy,
                connect_timeout_ms=min(self._timeout_ms, limits.webhook_connect_timeout_ms),
            )
        except ValueError as error:
            raise _Refused("the URL or a header is not valid") from error

    def _connector(self, *, is_plain: bool) -> "aiohttp.BaseConnector":
        connector = self._connectors.get(is_plain)
        if connector is None:
            only_allowed = AddressPolicy(self._settings.allowed_networks, only_allowed=True)
            connector = self._open(only_allowed if is_plain else self._policy)
            self._connectors[is_plain] = connector
        return connector

    def _open(self, policy: AddressPolicy) -> "aiohttp.BaseConnector":
        from fastpay.outbound.connector import open_connector  # noqa: PLC0415 - see `_load`

        assert self._tls is not None, "the certificates are loaded before"
        if self._resolve is None:
            self._resolve = Lookups().resolve
        is_direct = self._settings.proxy is None
        return open_connector(policy if is_direct else None, tls=self._tls, resolve=self._resolve)

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


def _load() -> ssl.SSLContext:
    """Import the client, which many processes never need, and return the certificates that are trusted."""
    import fastpay.outbound.connector  # noqa: PLC0415
    import fastpay.outbound.exchange  # noqa: F401, PLC0415

    return ssl.create_default_context()


def _failure_of(error: Exception) -> Failure:
    """Return what kind of failure an error of the client is."""
    import aiohttp  # noqa: PLC0415 - see `_load`

    from fastpay.outbound.exchange import AnswerMalformedError  # noqa: PLC0415

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
        (AnswerMalformedError, "malformed"),
        (aiohttp.InvalidURL, "address_refused"),
    )
    return next((failure for kind, failure in kinds if isinstance(error, kind)), "cut_off")


def _is_of_the_proxy(error: Exception) -> bool:
    """Tell whether there was no connection to the proxy: its answers tell of the receiver."""
    import aiohttp  # noqa: PLC0415 - see `_load`

    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


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
