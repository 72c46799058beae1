"""How webhook endpoints, replays and attempts are shown."""

from collections.abc import Mapping
from typing import Literal, TypedDict

import msgspec

from fastpay.api.layout import Field, Later, Mode, Shape, Slot, When, fields, template
from fastpay.api.resource import Encoding, Resource
from fastpay.domain import kinds
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.relay.ports import Attempt, EndpointState

_DELETED: Shape = {"id": Field("id"), "object": "webhook_endpoint", "deleted": True}
_SETTINGS: dict[str, Shape] = {
    **fields(
        "disabled_reason", "failing_since", "order", "payload", "requests_per_second", "start_after_sequence"
    ),
}
# What the relay knows. An answer to a POST can be replayed, and so does not say it.
_STATE: dict[str, Shape] = {"circuit": Later(str), "delivered_through": Later(int), "lag": Later(int)}


def _shape(settings: dict[str, Shape], more: dict[str, Shape] | None = None) -> Shape:
    known: Shape = {
        "id": Field("id"),
        "object": "webhook_endpoint",
        "api_version": Field("api_version"),
        "application": None,
        **fields("created", "description", "enabled_events"),
        "fastpay": settings,
        "livemode": Mode(),
        **fields("metadata", "status", "url"),
        **(more or {}),
    }
    return When("deleted", _DELETED, otherwise=known)


# As events show it: another receiver must not see this one's headers, which may hold credentials.
WEBHOOK_ENDPOINT = Resource(kinds.WEBHOOK_ENDPOINT, shape=_shape(_SETTINGS))
# As its owner sees it.
_OWN: dict[str, Shape] = {**_SETTINGS, "headers": Field("headers"), **_STATE}
_ANSWERED_SHAPE = _shape(_OWN)
_WITH_SALT_SHAPE = _shape(_OWN, {"secret": Slot("id", str)})
_ANSWERED = template(WebhookEndpoint, _ANSWERED_SHAPE)
_WITH_SALT = template(WebhookEndpoint, _WITH_SALT_SHAPE)


def _render_with_salt(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return an endpoint in JSON, with the salt of its newest secret where the secret is to stand."""
    assert isinstance(stored, WebhookEndpoint)
    return _WITH_SALT.render(stored, livemode, b'"%s"' % stored.secrets[0].salt.encode())


ANSWERED = Resource(
    kinds.WEBHOOK_ENDPOINT,
    shape=_ANSWERED_SHAPE,
    encode=Encoding(WebhookEndpoint, _ANSWERED.render, "answered"),
)
WITH_SALT = Resource(
    kinds.WEBHOOK_ENDPOINT,
    shape=_WITH_SALT_SHAPE,
    encode=Encoding(WebhookEndpoint, _render_with_salt, "with_secret"),
)

WEBHOOK_REPLAY = Resource(
    kinds.WEBHOOK_REPLAY,
    shape={
        "id": Field("id"),
        "object": "webhook_replay",
        **fields("created", "event", "from_sequence"),
        "livemode": Mode(),
        **fields("to_sequence", "types", "webhook_endpoint"),
    },
)


def with_state(
    stored: WebhookEndpoint, livemode: bool, states: Mapping[str, EndpointState]
) -> dict[str, object]:
    """Return an endpoint with how far its deliveries are, null if nothing has been delivered to it yet."""
    body = ANSWERED.render(stored, livemode)
    state = states.get(stored.id)
    if state is not None:
        settings = body["fastpay"]
        assert isinstance(settings, dict)
        settings |= {
            "circuit": state.circuit,
            "delivered_through": state.delivered_through,
            "lag": state.lag,
        }
    return body


class ShownAttempt(TypedDict):
    """An attempt to deliver, as it is shown."""

    id: str
    object: Literal["webhook_attempt"]
    attempt: int
    created: int
    event: str
    event_type: str
    failure: str | None
    latency_ms: int
    livemode: bool
    next_attempt_at: int | None
    response: str | None
    sequence: int
    status: int | None
    success: bool
    webhook_endpoint: str


def render_attempt(attempt: Attempt, endpoint_id: str, livemode: bool) -> ShownAttempt:
    """Return an attempt as it is shown."""
    outcome = attempt.outcome
    return {
        "id": f"{kinds.WEBHOOK_ATTEMPT.prefix}_{attempt.digits}",
        "object": "webhook_attempt",
        "attempt": attempt.number,
        "created": attempt.created_ms // 1000,
        "event": attempt.event_id,
        "event_type": attempt.event_type,
        "failure": outcome.failure,
        "latency_ms": outcome.latency_ms,
        "livemode": livemode,
        "next_attempt_at": attempt.next_attempt_at,
        "response": outcome.excerpt,
        "sequence": attempt.sequence,
        "status": outcome.status,
        "success": outcome.is_delivered,
        "webhook_endpoint": endpoint_id,
    }
