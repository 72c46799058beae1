"""What the relay needs from others, and what it offers to the API.

The store has the endpoints' configurations, `outbound` makes the attempts. The relay serves the state of
deliveries and the attempts that were made.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from fastpay.domain.identifiers import HIGHEST, LOWEST, Scope
from fastpay.domain.webhook_endpoints import WebhookEndpoint, WebhookReplay

# Why there is no answer that counts, in the order in which an attempt may end.
Failure = Literal[
    "address_refused",  # the URL or an address of its host is not allowed; nothing was sent
    "not_resolved",  # the host has no address
    "not_connected",  # refused, unreachable, or no connection in time; nothing was sent
    "tls_failed",  # the certificate is not valid, or the handshake failed; nothing was sent
    "timed_out",  # no complete answer in time
    "cut_off",  # the connection ended before the answer did
    "malformed",  # the answer is no HTTP
    "stopped",  # this process stopped before the answer came
]
Circuit = Literal["closed", "open", "half_open"]


class EndpointName(NamedTuple):
    """An endpoint among those of all tenants."""

    scope: Scope
    endpoint_id: str


class EndpointConfiguration(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One version of an endpoint, with what is needed to sign for it.

    `secrets` are the secrets' texts, newest first, each with the second since 1970 from which it is no longer
    used; None is never.
    """

    scope: Scope
    endpoint: WebhookEndpoint
    version: int
    secrets: tuple[tuple[str, int | None], ...]

    def __repr__(self) -> str:
        """Show nothing that is secret."""
        return f"EndpointConfiguration({self.scope!r}, {self.endpoint.id!r}, version={self.version})"

    def target(self, now_s: int) -> "Target":
        """Return where deliveries go, with the secrets that are valid now. Keep it: it is slow to make."""
        valid = tuple(text for text, expires_at in self.secrets if expires_at is None or now_s < expires_at)
        return Target(
            endpoint_id=self.endpoint.id,
            livemode=self.scope.livemode,
            url=self.endpoint.url,
            secrets=valid,
            headers=tuple(self.endpoint.headers.items()),
        )

    def changes_at(self, now_s: int) -> int | None:
        """Return the next second at which `target` gives another result, None if there is none."""
        return min(
            (expires_at for _, expires_at in self.secrets if expires_at is not None and expires_at > now_s),
            default=None,
        )


class EndpointConfigurations(Protocol):
    """The endpoints of all tenants that may be delivered to."""

    async def list_enabled(
        self, *, after: EndpointName | None = None, limit: int
    ) -> Sequence[tuple[EndpointName, int]]:
        """Return endpoints that are enabled with their versions, ordered by name, from behind `after`."""

    async def load(self, names: Sequence[EndpointName]) -> Mapping[EndpointName, EndpointConfiguration]:
        """Return the latest versions of endpoints that exist, disabled ones too.

        One whose secrets cannot be opened is left out: the log says why.
        """

    async def list_replays(
        self, name: EndpointName, *, after: str = LOWEST, limit: int
    ) -> Sequence[WebhookReplay]:
        """Return the replays that were asked for, oldest first, whose identifiers have larger digits."""


class HeaderSeal(Protocol):
    """Seals the values of an endpoint's own headers for its snapshots. `key` is the tenant's own."""

    def seal(self, key: bytes, scope: Scope, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers with sealed values."""

    def open(self, key: bytes, scope: Scope, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers with their values. Raises: FastpayError if a value cannot be opened."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where deliveries go. What is made of it once, such as signers, is kept for as long as it lives."""

    endpoint_id: str
    livemode: bool
    url: str
    secrets: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Show nothing that is secret."""
        return f"Target({self.endpoint_id!r})"


class Delivery(NamedTuple):
    """One attempt: the event's identifier, its number, and that of the one before that the endpoint wants.

    `body` is the same on every attempt. `previous_sequence` is 0 for the first event of an endpoint that
    started at 0. `attempt` counts from 1. `request_id` names the request that caused the event.
    """

    target: Target
    event_id: str
    sequence: int
    previous_sequence: int
    attempt: int
    body: bytes
    request_id: str | None = None


class DeliveryOutcome(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What became of an attempt: a status or a failure, never both.

    `excerpt` is the beginning of the answer's body, at most `webhook_excerpt_bytes_max` bytes in UTF-8; for a
    failure it is the reason. `retry_after_s` is what the receiver asks for, bounded by
    `webhook_retry_after_s_max`.
    """

    status: int | None = None
    failure: Failure | None = None
    latency_ms: int = 0
    excerpt: str = ""
    retry_after_s: int | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has it: any status 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Deliverer(Protocol):
    """Makes attempts."""

    async def deliver(self, delivery: Delivery) -> DeliveryOutcome:
        """Make one attempt, within `webhook_timeout_ms`. It never raises; cancelling it ends it."""

    async def close(self) -> None:
        """Close all connections."""


class EndpointState(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How far the deliveries to an endpoint are.

    Everything up to `delivered_through` is acknowledged. `lag` is how many numbers the tenant's sequence is
    ahead of it.
    """

    delivered_through: int
    lag: int
    circuit: Circuit = "closed"


class Attempt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An attempt that was made. `digits` are 32 hexadecimal digits, ordered by time (see identifiers)."""

    digits: str
    created_ms: int
    event_id: str
    event_type: str
    sequence: int
    number: int
    outcome: DeliveryOutcome
    # When the next attempt is made, in seconds since 1970.
    next_attempt_at: int | None = None


class AttemptPage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Which attempts are wanted: newest first, strictly between two bounds, as in `engine.ports.Page`.

    None does not filter.
    """

    limit: int
    below: str = HIGHEST
    above: str = LOWEST
    ascending: bool = False
    is_delivered: bool | None = None
    event_id: str | None = None
    sequence: int | None = None


class Progress(NamedTuple):
    """An endpoint, its position, and which events that the position has passed are not acknowledged."""

    endpoint: WebhookEndpoint
    position: int
    parked: frozenset[int]

    def awaits(self, event_type: str, object_id: str, sequence: int) -> bool:
        """Tell whether the endpoint is to get an event and has not acknowledged it."""
        if sequence <= self.position and sequence not in self.parked:
            return False
        return self.endpoint.wants(event_type, object_id)


class Deliveries(Protocol):
    """What the API shows of deliveries. Endpoints of other tenants do not exist for the caller."""

    async def progress(self, scope: Scope, *, below: int, above: int) -> Sequence[Progress]:
        """Return all endpoints, disabled ones too. `parked` are strictly between two numbers."""

    async def states(self, scope: Scope, endpoint_ids: Sequence[str]) -> Mapping[str, EndpointState]:
        """Return the states of endpoints. One that no instance has read for yet is missing."""

    async def attempts(self, scope: Scope, endpoint_id: str, page: AttemptPage) -> Sequence[Attempt]:
        """Return up to `page.limit` + 1 attempts, newest first. The extra one says that there are more."""
