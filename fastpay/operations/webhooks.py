"""What `fastpay events` and `fastpay webhooks` do: they ask a running server, with an API key, over HTTP."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from fastpay.clock import SystemClock
from fastpay.engine.relay.ports import Delivery, DeliveryOutcome, Target
from fastpay.errors import ConfigurationError
from fastpay.operations.asking import Server, ask, given, post, print_table, say
from fastpay.operations.demo.client import encode
from fastpay.outbound.event_stream import EventStream, StreamedEvent, StreamRefused
from fastpay.outbound.webhooks import WebhookDeliverer, WebhookSettings

_ENDPOINTS = "/v1/webhook_endpoints"
_EVENTS = "/v1/events"
_SECRET_BYTES = 32
# A developer's own machine is inside of every network.
_EVERYWHERE = WebhookSettings(allowed_networks=("0.0.0.0/0", "::/0"))


def list_events(server: Server, *, types: Sequence[str], limit: int) -> None:
    """Print the newest events."""
    page = ask(server, lambda client: client.get(_EVENTS, limit=limit, **given(types=tuple(types))))
    columns = ("sequence", "id", "type", "created")
    print_table(columns, [[one[name] for name in columns] for one in page["data"]])


def show_event(server: Server, event: str) -> None:
    """Print an event as the API shows it."""
    found = ask(server, lambda client: client.get(f"{_EVENTS}/{event}"))
    say(msgspec.json.format(msgspec.json.encode(found)).decode())


def tail_events(server: Server, *, types: Sequence[str], after: int | None) -> None:
    """Print events as they happen, one a line, until the command is stopped."""
    asyncio.run(_follow(server, types, after, _print_event))


def resend_event(server: Server, event: str, *, endpoint: str) -> None:
    """Have an event delivered to an endpoint again."""
    post(server, f"{_ENDPOINTS}/{endpoint}/replay", {"event": event})
    say(f"{event} is delivered to {endpoint} again")


def list_endpoints(server: Server) -> None:
    """Print the endpoints and how far deliveries to them are."""
    page = ask(server, lambda client: client.get(_ENDPOINTS, limit=100))
    own = ("order", "delivered_through", "lag", "circuit", "failing_since")
    rows = [
        [one["id"], one["status"], one["url"], *(one["fastpay"][name] for name in own)]
        for one in page["data"]
    ]
    print_table(("id", "status", "url", *own), rows)


def list_attempts(server: Server, endpoint: str, *, failed: bool, event: str | None, limit: int) -> None:
    """Print the newest attempts to deliver to an endpoint."""
    query = given(limit=limit, success=False if failed else None, event=event)
    page = ask(server, lambda client: client.get(f"{_ENDPOINTS}/{endpoint}/attempts", **query))
    columns = ("sequence", "event", "event_type", "attempt", "status", "failure", "latency_ms", "response")
    print_table(columns, [[one[name] for name in columns] for one in page["data"]])


def replay(server: Server, endpoint: str, *, first: int, last: int | None, types: Sequence[str]) -> None:
    """Have a range of the sequence delivered again."""
    params = given(from_sequence=first, to_sequence=last, types=tuple(types))
    made = post(server, f"{_ENDPOINTS}/{endpoint}/replay", params)
    say(f"{made['id']}: {made['from_sequence']} to {made['to_sequence']} to {endpoint}")


def ping(server: Server, endpoint: str) -> None:
    """Have an event delivered to an endpoint that only this one gets."""
    post(server, f"{_ENDPOINTS}/{endpoint}/ping", {})
    say(f"a webhook_endpoint.ping is delivered to {endpoint}; look at its attempts")


def listen(
    server: Server, *, forward_to: str, types: Sequence[str], after: int | None, secret: str | None
) -> None:
    """Send events to a URL as they happen, signed, until the command is stopped. No endpoint is needed."""
    secret = secret or "whsec_" + base64.b64encode(SystemClock().random_bytes(_SECRET_BYTES)).decode()
    say(f"signing with {secret}")
    asyncio.run(_forward(server, forward_to, types, after, secret))


async def _forward(
    server: Server, forward_to: str, types: Sequence[str], after: int | None, secret: str
) -> None:
    deliverer = WebhookDeliverer(_EVERYWHERE, clock=SystemClock())
    target = Target(endpoint_id="listen", livemode=False, url=forward_to, secrets=(secret,))
    previous = after or 0

    async def send(event: StreamedEvent, shown: Mapping[str, Any]) -> None:
        nonlocal previous
        outcome = await deliverer.deliver(
            Delivery(target, shown["id"], event.sequence, previous, attempt=1, body=event.body)
        )
        previous = event.sequence
        _print_outcome(shown, outcome)

    try:
        await _follow(server, types, after, send)
    finally:
        await deliverer.close()


def _print_outcome(shown: Mapping[str, Any], outcome: DeliveryOutcome) -> None:
    result = outcome.status if outcome.failure is None else f"{outcome.failure} ({outcome.excerpt})"
    line = f"{shown['sequence']} {shown['id']} {shown['type']}: {result} in {outcome.latency_ms} ms"
    say(line)


async def _print_event(event: StreamedEvent, _shown: Mapping[str, Any]) -> None:
    say(event.body.decode())


async def _follow(
    server: Server,
    types: Sequence[str],
    after: int | None,
    handle: Callable[[StreamedEvent, Mapping[str, Any]], Awaitable[None]],
) -> None:
    """Hand over events as they happen. Raises: ConfigurationError if the server refuses."""
    query = f"?{encode({'types': list(types)})}" if types else ""
    headers = {"Authorization": f"Bearer {server.key}"}
    stream = EventStream(f"{server.url.rstrip('/')}{_EVENTS}{query}", headers, after=after)
    try:
        async for event in stream.events():
            await handle(event, msgspec.json.decode(event.body))
    except StreamRefused as error:
        raise ConfigurationError(f"the server refuses the stream: {error}") from error
