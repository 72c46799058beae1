"""What endpoints work with: the services of the process, the call and the reply."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from fastpay import limits
from fastpay._native.headers import Headers
from fastpay.api.card_texts import CardTexts
from fastpay.api.cors import Cors
from fastpay.api.request_notes import RequestNotes
from fastpay.api.resource import Resources
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.settlements import AcceptDifference, RecordMatching
from fastpay.engine.background import Background
from fastpay.engine.challenge_ports import ChallengeTokens
from fastpay.engine.dependencies import Readiness
from fastpay.engine.event_ports import EventLists, Events
from fastpay.engine.feeds import Feeds
from fastpay.engine.gates import Gate, create_long_request_gate
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ledger_ports import Ledger
from fastpay.engine.ports import Credentials, KeyRing, Reader, Writer
from fastpay.engine.processors.live_payments import LivePayments
from fastpay.engine.processors.routed import FollowUp, Routed
from fastpay.engine.read.computations import Computations
from fastpay.engine.relay.ports import Deliveries, HeaderSeal
from fastpay.engine.rollout.imported import Imported
from fastpay.engine.rollout.routes import Front
from fastpay.engine.shares import Shares
from fastpay.engine.timing import Timing
from fastpay.observability.traces import Trace


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of this floor. In test mode what happens later happens after `test_delay_s`."""

    body_bytes_max: int = limits.body_bytes_max
    # The address at which browsers reach the server, None if each request says it.
    public_url: str | None = None
    test_delay_s: int = limits.test_delay_s
    # Whether live events may go without TLS to some networks.
    allows_plain_webhooks: bool = False
    # Whether requests may carry the numbers of cards.
    takes_card_numbers: bool = True


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the process that endpoints use."""

    writer: Writer
    reader: Reader
    ledger: Ledger
    events: Events
    feeds: Feeds
    keys: KeyRing
    challenges: ChallengeTokens
    clock: Clock
    identifiers: IdentifierFactory
    readiness: Readiness
    resources: Resources
    # What lists of events come from if that is not `events`.
    listed_events: EventLists | None = None
    # None in a process that shows nothing of deliveries.
    deliveries: Deliveries | None = None
    header_seal: HeaderSeal | None = None
    # None if requests are not logged.
    request_notes: RequestNotes | None = None
    # None if this server stands in front of no other API.
    front: Front | None = None
    # None where nothing can have been imported from an older API.
    imported: Imported | None = None
    # None in a process that takes no live payments.
    live_payments: LivePayments | None = None
    settings: Settings = Settings()
    cors: Cors = msgspec.field(default_factory=Cors)
    card_texts: CardTexts = msgspec.field(default_factory=CardTexts)
    long_requests: Gate = msgspec.field(default_factory=create_long_request_gate)
    # Held while a long body is read: of those that have passed the gate, one at a time.
    reading: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    computations: Computations = msgspec.field(default_factory=Computations)
    shares: Shares = msgspec.field(default_factory=Shares)
    background: Background = msgspec.field(default_factory=Background)


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One authenticated request. `arguments` are the named parts of the path, `headers` in lower case.

    `unread` holds the whole body until `take_body` returns it; it is empty for a GET. `signed` is a digest of
    what was signed, if the signature does not cover the idempotency key.
    """

    services: Services
    credentials: Credentials
    request_id: str
    method: str
    path: str
    arguments: Mapping[str, str]
    headers: Headers
    # The request as ASGI has it.
    asgi: Mapping[str, Any]
    query: bytes
    unread: list[bytes]
    signed: str | None = None
    # If the request is traced.
    trace: Trace | None = None
    # Only if the client asked for Server-Timing.
    timing: Timing | None = None
    # Where a live payment goes that this request makes, or the terms of what it does to one.
    routed: Routed | FollowUp | None = None
    # It goes on with a payment whose processor was just asked what the cardholder has done.
    continues: bool = False
    # The difference of a settlement's row that this request accepts.
    acceptance: AcceptDifference | None = None
    # What the rows of a settlement come to that this request has matched.
    matching: RecordMatching | None = None

    @property
    def scope(self) -> Scope:
        """The tenant and mode."""
        return self.credentials.scope

    def ended(self, stage: str) -> None:
        """Record the end of a stage, if the client asked for Server-Timing."""
        if self.timing is not None:
            self.timing.end(stage, self.services.clock.monotonic_ns())

    def take_body(self) -> bytes:
        """Return the body and release it, so that requests that wait for the database hold no bodies."""
        return self.unread.pop() if self.unread else b""

    @property
    def body_bytes(self) -> int:
        """The size of the body, until it is taken."""
        return len(self.unread[0]) if self.unread else 0

    @property
    def is_publishable(self) -> bool:
        """Whether the key is publishable, so that anybody may have it."""
        return self.credentials.kind == "publishable"


class Stream(Protocol):
    """A body that comes in parts, for as long as the client stays."""

    async def next(self) -> bytes | None:
        """Return the next part, None at the end."""

    def close(self) -> None:
        """Release what the stream holds, and let `next` return None."""


class Reply(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An answer: a status, a JSON body, and headers in addition to those that every answer has."""

    status: int = 200
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    # The entity tag, if the client may ask with If-None-Match.
    etag: bytes | None = None
    # Returns the body in a coding, if encoded bodies are cached.
    encoded: Callable[[str], bytes] | None = None
    # Follows the body. It is closed when the response has ended, whatever ends it.
    stream: Stream | None = None
