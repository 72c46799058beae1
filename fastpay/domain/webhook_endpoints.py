"""Webhook endpoints: where a tenant's events are delivered, in which order, and signed with which secrets.

A secret is derived from the tenant's own key and a random salt, and only the salt is stored here. The key is
sealed by the operator's keys. So a secret can be shown again by a replay of the request that made it, and
nobody who has the database alone can read it.
"""

import base64
import functools
import hmac
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

import msgspec

from fastpay import limits
from fastpay.domain import events
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import StoredObject, missing
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.errors import InvalidRequest

PREFIX_OF_SECRETS = "whsec_"
PING = "webhook_endpoint.ping"
# What is written of each finding of the relay.
_EVENT_OF = {
    "failing": "webhook_endpoint.failing",
    "recovered": "webhook_endpoint.recovered",
    "disabled": "webhook_endpoint.disabled",
}


class EndpointSecret(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """The salt of a secret in hexadecimal digits, and the second from which the secret is no longer used."""

    salt: str
    expires_at: int | None = None


class WebhookEndpoint(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A receiver of events.

    `secrets` are newest first. `failing_since` is when attempts began to fail, as the relay has reported it.
    The values of `headers` are sealed; those of older versions are not.
    `disabled_reason` is "requested", "gone" (the receiver answered 410) or "failing".
    """

    prefix: ClassVar[str] = "we"
    noun: ClassVar[str] = "webhook endpoint"
    param: ClassVar[str] = "webhook_endpoint"

    url: str = ""
    enabled_events: tuple[str, ...] = ()
    secrets: tuple[EndpointSecret, ...] = ()
    status: str = "enabled"
    deleted: bool = False
    api_version: str | None = None
    description: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    order: str = "parallel"
    payload: str = "full"
    start_after_sequence: int = 0
    requests_per_second: int | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    disabled_reason: str | None = None
    failing_since: int | None = None

    def wants(self, event_type: str, object_id: str) -> bool:
        """Tell whether an event that clients see is delivered here. Pings of other endpoints never are."""
        if event_type == PING:
            return object_id == self.id
        return event_type in self.wanted_types()

    def wanted_types(self) -> frozenset[str]:
        """Return the types of events that are delivered here. Pings of this endpoint are as well."""
        return _wanted_types(self.enabled_events)


# A page of events asks for the same few a hundred times.
@functools.lru_cache(maxsize=256)
def _wanted_types(patterns: tuple[str, ...]) -> frozenset[str]:
    return frozenset().union(*map(events.matching, patterns)) - {PING}


class WebhookReplay(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A request to deliver again what happened from one number of the sequence to another, both included.

    Without `types` it is everything that the endpoint wants. `event` is one event, wanted or not.
    """

    prefix: ClassVar[str] = "wrp"
    noun: ClassVar[str] = "webhook replay"

    webhook_endpoint: str
    from_sequence: int
    to_sequence: int
    types: tuple[str, ...] = ()
    event: str | None = None


class CreateEndpoint(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Create an endpoint. `fields` are checked fields of `WebhookEndpoint`.

    Without a number to start behind, it gets what happens from now on. `existing` is how many endpoints the
    tenant had when this was asked for.
    """

    salt: str
    fields: Mapping[str, object]
    existing: int = 0
    metadata: Mapping[str, str] = {}
    start_after_sequence: int | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the endpoint. Raises: InvalidRequest for one too many, or a start that is still to come."""
        if self.existing >= limits.webhook_endpoints_max:
            raise InvalidRequest(
                f"There are {self.existing} webhook endpoints, which is the maximum. Delete one first.",
                code="webhook_endpoints_exceeded",
            )
        start = self.start_after_sequence
        if start is not None:
            _check_reached(workspace, start, param="fastpay[start_after_sequence]")
        endpoint = WebhookEndpoint(
            **{
                "id": draft.new_id(WebhookEndpoint.prefix),
                "created": draft.moment_s,
                "metadata": metadata_rules.merge({}, self.metadata),
                "secrets": (EndpointSecret(salt=self.salt),),
                "start_after_sequence": workspace.sequence if start is None else start,
                **self.fields,
            }  # type: ignore[arg-type]
        )
        draft.put(endpoint, "webhook_endpoint.created")
        return endpoint.id


class UpdateEndpoint(OnObject, frozen=True, gc=False, kw_only=True):
    """Change an endpoint. `metadata` None clears all of it. `disabled` None leaves the status as it is."""

    fields: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}
    disabled: bool | None = None

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed endpoint. Raises: NotFound."""
        endpoint = require(workspace, self.id)
        merged = metadata_rules.merge(endpoint.metadata, self.metadata)
        changed = msgspec.structs.replace(endpoint, **self.fields, metadata=merged)
        if self.disabled is False:
            changed = _enabled(changed)
        elif self.disabled and endpoint.status == "enabled":
            changed = msgspec.structs.replace(changed, status="disabled", disabled_reason="requested")
        draft.put(changed, "webhook_endpoint.updated")
        return endpoint.id


class EnableEndpoint(OnObject, frozen=True, gc=False, kw_only=True):
    """Enable an endpoint again. It goes on where it stood."""

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the enabled endpoint. Raises: NotFound."""
        draft.put(_enabled(require(workspace, self.id)), "webhook_endpoint.updated")
        return self.id


class DeleteEndpoint(OnObject, frozen=True, gc=False, kw_only=True):
    """Delete an endpoint."""

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write a version that is marked as deleted, without URL and secrets. Raises: NotFound."""
        endpoint = require(workspace, self.id)
        deleted = WebhookEndpoint(id=endpoint.id, created=endpoint.created, status="disabled", deleted=True)
        draft.put(deleted, "webhook_endpoint.deleted")
        return endpoint.id


class RotateSecret(OnObject, frozen=True, gc=False, kw_only=True):
    """Give an endpoint a new secret. The older ones are used as well for `overlap_s`."""

    salt: str
    overlap_s: int = 0

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the endpoint with its new secret. Raises: NotFound, InvalidRequest for too many secrets."""
        endpoint, now_s = require(workspace, self.id), draft.moment_s
        until_s = now_s + self.overlap_s
        older = tuple(
            EndpointSecret(salt=secret.salt, expires_at=min(secret.expires_at or until_s, until_s))
            for secret in endpoint.secrets
            if secret.expires_at is None or secret.expires_at > now_s
        )
        if not self.overlap_s:
            older = ()
        if len(older) >= limits.webhook_secrets_max:
            raise InvalidRequest(
                f"This endpoint has {len(older)} valid secrets, which is the maximum. Wait until one "
                "expires, or rotate without overlap.",
                param="overlap_seconds",
            )
        secrets = (EndpointSecret(salt=self.salt), *older)
        draft.put(msgspec.structs.replace(endpoint, secrets=secrets), "webhook_endpoint.updated")
        return endpoint.id


class PingEndpoint(OnObject, frozen=True, gc=False, kw_only=True):
    """Have an event delivered to one endpoint, whichever types it wants."""

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the event. Raises: NotFound, InvalidRequest for a disabled endpoint."""
        draft.put(_require_enabled(workspace, self.id), PING)
        return self.id


class ReplayEvents(OnObject, frozen=True, gc=False, kw_only=True):
    """Have events delivered again. Without `to_sequence`, all up to now."""

    from_sequence: int
    to_sequence: int | None = None
    types: tuple[str, ...] = ()
    event: str | None = None

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write what is wanted. Raises: NotFound, InvalidRequest for a disabled endpoint or a wrong range."""
        _require_enabled(workspace, self.id)
        to_sequence = workspace.sequence if self.to_sequence is None else self.to_sequence
        _check_reached(workspace, to_sequence, param="to_sequence")
        if self.from_sequence > to_sequence:
            raise InvalidRequest(
                f"from_sequence ({self.from_sequence}) is behind the last event to replay ({to_sequence}).",
                param="from_sequence",
            )
        replay = WebhookReplay(
            id=draft.new_id(WebhookReplay.prefix),
            created=draft.moment_s,
            webhook_endpoint=self.id,
            from_sequence=self.from_sequence,
            to_sequence=to_sequence,
            types=self.types,
            event=self.event,
        )
        draft.put(replay, "webhook_replay.created")
        return replay.id


class ReportEndpoint(OnObject, frozen=True, gc=False, kw_only=True):
    """Write what the relay has found out about an endpoint, with an event.

    `failing_since` says, in seconds since 1970, since when its attempts fail. `reason` says why it is
    disabled. `url` is where the attempts went that this is about.
    """

    finding: Literal["failing", "recovered", "disabled"]
    failing_since: int | None = None
    reason: Literal["gone", "failing"] | None = None
    url: str | None = None

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the finding.

        Raises: NotFound; InvalidRequest if the endpoint has that state already, or was given another URL.
        """
        endpoint = require(workspace, self.id)
        changed = self._applied(endpoint)
        if changed == endpoint or (self.url is not None and self.url != endpoint.url):
            raise InvalidRequest("The endpoint has changed since.", param="id")
        draft.put(changed, _EVENT_OF[self.finding])
        return endpoint.id

    def _applied(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        replace = msgspec.structs.replace
        if endpoint.status != "enabled":
            return endpoint
        if self.finding == "disabled":
            since = self.failing_since or endpoint.failing_since
            return replace(endpoint, status="disabled", disabled_reason=self.reason, failing_since=since)
        if self.finding == "recovered":
            return replace(endpoint, failing_since=None)
        return endpoint if endpoint.failing_since else replace(endpoint, failing_since=self.failing_since)


def require(workspace: Workspace, identifier: str) -> WebhookEndpoint:
    """Return the endpoint. Raises: NotFound if there is none or it was deleted."""
    endpoint = workspace.find(identifier)
    if not isinstance(endpoint, WebhookEndpoint) or endpoint.deleted:
        raise missing(WebhookEndpoint, identifier)
    return endpoint


def secret_text(key: bytes, scope: Scope, secret: EndpointSecret) -> str:
    """Return the text of a secret. `key` is the tenant's own.

    Who has it cannot find the key or another secret.
    """
    mode = "live" if scope.livemode else "test"
    derived = hmac.digest(key, f"fastpay webhook secret {mode} {secret.salt}".encode(), "sha256")
    return PREFIX_OF_SECRETS + base64.b64encode(derived).decode()


def _require_enabled(workspace: Workspace, identifier: str) -> WebhookEndpoint:
    endpoint = require(workspace, identifier)
    if endpoint.status != "enabled":
        raise InvalidRequest(
            f"The webhook endpoint {identifier} is disabled. Enable it first.", param=WebhookEndpoint.param
        )
    return endpoint


def _enabled(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return msgspec.structs.replace(endpoint, status="enabled", disabled_reason=None, failing_since=None)


def _check_reached(workspace: Workspace, sequence: int, *, param: str) -> None:
    if sequence > workspace.sequence:
        raise InvalidRequest(
            f"{param} is at most {workspace.sequence}, the last number of the sequence.", param=param
        )
