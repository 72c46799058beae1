"""Requests on routes in shadow: the legacy API answers the client, and this server answers beside it.

    client <--- legacy API          recorded while it passes
                    |
                    +--- task:  this server's own answer, which nobody gets
                                now and then the legacy API's second answer, to learn its noise
                                both are compared (`engine/rollout/comparison.py`), and the result is counted

Nothing of it is on the client's path but a copy of the answer. A request that comes while
`shadow_requests_max` are compared is dropped, and counted.

A write is executed by the legacy API alone. Here it is decided, and nothing is committed
(`engine/write/trial.py`): its status, its body, its events and what it would have moved are compared.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from starlette.types import Message, Receive, Scope, Send

from fastpay import limits
from fastpay.api import redaction, shadow_examples
from fastpay.api.context import Services
from fastpay.api.legacy import PassThrough
from fastpay.domain.identifiers import Scope as TenantScope
from fastpay.engine.ports import Reader
from fastpay.engine.rollout.choice import LEGACY, owner_of_all
from fastpay.engine.rollout.comparison import Comparison, Shown, compare
from fastpay.engine.rollout.effects import compare_effects
from fastpay.engine.rollout.finding_ports import Outcome, RouteKey
from fastpay.engine.rollout.findings import Findings
from fastpay.engine.rollout.latency import names_of
from fastpay.engine.rollout.routes import Front
from fastpay.engine.rollout.rules import DeclaredAndLearned, Noise
from fastpay.engine.shares import Shares
from fastpay.engine.write.trial import Effects

Served = Callable[[Scope, Receive, Send], Awaitable[None]]
# A candidate must answer in full, and in no coding.
_NOT_FOR_CANDIDATES = frozenset((b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"))
_CONDITIONAL = _NOT_FOR_CANDIDATES - {b"accept-encoding"}
_GZIP = 31
_FAILED = 500


class Candidate(NamedTuple):
    """What would answer here. `is_decided` tells whether a POST can be decided without a commit."""

    served: Served
    is_decided: bool


class ShadowRequest(NamedTuple):
    """A request on a route in shadow. `candidate` is what would answer it here.

    `named` are the objects that decide where it belongs. `body` is None for a GET.
    """

    scope: Scope
    key: RouteKey
    candidate: Candidate
    named: Sequence[str]
    body: bytes | None = None


def candidate_services(services: Services, front: Front) -> Services:
    """Return the services for answers that nobody gets.

    They are not logged, take no client's share, ask no processor, and nothing of them is committed.
    """
    return msgspec.structs.replace(
        services,
        writer=front.trial,
        reader=cast("Reader", _UntoldReader(services.reader)),
        request_notes=None,
        live_payments=None,
        shares=Shares(),
    )


class Shadow:
    """Compares answers."""

    def __init__(self, front: Front, pass_through: PassThrough, now_ns: Callable[[], int]) -> None:
        self._findings: Findings = front.findings
        self._tasks = front.shadow
        self._rules = front.rules
        self._rules_of_writes = msgspec.structs.replace(front.rules, is_write=True)
        self._trial = front.trial
        self._noise_every = front.noise_every
        self._pass_through = pass_through
        self._now_ns = now_ns
        self._noise: dict[str, Noise] = {}
        self._turns: dict[str, int] = {}

    async def __call__(self, request: ShadowRequest, receive: Receive, send: Send) -> None:
        """Let the legacy API answer, and compare its answer afterwards."""
        scope = request.scope
        if not _is_suitable(request):
            self._findings.ended(request.key, "unsuitable")
            await self._pass_through(scope, receive, send)
            return
        recorder = Recorder(send, self._now_ns)
        await self._pass_through(scope, receive, recorder.send)
        if not recorder.is_over:
            return
        if self._tasks.has_room:
            self._tasks.begin(self._compare(request, recorder))
        else:
            self._findings.ended(request.key, "dropped")

    async def _compare(self, request: ShadowRequest, recorder: "Recorder") -> None:
        legacy = recorder.shown()
        if not isinstance(legacy, Shown) or legacy.status >= _FAILED:
            self._findings.ended(request.key, "legacy_failed" if isinstance(legacy, Shown) else legacy)
            return
        try:
            async with asyncio.timeout(limits.shadow_timeout_ms / 1000):
                fastpay = await self._ask_here(request)
                again = await self._ask_again(request, recorder) if self._learns_from(request) else None
        except TimeoutError:
            # Streams of events, which go on for as long as the client stays.
            fastpay = again = None
        await self._end(request, recorder, legacy, fastpay, again)

    async def _end(
        self,
        request: ShadowRequest,
        recorder: "Recorder",
        legacy: Shown,
        fastpay: "_Decided | None",
        again: Shown | None,
    ) -> None:
        """Compare, and count what is found."""
        route = request.key.route
        noise = self._noise.setdefault(route, Noise())
        rules = self._rules if request.body is None else self._rules_of_writes
        lens = DeclaredAndLearned(rules, noise)
        if again is not None:
            own = await _compare(legacy, again, DeclaredAndLearned(self._rules, Noise()))
            noise.learn(own.differences)
        outcome = _uncompared(request, legacy, None if fastpay is None else fastpay.shown)
        if outcome is None:
            assert fastpay is not None
            compared = await _compare(legacy, fastpay.shown, lens)
            if fastpay.effects is not None:
                for difference in compare_effects(route, legacy, fastpay.effects):
                    compared.add(difference)
            self._count(request, recorder.request_id, compared)
            for name in names_of(recorder.took_ns, fastpay.took_ns):
                self._findings.added(request.key, "latency", name)
            outcome = "differing" if compared.differences else "equal"
        self._findings.ended(request.key, outcome)

    def _count(self, request: ShadowRequest, request_id: str, compared: Comparison) -> None:
        key, findings = request.key, self._findings
        for rule, count in compared.hidden.items():
            findings.found(key, "hidden", rule, count)
        for difference in compared.differences:
            findings.found(key, "difference", difference.name)
            number = findings.next_number(key, difference.name)
            if number is not None:
                shown = f"{request.scope['method']} {redaction.path(request.scope['path'])}"
                findings.keep(shadow_examples.make(key, difference, number, shown, request_id))

    def _learns_from(self, request: ShadowRequest) -> bool:
        """Tell whether the legacy API is asked twice: a share of the reads, the first one included."""
        if request.body is not None:
            return False
        route = request.key.route
        turn = self._turns.get(route, 0)
        self._turns[route] = turn + 1
        return self._noise_every > 0 and turn % self._noise_every == 0

    async def _ask_here(self, request: ShadowRequest) -> "_Decided | None":
        """Return this server's answer, None without one."""
        fields = [field for field in request.scope["headers"] if field[0] not in _NOT_FOR_CANDIDATES]
        recorder = Recorder(_to_nobody, self._now_ns)
        scope: MutableMapping[str, Any] = {**request.scope, "headers": fields}
        await request.candidate.served(scope, _nothing_more(request.body or b""), recorder.send)
        effects, shown = self._trial.take(recorder.request_id), recorder.shown()
        return _Decided(shown, effects, recorder.took_ns) if isinstance(shown, Shown) else None

    async def _ask_again(self, request: ShadowRequest, first: "Recorder") -> Shown | None:
        """Return another answer of the legacy API, None if it has another status or cannot be read."""
        recorder = Recorder(_to_nobody, self._now_ns)
        await self._pass_through({**request.scope}, _nothing_more(), recorder.send)
        shown = recorder.shown()
        return shown if isinstance(shown, Shown) and shown.status == first.status else None


class _Decided(NamedTuple):
    """This server's answer, what it would have done (None for a read), and how long it took."""

    shown: Shown
    effects: Effects | None
    took_ns: int


class _UntoldReader:
    """A reader that is not told of answers which nobody got: they show what is never committed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def acknowledged(self, scope: TenantScope, sequence: int) -> None:
        """Do nothing."""


class Recorder:
    """Passes an answer on, and keeps a copy unless it is long.

    `took_ns` is the time until its head: what a client takes to read the rest says nothing about a side.
    """

    def __init__(self, send: Send, now_ns: Callable[[], int]) -> None:
        self.took_ns = 0
        self._now_ns, self._begun_ns = now_ns, now_ns()
        self.status = 0
        self.is_over = False
        self._fields: Mapping[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._send = send

    @property
    def is_replay(self) -> bool:
        """Whether it repeats a first answer."""
        return self._fields.get(b"idempotent-replayed", b"").lower() == b"true"

    @property
    def request_id(self) -> str:
        """This server's identifier of the request."""
        own = self._fields.get(b"fastpay-request-id") or self._fields.get(b"request-id") or b""
        return own.decode("latin-1")[:64]

    async def send(self, message: Message) -> None:
        """Satisfy ASGI's `send`."""
        if message["type"] == "http.response.start":
            self.status, self._fields = message["status"], dict(message["headers"])
            self.took_ns = self._now_ns() - self._begun_ns
        elif message["type"] == "http.response.body":
            piece = message.get("body", b"")
            self._bytes += len(piece)
            if self._bytes <= limits.shadow_body_bytes_max:
                self._pieces.append(piece)
            self.is_over = not message.get("more_body", False)
        await self._send(message)

    def shown(self) -> Shown | Outcome:
        """Return the answer, or why it cannot be compared."""
        if not self.is_over:
            return "unanswered"
        coding = self._fields.get(b"content-encoding", b"identity").lower()
        body = b"".join(self._pieces)
        if self._bytes > limits.shadow_body_bytes_max or coding not in (b"identity", b"gzip"):
            return "unreadable"
        if coding == b"gzip":
            reader = zlib.decompressobj(_GZIP)
            try:
                body = reader.decompress(body, limits.shadow_body_bytes_max)
            except zlib.error:
                return "unreadable"
            if not reader.eof:
                return "unreadable"
        return Shown(self.status, body)


async def _compare(legacy: Shown, fastpay: Shown, lens: DeclaredAndLearned) -> Comparison:
    """Compare two answers; long ones in a thread, so that requests of clients are served meanwhile."""
    if len(legacy.body) + len(fastpay.body) <= limits.comparison_short_bytes:
        return compare(legacy, fastpay, lens)
    return await asyncio.to_thread(compare, legacy, fastpay, lens)


def _uncompared(request: ShadowRequest, legacy: Shown, fastpay: Shown | None) -> Outcome | None:
    """Return why two answers say nothing about each other, None if they do."""
    if fastpay is None or fastpay.status == 503:
        return "unanswered"
    if fastpay.status == 401 and legacy.status != 401:
        return "stranger"
    is_missing = fastpay.status == 404 or _code_of(fastpay) == "resource_missing"
    if is_missing and legacy.status < 300 and owner_of_all(request.named) == LEGACY:
        return "absent"
    return None


def _code_of(shown: Shown) -> Any:
    try:
        return msgspec.json.decode(shown.body)["error"]["code"]
    except (msgspec.DecodeError, RecursionError, TypeError, KeyError):
        return None


def _is_suitable(request: ShadowRequest) -> bool:
    """Tell whether a request can be compared: a read without conditions, or a write that can be decided."""
    scope, body = request.scope, request.body
    if body is None:
        return scope["method"] == "GET" and not any(name in _CONDITIONAL for name, _ in scope["headers"])
    # What a write expands to would be read as of a commit that never comes.
    named = body + scope["query_string"]
    return request.candidate.is_decided and scope["method"] == "POST" and b"expand" not in named


async def _to_nobody(message: Message) -> None:
    """Send nothing."""


def _nothing_more(body: bytes = b"") -> Receive:
    """Return a `receive` of a client that has sent a body and stays."""
    unread = [body]

    async def receive() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody resolves it")

    return receive
