"""Endpoints that write: parameters to a command, the command to the engine, the outcome to an answer."""

import re
from collections.abc import Awaitable, Callable
from typing import ClassVar, Generic, NamedTuple, TypeVar

from fastpay import limits
from fastpay._native import digit_runs
from fastpay.api import answers
from fastpay.api.authentication import refuse_repeated
from fastpay.api.card_texts import may_hold_card_number
from fastpay.api.common_params import Params
from fastpay.api.context import Call, Reply
from fastpay.api.deadlines import in_time
from fastpay.api.decoding import decode_params
from fastpay.api.fingerprints import Fingerprints
from fastpay.api.idempotency_keys import parse_idempotency_key
from fastpay.api.request_notes import NOTE
from fastpay.api.resource import Resource
from fastpay.api.routes import Contract, Policy
from fastpay.domain import kinds
from fastpay.domain.kinds import Kind
from fastpay.domain.plan import Command
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.idempotency import key_digest
from fastpay.errors import FastpayError, InvalidRequest, OutcomeUnknown
from fastpay.observability import traces

_Params = TypeVar("_Params", bound=Params)

_TIMEOUT = re.compile(r"[0-9]{1,9}", re.ASCII)


class Reading(NamedTuple, Generic[_Params]):
    """How requests are read that become their parameters in a way of their own. `sent` describes them."""

    sent: type[Params]
    decode: Callable[[Call], Awaitable[_Params]]


class Write(Generic[_Params]):
    """An endpoint that changes something, and shows the object of `resource` that came of it.

    `command` makes the command. `path_kind` is the kind of the identifier in the path, None where there is
    none or `command` checks it. `check` sees the parameters first and lets publishable keys in: without it
    they are refused. `reading` is for requests that are not read as all others are; `is_trial` tells those
    that change nothing, and so keep no answer either. A body may be `body_factor` times as large as others.
    """

    # Whether `prepared` has anything to do outside of live mode.
    prepares_test_mode: ClassVar[bool] = True

    def __init__(
        self,
        resource: Resource,
        params_type: type[_Params],
        command: Callable[[Call, _Params], Command],
        *,
        path_kind: Kind | None = None,
        check: Callable[[Call, _Params], Awaitable[None]] | None = None,
        reading: Reading[_Params] | None = None,
        is_trial: Callable[[_Params], bool] | None = None,
        body_factor: int = 1,
    ) -> None:
        # The writer has deadlines of its own.
        self.policy = Policy(is_public=check is not None, deadline="own", body_factor=body_factor)
        self.contract = Contract(
            params_type if reading is None else reading.sent, resource, summary=command.__doc__ or ""
        )
        self._resource = resource
        self._params_type = params_type
        self._command = command
        self._path_kind = path_kind
        self._check = check
        self._decode = None if reading is None else reading.decode
        self._is_trial = is_trial
        self._fingerprints = Fingerprints(params_type)

    async def answer(self, call: Call) -> Reply:
        """Commit the command of the request. Raises: FastpayError."""
        # Before anything is read: a refusal must cost as little as possible.
        # Not by a property of the call, here and below: each costs 400 instructions.
        scope = call.credentials.scope
        call.services.writer.admit(scope)
        headers = call.headers
        deadline_ns = None
        if headers.is_special and "fastpay-timeout-ms" in headers:
            deadline_ns = _deadline(call)
        idempotency_key = headers.plain_key()
        if idempotency_key is None and "idempotency-key" in headers:
            idempotency_key = _checked_key(call, headers["idempotency-key"])
        if self._path_kind is not None:
            kinds.check(self._path_kind, call.arguments["id"])
        if self._decode is not None:
            params = await self._decode(call)
        elif call.unread and len(call.unread[0]) > limits.short_body_bytes:
            params = await self._decode_long(call)
        else:
            params = self._decode_params(call)
        if params.expand:
            answers.check_expansions(call, self._resource, params.expand)
        if self._check is not None:
            await self._check(call, params)
        if scope.livemode or self.prepares_test_mode:
            prepared = self.prepared(call, params)
            call = prepared if isinstance(prepared, Call) else await prepared
        submission = self._submission(call, params, idempotency_key, deadline_ns)
        if call.timing is not None:
            call.ended("decode")
        # A submitted command is committed even if the client disconnects.
        outcome = await call.services.writer.submit(submission)
        live = call.services.live_payments
        if live is not None and outcome.answer.provisional_until_ms is not None:
            with call.services.shares.aside(scope):
                outcome = await live.calls.follow(call.routed, submission, outcome)
        if call.services.request_notes is not None:
            call.asgi[NOTE].outcome = outcome
        body = answers.plain(call, self._resource, outcome)
        return await self._shown(call, submission, outcome) if body is None else Reply(body=body)

    def prepared(self, call: Call, params: _Params) -> Call | Awaitable[Call]:
        """Return the call with what the command takes that has to be read first. Raises: FastpayError.

        It is awaited only if there is something to wait for.
        """
        return call

    async def _shown(self, call: Call, submission: Submission, outcome: Outcome) -> Reply:
        """Return the answer to a command: a refusal, a replay, or what takes reads to be shown.

        Raises: FastpayError.
        """
        if outcome.is_signature_spent:
            raise refuse_repeated()
        if outcome.original_request_id is not None or outcome.answer.error is not None:
            # It may follow from a commit of another instance that this one has not heard of yet.
            call.services.reader.acknowledged(call.scope, outcome.answer.sequence)
        try:
            answering = answers.committed(call, self._resource, outcome)
            return await (in_time(answering) if outcome.answer.expand else answering)
        except FastpayError as error:
            if submission.idempotency_key is not None or not error.retryable:
                raise
            # The command is committed. Without a key, a client that is told to retry would repeat it.
            raise OutcomeUnknown(
                "This was carried out, but its answer could not be read. Look up the result before you "
                "repeat it, and send an idempotency key with every request that must not happen twice."
            ) from error

    def _submission(
        self, call: Call, params: _Params, idempotency_key: str | None, deadline_ns: int | None
    ) -> Submission:
        """Return what the writer gets to do. A trial keeps no answer, and so needs no key."""
        signed, credentials = call.signed, call.credentials
        if self._is_trial is not None and self._is_trial(params):
            idempotency_key = signed = None
        command = self._command(call, params)
        if call.trace is not None and (tracer := traces.tracer()) is not None:
            tracer.remember(call.request_id, call.trace)
        stamp = call.services.identifiers.stamp()
        digest, is_publishable = b"", credentials.kind == "publishable"
        if call.routed is not None and idempotency_key is not None:
            # A live payment needs it again with its outcome.
            digest = key_digest(credentials.scope, idempotency_key, is_publishable=is_publishable)
        return Submission(
            scope=credentials.scope,
            command=command,
            request_id=call.request_id,
            moment_ms=stamp.moment_ms,
            head=stamp.head,
            tail=stamp.tail,
            # In the order of the fields: in another one each is looked for.
            idempotency_key=idempotency_key,
            digest=digest,
            fingerprint=b"" if idempotency_key is None else self._fingerprints.make(call, params),
            expand=params.expand,
            is_publishable=is_publishable,
            signed=signed,
            deadline_ns=deadline_ns,
            trace=call.trace,
            timing=call.timing,
        )

    async def _decode_long(self, call: Call) -> _Params:
        """Decode one long body at a time, and let other tenants' requests go on before the next."""
        background = call.services.background
        async with call.services.reading:
            begun_ns = background.now_ns()
            try:
                return self._decode_params(call)
            finally:
                await background.give_way(call.scope, begun_ns)

    def _decode_params(self, call: Call) -> _Params:
        content_type, query = call.headers.get("content-type"), call.query
        body = call.unread.pop() if call.unread else b""  # as `take_body`
        params = decode_params(self._params_type, content_type=content_type, body=body, query=query)
        if may_hold_card_number(content_type, body, query):
            call.services.card_texts.check(params)
        return params


class LiveWrite(Write[_Params]):
    """An endpoint that makes payments. `route` adds to a call in live mode where its payment goes."""

    prepares_test_mode = False

    def __init__(
        self,
        resource: Resource,
        params_type: type[_Params],
        command: Callable[[Call, _Params], Command],
        *,
        route: Callable[[Call, _Params], Call | Awaitable[Call]],
        path_kind: Kind | None = None,
        check: Callable[[Call, _Params], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(resource, params_type, command, path_kind=path_kind, check=check)
        self._route = route

    def prepared(self, call: Call, params: _Params) -> Call | Awaitable[Call]:
        """Return the call with its route, in live mode. Raises: FastpayError."""
        return self._route(call, params)


def _checked_key(call: Call, header: str) -> str | None:
    """Return the key of an unusual Idempotency-Key header. Raises: InvalidRequest."""
    key = parse_idempotency_key(header)
    if key is not None and digit_runs.in_text(key):
        call.services.card_texts.check_idempotency_key(key)
    return key


def _deadline(call: Call) -> int:
    """Return when the client stops waiting, on the monotonic clock, as Fastpay-Timeout-Ms says.

    The header has milliseconds and no time of day, since clocks of two machines may differ.
    Raises: InvalidRequest.
    """
    header = call.headers["fastpay-timeout-ms"]
    if _TIMEOUT.fullmatch(header) is None or not 1 <= int(header) <= limits.client_timeout_ms_max:
        raise InvalidRequest(
            f"Fastpay-Timeout-Ms is a whole number of milliseconds from 1 to {limits.client_timeout_ms_max}."
        )
    return call.services.clock.monotonic_ns() + int(header) * 1_000_000
