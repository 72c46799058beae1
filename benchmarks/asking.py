"""How long does one confirmed payment take between transport and engine? No socket, no decision, no database.

Run: pytest benchmarks/asking.py. The writer answers at once with an outcome that was decided before, so that
what is left is the way of a request to a submission and of an outcome to the bytes of an answer.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay._native.awaitables import Ready
from fastpay._native.cache import Cache
from fastpay.api.app import RESOURCES, create_app
from fastpay.api.context import Services
from fastpay.api.request_notes import Note, RequestNotes, describe
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.plan import Versioned
from fastpay.engine.challenge_ports import ChallengeTokens
from fastpay.engine.dependencies import Readiness
from fastpay.engine.event_ports import Events
from fastpay.engine.feeds import Feeds
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ledger_ports import Ledger
from fastpay.engine.ports import Credentials, Outcome, Reader, Submission
from fastpay.engine.request_log import RequestLog
from fastpay.observability import traces
from fastpay.observability.traces import Tracer

_KEY = "sk_test_00000000000000000000000000000000"
_HEADERS = [
    (b"host", b"localhost:8000"),
    (b"authorization", b"Bearer " + _KEY.encode()),
    (b"idempotency-key", b"0190a5f0-b7e9-7cc0-8d0a-8b8e5b1f2a3c"),
    (b"content-type", b"application/x-www-form-urlencoded"),
    (b"content-length", str(len(samples.BODY)).encode()),
    (b"stripe-version", b"2025-09-30.clover"),
    (b"user-agent", b"Stripe/v1 PythonBindings/16.0.0"),
]


_SENT: Ready = Ready(None)


class _Keys:
    """Knows one key."""

    def __init__(self) -> None:
        credentials = Credentials(scope=samples.SCOPE, kind="secret", fingerprint_key=b"k" * 32)
        self._known = {_KEY: credentials}

    async def authenticate(self, key: str, *, client: str | None = None) -> Credentials | None:
        return self._known.get(key)

    def known(self, key: str) -> Credentials | None:
        return self._known.get(key)

    def believed_until_ns(self, key: str) -> int:
        """Believe nothing for any time: every request asks."""
        return 0


class _Writer:
    """Answers every submission with the same outcome, and keeps the last one."""

    last: Submission

    def __init__(self) -> None:
        decided = samples.decide(samples.new_workspace(), samples.new_command())
        objects = {versioned.object.id: versioned for versioned in decided.versions}
        self._outcome = Outcome(answer=decided.answer, objects=objects)

    def admit(self, scope: Scope) -> None:
        """Let everybody in."""

    async def submit(self, submission: Submission) -> Outcome:
        self.last = submission
        return self._outcome


class _Notes(RequestLog[Note]):
    """Keeps the last note."""

    last: Note

    def __init__(self) -> None:
        super().__init__(describe, clock=SystemClock())

    def add(self, note: Note) -> None:
        self.last = note


class _Unread:
    """A reader with an empty cache and nothing behind it."""

    cache = Cache(0)

    def watch(self, scope: Scope, identifier: str, on_done: Callable[[Versioned | None], None]) -> bool:
        """Read nothing."""
        return False


class Asking:
    """One request after another through the whole application.

    With `is_logged` each leaves a note, with a `tracer` it may be drawn.
    """

    def __init__(self, *, is_logged: bool = False, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        clock = SystemClock()
        self.notes = _Notes()
        notes = RequestNotes(self.notes, clock=clock, percent=None, public_url=None) if is_logged else None
        self.writer = _Writer()
        self._app = create_app(
            Services(
                writer=self.writer,
                # Everything that the answer shows is in the outcome: nothing is ever read.
                reader=cast(Reader, _Unread()),
                ledger=cast(Ledger, None),
                events=cast(Events, None),
                feeds=cast(Feeds, None),
                keys=_Keys(),
                challenges=cast(ChallengeTokens, None),
                clock=clock,
                identifiers=IdentifierFactory(clock),
                readiness=Readiness(),
                resources=RESOURCES,
                request_notes=notes,
            )
        )
        self._sent: list[MutableMapping[str, Any]] = []

    def ask(self) -> bytes:
        """Send a payment and return the body of its answer."""
        traces.use(self._tracer)
        self._sent.clear()
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/payment_intents",
            "query_string": b"",
            "headers": _HEADERS,
            "scheme": "http",
        }
        try:
            # Nothing in it waits, so that it ends at the first step.
            self._app(scope, self._receive, self._send).__await__().__next__()
        except StopIteration:
            traces.use(None)
        start, body = self._sent
        assert start["status"] == 200
        return cast(bytes, body["body"])

    def _receive(self) -> Awaitable[MutableMapping[str, Any]]:
        # Nothing waits, and a connection makes no coroutines then.
        return Ready({"type": "http.request", "body": samples.BODY, "more_body": False})

    def _send(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        self._sent.append(message)
        return _SENT


def test_a_payment_to_a_submission_and_its_outcome_to_an_answer(benchmark: BenchmarkFixture) -> None:
    asking = Asking()
    assert benchmark(asking.ask).startswith(b'{"id":"pi_')
    command = asking.writer.last.command
    assert isinstance(command, CreatePaymentIntent)
    assert command.confirm
