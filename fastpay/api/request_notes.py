"""Notes of requests for the request log: taken while a request is answered, described afterwards.

A note holds the request as it was sent, card numbers included, for as long as it waits for its description.
What `describe` returns has passed `redaction.py`.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

import msgspec

from fastpay import limits
from fastpay._native import form, strict_json
from fastpay.api import redaction
from fastpay.api.decoding import is_json
from fastpay.api.errors import Failure, known_error, without_card_numbers
from fastpay.api.idempotency_keys import presentable_key
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope as TenantScope
from fastpay.domain.plan import ErrorRecord
from fastpay.engine.ports import Credentials, Outcome
from fastpay.engine.request_log import RequestLog
from fastpay.engine.request_log_ports import LoggedError, LoggedRequest
from fastpay.errors import FastpayError, UnsupportedMediaType
from fastpay.observability.traces import METHODS

# The name of the note in a request's ASGI scope.
NOTE = "fastpay.note"
SHOWN_AT = "/v1/request_logs/"

_BODILESS = frozenset(("GET", "HEAD", "DELETE"))
_SECRET = re.compile(r"(?:sk|pk)_(?:test|live)_|whsec_|fpss_|_secret_", re.ASCII)
# What a refund and the like are about. A request that names its object in the path is found by that.
_SUBJECTS = ("payment_intent", "charge", "setup_intent")
# Draws compare the random digits of a request's identifier with these.
_DRAWN_DIGITS = 8
_ALWAYS, _NEVER = "req_g", "req_"


class Note(msgspec.Struct, gc=False):
    """What is known of a request. `headers` and `path` are those of its ASGI scope."""

    notes: "RequestNotes"
    method: str
    path: str
    headers: Iterable[tuple[bytes, bytes]]
    begun_ns: int
    request_id: str = ""
    ended_ns: int = 0
    status: int = 0
    scope: TenantScope | None = None
    key_id: str | None = None
    params_type: type[msgspec.Struct] | None = None
    query: bytes = b""
    # None if it is too long to be kept.
    body: bytes | None = b""
    outcome: Outcome | None = None
    error: Failure | None = None

    def authenticated(self, credentials: Credentials, params_type: type[msgspec.Struct]) -> "Note":
        """Note whose request it is, and the parameters that it may have. Return the note."""
        self.scope = credentials.scope
        self.key_id = credentials.key_id
        self.params_type = params_type
        return self

    def read(self, query: bytes, body: bytes) -> None:
        """Note what was sent."""
        self.query = query
        self.body = body if len(body) <= limits.request_log_body_bytes_max else None

    def failed(self, error: Failure, request_id: str) -> str | None:
        """Note the error, and return the URL that its answer shows."""
        self.error = error
        return None if self.scope is None else self.notes.url_of(request_id)

    def end(self, request_id: str, status: int) -> None:
        """Note the answer, and leave the note in the queue if it is to be kept."""
        self.request_id = request_id
        self.status = status
        self.notes.end(self)


class RequestNotes:
    """Takes notes, and chooses which are kept.

    That is all of them if `percent` is None. Otherwise it is this share of the requests, and in addition all
    that failed and whose tenant is known: nobody else can fill the log.
    """

    def __init__(
        self, log: RequestLog[Note], *, clock: Clock, percent: int | None, public_url: str | None
    ) -> None:
        self.log = log
        self._now_ns = clock.monotonic_ns
        self._keeps_failures = percent is not None
        self.drawn_below = _ALWAYS if percent is None else _drawn_below(percent)
        self._keeps_strangers = log.keeps_strangers
        self._url = public_url + SHOWN_AT if public_url is not None and log.is_stored else None

    def begin(self, asgi: MutableMapping[str, Any]) -> Note:
        """Return the note of a request that has just arrived, and put it into its scope."""
        note = asgi[NOTE] = Note(self, asgi["method"], asgi["path"], asgi["headers"], self._now_ns())
        return note

    def end(self, note: Note) -> None:
        """Keep a note that is complete, or drop it."""
        if note.scope is None:
            if not self._keeps_strangers or note.request_id >= self.drawn_below:
                return
        elif note.request_id >= self.drawn_below and note.status < 400:
            return
        note.ended_ns = self._now_ns()
        self.log.add(note)

    def answered(
        self,
        asgi: MutableMapping[str, Any],
        credentials: Credentials,
        begun_ns: int,
        request_id: str,
        status: int,
    ) -> None:
        """Keep a request that was answered by the shortcut, and drawn there."""
        now_ns = self._now_ns()
        note = Note(self, asgi["method"], asgi["path"], asgi["headers"], begun_ns, request_id, now_ns, status)
        note.scope, note.key_id = credentials.scope, credentials.key_id
        self.log.add(note)

    def url_of(self, request_id: str) -> str | None:
        """Return where a request can be looked up, None if nothing is stored or no setting says where."""
        return None if self._url is None else self._url + request_id


def describe(note: Note, now_ms: int, now_ns: int) -> LoggedRequest:
    """Return what is kept of a request."""
    outcome = note.outcome
    rule = None if note.params_type is None else redaction.rule_of(note.params_type)
    sent = {name: value for name, value in note.headers if name in _READ}
    object_id = sequence = original = None
    error = None if note.error is None else known_error(note.error)
    if outcome is not None:
        original = outcome.original_request_id
        answer = outcome.answer
        object_id, sequence = answer.object_id, answer.sequence
        if error is None and answer.error is not None:
            error = answer.error
            object_id = error.payment_intent or error.setup_intent or error.charge
    parameters, text = _parameters(note, rule, sent.get(b"content-type"))
    if object_id is None and note.status >= 400:
        object_id = _subject_in(parameters)
    agent = sent.get(b"user-agent")
    return LoggedRequest(
        request_id=note.request_id,
        scope=note.scope,
        moment_ms=now_ms - (now_ns - note.begun_ns) // 1_000_000,
        duration_us=max(note.ended_ns - note.begun_ns, 0) // 1_000,
        method=note.method if note.method in METHODS else "_OTHER",
        path=redaction.path(note.path),
        status=note.status,
        key_id=note.key_id,
        idempotency_key=_idempotency_key(note.method, sent.get(b"idempotency-key")),
        original_request_id=original,
        parameters=text,
        object_id=object_id,
        sequence=sequence,
        error=None if error is None else _error(error, rule),
        user_agent=None if agent is None else redaction.user_agent(agent.decode("latin-1")),
    )


# The headers that something is kept of.
_READ = frozenset((b"content-type", b"idempotency-key", b"user-agent"))


def _drawn_below(percent: int) -> str:
    """Return the identifier that so many percent of all are below."""
    if percent >= 100:
        return _ALWAYS
    return f"{_NEVER}{percent * 16**_DRAWN_DIGITS // 100:0{_DRAWN_DIGITS}x}"


def _error(error: FastpayError | ErrorRecord, rule: redaction.Rule | None) -> LoggedError:
    message = redaction.message(without_card_numbers(error.message))
    param = None if error.param is None else redaction.name(rule, error.param)
    return LoggedError(error.type, error.code, error.decline_code, param, message)


def _subject_in(parameters: Mapping[str, Any]) -> str | None:
    """Return what a refused request is about, by the parameter that names it."""
    named = (parameters.get(name) for name in _SUBJECTS)
    return next((text for text in named if type(text) is str and redaction.is_identifier(text)), None)


def _parameters(
    note: Note, rule: redaction.Rule | None, content_type: bytes | None
) -> tuple[Mapping[str, Any], str | None]:
    """Return what is kept of the parameters, also in JSON: None if they are too long or cannot be read."""
    if note.body is None or rule is None:
        return {}, None
    try:
        tree: dict[str, Any] = form.parse(note.query) if note.query else {}
        if note.body and note.method not in _BODILESS:
            is_form = content_type is None or not is_json(content_type.decode("latin-1"))
            tree |= (
                form.parse(note.body) if is_form else strict_json.decode(note.body, limits.json_values_max)
            )
    except (form.FormError, strict_json.JsonError, UnsupportedMediaType):
        return {}, None
    kept = redaction.parameters(rule, tree)
    text = msgspec.json.encode(kept)
    return kept, text.decode() if len(text) <= limits.request_log_parameters_bytes_max else None


def _idempotency_key(method: str, header: bytes | None) -> str | None:
    """Return a key that was valid, and is neither a secret nor a security code by mistake."""
    if header is None or method in _BODILESS or len(header) < limits.request_log_key_chars_min:
        return None
    key = presentable_key(header.decode("latin-1"))
    return None if key is None or ("_" in key and _SECRET.search(key) is not None) else key
