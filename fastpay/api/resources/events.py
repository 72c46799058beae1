"""Events: what happened to an object, with the object as it was then. No route serves them yet."""

import msgspec

from fastpay.api.layout import Field, Mode, Shape, Slot, template


class RecordedEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An event as it is stored. `created` is in seconds; `sequence` numbers the tenant's events.

    `request_id` and `idempotency_key` are those of the request that caused it, if there was one.
    """

    id: str
    type: str
    created: int
    sequence: int
    object_id: str
    version: int
    request_id: str | None = None
    idempotency_key: str | None = None
    pending_webhooks: int = 0


SHAPE: Shape = {
    "id": Field("id"),
    "object": "event",
    "api_version": None,
    "created": Field("created"),
    "data": {"object": Slot("object_id")},
    "livemode": Mode(),
    "pending_webhooks": Field("pending_webhooks"),
    "request": {"id": Field("request_id"), "idempotency_key": Field("idempotency_key")},
    "sequence": Field("sequence"),
    "type": Field("type"),
    "version": Field("version"),
}
EVENT = template(RecordedEvent, SHAPE)


def render_event(event: RecordedEvent, shown: bytes, livemode: bool) -> bytes:
    """Return the event in JSON. `shown` is its object as it was then, rendered.

    The same event and object give the same bytes at every delivery.
    """
    return EVENT.render(event, livemode, shown)
