"""What an endpoint has at hand: the services of the process, and the call that it answers."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fastpay import limits
from fastpay.api.card_texts import CardTexts
from fastpay.api.resource import Resources
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.background import Background
from fastpay.engine.dependencies import Readiness
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ledger_ports import Ledger
from fastpay.engine.ports import Credentials, KeyRing, Reader, Writer
from fastpay.engine.read.computations import Computations
from fastpay.engine.shares import Shares
from fastpay.engine.timing import Timing
from fastpay.engine.turns import Turns


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may choose for this floor."""

    body_bytes_max: int = limits.body_bytes_max


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the floor stands on."""

    writer: Writer
    reader: Reader
    ledger: Ledger
    keys: KeyRing
    clock: Clock
    identifiers: IdentifierFactory
    readiness: Readiness
    resources: Resources
    settings: Settings = Settings()
    card_texts: CardTexts = msgspec.field(default_factory=CardTexts)
    turns: Turns = msgspec.field(default_factory=Turns)
    computations: Computations = msgspec.field(default_factory=Computations)
    shares: Shares = msgspec.field(default_factory=Shares)
    background: Background = msgspec.field(default_factory=Background)


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One authenticated request. `arguments` are the named parts of the path, `headers` in lower case.

    `unread` holds the body, in whole and within its limit, until `take_body` gives it away; none for a GET.
    `signed` names what was signed, where the signature leaves open under which idempotency key.
    """

    services: Services
    credentials: Credentials
    request_id: str
    method: str
    path: str
    arguments: Mapping[str, str]
    headers: Mapping[str, str]
    query: bytes
    unread: list[bytes]
    signed: str | None = None
    # The span context of the request; its type belongs to the tracer.
    trace: Any = None
    # Only where the client asked how long it all takes.
    timing: Timing | None = None

    @property
    def scope(self) -> Scope:
        """Whose rows, and in which mode."""
        return self.credentials.scope

    def ended(self, stage: str) -> None:
        """Take note that a stage of the answer has ended, if anybody wants to know."""
        if self.timing is not None:
            self.timing.end(stage, self.services.clock.monotonic_ns())

    def take_body(self) -> bytes:
        """Return the body, once: what waits for its turn at the database must not hold a megabyte."""
        return self.unread.pop() if self.unread else b""

    @property
    def is_publishable(self) -> bool:
        """Whether the key is one that anybody may see."""
        return self.credentials.kind == "publishable"


class Reply(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What goes back: a status, a JSON body, and headers beside those that every answer has."""

    status: int = 200
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    # How this answer differs from others to the same question: given where it can be asked for by condition.
    etag: bytes | None = None
    # Gives the body in a coding, where what was made for it once is kept.
    encoded: Callable[[str], bytes] | None = None
