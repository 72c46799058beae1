"""The messages between two members, in MessagePack. Both have the same release, so none has versions.

    asking member                     home
    -------------                     ----
    Hello                ->
                         <-           Welcome
    Forward, Find, Ping  ->
                         <-           Answers, Found, Pong, Leaving

Nothing here is trusted to be right about a tenant: each answer names the tenant and mode that it is for, and
the asking member compares them with its own note of the request.
"""

from collections.abc import Sequence

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Answer

# Raise this whenever messages or their meaning change within a release.
PROTOCOL = 5


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The first message: who asks, and whom it means to ask."""

    release: str
    member_id: str
    to: str


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The answer to a Hello: the connection is open."""


class Ping(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A question that a living event loop answers at once, however much it has to do."""


class Pong(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The answer to a Ping."""


class Leaving(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The home is about to stop: it answers what it has, and wants nothing more."""


class Forwarded(msgspec.Struct, frozen=True, array_like=True):
    """A submission. `command` is the name of its class, `body` the encoded command.

    `number` is of the connection. `left_ms` is how long the client still waits. `trace` is the context of
    the request's span, as the headers traceparent and tracestate have it.
    """

    number: int
    tenant_id: str
    livemode: bool
    command: str
    body: msgspec.Raw
    request_id: str
    moment_ms: int
    head: int
    tail: bytes
    idempotency_key: str | None
    digest: bytes
    fingerprint: bytes
    expand: tuple[str, ...] = ()
    is_publishable: bool = False
    signed: str | None = None
    left_ms: int | None = None
    trace: tuple[str, str] | None = None
    amends: bytes = b""


class Forward(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The submissions of one turn of the event loop."""

    submissions: list[Forwarded]


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """A version of an object that an answer shows."""

    kind: str
    version: int
    sequence: int
    body: msgspec.Raw


class Changed(msgspec.Struct, frozen=True, array_like=True):
    """An object that has a later version now. One that is too large comes without kind and body."""

    identifier: str
    version: int
    sequence: int
    kind: str | None
    body: msgspec.Raw


class Failed(msgspec.Struct, frozen=True, array_like=True):
    """An error instead of an outcome.

    With `is_unbegun` the command was not begun and never will be; with `is_unknown` it may be committed.
    """

    error: str
    message: str
    code: str | None = None
    param: str | None = None
    decline_code: str | None = None
    is_unbegun: bool = False
    is_unknown: bool = False


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """What became of a submission: an answer with the objects that it shows, or a failure."""

    number: int
    tenant_id: str
    livemode: bool
    failed: Failed | None = None
    answer: Answer | None = None
    objects: tuple[Shown, ...] = ()
    original_request_id: str | None = None
    is_signature_spent: bool = False


class Committed(msgspec.Struct, frozen=True, array_like=True):
    """A commit of the home: how far the sequence came, and the objects that have a later version now."""

    tenant_id: str
    livemode: bool
    before: int
    after: int
    changed: tuple[Changed, ...]


class Answers(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """What happened at the home in one turn of the event loop. Commits come before the answers of them."""

    commits: list[Committed]
    answered: list[Answered]


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """An object that is asked for."""

    tenant_id: str
    livemode: bool
    identifier: str


class Find(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """A question for objects. `number` is of the connection."""

    number: int
    wanted: list[Wanted]


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """An object, if the home has it, as of the sequence `known` of its tenant.

    `age_ns` ago PostgreSQL has confirmed that sequence.
    """

    known: int
    age_ns: int
    shown: Shown | None = None


class Found(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """What the home shows of each object that a Find asked for, None if nothing of its tenant."""

    number: int
    seen: list[Seen | None]


Message = Hello | Welcome | Ping | Pong | Leaving | Forward | Answers | Find | Found

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """Return the frame of a message."""
    return _ENCODER.encode(message)


def encode_forward(submissions: Sequence[bytes]) -> bytes:
    """Return the frame of a Forward, of submissions that are encoded already."""
    return _ENCODER.encode((5, list(map(msgspec.Raw, submissions))))


def encode_answers(commits: Sequence[bytes], answered: Sequence[object]) -> bytes:
    """Return the frame of Answers, of commits that are encoded already. Raises: TypeError, OverflowError."""
    return _ENCODER.encode((6, list(map(msgspec.Raw, commits)), answered))


def encode_find(number: int, keys: Sequence[tuple[Scope, str]]) -> bytes:
    """Return the frame of a Find."""
    return _ENCODER.encode((7, number, [(*scope, identifier) for scope, identifier in keys]))


def encode_found(number: int, seen: Sequence[object]) -> bytes:
    """Return the frame of a Found, of tuples with the fields of `Seen`. Raises: TypeError, OverflowError."""
    return _ENCODER.encode((8, number, seen))


def decode(frame: bytes) -> Message:
    """Return the message of a frame. Raises: msgspec.MsgspecError."""
    return _DECODER.decode(frame)
